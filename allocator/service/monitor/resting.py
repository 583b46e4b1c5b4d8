"""How long urgent triggers rest whose repairs come to nothing: longer each time; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from allocator.models.service import TriggerRule
from allocator.risk.triggers import Firing, Key, Line, Observation, graver, watch
from allocator.service.monitor.outcomes import Lost, fired_as

LEAST, MOST = timedelta(minutes=1), timedelta(minutes=5)
"""Between a firing that came to nothing and the next: doubled each time up to the most."""


@dataclass(frozen=True, slots=True)
class Try:
    """What is remembered of a firing until its figure has come back.

    Attributes
    ----------
    times
        How many repairs in a row have come to nothing.
    by
        What the last of them came to nothing by.
    told
        Whether people know that it is tried again: then the next firing is no news.
    figure
        At the last firing that was news, or at the last progress since; None: not known. Of what
        another instance fired it is the first that was seen.
    worse
        Whether the figure is clearly graver than that.
    """

    times: int = 0
    by: str = ""
    told: bool = False
    figure: Decimal | None = None
    worse: bool = False

    def failed(self, by: str) -> Try:
        """Count one more that came to nothing; one for another cause is the first."""
        times = self.times + 1 if by == self.by else 1
        return replace(self, times=times, by=by, told=True)

    def seen(self, rule: TriggerRule, value: Decimal | None) -> Try:
        """Hold it against the figure of now: one that is clearly graver is news, and rests not."""
        if self.figure is None or value is None:
            return replace(self, figure=value if self.figure is None else self.figure, worse=False)
        if graver(rule, value, self.figure):
            return replace(self, times=0, told=False, worse=True)
        return replace(self, worse=False)


Tries = Mapping[Key, Try]
"""By what fired and has not come back since; of urgent triggers that do not repeat."""


def looked(
    tries: Tries,
    lost: Iterable[Lost],
    rules: Sequence[TriggerRule],
    lines: Mapping[Key, Line],
    seen: Observation,
) -> dict[Key, Try]:
    """Count what has come to nothing, and begin anew where the figure has come back.

    A rule that repeats goes by its cooldown alone.

    Parameters
    ----------
    rules
        The urgent ones.
    lines
        As they were before this look.
    """
    resting = {rule.id: rule for rule in rules if not rule.repeat}
    unarmed = {key: replace(lines.get(key, Line()), armed=False) for key in tries}
    back, _ = watch(tuple(rules), {**lines, **unarmed}, seen)
    waits = [key for key, line in back.items() if key[0] in resting and not line.armed]
    out = {key: tries.get(key, Try()) for key in waits}
    figures = {(id_, of): seen.figures.get(resting[id_].on, {}).get(of) for id_, of in out}
    for row in lost:
        if row.key in out:
            rule, value = resting[row.key[0]], figures[row.key]
            out[row.key] = _came_to(out[row.key], row, rule, value)
    return {key: row.seen(resting[key[0]], figures[key]) for key, row in out.items()}


def _came_to(before: Try, lost: Lost, rule: TriggerRule, value: Decimal | None) -> Try:
    """Take in what one firing came to: what did something, or made it better, has not failed."""
    if lost.idle:
        return replace(before, times=0, by="", told=False)
    if value is not None and before.figure is not None and graver(rule, before.figure, value):
        return replace(before, times=0, by="", told=True, figure=value)
    if lost.acted:
        return replace(before, times=0, by="", told=True)
    return before.failed(lost.by)


def anew(tries: Tries) -> dict[Key, Try]:
    """Count from nothing: what stood in the way may do so no more."""
    return {key: replace(row, times=0, by="") for key, row in tries.items()}


def rests(tries: Tries) -> dict[Key, timedelta]:
    """Tell how long after its last firing each may fire again, whatever its cooldown.

    >>> [str(rests({("used", ""): Try(times)})["used", ""]) for times in (1, 2, 3, 4, 99)]
    ['0:01:00', '0:02:00', '0:04:00', '0:05:00', '0:05:00']
    """
    failed = {key: row.times for key, row in tries.items() if row.times}
    doubled = {key: LEAST * 2 ** min(times - 1, 9) for key, times in failed.items()}
    return {key: min(rest, MOST) for key, rest in doubled.items()}


def news(
    firings: Iterable[Firing], tries: Tries, before: Mapping[Key, Line], after: Mapping[Key, Line]
) -> tuple[Firing, ...]:
    """Pick the firings that are told: not those that only try again what has failed.

    That it is tried again is told with what became of it. A venue that goes a step further has a
    line for that, which has not failed.
    """
    fired = [key for key, row in after.items() if row.fired_at != before.get(key, Line()).fired_at]
    new = {(key[0], fired_as(key[1])) for key in fired if not tries.get(key, Try()).told}
    return tuple(row for row in firings if (row.rule.id, row.subject) in new)


def fired(tries: Tries, told: Collection[Firing]) -> dict[Key, Try]:
    """Remember the figures of firings that are told: later ones are held against them."""
    new = [row for row in told if row.rule.urgent and not (row.rule.repeat or row.says)]
    return {**tries, **{(row.rule.id, row.subject): Try(figure=row.value) for row in new}}
