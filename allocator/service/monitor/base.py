"""What the next mark is reckoned from, kept where the next leader finds it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pydantic import Field, ValidationError
from sqlalchemy import Engine
from sqlmodel import Session

from allocator.execution.database import READ_ONLY
from allocator.execution.leader import Lease, fence
from allocator.models.base import ZERO, Num, Value, json_value
from allocator.models.canonical import canonical_json
from allocator.models.service_records import BaseRow
from allocator.service.monitor.peak import Peak
from allocator.service.monitor.profit import OUTSIDE, Earned, Moment, Profit
from allocator.service.monitor.told import Told, told_since

FILE = "base.json"
"""Where earlier releases kept it, in the folder of the marks."""

TAKEN = "base.json.taken"
"""What that file is called once the database has what it said."""

log = logging.getLogger(__name__)


class Base(Value):
    """What the next mark is reckoned from; survives a restart and a failover.

    Attributes
    ----------
    moments
        By account, as it was last read.
    highest
        The highest equity of the book. What goes from one of its accounts to another changes it
        by nothing.
    course
        How the last day came to it: what people tell came from outside moves what was before.
    members
        Equity of each account of the book, with what was on its way to it, when it was last read
        whole; which the peak is of.
    owed
        What was earned and is not known to be in the history of marks, by account (`OUTSIDE`: what
        people told that came from outside, as a flow, out of what was earned): it is kept here
        before it is written there, and a crash in between neither loses nor doubles it.
    day, earned
        Profit of the book since midnight UTC of that day, without what people told that came from
        outside.
    working, carried
        What accounts that are not at rest had earned since they were, at the last look and at the
        last one before that day: it is profit of the days before.
    heard
        Line of the audit up to which that was taken in; None: it never was.
    """

    moments: Mapping[str, Moment] = Field(default_factory=dict[str, Moment])
    owed: Mapping[str, Earned] = Field(default_factory=dict[str, Earned])
    highest: Num | None = None
    course: Peak = Peak()
    members: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    day: str = ""
    earned: Num = ZERO
    working: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    carried: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    heard: int | None = None

    def of(self, accounts: Collection[str]) -> Base:
        """Go on without what is not among the accounts of the book.

        What happens to an account while it is out is nothing that the book earns.
        """
        parts = {"moments": self.moments, "working": self.working, "carried": self.carried}
        return self.model_copy(
            update={
                part: {name: row for name, row in rows.items() if name in accounts}
                for part, rows in parts.items()
            }
        )

    def risen(self, members: Mapping[str, Decimal], equity: Decimal, at: datetime) -> Base:
        """Raise the peak by a reading of the whole book.

        It moves along with accounts that came into the book or were taken out of it since: they
        bring no profit and leave no loss.

        Parameters
        ----------
        members
            Equity by account, with what is on its way to it: a transfer is no jump.
        equity
            Of all of them, without that: it makes no peak before it has come.
        """
        worth, before = sum(members.values(), ZERO), sum(self.members.values(), ZERO)
        course, first = self._course(), not self.members
        if not first:
            moved = sum((v for name, v in members.items() if name not in self.members), ZERO)
            moved -= sum((v for name, v in self.members.items() if name not in members), ZERO)
            course, before = course.moved(moved), before + moved
        course = course.read(equity, ZERO if first else worth - before, at)
        return self._on(course).model_copy(update={"members": members})

    def _course(self) -> Peak:
        """Tell the day's peak; an earlier release kept the highest equity alone."""
        return self.course if self.course.stretches else Peak.of(self.highest)

    def _on(self, course: Peak) -> Base:
        return self.model_copy(update={"course": course, "highest": course.highest})

    def after(
        self,
        at: datetime,
        earned: Mapping[str, Profit],
        working: Mapping[str, Decimal],
        *,
        believed: bool = True,
    ) -> Base:
        """Take in what was earned by all accounts until a time.

        Parameters
        ----------
        working
            By accounts that are not at rest, where nothing may be on its way that is not known.
        believed
            Whether the clock is: else no day ends by it, for its loss would be forgotten.
        """
        day = f"{at:%Y-%m-%d}" if believed or not self.day else self.day
        ends = self.day != day
        carried = self.working if ends else self.carried
        total = sum((row.total - carried.get(name, ZERO) for name, row in earned.items()), ZERO)
        kept = {name: v for name, v in self.working.items() if name not in earned}
        told = {
            "day": day,
            "earned": total if ends else self.earned + total,
            "working": {**kept, **working},
            "carried": {name: v for name, v in carried.items() if name not in earned},
        }
        return self.model_copy(update=told)

    def today(self, working: Mapping[str, Decimal]) -> Decimal:
        """Tell the profit of the day, with that of accounts that are not at rest."""
        since = (v - self.carried.get(name, ZERO) for name, v in working.items())
        return self.earned + sum(since, ZERO)

    @property
    def peak(self) -> Decimal | None:
        """Equity that a drawdown is reckoned from."""
        return self._course().known

    def without(self, told: Told, at: datetime, *, believed: bool = True) -> Base:
        """Leave out what people told that came from outside, or left.

        The profit of its day lacks it, and the peak moves along whatever day it is. In the history
        it is a flow, which the wallets that it came into showed as something else.

        Parameters
        ----------
        believed
            As in `after`: else nothing that was read or told grows old by it.
        """
        course, owed = self._course(), dict(self.owed)
        today = sum((row.amount for row in told.payments if row.day == self.day), ZERO)
        for row in told.payments:
            course = course.told(row.amount, row.at)
        course = course.aged(at) if believed else course
        if told.payments:
            # The time of the mark that takes it in first tells it from what is told later.
            known = owed.get(OUTSIDE, Earned(since=at, profit=Profit()))
            owed[OUTSIDE] = known.plus(Profit(other=-told.total, flows=told.total))
        fresh = {"earned": self.earned - today, "owed": owed, "heard": told.upto}
        return self._on(course).model_copy(update=fresh)

    def owing(self, earned: Mapping[str, Profit], now: Mapping[str, Moment]) -> Base:
        """Go on from new moments, and owe the history what was earned until then."""
        owed = dict(self.owed)
        for name, row in earned.items():
            before = owed.get(name, Earned(since=self.moments[name].at, profit=Profit()))
            owed[name] = before.plus(row)
        return self.model_copy(update={"moments": {**self.moments, **now}, "owed": owed})

    def paid(self, accounts: Collection[str]) -> Base:
        """Take in that the history has what these accounts earned."""
        owed = {name: row for name, row in self.owed.items() if name not in accounts}
        return self.model_copy(update={"owed": owed})


class Bases:
    """The base of one portfolio.

    Parameters
    ----------
    folder
        Of the marks: what an earlier release left there is taken over where the database has
        nothing yet.
    """

    def __init__(self, engine: Engine, portfolio: str, folder: Path) -> None:
        self._engine = engine
        self._portfolio = portfolio
        self._file = folder / FILE

    def read(self) -> Base:
        """Read it; what cannot be read begins anew."""
        reads = self._engine.execution_options(**{READ_ONLY: True})
        with Session(reads) as session:
            row = session.get(BaseRow, self._portfolio)
            text = None if row is None else row.base_json
        if text is None:
            text = self._left()
        try:
            return Base() if text is None else Base.model_validate_json(text)
        except ValidationError:
            log.warning("base of the marks cannot be read: profit begins anew", exc_info=True)
            return Base()

    def told(self, base: Base) -> Told:
        """Read what people told since of money from outside."""
        return told_since(self._engine, self._portfolio, base.heard)

    def keep(self, lease: Lease, base: Base, at: datetime) -> None:
        """Keep it.

        Raises
        ------
        FencedError
            When another leads by now: it reckons from a base of its own.
        """
        text = canonical_json(json_value(base))
        with Session(self._engine) as session, session.begin():
            fence(session, lease)
            session.merge(BaseRow(portfolio=self._portfolio, at=at, base_json=text))
        try:
            self._file.replace(self._file.with_name(TAKEN))
        except FileNotFoundError:
            pass
        except OSError:
            # The database has it, and prevails: the folder must not stand in the way.
            log.warning("%s cannot be put away", self._file, exc_info=True)

    def _left(self) -> str | None:
        """Read what an earlier release left in the folder."""
        try:
            return self._file.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            log.warning("%s cannot be read: profit begins anew", self._file, exc_info=True)
            return None
