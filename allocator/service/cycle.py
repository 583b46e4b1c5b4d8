"""One cycle, from reading the accounts to the record of what became of them.

resume -> gather -> decide -> verify -> execute -> reconcile -> record
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.report import ExecutionReport
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.ports import Gathered, MarketData
from allocator.service.overlay import with_record
from allocator.service.reading import read_book

PROPOSER = "allocator"

Step = Callable[[str, object], None]
"""Is told which step of the cycle has ended, and with what."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cycle came to.

    Attributes
    ----------
    resumed
        How a plan of an earlier, unfinished start ended; None: there was none.
    report
        How this cycle's plan was carried out; None: it was not to be.
    """

    resumed: ExecutionReport | None
    gathered: Gathered
    plan: Plan
    report: ExecutionReport | None


async def propose(
    market: MarketData,
    mandate: Mandate,
    history: History,
) -> tuple[Gathered, Snapshot, Plan]:
    """Gather, add what the record knows, and decide; nothing is sent."""
    from allocator.decide import decide

    gathered = await market.gather()
    snapshot = with_record(gathered.snapshot, history)
    plan = await asyncio.to_thread(decide, snapshot, mandate)
    return gathered, snapshot, plan


async def run_cycle(  # noqa: PLR0913 - the line's parts
    market: MarketData,
    executor: Executor,
    history: History,
    mandate: Mandate,
    *,
    approver: str | None,
    slot: str | None = None,
    tell: Step = lambda _name, _value: None,
) -> Outcome:
    """Run one cycle.

    Parameters
    ----------
    approver
        Who lets the plan go; None: it is only proposed. A plan that leaves something broken is
        never carried out here: somebody has to look at it.
    slot
        Names the cycle; each slot has one.
    tell
        Is told of each step.

    Returns
    -------
    What was resumed, gathered, decided and carried out.

    Raises
    ------
    RefusedError, StaleError, JournalError
        As the executor does: nothing new was sent. Also where money that makes an exposure may be
        anywhere: no plan could be right.
    """
    from allocator.decide import decide

    resumed = await executor.resume()
    tell("resume", resumed)
    read = await read_book(market, executor, history)
    tell("gather", read.gathered)
    if read.unclear:
        raise RefusedError(f"UNCLEAR_MONEY: {read.unclear}")
    snapshot = read.snapshot
    plan = await asyncio.to_thread(decide, snapshot, mandate)
    tell("decide", plan)
    report = None
    if plan.status == "act" and approver is not None:
        report = await executor.run(
            plan, snapshot, mandate, slot=slot, proposer=PROPOSER, approver=approver
        )
        tell("execute", report)
    return Outcome(resumed, read.gathered, plan, report)
