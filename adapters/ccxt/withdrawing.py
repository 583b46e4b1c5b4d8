"""Withdrawals at venues whose records keep a key of ours: what they share.

A venue's own figures decide: what a network costs, where its amounts begin and how finely they go
is read anew before each withdrawal, and one that is shut, or whose fee is no figure, takes nothing.

No page of Gate or Bitget says whether a wallet shows what waits to leave as held back. Where it
does, its account is frozen until that has left: the same figure tells of spot orders, which are not
read. KuCoin's main wallet knows no orders.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from allocator.adapters.ccxt.dialect import Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly, is_multiple, up
from allocator.adapters.sources import NetworkTerms
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent

MOST = 100
"""Rows that one answer of Gate's and Bitget's records holds at most, as it is asked for."""

Terms = Callable[[Place, Collection[str]], Awaitable[Mapping[str, NetworkTerms]]]


class Funds(Protocol):
    """What withdraws, looks withdrawals up and reads their terms."""

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Send money to a registered address and return the venue's id."""
        ...

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up at the venue that sends."""
        ...

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read fee, minimum and state of withdrawals, by ``asset:network``."""
        ...


class Withdraws:
    """Withdraws by one module."""

    funds: Funds

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Send money to a registered address and return the venue's id."""
        return await self.funds.send_withdrawal(source, address, intent, fee)

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up at the venue that sends."""
        return await self.funds.find_withdrawal(source, address, intent, trace)

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read fee, minimum and state of withdrawals, by ``asset:network``."""
        return await self.funds.networks(place, assets)


async def terms_now(
    read: Terms, source: Place, address: AddressConfig, intent: TransferIntent
) -> NetworkTerms:
    """Read what a withdrawal costs at this moment.

    Raises
    ------
    NotSentError
        When nothing leaves by its network, the terms are not known, the fee is above the plan's, or
        the amount is below the network's least or between its steps.
    """
    try:
        told = await read(source, {intent.asset})
    except VenueError as error:
        raise NotSentError(f"the terms of {address.network} were not read: {error}") from error
    found = told.get(f"{intent.asset}:{address.network}")
    if found is None or not found.open or found.fee < 0:
        raise NotSentError(f"{intent.asset} does not leave over {address.network} now")
    if intent.most_fee is not None and found.fee > intent.most_fee:
        raise NotSentError(
            f"{plain(found.fee)} {intent.asset} are charged over {address.network} now, and the "
            f"plan has {plain(intent.most_fee)}"
        )
    if intent.amount < found.minimum:
        raise NotSentError(f"less than {found.minimum} does not leave over {address.network}")
    if not is_multiple(intent.amount, found.step):
        raise NotSentError(f"an amount over {address.network} goes by {found.step}")
    return found


@exactly
def with_fee(amount: Decimal, fee: Decimal) -> Decimal:
    """Tell what to ask for where the venue takes its fee out of it, so that the amount arrives."""
    return amount + fee


def terms_of(
    fee: Decimal | None, minimum: Decimal | None, step: Decimal, *, usable: bool
) -> NetworkTerms:
    """Put terms together: a network whose fee or least amount is not told is shut."""
    told = fee is not None and minimum is not None
    return NetworkTerms(fee=fee or ZERO, minimum=minimum or ZERO, step=step, open=usable and told)


def fee_by(fee: Decimal | None, step: Decimal) -> Decimal | None:
    """Round a fee that is taken out of what is asked for up to the network's step.

    What is asked for goes by it, fee and all; what is more than the fee arrives.
    """
    return None if fee is None else up(fee, step)


def only_one(rows: Iterable[JsonObject], what: str) -> JsonObject | None:
    """Take the one row that is a withdrawal's; None: there is none.

    Raises
    ------
    VenueError
        When there are two: it was carried out twice, or the key is not its own.
    """
    found = list(rows)
    if len(found) > 1:
        raise VenueError(f"two withdrawals bear the {what}")
    return found[0] if found else None


@exactly
def check_same(sent: Withdrawal, address: AddressConfig, intent: TransferIntent) -> None:
    """Hold the record of a withdrawal against what was asked for.

    What holds the fee is at least amount and fee, and more by as much as the fee was rounded up, or
    while the record tells none: by the plan's highest fee at most, without one by less than the
    amount, which goes by the network's step as what is asked for does.

    Raises
    ------
    VenueError
        When it is of another asset or amount, or went to another address.
    """
    most = sent.fee + intent.amount if intent.most_fee is None else max(sent.fee, intent.most_fee)
    within = intent.amount + sent.fee <= sent.amount <= intent.amount + most
    fits = sent.amount == intent.amount or (sent.fee_within and within)
    same = sent.asset.upper() == intent.asset.upper() and leads_to(sent.address, address)
    if not same or not fits:
        raise VenueError(
            f"withdrawal {sent.venue_id} is told as {plain(sent.amount)} {sent.asset} to "
            f"{sent.address or 'nobody'}, and {plain(intent.amount)} {intent.asset} to "
            f"{address.address} were asked for"
        )


class Columns(NamedTuple):
    """What a venue's records call the key, its own id of a withdrawal, and what it was.

    Attributes
    ----------
    failed, others
        Words of its status: it came to nothing; it is under way or has left, and only its arrival
        says that it is done.
    fee_within
        As `Withdrawal` has it.
    """

    key: str
    venue_id: str
    asset: str
    amount: str
    address: str
    txid: str
    failed: Collection[str]
    others: Collection[str]
    fee_within: bool = False


def told_by(row: JsonObject, names: Columns, at: datetime) -> Withdrawal:
    """Read the record of a withdrawal that was asked for at a time.

    Raises
    ------
    VenueError
        When its status is not known, or something is not told.
    """
    return Withdrawal(
        venue_id=text(row, names.venue_id),
        asset=text(row, names.asset),
        amount=number(text(row, names.amount)) or ZERO,
        address=str(row.get(names.address) or ""),
        failed=has_failed(row, names.failed, names.others),
        txid=str(row.get(names.txid) or "") or None,
        fee=abs(number(row.get("fee")) or ZERO),
        at=at,
        fee_within=names.fee_within,
    )


def ours(rows: Iterable[JsonObject], names: Columns, key: str, trace: Trace) -> JsonObject | None:
    """Take the row of a withdrawal by its key or the venue's id of it; None: there is none.

    Raises
    ------
    VenueError
        When two bear it.
    """
    known = trace.venue_id
    return only_one(
        (row for row in rows
         if row.get(names.key) == key or (known and str(row.get(names.venue_id)) == known)),
        names.key,
    )  # fmt: skip


def borne(
    rows: Sequence[JsonObject], names: Columns, key: str, address: AddressConfig, trace: Trace
) -> JsonObject | None:
    """Take the row of a withdrawal out of one answer, by its key or the venue's id of it.

    Raises
    ------
    VenueError
        When two bear it, or none does and it may still be there: the answer may have been cut off,
        or a row to the same address bears no key.
    """
    found = ours(rows, names, key, trace)
    if found is not None:
        return found
    if any(not row.get(names.key) and leads_to(row.get(names.address), address) for row in rows):
        raise VenueError(f"a withdrawal to the same address bears no {names.key}")
    if len(rows) >= MOST:
        raise VenueError(f"more withdrawals than one answer holds, and none bears the {names.key}")
    return None


def leads_to(told: object, address: AddressConfig) -> bool:
    """Tell whether an address of a record may be a registered one: some are told in small letters.

    >>> end = AddressConfig(network="ETH", address="0xAb")
    >>> leads_to("0xab", end), leads_to(None, end), leads_to("0xac", end)
    (True, True, False)
    """
    return not told or str(told).casefold() == address.address.casefold()


def has_failed(row: JsonObject, failed: Collection[str], others: Collection[str]) -> bool:
    """Tell whether a withdrawal came to nothing, by its status.

    Raises
    ------
    VenueError
        When the word is not known: it says neither that the money left nor that it stayed.
    """
    status = text(row, "status")
    if status in failed:
        return True
    if status not in others:
        raise VenueError(f"withdrawal status {status} is not known")
    return False
