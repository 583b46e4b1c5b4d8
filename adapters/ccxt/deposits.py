"""Deposits that withdrawals of ours arrived as: which is whose.

A venue may put several withdrawals into one transaction, so that its id alone says of none that it
arrived. Amount and address tell, and two that are equal have a deposit each; what this process
settled is remembered for that, what another one did is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.adapters.ccxt.dialect import Deposit, Withdrawal
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent


def deposit_by(
    row: JsonObject,
    *,
    amount: str = "amount",
    address: str = "address",
    tag: str = "tag",
    network: str = "chain",
) -> Deposit:
    """Read the record of a deposit by a venue's words for its fields."""
    address, tag, network = (str(row.get(key) or "") for key in (address, tag, network))
    return Deposit(number(row.get(amount)), address, tag, network)


@dataclass(slots=True)
class Arrivals:
    """Which withdrawal each credited amount of a transaction was taken for, by client id."""

    taken: dict[tuple[str, str], dict[str, Decimal]] = field(
        default_factory=dict[tuple[str, str], dict[str, Decimal]]
    )

    def settle(  # noqa: PLR0913 - both ends of one withdrawal
        self,
        sent: Withdrawal,
        found: Sequence[Deposit],
        address: AddressConfig,
        intent: TransferIntent,
        target: str,
        *,
        one_venue: bool,
    ) -> bool:
        """Tell whether a withdrawal was credited by the deposits of its transaction.

        Parameters
        ----------
        target
            The venue that receives.
        one_venue
            Whether it is the sending one as well, so that a network has one name at both.

        Raises
        ------
        VenueError
            When something else was credited, or what was is another withdrawal of the same amount.
        """
        if not found:
            return False
        fitting = [row for row in found if _is_ours(row, sent, address, intent, one_venue)]
        taken = self.taken.setdefault((target, sent.txid or ""), {})
        others = [amount for name, amount in taken.items() if name != intent.client_id]
        for row in fitting:
            same = sum(one.amount == row.amount for one in fitting)
            if row.amount is not None and others.count(row.amount) < same:
                taken[intent.client_id] = row.amount
                return True
        credited = ", ".join(_told(row, intent.asset) for row in found)
        why = ", which another withdrawal was settled by" if fitting else ""
        raise VenueError(
            f"transaction {sent.txid} of withdrawal {sent.venue_id} was credited as {credited}"
            f"{why}, and {plain(intent.amount)} {intent.asset} to {address.address} were to arrive"
        )


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
