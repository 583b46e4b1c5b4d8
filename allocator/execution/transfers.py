"""Transfers and position moves: sent once, and followed until the receiver shows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.asking import look, read_quote
from allocator.execution.attempts import Attempt
from allocator.execution.away import is_away
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
        self._written = dict[str, datetime]()

    def may_start(self, action: Transfer) -> bool:
        """Whether a transfer may be sent beside those under way.

        Without an idempotency key of the venue, and for withdrawals, at most one is under way for
        the same money, and of those that its records do not tell apart: who waits for an answer
        has to know whose it is.
        """
        keyed = self._run.shell.venue(action.source).capabilities.transfer_key
        inside = self._run.book.routes[action.route].kind == "internal"
        if inside and keyed:
            return True
        return not any(
            isinstance(row.intent, TransferIntent)
            and (_is_same_money(action, row.intent) or self._looks_like(action, row.intent, inside))
            for row in self._journal.history.open_attempts()
        )

    def _looks_like(self, action: Transfer, other: TransferIntent, inside: bool) -> bool:
        """Whether a venue may tell two alike: by asset and amount, a withdrawal by its end too.

        An account that the book no longer has may be of that venue.
        """
        if (other.asset, other.amount) != (action.asset, action.amount):
            return False
        accounts = self._run.book.accounts
        away = other.source in accounts and (
            accounts[other.source].venue != accounts[action.source].venue
        )
        return not away and (inside or other.target == action.target)

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
            max(
                self._least_wait_s(row),
                Decimal(str((now - self._sent_at(row)).total_seconds())) / 10,
            )
            for row in self.under_way()
        ]
        return min([MOST_WAIT_S, *waits])

    def _least_wait_s(self, attempt: Attempt) -> Decimal:
        route = self._run.book.routes.get(getattr(attempt.intent, "route", ""))
        return LEAST_WAIT_S if route is not None and route.kind == "onchain" else ZERO

    def _sent_at(self, attempt: Attempt) -> datetime:
        """Tell when money was sent; of what a clock ahead stamped, by when it was written.

        By its stamp it would be late only once the time by which the clock was ahead is over too.
        """
        now, id_ = self._run.shell.clock.now(), attempt.client_id
        if attempt.intent_at > now and id_ not in self._written:
            written = self._journal.history.written_by(now)
            self._written[id_] = written.get(attempt.intent_at, now)
        return min(attempt.intent_at, self._written.get(id_, attempt.intent_at))

    async def follow(self) -> None:
        """Look at every transfer under way once; one that is late goes to an operator.

        But for those about which nobody is here to ask: they are left open.
        """
        shell = self._run.shell
        for attempt in self.under_way():
            if is_away(shell, attempt):
                continue
            finding = await look(shell, attempt)
            now = attempt
            if isinstance(finding, Found):
                now = await self._requests.take(attempt, finding)
            longest = timedelta(seconds=float(shell.config.transfer_timeout_s))
            late = self._sent_at(attempt) + longest
            if now.state is State.IN_TRANSIT and shell.clock.now() >= late:
                late_ = self._journal.hand_over(attempt.client_id, "did not arrive in time")
                now = self._run.keep(late_)
            if now.state is not State.IN_TRANSIT:
                self._run.tell(now)
                action = next(row for row in self._run.plan.actions if row.seq == attempt.seq)
                if close(self._run, action) is Stage.MANUAL:
                    raise Abort(f"transfer {action.seq} went to an operator: {now.reason}")


def _is_same_money(action: Transfer, other: TransferIntent) -> bool:
    ends = (action.source, action.target, action.asset)
    return (other.source, other.target, other.asset) == ends
