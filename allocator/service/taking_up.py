"""What becomes of a plan that an earlier slot left half way: it goes on only if it is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.report import ExecutionReport
from allocator.service.mandates import Mandates, Version

RETIRED = "another mandate was published since: version {version}, by {by}"


@dataclass(frozen=True, slots=True)
class TakenUp:
    """How what was left ended.

    Attributes
    ----------
    report
        None: no plan was left.
    given_up
        Whether it was made for a mandate that no longer holds, so that nothing of it was sent.
    """

    report: ExecutionReport | None
    given_up: bool = False


async def take_up(executor: Executor, history: History, mandates: Mandates) -> TakenUp:
    """Settle what an earlier start left open, and go on with its plan if that is still wanted.

    A plan that was made for a mandate which no longer holds is given up: what is in flight is
    followed to its end, and nothing new is sent.

    Raises
    ------
    RefusedError, StaleError, JournalError
        As the executor does.
    """
    holds = retired_by(history, mandates)
    if holds is None:
        return TakenUp(await executor.resume())
    why = RETIRED.format(version=holds.version, by=holds.published_by)
    return TakenUp(await executor.give_up(why), given_up=True)


def retired_by(history: History, mandates: Mandates) -> Version | None:
    """Tell the version that has taken the place of what an unfinished plan was made for."""
    for cycle in history.unfinished():
        plan = None if cycle.plan_hash is None else history.plan(cycle.plan_hash)
        if plan is None:
            continue
        proposed = history.proposal(plan.plan.plan_hash)
        at = cycle.opened_at if proposed is None else proposed.at
        holds = mandates.after(plan.mandate, at)
        if holds is not None:
            return holds
    return None
