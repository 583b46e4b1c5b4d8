"""Whether an instance is of use, and what else is the matter with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from allocator.models import api
from allocator.models.base import stamp
from allocator.service.clock import HELD_S
from allocator.service.mandate_versions import Unreadable
from allocator.service.notify import BREAKING, NOBODY, STUCK

if TYPE_CHECKING:
    from allocator.service.run import Service

UNFIT = "the mandate does not fit the book: exposures or limits are not watched"

MARGIN_UNKNOWN = "the margin of an account cannot be reckoned: watch it at its venue"

UNBELIEVED = (
    f"the clock was set: no slot begins until it has stood for {HELD_S:.0f} s, a repair only where "
    "the venues' clocks agree with it"
)

UNREADABLE = (
    "mandate version {version} cannot be read, and holds: nothing is planned until somebody has "
    "published another version"
)

HELD_FOR_S = 1.0
"""Seconds for which it is kept whether the mandate that holds can be read."""

LATE_LOOKS = 5
"""Looks at the book that may fail before the leader is not of use: one may be slow."""


class Condition:
    """Looks at one instance.

    Parameters
    ----------
    service
        The instance.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._held: tuple[int | None, float, str] = None, float("-inf"), ""

    def health(self) -> api.Health:
        """Tell whether this instance is of use: schema, ticks, a leader at its work."""
        from allocator import __version__
        from allocator.execution import schema

        service, faults = self._service, list[str]()
        if schema.current(service.engine) != schema.head():
            faults.append("the database is not at this release's schema")
        most_s = float(service.config.service.alerts.dead_man_s)
        now = service.clock.now()
        ages: Mapping[str, datetime | None] = {
            "this instance": service.live.ticked_at,
            "a leader": service.beats.leader_at(now),
        }
        for who, at in ages.items():
            if at is None:
                faults.append(f"{who} has not ticked yet")
            elif (now - at).total_seconds() > most_s:
                faults.append(f"{who} last ticked at {stamp(at)}")
        faults += filter(None, (self._unmarked(now), service.vigil.hangs()))
        ok = not faults
        faults += self._besides(ages["a leader"], now)
        notes = () if service.config.service.alerts.to else (NOBODY,)
        return api.Health(ok=ok, version=__version__, faults=tuple(faults), notes=notes)

    def _besides(self, leader_at: datetime | None, now: datetime) -> Iterator[str]:
        """Say what is the matter and makes the instance no less of use.

        One that is not ready is not reached: halts and verdicts are taken all the same, margins
        are watched, and another mandate has to be published here. Strangers may ask: no names.
        """
        service, marks = self._service, self._service.live.marks
        if marks is not None and marks.unfit:
            yield UNFIT
        if marks is not None and marks.margin_unknown:
            yield MARGIN_UNKNOWN
        if service.trying.stuck(leader_at, now):
            yield STUCK
        if service.trying.breaking():
            yield BREAKING
        unreadable = self._unreadable()
        if unreadable:
            yield unreadable
        if not service.believes_time():
            yield UNBELIEVED

    def _unreadable(self) -> str:
        """Say that what holds cannot be read; empty: it can.

        It may be large, and anybody may ask: it is read once a second, and once another holds.
        """
        mandates, now_s = self._service.mandates, self._service.steady()
        key, (kept, at_s, told) = mandates.number_of_holding(), self._held
        if key != kept or not 0 <= now_s - at_s < HELD_FOR_S:
            holds = mandates.holds()
            told = ""
            if isinstance(holds, Unreadable):
                told = UNREADABLE.format(version=holds.version)
            self._held = key, now_s, told
        return told

    def _unmarked(self, now: datetime) -> str:
        """Say since when this leader has not marked the book; empty: it has, or need not."""
        live, config = self._service.live, self._service.config
        if live.led_at is None or not config.service.poll_s:
            return ""
        since = live.led_at if live.marks is None else max(live.led_at, live.marks.at)
        most_s = LATE_LOOKS * config.service.poll_s + config.gather.deadline_s
        if since > now:
            # A clock that was ahead told it, and would hide any silence until then.
            silent_s = self._service.vigil.unlooked_s() or 0.0
            words = f"the leader has not marked the book for {silent_s:.0f} s"
            return words if silent_s > most_s else ""
        late = (now - since).total_seconds() > most_s
        return f"the leader has not marked the book since {stamp(since)}" if late else ""
