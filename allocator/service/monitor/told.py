"""Money from outside that people have told of: it is no profit of the day that it came on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.outside import PAID
from allocator.models.base import ZERO, exact
from allocator.models.records import EventRow


@dataclass(frozen=True, slots=True)
class Payment:
    """What came (negative: left), numeraire, of which day it is, and when that was told."""

    day: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What was told since a line of the audit.

    Attributes
    ----------
    upto
        The audit's last line by now.
    payments
        What came (negative: left), in order.
    """

    upto: int
    payments: tuple[Payment, ...] = ()

    @property
    def total(self) -> Decimal:
        """All that came, less what left."""
        return sum((row.amount for row in self.payments), ZERO)


def told_since(engine: Engine, portfolio: str, line: int | None) -> Told:
    """Read what was told after a line; None: of what came before, wallets tell."""
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        last = session.exec(select(func.max(EventRow.seq))).one() or 0
        if line is None or last <= line:
            return Told(last)
        query = select(EventRow.at, EventRow.facts_json).where(
            EventRow.subject == f"portfolio:{portfolio}",
            EventRow.what == PAID,
            col(EventRow.seq) > line,
            col(EventRow.seq) <= last,
        )
        rows = session.exec(query.order_by(col(EventRow.seq)))
        said = tuple((at, json.loads(text)) for at, text in rows)
        return Told(last, tuple(Payment(f["day"], exact(f["amount"]), at) for at, f in said))
