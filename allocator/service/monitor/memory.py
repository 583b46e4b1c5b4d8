"""Venues' last words and the rates seen last, kept where the next leader finds them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Engine
from sqlmodel import Session, select

from allocator.execution.database import READ_ONLY
from allocator.models.base import Num, plain
from allocator.models.canonical import canonical_json
from allocator.models.service_records import RatesRow, WordRow
from allocator.models.status import Told, VenueStatus

Rates = dict[str, Decimal]
"""Funding rates by instrument."""

RATES = TypeAdapter(dict[str, Num])

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """What is to be remembered of one look.

    Attributes
    ----------
    statuses
        How venues stand; those that could not be read are remembered as they were.
    rates
        What the urgent triggers (True) and the others saw last, where that has changed.
    """

    statuses: Mapping[str, VenueStatus] = field(default_factory=dict[str, VenueStatus])
    rates: Mapping[bool, Rates] = field(default_factory=dict[bool, Rates])


class Memory:
    """The memory of one portfolio."""

    def __init__(self, engine: Engine, portfolio: str) -> None:
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._portfolio = portfolio

    def told(self) -> dict[str, Told]:
        """Tell what venues said last, by venue; what cannot be read is not known."""
        query = select(WordRow).where(WordRow.portfolio == self._portfolio)
        out = dict[str, Told]()
        with Session(self._reads) as session:
            for row in session.exec(query):
                status = {"state": row.state, "until": row.until, "note": row.note}
                try:
                    out[row.venue] = Told.model_validate({"status": status, "at": row.at})
                except ValidationError:
                    log.warning("what %s said last cannot be read", row.venue, exc_info=True)
        return out

    def rates(self) -> dict[bool, Rates]:
        """Tell the rates that jumps are reckoned from; what cannot be read begins anew."""
        query = select(RatesRow).where(RatesRow.portfolio == self._portfolio)
        out = dict[bool, Rates]({True: {}, False: {}})
        with Session(self._reads) as session:
            for row in session.exec(query):
                try:
                    out[row.urgent] = RATES.validate_json(row.rates_json)
                except ValidationError:
                    log.warning("rates seen last cannot be read: they begin anew", exc_info=True)
        return out

    def write(self, session: Session, heard: Heard, at: datetime) -> None:
        """Remember, in a transaction of the leader's."""
        for venue, row in heard.statuses.items():
            if row.state != "unknown":
                session.merge(
                    WordRow(
                        portfolio=self._portfolio,
                        venue=venue,
                        state=row.state,
                        until=row.until,
                        note=row.note,
                        at=at,
                    )
                )
        for urgent, rates in heard.rates.items():
            text = canonical_json({name: plain(rate) for name, rate in rates.items()})
            session.merge(
                RatesRow(portfolio=self._portfolio, urgent=urgent, at=at, rates_json=text)
            )
