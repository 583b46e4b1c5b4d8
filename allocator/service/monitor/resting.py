"""How long urgent triggers rest whose repairs come to nothing: longer each time; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from allocator.models.service import TriggerRule
from allocator.risk.triggers import Firing, Key, Line, Observation, watch
from allocator.service.monitor.outcomes import Lost, fired_as

LEAST, MOST = timedelta(minutes=1), timedelta(minutes=15)
"""Between a firing that came to nothing and the next: doubled each time up to the most."""

Failed = Mapping[Key, int]
"""How many firings in a row have come to nothing, of what has not come back since."""


def counted(
    failed: Failed,
    lost: Iterable[Lost],
    rules: Sequence[TriggerRule],
    lines: Mapping[Key, Line],
    seen: Observation,
) -> dict[Key, int]:
    """Count what has come to nothing, and begin anew where the figure has come back.

    What found nothing broken has not failed, and a rule that repeats goes by its cooldown alone.

    Parameters
    ----------
    rules
        The urgent ones.
    lines
        As they were before this look.
    """
    resting = {rule.id for rule in rules if not rule.repeat}
    unarmed = {key: replace(lines.get(key, Line()), armed=False) for key in failed}
    back, _ = watch(tuple(rules), {**lines, **unarmed}, seen)
    out = {key: times for key, times in failed.items() if not back[key].armed}
    for row in lost:
        if row.key[0] in resting and not row.idle:
            out[row.key] = out.get(row.key, 0) + 1
    return out


def rests(failed: Failed) -> dict[Key, timedelta]:
    """Tell how long after its last firing each may fire again, whatever its cooldown.

    >>> [str(rests({("used", ""): times})["used", ""]) for times in (1, 2, 4, 5, 99)]
    ['0:01:00', '0:02:00', '0:08:00', '0:15:00', '0:15:00']
    """
    doubled = {key: LEAST * 2 ** min(times - 1, 9) for key, times in failed.items()}
    return {key: min(rest, MOST) for key, rest in doubled.items()}


def news(
    firings: Iterable[Firing], failed: Failed, before: Mapping[Key, Line], after: Mapping[Key, Line]
) -> tuple[Firing, ...]:
    """Pick the firings that are told: not those that only try again what has failed.

    That it is tried again is told with what became of it. A venue that goes a step further has a
    line for that, which has not failed.
    """
    fired = [key for key, row in after.items() if row.fired_at != before.get(key, Line()).fired_at]
    new = {(rule, fired_as(subject)) for rule, subject in fired if (rule, subject) not in failed}
    return tuple(row for row in firings if (row.rule.id, row.subject) in new)
