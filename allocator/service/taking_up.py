"""What becomes of a plan that an earlier slot left half way: it goes on only if it is wanted."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.report import ExecutionReport
from allocator.models.errors import AllocatorError
from allocator.service.mandate_versions import Version
from allocator.service.mandates import Mandates

MANDATE_CHANGED = "another mandate was published"
MOST_WHY = 500
"""Characters of a reason that tells what could not be read."""

UNREADABLE = "what it was made for cannot be told from the mandates"
RETIRED = "another mandate was published since: version {version}, by {by}"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TakenUp:
    """How what was left ended.

    Attributes
    ----------
    report
        None: no plan was left.
    given_up
        Why nothing more of it was sent: it was made for a mandate that no longer holds, or nobody
        can tell whether it does; empty: it went on.
    """

    report: ExecutionReport | None
    given_up: str = ""


async def take_up(executor: Executor, history: History, mandates: Mandates) -> TakenUp:
    """Settle what an earlier start left open, and go on with its plan if that is still wanted.

    A plan that was made for a mandate which no longer holds is given up: what is in flight is
    followed to its end, and nothing new is sent. So is one where the record does not tell what it
    was made for, or what holds cannot be read: what was sent is settled whatever is the matter with
    mandates.

    Raises
    ------
    RefusedError, StaleError, JournalError
        As the executor does.
    """
    try:
        holds = retired_by(history, mandates)
    except AllocatorError as error:
        log.exception("mandates cannot be read: what was left half way is given up")
        report = await executor.give_up(f"{UNREADABLE}: {error}"[:MOST_WHY])
        return TakenUp(report, given_up=UNREADABLE)
    if holds is None:
        return TakenUp(await executor.resume())
    why = RETIRED.format(version=holds.version, by=holds.published_by)
    return TakenUp(await executor.give_up(why), given_up=MANDATE_CHANGED)


def retired_by(history: History, mandates: Mandates) -> Version | None:
    """Tell the version that has taken the place of what an unfinished plan was made for.

    Raises
    ------
    JournalError
        When the plan, or the version that holds, cannot be read.
    """
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
