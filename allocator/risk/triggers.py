"""When a watched figure starts a cycle: persistence, hysteresis, cooldown; pure.

A trigger watches one figure of one subject (an underlying, an account, a limit...). It is armed,
and over its line or not. It fires once it has been over its line for `persist_s` and its last
firing is `cooldown_s` ago; then it is disarmed until the figure has come back to `release`. A
figure that is not known neither fires nor arms, and interrupts what had to persist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.models.base import plain
from allocator.models.service import TriggerKind, TriggerRule

Key = tuple[str, str]
"""Rule and subject."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a trigger remembers of one subject.

    Attributes
    ----------
    since
        When it went over its line, of what is armed; None: it is not over it.
    armed
        Whether it may fire.
    fired_at
        When it last fired.
    """

    since: datetime | None = None
    armed: bool = True
    fired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Firing:
    """A trigger that went off.

    Attributes
    ----------
    value
        The figure that set it off.
    """

    rule: TriggerRule
    subject: str
    value: Decimal

    @property
    def name(self) -> str:
        """What the cycle it starts is told to be started by."""
        side = "below" if self.rule.falls else "above"
        subject = f" {self.subject}" if self.subject else ""
        told = f"{plain(self.value)} {side} {plain(self.rule.threshold)}"
        return f"trigger {self.rule.id}: {self.rule.on}{subject} {told}"


@dataclass(frozen=True, slots=True)
class Observation:
    """Figures at one time, by kind and subject; None: not known."""

    at: datetime
    figures: Mapping[TriggerKind, Mapping[str, Decimal | None]] = field(
        default_factory=dict[TriggerKind, Mapping[str, Decimal | None]]
    )


def over(rule: TriggerRule, value: Decimal) -> bool:
    """Tell whether a figure is strictly beyond the threshold."""
    return value < rule.threshold if rule.falls else value > rule.threshold


def released(rule: TriggerRule, value: Decimal) -> bool:
    """Tell whether a figure has come back far enough to arm the trigger again."""
    back = rule.threshold if rule.release is None else rule.release
    return value >= back if rule.falls else value <= back


def step(rule: TriggerRule, line: Line, value: Decimal | None, now: datetime) -> tuple[Line, bool]:
    """Take one more figure in; tell what to remember, and whether the trigger fires."""
    if value is None:
        return replace(line, since=None), False
    if not line.armed and not released(rule, value) and not rule.repeat:
        return replace(line, since=None), False
    if not over(rule, value):
        return replace(line, since=None, armed=line.armed or released(rule, value)), False
    since = now if line.since is None else line.since
    if now - since < _seconds(rule.persist_s) or not _cool(rule, line, now):
        return replace(line, since=since), False
    return Line(since=None, armed=False, fired_at=now), True


def watch(
    rules: tuple[TriggerRule, ...], lines: Mapping[Key, Line], seen: Observation
) -> tuple[dict[Key, Line], tuple[Firing, ...]]:
    """Take an observation in for every rule; tell what to remember, and what fires.

    Subjects that are not in the observation are not known in it.
    """
    out, firings = dict(lines), list[Firing]()
    for rule in rules:
        figures = seen.figures.get(rule.on, {})
        known = {subject for name, subject in lines if name == rule.id} | figures.keys()
        for subject in sorted(known if rule.of is None else {rule.of}):
            value = figures.get(subject)
            key = (rule.id, subject)
            out[key], fires = step(rule, out.get(key, Line()), value, seen.at)
            if fires:
                assert value is not None
                firings.append(Firing(rule, subject, value))
    return out, tuple(firings)


def _cool(rule: TriggerRule, line: Line, now: datetime) -> bool:
    return line.fired_at is None or now - line.fired_at >= _seconds(rule.cooldown_s)


def _seconds(value: Decimal) -> timedelta:
    return timedelta(microseconds=int(value * 1_000_000))
