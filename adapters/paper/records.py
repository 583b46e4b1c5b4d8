"""What the paper exchange remembers of an action, by client id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.models.intents import Found, FoundState, MoveIntent, OrderIntent, TransferIntent


@dataclass(slots=True)
class OrderRecord:
    """An order: what was filled, at what value (price times contracts), for what fee."""

    intent: OrderIntent
    venue_id: str
    at: datetime
    visible: datetime
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    fee_asset: str = ""
    ended: bool = False

    @property
    def left(self) -> Decimal:
        """Contracts not filled."""
        return self.intent.quantity - self.filled

    def found(self) -> Found:
        """Tell it as a venue would."""
        state: FoundState = "partial" if self.filled else "open"
        if not self.left:
            state = "filled"
        elif self.ended:
            state = "cancelled"
        return Found(
            venue_id=self.venue_id,
            state=state,
            filled=self.filled,
            average_price=self.value / self.filled if self.filled else None,
            fees={self.fee_asset: self.fee} if self.filled else {},
            venue_time=self.at,
        )


@dataclass(slots=True)
class TransferRecord:
    """A transfer and when it arrives; None: it never does."""

    intent: TransferIntent
    venue_id: str
    at: datetime
    visible: datetime
    due: datetime | None
    charge: Decimal = ZERO
    comes_back: bool = False
    ended: bool = False

    def found(self) -> Found:
        """Tell it as a venue would."""
        state: FoundState = "in_transit"
        if self.ended:
            state = "returned" if self.comes_back else "settled"
        return Found(
            venue_id=self.venue_id,
            state=state,
            filled=self.intent.amount if state == "settled" else ZERO,
            fees={self.intent.asset: self.charge} if self.charge else {},
            venue_time=self.at,
        )


@dataclass(slots=True)
class MoveRecord:
    """A position move; it is done as soon as it is taken, or was rejected then."""

    intent: MoveIntent
    venue_id: str
    at: datetime
    visible: datetime
    rejected: bool = False

    def found(self) -> Found:
        """Tell it as a venue would."""
        if self.rejected:
            return Found(venue_id=self.venue_id, state="rejected", why="by the receiver")
        return Found(
            venue_id=self.venue_id,
            state="settled",
            filled=self.intent.quantity,
            average_price=self.intent.price,
            venue_time=self.at,
        )


Record = OrderRecord | TransferRecord | MoveRecord
