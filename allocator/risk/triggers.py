"""When a watched figure starts a cycle: persistence, hysteresis, cooldown; pure.

A trigger watches one figure of one subject (an underlying, an account, a limit...). It is armed,
and over its line or not. It fires once it has been over its line for `persist_s` and its last
firing is `cooldown_s` ago; then it is disarmed until the figure has come back to `release`, or, of
an urgent one, until what it started did not mend it, or not for good. A figure that is not
known neither fires nor arms, and interrupts what had to persist.

A trigger on venues watches two things of each: for how long it was not read whole, against the
threshold, and how much of it is closed by its own word, whatever the threshold. The latter has a
line for each step, so that it fires once for each that the venue goes up, and for none down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.models.base import ONE, ZERO, plain
from allocator.models.service import TriggerKind, TriggerRule
from allocator.models.status import VenueStatus

Key = tuple[str, str]
"""Rule and subject; what a rule on venues remembers of their words is under venue and `SAYS`."""

SAYS: Mapping[str, Decimal] = {
    " says maintenance": Decimal(2), " says cancel_only": ONE, " says": ZERO,
}  # fmt: skip
"""Gravity beyond which a step of a venue's word is, the gravest first; ends of subjects."""

Figures = Mapping[str, Decimal | None]

Rests = Mapping[Key, timedelta]
"""How long after its last firing a line may fire at the earliest, where that is not told by its
cooldown alone."""

CLEARLY = Decimal("0.1")
"""Of how far one figure is beyond the threshold: by so much another is clearly graver, ..."""

AT_LEAST = Decimal("0.05")
"""... and by so much of the threshold at least, since figures near it waver."""

NO_REST = timedelta()
NO_RESTS: Rests = {}


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
    says
        What the venue said that set it off; empty: it was the figure.
    """

    rule: TriggerRule
    subject: str
    value: Decimal
    says: str = ""

    @property
    def name(self) -> str:
        """What the cycle it starts is told to be started by."""
        if self.says:
            return f"trigger {self.rule.id}: {self.rule.on} {self.subject} says {self.says}"
        side = "below" if self.rule.falls else "above"
        subject = f" {self.subject}" if self.subject else ""
        told = f"{plain(self.value)} {side} {plain(self.rule.threshold)}"
        return f"trigger {self.rule.id}: {self.rule.on}{subject} {told}"


@dataclass(frozen=True, slots=True)
class Observation:
    """Figures at one time, by kind and subject (None: not known), and how venues say they stand.

    Attributes
    ----------
    at_best
        Than which a figure that is not known is no less grave.
    """

    at: datetime
    figures: Mapping[TriggerKind, Figures] = field(default_factory=dict[TriggerKind, Figures])
    statuses: Mapping[str, VenueStatus] = field(default_factory=dict[str, VenueStatus])
    at_best: Mapping[TriggerKind, Figures] = field(default_factory=dict[TriggerKind, Figures])

    def figure(self, rule: TriggerRule, subject: str) -> Decimal | None:
        """Tell what a rule goes by of a subject; None: not known.

        Where even the best that it may be is beyond the threshold, it goes by that.
        """
        known = self.figures.get(rule.on, {}).get(subject)
        best = self.at_best.get(rule.on, {}).get(subject)
        return best if known is None and best is not None and over(rule, best) else known


def over(rule: TriggerRule, value: Decimal) -> bool:
    """Tell whether a figure is strictly beyond the threshold."""
    return value < rule.threshold if rule.falls else value > rule.threshold


def released(rule: TriggerRule, value: Decimal) -> bool:
    """Tell whether a figure has come back far enough to arm the trigger again."""
    back = rule.threshold if rule.release is None else rule.release
    return value >= back if rule.falls else value <= back


def graver(rule: TriggerRule, value: Decimal, than: Decimal) -> bool:
    """Tell whether a figure is clearly graver than another.

    The silence of a venue is never: it grows by itself.
    """
    if rule.on == "venue":
        return False
    more, beyond = value - than, than - rule.threshold
    if rule.falls:
        more, beyond = -more, -beyond
    return more > max(CLEARLY * beyond, AT_LEAST * abs(rule.threshold))


def step(
    rule: TriggerRule,
    line: Line,
    value: Decimal | None,
    now: datetime,
    rest: timedelta = NO_REST,
) -> tuple[Line, bool]:
    """Take one more figure in; tell what to remember, and whether the trigger fires.

    Parameters
    ----------
    rest
        How long after its last firing it may fire at the earliest, however short its cooldown.
    """
    if value is None:
        return replace(line, since=None), False
    if not line.armed and not released(rule, value) and not rule.repeat:
        return replace(line, since=None), False
    if not over(rule, value):
        return replace(line, since=None, armed=line.armed or released(rule, value)), False
    since = now if line.since is None else min(line.since, now)
    if now - since < _seconds(rule.persist_s) or not _cool(rule, line, now, rest):
        return replace(line, since=since), False
    return Line(since=None, armed=False, fired_at=now), True


def rearm(lines: Mapping[Key, Line], keys: Iterable[Key]) -> dict[Key, Line]:
    """Arm again what fired and was not mended: it may fire while it never came back.

    The cooldown still holds, and what else it rests for.
    """
    return {**lines, **{key: replace(lines[key], armed=True) for key in keys}}


def watch(
    rules: tuple[TriggerRule, ...],
    lines: Mapping[Key, Line],
    seen: Observation,
    rests: Rests = NO_RESTS,
) -> tuple[dict[Key, Line], tuple[Firing, ...]]:
    """Take an observation in for every rule; tell what to remember, and what fires.

    Subjects that are not in the observation are not known in it.
    """
    out, firings = dict(lines), list[Firing]()
    for rule in rules:
        if rule.on == "venue":
            firings += _heard(rule, out, seen, rests)
        firings += _seen(rule, out, seen, rests)
    return out, tuple(firings)


def _heard(
    rule: TriggerRule, out: dict[Key, Line], seen: Observation, rests: Rests
) -> Iterator[Firing]:
    """Take in what venues say; steps that one has gone up at once fire as one, the gravest."""
    ends = tuple(SAYS)
    known = {row.partition(" ")[0] for name, row in out if name == rule.id and row.endswith(ends)}
    for name in sorted({rule.of} if rule.of is not None else known | seen.statuses.keys()):
        told = seen.statuses.get(name)
        value = None if told is None or told.gravity is None else Decimal(told.gravity)
        fired = False
        for end, beyond in SAYS.items():
            key, asked = (rule.id, f"{name}{end}"), {"threshold": beyond, "release": None}
            line, rest = out.get(key, Line()), rests.get(key, NO_REST)
            out[key], fires = step(rule.model_copy(update=asked), line, value, seen.at, rest)
            if fired:
                out[key] = Line(armed=False, fired_at=seen.at)
            fired = fired or fires
        if fired and told is not None and value is not None:
            yield Firing(rule, name, value, told.words)


def _seen(
    rule: TriggerRule, out: dict[Key, Line], seen: Observation, rests: Rests
) -> Iterator[Firing]:
    """Take in the figures of a rule.

    The silence of a venue whose own word has fired tells nothing more: it waits until that ends.
    """
    figures = seen.figures.get(rule.on, {})
    for subject in sorted(_subjects(rule, out, figures)):
        value, key = seen.figure(rule, subject), (rule.id, subject)
        before = out.get(key, Line())
        line, fires = step(rule, before, value, seen.at, rests.get(key, NO_REST))
        if fires and rule.on == "venue" and _told(rule, subject, out, seen):
            line, fires = replace(before, since=min(before.since or seen.at, seen.at)), False
        out[key] = line
        if fires:
            assert value is not None
            yield Firing(rule, subject, value)


def _told(rule: TriggerRule, venue: str, lines: Mapping[Key, Line], seen: Observation) -> bool:
    """Tell whether a rule has fired on a venue's word that it is not open, which still stands."""
    told = seen.statuses.get(venue)
    return (
        told is not None
        and told.barred is True
        and not all(lines.get((rule.id, f"{venue}{end}"), Line()).armed for end in SAYS)
    )


def _subjects(rule: TriggerRule, lines: Mapping[Key, Line], figures: Figures) -> set[str]:
    if rule.of is not None:
        return {rule.of}
    remembered = {subject for name, subject in lines if name == rule.id}
    if rule.on == "venue":
        remembered = {row for row in remembered if not row.endswith(tuple(SAYS))}
    return remembered | figures.keys()


def _cool(rule: TriggerRule, line: Line, now: datetime, rest: timedelta) -> bool:
    """Tell whether a trigger may fire again.

    A firing of the future was stamped by a clock that was ahead: waiting for it would silence the
    trigger until then.
    """
    fired_at, wait = line.fired_at, max(rest, _seconds(rule.cooldown_s))
    return fired_at is None or fired_at > now or now - fired_at >= wait


def _seconds(value: Decimal) -> timedelta:
    return timedelta(microseconds=int(value * 1_000_000))
