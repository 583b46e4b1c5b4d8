"""Transfers and position moves: sent once, and followed until the receiver shows them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from allocator.execution.asking import look, read_quote
from allocator.execution.attempts import Attempt
from allocator.execution.client_ids import client_id
from allocator.execution.endings import close
from allocator.execution.entries import Place
from allocator.execution.requests import Requests
from allocator.execution.run import Abort, Run
from allocator.execution.transitions import Stage, State
from allocator.models.base import ZERO
from allocator.models.errors import RefusedError, VenueError
from allocator.models.intents import Found, MoveIntent, TransferIntent
from allocator.models.plan import PositionMove, Transfer
from allocator.state import charge_of

MOST_WAIT_S = Decimal(10)
"""Seconds between two looks at money that has been under way for long."""


LEAST_WAIT_S = Decimal(2)
"""Seconds between two looks at money on a chain, where nothing arrives sooner: venues let little be
asked of withdrawals."""


class Transfers:
    """Sends what carries money or positions from account to account.

    Parameters
    ----------
    run
        The plan they belong to.
    """

    def __init__(self, run: Run, requests: Requests) -> None:
        self._run = run
        self._requests = requests
        self._journal = run.shell.journal

    def may_start(self, action: Transfer) -> bool:
        """Whether a transfer may be sent beside those under way.

        Without an idempotency key of the venue, and for withdrawals, which no venue lists by
        key, at most one is under way for the same money.
        """
        keyed = self._run.shell.venue(action.source).capabilities.transfer_key
        if keyed and self._run.book.routes[action.route].kind == "internal":
            return True
        same = (action.source, action.target, action.asset)
        return not any(
            isinstance(row.intent, TransferIntent)
            and (row.intent.source, row.intent.target, row.intent.asset) == same
            for row in self._journal.history.open_attempts()
        )

    async def start(self, action: Transfer | PositionMove) -> None:
        """Send a transfer or a move.

        Raises
        ------
        Abort
            When it is refused before it is sent.
        """
        run = self._run
        moves = isinstance(action, PositionMove)
        await self._requests.pace(action.source, *((action.target,) if moves else ()))
        id_ = client_id(self._journal.lease.name, run.plan.plan_hash, action.seq, 1, 1)
        if isinstance(action, Transfer):
            intent: TransferIntent | MoveIntent = self._transfer(action, id_)
        else:
            intent = await self._move(action, id_)
        try:
            await self._requests.send(Place(run.plan.plan_hash, action.seq, 1, 1), intent)
        except RefusedError as error:
            raise Abort(str(error)) from error
        close(run, action)

    def _transfer(self, action: Transfer, id_: str) -> TransferIntent:
        route = self._run.book.routes[action.route]
        return TransferIntent(
            client_id=id_,
            route=action.route,
            source=action.source,
            target=action.target,
            asset=action.asset,
            amount=action.amount,
            most_fee=charge_of(route, action.amount),
            stamped_at=self._run.shell.clock.now(),
        )

    async def _move(self, action: PositionMove, id_: str) -> MoveIntent:
        shell = self._run.shell
        held = self._run.expected().position(action.source, action.instrument).value
        try:
            price = (await read_quote(shell, action.source, action.instrument)).mark
        except VenueError as error:
            raise Abort(f"no mark price of {action.instrument}: {error}") from error
        return MoveIntent(
            client_id=id_,
            source=action.source,
            target=action.target,
            instrument=action.instrument,
            side="buy" if held > ZERO else "sell",
            quantity=action.quantity,
            price=price,
            stamped_at=shell.clock.now(),
        )

    def under_way(self) -> tuple[Attempt, ...]:
        """List the plan's transfers that are on their way."""
        return tuple(row for row in self._run.attempts() if row.state is State.IN_TRANSIT)

    def next_look_s(self) -> Decimal:
        """Tell how long to wait before the next look: the longer they take, the longer."""
        now = self._run.shell.clock.now()
        waits = [
            max(self._least_wait_s(row), Decimal(str((now - row.intent_at).total_seconds())) / 10)
            for row in self.under_way()
        ]
        return min([MOST_WAIT_S, *waits])

    def _least_wait_s(self, attempt: Attempt) -> Decimal:
        route = self._run.book.routes.get(getattr(attempt.intent, "route", ""))
        return LEAST_WAIT_S if route is not None and route.kind == "onchain" else ZERO

    async def follow(self) -> None:
        """Look at every transfer under way once; one that is late goes to an operator."""
        shell = self._run.shell
        for attempt in self.under_way():
            finding = await look(shell, attempt)
            now = attempt
            if isinstance(finding, Found):
                now = await self._requests.take(attempt, finding)
            late = attempt.intent_at + timedelta(seconds=float(shell.config.transfer_timeout_s))
            if now.state is State.IN_TRANSIT and shell.clock.now() >= late:
                late_ = self._journal.hand_over(attempt.client_id, "did not arrive in time")
                now = self._run.keep(late_)
            if now.state is not State.IN_TRANSIT:
                self._run.tell(now)
                action = next(row for row in self._run.plan.actions if row.seq == attempt.seq)
                if close(self._run, action) is Stage.MANUAL:
                    raise Abort(f"transfer {action.seq} went to an operator: {now.reason}")
