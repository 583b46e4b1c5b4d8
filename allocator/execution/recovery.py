"""What a start does first: settle every open attempt, then decide about the plan half way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from allocator.execution.attempts import Attempt
from allocator.execution.away import how_left, is_away, leave
from allocator.execution.clocks import check_clocks
from allocator.execution.endings import close
from allocator.execution.readings import guard
from allocator.execution.requests import Requests
from allocator.execution.run import Abort, Run, Shell
from allocator.execution.together import together
from allocator.execution.transfers import Transfers
from allocator.execution.transitions import OPEN_STATES, Stage, State
from allocator.models.plan import Order

RESUME_WITHIN = timedelta(minutes=5)
"""Silence after which a plan is given up: the market it was made for is gone."""

MOST_AT_ONCE = 1000
"""Attempts that are looked up at the same time; each venue has its own rate budgets."""


class Recovery:
    """Settles what an earlier start left open.

    Parameters
    ----------
    shell
        What the executor works with.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._history = shell.journal.history
        # The recovery itself writes events: what counts is the silence before it.
        self._silent_since = {
            row.id: self._history.last_step_at(row) for row in self._history.unfinished()
        }

    async def settle_attempts(self) -> None:
        """Learn the end of everything that is open; money on its way is looked at once.

        But for what is of accounts that are not opened here: it stays open, its account frozen.
        """
        active = {cycle.plan_hash for cycle in self._history.unfinished()}
        runs: dict[str, Run] = {}
        unsettled = list[tuple[Run, Attempt]]()
        open_attempts = self._history.open_attempts()
        # A crash between the end of an attempt and that of its action leaves nothing open there.
        unended = [hash_ for hash_ in self._history.working() if hash_ not in active]
        for hash_ in (*(row.plan_hash for row in open_attempts), *unended):
            if hash_ not in runs:
                runs[hash_] = Run.of_record(self._shell, hash_)
                runs[hash_].confirms = hash_ in active
        left = {row.client_id for row in leave(self._shell)}
        for attempt in open_attempts:
            if attempt.state is not State.IN_TRANSIT and attempt.client_id not in left:
                unsettled.append((runs[attempt.plan_hash], attempt))
        # Each waits for its fence and for spaced answers: one after another, many would take
        # longer than anybody can wait.
        at_once = asyncio.Semaphore(MOST_AT_ONCE)
        requests = {hash_: Requests(run) for hash_, run in runs.items()}

        async def settle(run: Run, attempt: Attempt) -> None:
            async with at_once:
                run.tell(await requests[run.plan.plan_hash].settle(attempt))

        await together(settle(run, attempt) for run, attempt in unsettled)
        for hash_, run in runs.items():
            if hash_ not in active:
                await self._close(run)

    async def _close(self, run: Run) -> None:
        """Follow the money of a plan that was given up, and end its actions."""
        try:
            await Transfers(run, Requests(run)).follow()
        except Abort as error:
            self._shell.journal.note(f"plan:{run.plan.plan_hash}", "manual", why=str(error))
        for action in run.plan.actions:
            if run.stages()[action.seq] is Stage.WORKING:
                close(run, action)

    def _check_asked(self, run: Run) -> None:
        """Refuse to go on with a plan of which a request waits for a person.

        Raises
        ------
        Abort
            Telling of those that nobody is here to ask about.
        """
        open_ = [row for row in run.attempts() if row.state in OPEN_STATES]
        if gone := [how_left(row) for row in open_ if is_away(self._shell, row)]:
            raise Abort("; ".join(gone))
        if any(row.state is State.MANUAL for row in run.attempts()):
            raise Abort("an attempt waits for an operator")

    async def take_up(self, run: Run) -> None:
        """Check that a plan half way may go on.

        Raises
        ------
        Abort
            When it may not: it was never begun, stood still too long, went to an operator, lost a
            request, has one that nobody is here to ask about, or the book has changed under it.
        """
        if not run.baseline:
            raise Abort("the process ended before it began")
        since = self._silent_since.get(run.cycle_id)
        # A clock that was set back tells as little about the silence as a long one.
        if since is None or abs(self._shell.clock.now() - since) > RESUME_WITHIN:
            told = "unknown" if since is None else f"{since:%Y-%m-%d %H:%M:%S} UTC"
            raise Abort(f"stood still since {told}")
        self._check_asked(run)
        # Money that has arrived meanwhile is seen before the plan may be given up.
        await Transfers(run, Requests(run)).follow()
        if any(row.state is State.NOT_EXECUTED for row in run.attempts()):
            raise Abort("a request was not carried out; it is never sent again")
        if all(stage is Stage.DONE for stage in run.stages().values()):
            return  # nothing is sent any more: what differs now is for the reconciliation to freeze
        await guard(run, run.accounts)
        await check_clocks(run, {name: run.seen[name] for name in run.accounts})
        for action in run.plan.actions:
            # What arrived while nobody looked has to end before what waits for it can go.
            if not isinstance(action, Order):
                close(run, action)
