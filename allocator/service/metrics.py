"""What Prometheus reads: the book, the triggers, the slots, the leader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from allocator.models.base import ONE, ZERO

if TYPE_CHECKING:
    from allocator.service.monitor.marks import Marks

BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
STANDS: Mapping[bool | None, Decimal | None] = {True: ZERO, False: ONE, None: None}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is told at a scrape beside the counters.

    Attributes
    ----------
    leader_at
        When a leader last ticked.
    slot_s, silent_s
        Seconds for which the running slot has run, and has made no step; 0: none runs.
    most_silent_s
        Seconds without a step after which a slot hangs.
    """

    now: datetime
    leads: bool
    busy: bool
    ticked_at: datetime | None
    leader_at: datetime | None
    marks: Marks | None
    waiting: int
    undelivered: int
    frozen: int
    paused: int
    halted: int
    slot_s: float = 0.0
    silent_s: float = 0.0
    most_silent_s: float = 0.0


class Metrics:
    """Counts what happens, and tells it with a reading of the present.

    Parameters
    ----------
    rules
        Ids of the triggers. A series that begins with its first count has no increase to show.
    book
        Whose figures they are: stands in every series, for Prometheus may watch several books.
    """

    def __init__(self, rules: Iterable[str] = (), book: str = "") -> None:
        self._book = book
        self.registry = CollectorRegistry()
        self._steps = Histogram(
            "allocator_step_seconds",
            "Time that a step of a cycle took",
            ["step"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._slots = Counter(
            "allocator_slots", "Slots that ended", ["status"], registry=self.registry
        )
        self._fired = Counter(
            "allocator_triggers_fired", "Triggers that fired", ["rule"], registry=self.registry
        )
        self._requests = Counter(
            "allocator_http_requests", "HTTP requests", ["method", "status"], registry=self.registry
        )
        for status in ("done", "failed", "missed"):
            self._slots.labels(status)
        for rule in rules:
            self._fired.labels(rule)

    def observe(self, step: str, seconds: float) -> None:
        """Count a step of a cycle."""
        self._steps.labels(step).observe(seconds)

    def slot(self, status: str, count: int = 1) -> None:
        """Count slots that ended."""
        self._slots.labels(status).inc(count)

    def fired(self, rule: str) -> None:
        """Count a trigger that fired."""
        self._fired.labels(rule).inc()

    def request(self, method: str, status: int) -> None:
        """Count an HTTP request."""
        self._requests.labels(method, str(status)).inc()

    def render(self, reading: Reading) -> bytes:
        """Write everything in Prometheus' text format."""
        registry = CollectorRegistry()
        for part in (self.registry, _Now(reading)):
            registry.register(_Named(part, self._book))
        return generate_latest(registry)


class _Named:
    """What another collector tells, with its book in every series."""

    def __init__(self, told: Any, book: str) -> None:
        self._told = told
        self._book = book

    def describe(self) -> Iterable[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        for family in self._told.collect():
            family.samples = [
                row._replace(labels={**row.labels, "book": self._book}) for row in family.samples
            ]
            yield family


class _Now:
    """A reading as a collector."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def describe(self) -> Iterable[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        row = self._reading
        yield _gauge("leader", "Whether this instance leads", row.leads)
        yield _gauge("busy", "Whether a slot is being carried out", row.busy)
        yield _gauge("slot_age_seconds", "Age of the running slot; 0: none runs", row.slot_s)
        what = "Seconds since the running slot made a step; 0: none runs"
        yield _gauge("slot_silent_seconds", what, row.silent_s)
        what = "Seconds without a step after which a slot hangs, by its timeouts"
        yield _gauge("slot_silent_limit_seconds", what, row.most_silent_s)
        yield _gauge("slots_waiting", "Slots that are due", row.waiting)
        yield _gauge("alerts_undelivered", "Alerts that nobody was told yet", row.undelivered)
        yield _gauge("accounts_frozen", "Accounts that stand still", row.frozen)
        yield _gauge("schedules_paused", "Schedules that rest", row.paused)
        yield _gauge("breakers_tripped", "Breakers that are not active", row.halted)
        for name, at in (("tick", row.ticked_at), ("leader_tick", row.leader_at)):
            if at is not None:
                age_s = (row.now - at).total_seconds()
                yield _gauge(f"{name}_age_seconds", f"Seconds since the last {name}", age_s)
        if row.marks is not None:
            yield from _book(row.marks, row.now)


def _gauge(name: str, what: str, value: float) -> Any:
    return GaugeMetricFamily(f"allocator_{name}", what, value=float(value))


def _table(name: str, what: str, label: str, rows: Iterable[tuple[str, Decimal | None]]) -> Any:
    family = GaugeMetricFamily(f"allocator_{name}", what, labels=[label])
    for key, value in rows:
        if value is not None:
            family.add_metric([key], float(value))
    return family


def _book(marks: Marks, now: datetime) -> Iterator[Any]:
    accounts = {row.account: row for row in marks.accounts}
    yield _gauge("marks_age_seconds", "Age of the marks", (now - marks.at).total_seconds())
    yield _gauge("accounts_unread", "Accounts that could not be read", len(marks.unread))
    what = "Accounts that were read and whose margin is not known"
    yield _gauge("accounts_margin_unknown", what, len(marks.margin_unknown))
    for name, what in (
        ("equity", "Equity, numeraire"),
        ("on_its_way", "Sent to it from another account and in no wallet yet, numeraire"),
        ("unrealised", "Unrealised profit, numeraire"),
        ("maintenance", "Maintenance margin, numeraire"),
        ("leverage", "Gross notional over equity"),
    ):
        rows = [(key, getattr(row, name)) for key, row in accounts.items()]
        yield _table(f"account_{name}", what, "account", rows)
    for name, what in (
        ("ratio", "Collateral over maintenance margin"),
        ("distance", "Nearest price move to liquidation, fraction"),
    ):
        told = f"{what}; of an account whose margin is not known the most that it may be"
        worst = ((key, _first(row, name, f"{name}_at_most")) for key, row in accounts.items())
        yield _table(f"account_{name}", told, "account", worst)
    exposures = {row.underlying: row for row in marks.exposures}
    for name, what in (
        ("exposure", "Exposure, numeraire"),
        ("target", "Target exposure, numeraire"),
        ("band", "Half-width of the band, numeraire"),
    ):
        rows = [(key, getattr(row, name)) for key, row in exposures.items()]
        yield _table(name, what, "underlying", rows)
    used = [(f"{row.limit} {row.bound}", row.share) for row in marks.limits]
    yield _table("limit_share", "Used fraction of a limit", "limit", used)
    said = [(name, STANDS[row.barred]) for name, row in marks.statuses.items()]
    yield _table(
        "venue_open", "Whether a venue says that it is open; absent: not known", "venue", said
    )
    yield _table("funding_rate", "Funding rate", "instrument", marks.funding.items())


def _first(row: Any, *names: str) -> Decimal | None:
    """Tell the first of these figures that is known."""
    return next((v for v in (getattr(row, name) for name in names) if v is not None), None)
