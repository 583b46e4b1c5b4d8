"""How long urgent triggers rest whose repairs come to nothing: longer each time; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from allocator.models.service import TriggerRule
from allocator.risk.triggers import Firing, Key, Line, Observation, graver, over, watch
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
        The gravest at a firing that was told; None: not known, since another instance fired it.
        It never falls, since a figure that wavers would be news each time it is up again.
    best
        The least grave since the last firing that was told: what is clearly below it is progress,
        and once only.
    worse
        Whether the figure is clearly graver than `figure`, or than the threshold if that is not
        known: what fires twice after another instance took over is better than what never does.
    """

    times: int = 0
    by: str = ""
    told: bool = False
    figure: Decimal | None = None
    best: Decimal | None = None
    worse: bool = False

    def failed(self, by: str) -> Try:
        """Count one more that came to nothing; one for another cause is the first."""
        times = self.times + 1 if by == self.by else 1
        return replace(self, times=times, by=by, told=True)

    def seen(self, rule: TriggerRule, value: Decimal | None) -> Try:
        """Hold it against the figure of now: one that is clearly graver is news, and rests not.

        That alone forgets nothing: the figure may be back before anything fires.
        """
        if value is None:
            return replace(self, worse=False)
        base = rule.threshold if self.figure is None else self.figure
        worse = over(rule, value) and graver(rule, value, base)
        return replace(self, best=value if self.best is None else self.best, worse=worse)


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
    figures = {(id_, of): seen.figure(resting[id_], of) for id_, of in out}
    for row in lost:
        if row.key in out:
            rule, value = resting[row.key[0]], figures[row.key]
            out[row.key] = _came_to(out[row.key], row, rule, value)
    return {key: row.seen(resting[key[0]], figures[key]) for key, row in out.items()}


def _came_to(before: Try, lost: Lost, rule: TriggerRule, value: Decimal | None) -> Try:
    """Take in what one firing came to: what did something, or made it better, has not failed."""
    if lost.idle:
        return replace(before, times=0, by="", told=False)
    if value is not None and before.best is not None and graver(rule, before.best, value):
        return replace(before, times=0, by="", told=True, best=value)
    if lost.acted:
        return replace(before, times=0, by="", told=True)
    return before.failed(lost.by)


def anew(tries: Tries) -> dict[Key, Try]:
    """Count from nothing: what stood in the way may do so no more."""
    return {key: replace(row, times=0, by="") for key, row in tries.items()}


def rests(tries: Tries) -> dict[Key, timedelta]:
    """Tell how long after its last firing each may fire again, whatever its cooldown.

    What is clearly graver does not rest.

    >>> [str(rests({("used", ""): Try(times)})["used", ""]) for times in (1, 2, 3, 4, 99)]
    ['0:01:00', '0:02:00', '0:04:00', '0:05:00', '0:05:00']
    """
    failed = {key: row.times for key, row in tries.items() if row.times and not row.worse}
    doubled = {key: LEAST * 2 ** min(times - 1, 9) for key, times in failed.items()}
    return {key: min(rest, MOST) for key, rest in doubled.items()}


def news(
    firings: Iterable[Firing], tries: Tries, before: Mapping[Key, Line], after: Mapping[Key, Line]
) -> tuple[Firing, ...]:
    """Pick the firings that are told: not those that only try again what has failed.

    What is clearly graver is told. That it is tried again is told with what became of it. A venue
    that goes a step further has a line for that, which has not failed.
    """
    fired = [key for key, row in after.items() if row.fired_at != before.get(key, Line()).fired_at]
    rows = {key: tries.get(key, Try()) for key in fired}
    new = {(key[0], fired_as(key[1])) for key, row in rows.items() if row.worse or not row.told}
    return tuple(row for row in firings if (row.rule.id, row.subject) in new)


def fired(tries: Tries, told: Collection[Firing]) -> dict[Key, Try]:
    """Begin anew with firings that are told: later figures are held against the gravest of them."""
    out = dict(tries)
    for row in told:
        if row.rule.urgent and not (row.rule.repeat or row.says):
            key = (row.rule.id, row.subject)
            before = out.get(key, Try()).figure
            known = (row.value,) if before is None else (row.value, before)
            figure = min(known) if row.rule.falls else max(known)
            out[key] = Try(figure=figure, best=row.value)
    return out
