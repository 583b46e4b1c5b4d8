"""What went through the accounts, from the journal's requests; read on from where it stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from allocator.execution.attempts import Attempt, of_row, sender, touched
from allocator.execution.database import READ_ONLY
from allocator.execution.transitions import State
from allocator.models.base import ZERO
from allocator.models.intents import MoveIntent, OrderIntent, TransferIntent
from allocator.models.records import AttemptRow
from allocator.service.monitor.profit import Flows

Part = Literal["moved", "fees", "fills"]
Entry = tuple[str, Part, str, Decimal]
"""Account, part, asset (empty for fills), amount."""

LEFT = frozenset({State.ACKED, State.IN_TRANSIT, State.SETTLED})
"""States of a transfer in which its amount has left the sender."""


def entries(attempt: Attempt) -> Iterator[Entry]:
    """Yield what one request did to accounts, so far as is known."""
    account, intent = sender(attempt.intent), attempt.intent
    for asset, amount in attempt.fees.items():
        yield account, "fees", asset, amount
    settled = attempt.state is State.SETTLED
    match intent:
        case OrderIntent():
            yield account, "fills", "", attempt.filled
        case TransferIntent():
            left = intent.amount if attempt.state in LEFT else ZERO
            yield account, "moved", intent.asset, -left
            yield intent.target, "moved", intent.asset, attempt.filled if settled else ZERO
        case MoveIntent():
            for name in (account, intent.target):
                yield name, "fills", "", intent.quantity if settled else ZERO


class Ledger:
    """Adds the journal's requests up by account; each read takes in only what changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{READ_ONLY: True})
        self._open = dict[str, tuple[Entry, ...]]()
        self._edge = set[str]()
        self._until: datetime | None = None
        self._totals = defaultdict[tuple[str, Part, str], Decimal](Decimal)

    def unsettled(self) -> set[str]:
        """Name accounts with a request under way, as of the last reading."""
        return {account for rows in self._open.values() for account, *_ in rows}

    def read(self) -> dict[str, Flows]:
        """Tell the sums so far, by account."""
        query = select(AttemptRow).order_by(col(AttemptRow.updated_at))
        if self._until is not None:
            query = query.where(col(AttemptRow.updated_at) >= self._until)
        with Session(self._engine) as session:
            rows = session.exec(query).all()
            for row in rows:
                self._take(of_row(row), row.updated_at)
        return self._flows()

    def _take(self, attempt: Attempt, at: datetime) -> None:
        """Replace what a request had added; one that has ended is not kept any longer."""
        name = attempt.client_id
        if name in self._edge and attempt.final:
            return
        if self._until is None or at > self._until:
            self._until, self._edge = at, set()
        if attempt.final:
            self._edge.add(name)
        for account, part, asset, amount in self._open.pop(name, ()):
            self._totals[account, part, asset] -= amount
        found = tuple(entries(attempt))
        for account, part, asset, amount in found:
            self._totals[account, part, asset] += amount
        if not attempt.final:
            held: tuple[Entry, ...] = tuple(
                (who, "fills", "", ZERO) for who in touched(attempt.intent)
            )
            self._open[name] = (*found, *held)

    def _flows(self) -> dict[str, Flows]:
        moved = defaultdict[str, dict[str, Decimal]](dict)
        fees = defaultdict[str, dict[str, Decimal]](dict)
        fills = defaultdict[str, Decimal](Decimal)
        for (account, part, asset), amount in self._totals.items():
            match part:
                case "moved":
                    moved[account][asset] = amount
                case "fees":
                    fees[account][asset] = amount
                case "fills":
                    fills[account] += amount
        return {
            name: Flows(
                moved=moved.get(name, {}), fees=fees.get(name, {}), fills=fills.get(name, ZERO)
            )
            for name in moved.keys() | fees.keys() | fills.keys()
        }
