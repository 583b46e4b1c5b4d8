"""Deposits that withdrawals of ours arrived as: which may be whose.

A venue may put several withdrawals into one transaction, so that its id alone says of none that it
arrived. Amount and address tell, and two that are equal have a deposit each. Which deposit settled
which is not known here: every one that may be a withdrawal's is told by a name that stays the same,
and whoever keeps the record lets each settle one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from allocator.adapters.ccxt.dialect import Deposit, Withdrawal
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent


def deposit_by(  # noqa: PLR0913 - a word for each field
    row: JsonObject,
    *,
    amount: str = "amount",
    address: str = "address",
    tag: str = "tag",
    network: str = "chain",
    venue_id: str | None = None,
    fee: str | None = None,
) -> Deposit:
    """Read the record of a deposit by a venue's words for its fields.

    Parameters
    ----------
    fee
        What the venue keeps of a deposit. No page says whether its amount is before or after that:
        it is taken off, so that no more is taken for arrived than did arrive.
    """
    address, tag, network = (str(row.get(key) or "") for key in (address, tag, network))
    name = "" if venue_id is None else str(row.get(venue_id) or "")
    kept = ZERO if fee is None else number(row.get(fee)) or ZERO
    return Deposit(_less(number(row.get(amount)), kept), address, tag, network, name)


@exactly
def _less(amount: Decimal | None, kept: Decimal) -> Decimal | None:
    """Take off what the venue kept; what it may have given besides is not told as arrived."""
    return None if amount is None else amount - max(kept, ZERO)


def arrived_as(  # noqa: PLR0913 - both ends of one withdrawal
    sent: Withdrawal,
    found: Sequence[Deposit],
    address: AddressConfig,
    intent: TransferIntent,
    target: str,
    *,
    one_venue: bool,
) -> tuple[str, ...]:
    """Name the deposits of a withdrawal's transaction that it may have arrived as.

    Parameters
    ----------
    target
        The venue that receives.
    one_venue
        Whether it is the sending one as well, so that a network has one name at both.

    Returns
    -------
    Names as `Found.arrivals` has them; empty: nothing of it was credited yet.

    Raises
    ------
    VenueError
        When something else was credited.
    """
    rows = _named(found, target, sent.txid or "")
    ours = (name for name, row in rows if _is_ours(row, sent, address, intent, one_venue))
    names = tuple(dict.fromkeys(ours))
    if found and not names:
        credited = ", ".join(_told(row, intent.asset) for row in found)
        raise VenueError(
            f"transaction {sent.txid} of withdrawal {sent.venue_id} was credited as {credited}, "
            f"and {plain(intent.amount)} {intent.asset} to {address.address} were to arrive"
        )
    return names


def _named(found: Sequence[Deposit], target: str, txid: str) -> Iterator[tuple[str, Deposit]]:
    """Name deposits by the venue's own ids, else by all that is told of them.

    Of those that are told alike nobody can say which is which, and nobody has to: they are
    numbered, so that there are as many names as deposits.
    """
    alike = Counter[str]()
    for row in found:
        if row.venue_id:
            yield f"{target} {row.venue_id}", row
            continue
        amount = "" if row.amount is None else plain(row.amount)
        told = "\n".join((txid, amount, row.address.casefold(), row.tag, row.network))
        alike[told] += 1
        yield f"{target} {hashlib.sha256(told.encode()).hexdigest()} {alike[told]}", row


@exactly
def most_of(sent: Withdrawal, intent: TransferIntent) -> Decimal:
    """Tell how much of a withdrawal arrives at most; its amount is the least.

    A fee that is taken out of what is asked for is rounded up for it, and the rest arrives. While
    the record tells no fee nobody can say how much that is.
    """
    if not sent.fee_within or not sent.fee:
        return intent.amount
    return max(intent.amount, sent.amount - sent.fee)


def _is_ours(
    row: Deposit, sent: Withdrawal, address: AddressConfig, intent: TransferIntent, one_venue: bool
) -> bool:
    fits = row.amount is not None and intent.amount <= row.amount <= most_of(sent, intent)
    ends = {address.address.casefold(), f"{address.address}:{address.tag}".casefold()}
    arrived = not row.address or row.address.casefold() in ends
    tagged = not row.tag or row.tag == address.tag
    same = not one_venue or not row.network or row.network.casefold() == address.network.casefold()
    return fits and arrived and tagged and same


def _told(row: Deposit, asset: str) -> str:
    amount = "an untold amount of" if row.amount is None else plain(row.amount)
    ends = " ".join(filter(None, (row.address, row.tag, row.network)))
    return f"{amount} {asset} to {ends or 'nobody'}"
