"""How the service runs: schedules, triggers, monitor, alerts, the address it serves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from allocator.models.base import Name, NonNegative, Num, Positive, Value
from allocator.models.cron import cron_problem

TriggerKind = Literal[
    "drift",
    "margin_ratio",
    "liquidation_distance",
    "pnl",
    "drawdown",
    "utilisation",
    "venue",
    "funding",
]
FALLING = frozenset({"margin_ratio", "liquidation_distance", "pnl"})
"""Kinds that fire when their value falls below the threshold; the others when it rises above."""

OF_ACCOUNTS = frozenset({"margin_ratio", "liquidation_distance"})
"""Kinds that watch accounts."""

WHOLE = frozenset({"pnl", "drawdown"})
"""Kinds that watch the book as a whole."""


LEAST_REPEAT_S = 60
"""Seconds between two firings of a trigger that repeats, at least: one each look is a flood."""

LEAST_GRACE_S = 5
"""A timer that has nothing to do looks so often what fell due, seconds."""


class Schedule(Value):
    """When a cycle is due.

    Attributes
    ----------
    id
        Names it; no trigger may share it.
    cron
        Five fields, UTC: minute, hour, day, month, day of week (0 and 7: Sunday). One of the two
        day fields is a star: of two, crontab takes a day that is either, and not both.
    every_s
        Seconds between slots, counted from 1970 so that every instance names the same slots.
    grace_s
        Seconds a slot may be late; later than that it counts as missed and is not run.
    """

    id: Name
    cron: str | None = None
    every_s: Positive | None = None
    grace_s: NonNegative = Decimal(300)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Schedule:
        if (self.cron is None) == (self.every_s is None):
            raise ValueError("a schedule has either cron or every_s")
        if self.every_s is not None and self.every_s < 1:
            raise ValueError("every_s is at least 1")
        return self

    @field_validator("cron")
    @classmethod
    def _says_what_it_means(cls, cron: str | None) -> str | None:
        problem = None if cron is None else cron_problem(cron)
        if problem is not None:
            raise ValueError(f"cron {cron!r}: {problem}")
        return cron

    @field_validator("grace_s")
    @classmethod
    def _leaves_time_to_wake(cls, grace_s: Decimal) -> Decimal:
        if grace_s < LEAST_GRACE_S:
            raise ValueError(
                f"grace_s is at least {LEAST_GRACE_S}: a timer is late by moments, and what is "
                "later than its grace is missed"
            )
        return grace_s


class TriggerRule(Value):
    """What starts a cycle between slots.

    Attributes
    ----------
    id
        Names it; no schedule may share it.
    on
        drift: numeraire beyond an underlying's band; margin_ratio, liquidation_distance (fraction
        of price): of an account; pnl: numeraire since midnight UTC, of the book; drawdown:
        fraction of the book's highest equity; utilisation: fraction of a limit; venue: seconds
        since a venue was last read whole, and what it says of itself: each step away from open
        fires whatever the threshold; funding: change of an instrument's rate between marks.
    of
        The one underlying, account, limit, venue or instrument it watches; None: each.
    threshold
        Strictly beyond it the trigger is over its line.
    release
        Where it arms again after it has fired; None: at the threshold.
    persist_s
        Seconds it must have stayed over its line.
    cooldown_s
        Seconds between two firings.
    repeat
        Whether it fires again after the cooldown, of a minute at least, while it never came back.
    urgent
        Whether it may interrupt the schedule at once; its plans repair and do nothing else.
    """

    id: Name
    on: TriggerKind
    of: Name | None = None
    threshold: Num
    release: Num | None = None
    persist_s: NonNegative = Decimal(0)
    cooldown_s: NonNegative = Decimal(600)
    repeat: bool = False
    urgent: bool = False

    @property
    def falls(self) -> bool:
        """Whether it fires below its threshold instead of above."""
        return self.on in FALLING

    @model_validator(mode="after")
    def _can_fire(self) -> TriggerRule:
        if self.on == "funding" and self.persist_s:
            raise ValueError("a change between two marks does not last: funding has no persist_s")
        if self.on in WHOLE and self.of not in (None, "book"):
            raise ValueError(f"{self.on} is of the whole book: leave of: {self.of} out")
        return self

    @model_validator(mode="after")
    def _releases_on_the_safe_side(self) -> TriggerRule:
        if self.release is None:
            return self
        wrong = self.release < self.threshold if self.falls else self.release > self.threshold
        if wrong:
            side = "above" if self.falls else "below"
            raise ValueError(f"release of {self.on} must not be on the far side: {side} threshold")
        return self


class AlertConfig(Value):
    """Where alerts go.

    Attributes
    ----------
    to
        References (``file:`` or ``env:``) of apprise URLs: they hold tokens.
    dead_man_s
        Seconds without a tick of the scheduler after which everybody is told.
    repeat_s
        Seconds in which the same alert is not told twice.
    """

    to: tuple[str, ...] = ()
    dead_man_s: Positive = Decimal(900)
    repeat_s: NonNegative = Decimal(3600)

    @field_validator("to")
    @classmethod
    def _are_references(cls, rows: tuple[str, ...]) -> tuple[str, ...]:
        for reference in rows:
            if not reference.startswith(("file:", "env:")):
                raise ValueError("an alert's address is given by reference: file:PATH or env:NAME")
        return rows


class HistoryConfig(Value):
    """Where marks are kept as parquet, and for how many days; and heads of the audit, for good.

    Attributes
    ----------
    folder
        Where marks are kept.
    keep_days
        Days after which marks go.
    anchors
        File to which the head of the audit is appended after every cycle; None: `audit-heads` in
        the folder. It guards against whoever can write the database and not this file.
    """

    folder: str = "var/history"
    keep_days: int = Field(default=400, ge=1)
    anchors: str | None = None


class KeepConfig(Value):
    """For how many days the database keeps what nothing refers to, and how much of one name.

    A name is that of a token, or of whoever uses the command line. An `_mb` is a million bytes.

    Attributes
    ----------
    replies_days
        Answers to requests: for so long a request under the same idempotency key acts once.
    slots_days
        Slots that have ended; the latest of each schedule, trigger and person stays.
    proposals_days
        Plans that nobody carried out; what was carried out stays.
    drafts_days
        Drafts of the mandate that nobody published; whatever held once stays.
    drafts, drafts_mb
        Drafts of one name that wait to be published, and how long together; more are refused.
    snapshots, snapshots_mb
        Snapshots that one name has posted, and how long together; the latest are kept.
    answers
        Answers to one name; more requests to plan are refused, and never a stop or a verdict.
    answers_mb
        How long the long ones of them are together; of the oldest only the key is kept.
    """

    replies_days: int = Field(default=30, ge=7)
    slots_days: int = Field(default=400, ge=7)
    proposals_days: int = Field(default=400, ge=7)
    drafts_days: int = Field(default=90, ge=7)
    drafts: int = Field(default=50, ge=1)
    drafts_mb: int = Field(default=20, ge=1)
    snapshots: int = Field(default=100, ge=1)
    snapshots_mb: int = Field(default=100, ge=1)
    answers: int = Field(default=100_000, ge=1)
    answers_mb: int = Field(default=100, ge=1)


class HttpConfig(Value):
    """Where the API and the dashboard listen.

    Attributes
    ----------
    host
        Address to listen on.
    port
        Port; 0 picks a free one.
    origin
        Scheme, host and port by which browsers reach it; None: ``http://host:port``.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=0, le=65535)
    origin: str | None = None


class ServiceConfig(Value):
    """How the service runs.

    Attributes
    ----------
    schedules
        When cycles are due.
    triggers
        What starts a cycle between them.
    alerts
        Who is told.
    history
        Marks and heads of the audit.
    keep
        What the database keeps.
    http
        Where API and dashboard listen.
    poll_s
        Seconds between two marks of the monitor; 0: no monitor, and no triggers.
    retry_s
        Seconds after which an instance that does not lead tries again.
    """

    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[TriggerRule, ...] = ()
    poll_s: NonNegative = Decimal(30)
    retry_s: Positive = Decimal(2)
    alerts: AlertConfig = AlertConfig()
    history: HistoryConfig = HistoryConfig()
    keep: KeepConfig = KeepConfig()
    http: HttpConfig = HttpConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> ServiceConfig:
        check_ids(self.schedules, self.triggers)
        check_rests(self.triggers)
        check_looks(self.poll_s, self.triggers)
        return self


def check_ids(schedules: Iterable[Schedule], triggers: Iterable[TriggerRule]) -> None:
    """Refuse an id that is given twice.

    A schedule and a trigger share none either: people could not tell what asked for a cycle.
    """
    planned, watched = [row.id for row in schedules], [row.id for row in triggers]
    for name in (*planned, *watched):
        if max(planned.count(name), watched.count(name)) > 1:
            raise ValueError(f"the id {name} is given twice")
        if name in planned and name in watched:
            raise ValueError(
                f"the id {name} is of a schedule and of a trigger: give one of them another"
            )


def check_rests(triggers: Iterable[TriggerRule]) -> None:
    """Refuse a trigger that would ask for a cycle at nearly every look, for as long as it is over.

    Raises
    ------
    ValueError
        When one repeats after less than a minute.
    """
    for row in triggers:
        if row.repeat and row.cooldown_s < LEAST_REPEAT_S:
            raise ValueError(
                f"trigger {row.id}: with repeat, cooldown_s is at least {LEAST_REPEAT_S}: it would "
                "ask for a cycle at every look for as long as the figure is beyond the threshold"
            )


def check_looks(poll_s: Decimal, triggers: Iterable[TriggerRule]) -> None:
    """Refuse triggers where no monitor looks at them: a cycle does so at the urgent ones alone.

    Raises
    ------
    ValueError
        When there are some.
    """
    names = ", ".join(row.id for row in triggers)
    if names and not poll_s:
        raise ValueError(
            f"poll_s is 0, so nothing looks at triggers and they never fire: {names}; give it "
            "seconds, or leave them out"
        )


def unwatched(
    rules: Iterable[TriggerRule], accounts: Collection[str], venues: Collection[str]
) -> Iterator[str]:
    """Name the triggers of an account or a venue that is not there: they would never fire."""
    for row in rules:
        known = accounts if row.on in OF_ACCOUNTS else venues if row.on == "venue" else None
        if row.of is not None and known is not None and row.of not in known:
            what = "venue" if row.on == "venue" else "account"
            yield f"trigger {row.id}: no {what} {row.of}"
