"""An attempt as a value: what was asked of a venue, and what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from pydantic import TypeAdapter

from allocator.execution.transitions import FINAL, Kind, State
from allocator.models.base import ZERO, exact, json_value, plain
from allocator.models.canonical import canonical_json
from allocator.models.errors import JournalError
from allocator.models.intents import Intent, MoveIntent, OrderIntent, TransferIntent
from allocator.models.records import AttemptRow

_INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request.

    Attributes
    ----------
    seq, part, number
        Action of the plan, slice of the action, try at the slice; from one.
    fence_at
        After this the venue refuses the request.
    filled
        Contracts, or asset units that arrived.
    fees
        Charges so far, units by asset.
    stepped_at
        When it was last written down; None: not yet.
    settled_by
        The deposit that a transfer arrived as; None: not told.
    """

    plan_hash: str
    seq: int
    part: int
    number: int
    intent: Intent
    intent_at: datetime
    fence_at: datetime
    state: State = State.SENDING
    venue_id: str | None = None
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    reason: str = ""
    stepped_at: datetime | None = None
    settled_by: str | None = None

    @property
    def client_id(self) -> str:
        """The id it is looked up by."""
        return self.intent.client_id

    @property
    def kind(self) -> Kind:
        """What kind of action it is."""
        return self.intent.kind

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self.state in FINAL


def sender(intent: Intent) -> str:
    """Name the account whose venue is asked."""
    return intent.account if isinstance(intent, OrderIntent) else intent.source


def touched(intent: Intent) -> tuple[str, ...]:
    """Name every account that the intent may change."""
    return (intent.account,) if isinstance(intent, OrderIntent) else (intent.source, intent.target)


def quantity(intent: Intent) -> Decimal:
    """Tell what was asked for: contracts, or asset units."""
    match intent:
        case OrderIntent() | MoveIntent():
            return intent.quantity
        case TransferIntent():
            return intent.amount
        case _:
            assert_never(intent)


def intent_text(intent: Intent) -> str:
    """Write an intent as canonical JSON."""
    return canonical_json(json_value(intent))


def text_hash(text: str) -> str:
    """Hash canonical text (sha256, hex)."""
    return hashlib.sha256(text.encode()).hexdigest()


def fees_text(fees: Mapping[str, Decimal]) -> str:
    """Write fees as canonical JSON."""
    return canonical_json({asset: plain(amount) for asset, amount in fees.items()})


def of_row(row: AttemptRow) -> Attempt:
    """Read an attempt back.

    Raises
    ------
    JournalError
        When the request is not the one whose hash was written.
    """
    if text_hash(row.intent_json) != row.intent_hash:
        raise JournalError(f"INTENT_CHANGED: client_id={row.client_id}")
    intent = _INTENT.validate_json(row.intent_json)
    if intent.client_id != row.client_id or sender(intent) != row.account:
        raise JournalError(f"INTENT_MISPLACED: client_id={row.client_id}")
    return Attempt(
        plan_hash=row.plan_hash,
        seq=row.seq,
        part=row.part,
        number=row.number,
        intent=intent,
        intent_at=row.intent_at,
        fence_at=row.fence_at,
        state=State(row.state),
        venue_id=row.venue_id,
        filled=row.filled,
        average_price=row.average_price,
        fees={asset: exact(text) for asset, text in json.loads(row.fees_json).items()},
        reason=row.reason,
        stepped_at=row.updated_at,
        settled_by=row.settled_by,
    )
