"""Orders: sliced at equal fractions over their group, never outside the plan's worst price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.client_ids import client_id
from allocator.execution.endings import close
from allocator.execution.entries import Place
from allocator.execution.readings import guard
from allocator.execution.release import WAITING, Unit
from allocator.execution.requests import Requests
from allocator.execution.run import Abort, Run
from allocator.execution.slices import Leg, due, in_step, leg_of, parts_of, sendable
from allocator.execution.transitions import Stage, State
from allocator.models.base import ONE, ZERO, plain
from allocator.models.errors import RefusedError, VenueError
from allocator.models.intents import OrderIntent, Quote
from allocator.models.plan import Order

ENDED_BADLY = frozenset({State.REJECTED, State.NOT_EXECUTED, State.MANUAL})


@dataclass(frozen=True, slots=True)
class Short:
    """A slice that was not filled.

    Attributes
    ----------
    over
        Whether trying again is out of the question.
    """

    why: str
    over: bool = True


class Orders:
    """Works the orders of a plan.

    Parameters
    ----------
    run
        The plan they belong to.
    """

    def __init__(self, run: Run, requests: Requests) -> None:
        self._run = run
        self._requests = requests
        self._shell = run.shell

    async def work(self, unit: Unit) -> None:
        """Work a group, or an order by itself, to its end.

        Raises
        ------
        Abort
            When the rest of the plan is given up.
        Parked
            Between two slices, when a stop was asked for.
        """
        run = self._run
        legs = sorted((leg_of(run.book, order) for order in unit.orders), key=_first)
        parts = parts_of(legs, run.book.policy.max_slice)
        short: Short | None = None
        for part in range(1, parts + 1):
            if part > 1:
                self._shell.check_stop()
                await guard(run, unit.accounts)
            short = await self._part(legs, part, parts)
            if short is not None:
                break
        self._close(legs, "" if short is None else short.why)

    def _close(self, legs: Sequence[Leg], why: str) -> None:
        run, unsent = self._run, list[int]()
        stages = run.stages()
        for leg in legs:
            if stages[leg.order.seq] in WAITING:
                unsent.append(leg.order.seq)
            elif close(run, leg.order, why) is Stage.MANUAL:
                raise Abort("an order went to an operator")
        if unsent:
            run.set_stage(unsent, Stage.SUPERSEDED, why)

    async def _part(self, legs: Sequence[Leg], part: int, parts: int) -> Short | None:
        """Fill one slice of every leg; later legs keep in step with those before."""
        ahead, short = ONE, None
        for leg in legs:
            missed = await self._fill(leg, part, parts, in_step(leg, due(leg, part, parts), ahead))
            if missed is not None:
                ahead = min(ahead, self._run.filled(leg.order.seq) / leg.order.quantity)
                short = short or missed
        return short

    async def _fill(self, leg: Leg, part: int, parts: int, target: Decimal) -> Short | None:
        """Fill a leg up to a quantity; a request for the rest has a new id."""
        run, shell = self._run, self._shell
        until = shell.clock.now() + timedelta(seconds=float(shell.config.order_timeout_s))
        missed: Short | None = None
        while True:
            rest = target - run.filled(leg.order.seq)
            held = run.expected().position(leg.order.account, leg.order.instrument).value
            quantity = sendable(leg, rest, held)
            if not quantity:
                small = f"{plain(rest)} is below the smallest order"
                return Short(small) if rest > ZERO and part >= parts else None
            if missed is not None:
                if missed.over or shell.clock.now() >= until:
                    return missed
                shell.check_stop()
                await shell.pause()
            missed = await self._try(leg, part, parts, quantity)

    async def _try(self, leg: Leg, part: int, parts: int, quantity: Decimal) -> Short | None:
        """Send one request if the market stands within the worst price; None: it filled some."""
        order = leg.order
        try:
            quote = await self._shell.venue(order.account).quote(order.instrument)
        except VenueError as error:
            return Short(f"no prices of {order.instrument}: {error}", over=False)
        beyond = beyond_worst(order, quote)
        if beyond is not None:
            return Short(beyond, over=False)
        attempt = await self._send(leg, part, parts, quantity, quote)
        if attempt.state in ENDED_BADLY:
            return Short(f"{attempt.state}: {attempt.reason}")
        return None if attempt.filled else Short("nothing filled at the worst price", over=False)

    async def _send(
        self, leg: Leg, part: int, parts: int, quantity: Decimal, quote: Quote
    ) -> Attempt:
        run, order = self._run, leg.order
        number = 1 + sum(row.part == part for row in run.attempts(order.seq))
        lease = self._shell.journal.lease.name
        intent = OrderIntent(
            client_id=client_id(lease, run.plan.plan_hash, order.seq, part, number),
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            quantity=quantity,
            limit_price=order.limit_price,
            reduce_only=order.reduce_only,
            stamped_at=self._shell.clock.now(),
        )
        place = Place(run.plan.plan_hash, order.seq, part, number)
        try:
            return await self._requests.send(place, intent, parts, quote)
        except RefusedError as error:
            raise Abort(str(error)) from error


def beyond_worst(order: Order, quote: Quote) -> str | None:
    """Tell why the market does not take an order now; None: it does."""
    if order.side == "buy" and quote.ask > order.limit_price:
        return f"the ask {plain(quote.ask)} is beyond the worst price"
    if order.side == "sell" and quote.bid < order.limit_price:
        return f"the bid {plain(quote.bid)} is beyond the worst price"
    return None


def _first(leg: Leg) -> tuple[bool, int]:
    """Put what reduces risk before its hedge."""
    return (not leg.order.reduce_only, leg.order.seq)
