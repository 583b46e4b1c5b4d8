"""What a dialect does not send: its capability table says so, and asking for it never leaves.

A venue's dialect inherits from here what nobody has proved for it, and overrides what somebody has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.dialect import Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.place import Place
from allocator.adapters.sources import NetworkTerms
from allocator.models.config import AddressConfig
from allocator.models.intents import Found, MoveIntent, TransferIntent


class SendsNoWithdrawals:
    """No withdrawal leaves this venue: no route is offered, and none can be sent."""

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Refuse."""
        del address, intent, fee
        raise NotSentError(f"withdrawals from {source.venue} are not sent")

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Refuse: none was sent."""
        del address, intent, trace
        raise NotSentError(f"withdrawals from {source.venue} are not sent")

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Tell of none."""
        del place, assets
        return {}


class SendsNoMoves:
    """No position moves between accounts of this venue."""

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Refuse."""
        del target, intent
        raise NotSentError(f"{source.venue} moves no positions")

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Refuse: none was sent."""
        del intent, trace
        raise NotSentError(f"{source.venue} moves no positions")
