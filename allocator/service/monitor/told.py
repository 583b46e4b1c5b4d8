"""Money from outside that people have told of: it is no profit of the day that it came on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.outside import PAID
from allocator.models.base import exact
from allocator.models.records import EventRow


@dataclass(frozen=True, slots=True)
class Told:
    """What was told since a line of the audit.

    Attributes
    ----------
    upto
        The audit's last line by now.
    amounts
        What came (negative: left), numeraire, by day.
    """

    upto: int
    amounts: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])


def told_since(engine: Engine, portfolio: str, line: int | None) -> Told:
    """Read what was told after a line; None: of what came before, wallets tell."""
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        last = session.exec(select(func.max(EventRow.seq))).one() or 0
        if line is None or last <= line:
            return Told(last)
        query = select(EventRow.facts_json).where(
            EventRow.subject == f"portfolio:{portfolio}",
            EventRow.what == PAID,
            col(EventRow.seq) > line,
            col(EventRow.seq) <= last,
        )
        out = defaultdict[str, Decimal](Decimal)
        for facts in map(json.loads, session.exec(query)):
            out[facts["day"]] += exact(facts["amount"])
    return Told(last, out)
