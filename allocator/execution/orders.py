"""Orders: sliced at equal fractions over their group, never outside the plan's worst price."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from allocator.execution.asking import read_quote
from allocator.execution.attempts import Attempt
from allocator.execution.client_ids import client_id
from allocator.execution.clocks import Onward
from allocator.execution.endings import close
from allocator.execution.entries import Place
from allocator.execution.pieces import (
    Ready,
    Short,
    carries,
    ended_badly,
    first_of,
    short_of,
    style_of,
)
from allocator.execution.pricing import beyond_worst, resting_price, taking_price, within_means
from allocator.execution.readings import guard
from allocator.execution.release import WAITING, Unit
from allocator.execution.requests import Requests
from allocator.execution.run import Abort, Run
from allocator.execution.slices import ALL, Leg, Pace, goal, leg_of, pace_of, rounds, sendable
from allocator.execution.transitions import Stage, State
from allocator.execution.waits import meanwhile, pause
from allocator.models.base import ONE, ZERO, plain
from allocator.models.errors import RefusedError, VenueError
from allocator.models.intents import OrderIntent, Quote
from allocator.ports import Batching
from allocator.state import lawful

T = TypeVar("T")


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
        self._never_rests = set[int]()

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
        legs = sorted((leg_of(run.book, order) for order in unit.orders), key=first_of)
        pace = pace_of(legs, run.book.policy.max_slice)
        short = await self._after_refusal(pace, pace.parts)
        await self._check_hedges(pace)
        for part, patient in rounds(pace, lambda: self._filled(legs)):
            if short is not None:
                break
            if part > 1:
                self._shell.check_stop()
                await self._requests.space(unit.orders, self._spare(legs[0]))
                await guard(run, unit.accounts)
            await self._check_breakers(pace, part)
            short = await self._part(pace, part, patient=patient)
        # A leg that is not filled whole, though nothing stood against it, kept to the others' step.
        self._close(legs, "the rest cannot be sent in step" if short is None else short.why)

    async def _after_refusal(self, pace: Pace, part: int) -> Short | None:
        """Tell what was refused in one request with others, or before the process ended.

        It is not asked for again. The others are brought up to where it stands, as they are at
        once when legs go one by one.
        """
        refused = {leg.order.seq: row for leg in pace.legs for row in self._refused(leg)}
        if not refused:
            return None
        await self._bring_up(pace, part, refused)
        return short_of(next(iter(refused.values())))

    async def _check_hedges(self, pace: Pace) -> None:
        """Begin no group of which a control refuses a leg after the first, once that was sent.

        Raises
        ------
        Abort
            When one is refused; nothing of the group was sent.
        """
        if any(self._run.attempts(leg.order.seq) for leg in pace.legs):
            return
        for leg in pace.legs[1:]:
            size = self._size(leg, self._goal(pace, leg, 1, patient=True))
            quote = await self._quote(leg) if size else None
            if isinstance(quote, Quote):
                request = self._request(Ready(leg, 1, size, quote))
                try:
                    self._requests.check_ahead(*request)
                except RefusedError as error:
                    raise Abort(str(error)) from error

    async def _check_breakers(self, pace: Pace, part: int) -> None:
        """Send no leg ahead of one that a breaker stops: nothing would go against it.

        Raises
        ------
        Abort
            Once the others are where that one stands.
        """
        rest = [leg.order for leg in pace.legs if self._done(leg) < ALL]
        if stopped := self._requests.stopped(rest):
            await self._bring_up(pace, part, stopped)
            raise Abort("; ".join(dict.fromkeys(stopped.values())))

    async def _bring_up(self, pace: Pace, part: int, stuck: Collection[int]) -> None:
        """Bring every other leg up to where those are that can go no further."""
        ahead = min(self._done(leg) for leg in pace.legs if leg.order.seq in stuck)
        for leg in pace.legs:
            if leg.order.seq not in stuck:
                target = self._goal(pace, leg, part, patient=True, ahead=ahead)
                await self._fill(leg, part, pace.parts, target, leads=False)

    def _refused(self, leg: Leg) -> tuple[Attempt, ...]:
        """Give the last request of a leg if it was refused; one that rests may be."""
        last = self._run.attempts(leg.order.seq)[-1:]
        return tuple(row for row in last if ended_badly(row) and style_of(row) == "ioc")

    def _done(self, leg: Leg) -> Fraction:
        return Fraction(self._run.filled(leg.order.seq)) / Fraction(leg.order.quantity)

    def _filled(self, legs: Sequence[Leg]) -> dict[int, Decimal]:
        return {leg.order.seq: self._run.filled(leg.order.seq) for leg in legs}

    def _spare(self, first: Leg) -> int:
        """Count what a slice may send beside one request: orders that rest before it takes."""
        config = self._shell.config
        rests = config.style == "post_only" and first.order.seq not in self._never_rests
        return config.post_only_tries if rests else 0

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

    async def _part(self, pace: Pace, part: int, *, patient: bool) -> Short | None:
        """Fill one slice of every leg, each in step with what is filled of the others."""
        if await self._together(pace, part, patient=patient):
            return await self._after_refusal(pace, part)
        ahead, short = ALL, None
        for leg in pace.legs:
            target = self._goal(pace, leg, part, patient=patient, ahead=ahead)
            leads = leg is pace.legs[0]
            missed = await self._fill(leg, part, pace.parts, target, leads=leads)
            if missed is not None:
                ahead = min(ahead, self._done(leg))
                short = short or missed
        return short

    def _goal(
        self, pace: Pace, leg: Leg, part: int, *, patient: bool, ahead: Fraction = ALL
    ) -> Decimal:
        """Tell up to where a leg may be filled now."""
        filled, held = self._filled(pace.legs), self._held(leg)
        return goal(pace, leg, part, filled, held, patient=patient, ahead=ahead)

    async def _together(self, pace: Pace, part: int, *, patient: bool) -> bool:
        """Send one slice of every leg in one request, where one account's venue takes that.

        No leg gets further ahead than a slice; what is not filled is left to the legs' turns.

        Returns
        -------
        bool
            Whether one of them was refused, or ended as badly.
        """
        legs = pace.legs
        accounts = {leg.order.account for leg in legs}
        venue = self._shell.venue(legs[0].order.account)
        able = isinstance(venue, Batching) and carries(venue.capabilities, legs)
        if len(legs) < 2 or len(accounts) > 1 or not able or self._rests(legs[0], part):
            return False
        ready = list[Ready]()
        for leg in legs:
            size = self._size(leg, self._goal(pace, leg, part, patient=patient))
            quote = await self._quote(leg) if size else None
            if quote is None or isinstance(quote, Short):
                return False
            ready.append(Ready(leg, part, size, quote))
        await self._requests.pace(legs[0].order.account, count=len(legs))
        # One request has one stamp: after it the venue refuses all of its orders or none.
        now = self._shell.clock.now()
        requests = [self._request(row, now) for row in ready]
        sent = await self._sent(self._requests.send_together, requests, pace.parts)
        return any(map(ended_badly, sent))

    async def _fill(
        self, leg: Leg, part: int, parts: int, target: Decimal, *, leads: bool
    ) -> Short | None:
        """Fill a leg up to a quantity; a request for the rest has a new id and a new price."""
        run, shell = self._run, self._shell
        clock = Onward(shell.clock, shell.clock.now())
        until = clock.now() + timedelta(seconds=float(shell.config.order_timeout_s))
        missed: Short | None = None
        while True:
            quantity = self._size(leg, target)
            if not quantity:
                rest = leg.order.quantity - run.filled(leg.order.seq)
                over = part >= parts and rest > ZERO and not self._size(leg, leg.order.quantity)
                return Short(f"{plain(rest)} is below the smallest order") if over else None
            if missed is not None:
                if missed.over or clock.now() >= until:
                    return missed
                shell.check_stop()
                await pause(shell)
            await self._before_next(leg, part)
            if leads and self._rests(leg, part):
                missed = await self._rest(leg, part, parts, quantity)
                if missed is not None:
                    if missed.over:
                        return missed
                    continue
                until = clock.now() + timedelta(seconds=float(shell.config.order_timeout_s))
                shell.check_stop()
                continue
            missed = await self._take(leg, part, parts, quantity)

    async def _before_next(self, leg: Leg, part: int) -> None:
        """Hold a further request of a leg back; within a slice until its account agrees.

        A venue may tell an order ended before it tells its fills, and the rest by that record
        would be sent twice: the position, read once the lag of reads is over, shows them.
        """
        before = self._run.attempts(leg.order.seq)
        if before:
            await self._requests.space((leg.order,))
        if any(row.part == part for row in before):
            account = leg.order.account
            await pause(self._shell, self._shell.venue(account).capabilities.read_lag_s)
            await guard(self._run, (account,))

    def _size(self, leg: Leg, target: Decimal) -> Decimal:
        """Contracts of the next request towards a target; zero when so little cannot be sent."""
        return sendable(leg, target - self._run.filled(leg.order.seq), self._held(leg))

    def _held(self, leg: Leg) -> Decimal:
        """Tell the signed contracts that a leg's account holds."""
        return self._run.expected().position(leg.order.account, leg.order.instrument).value

    def _rests(self, leg: Leg, part: int) -> bool:
        """Whether the next request of a leading leg is one that rests."""
        config = self._shell.config
        if config.style != "post_only" or leg.order.seq in self._never_rests:
            return False
        tried = sum(
            isinstance(row.intent, OrderIntent)
            and row.intent.style == "post_only"
            and row.part == part
            for row in self._run.attempts(leg.order.seq)
        )
        return tried < config.post_only_tries

    async def _rest(self, leg: Leg, part: int, parts: int, quantity: Decimal) -> Short | None:
        """Rest one order in the book for a while; rejected or unfilled, the leg goes on."""
        quote = await self._covered(leg, part, quantity)
        if isinstance(quote, Short):
            return quote
        if quote is None:
            self._never_rests.add(leg.order.seq)
            return None
        request = self._request(Ready(leg, part, quantity, quote, rests=True))
        attempt = await self._sent(self._requests.send, *request[:2], parts, quote)
        bad = ended_badly(attempt) and attempt.state is not State.REJECTED
        return short_of(attempt) if bad else None

    async def _covered(self, leg: Leg, part: int, quantity: Decimal) -> Quote | Short | None:
        """Read prices to rest at, once the venue's switch is set; None: there is no resting."""
        quote = await self._quote(leg)
        if isinstance(quote, Short):
            return quote
        await self._requests.pace(leg.order.account)
        place, intent, _ = self._request(Ready(leg, part, quantity, quote, rests=True))
        if not self._requests.may_rest(intent):
            return None  # beside a stop of ours, which what takes at once may pass
        if not self._requests.must_arm(leg.order.account):
            return quote
        if not await self._requests.arm(place, intent):
            return None
        await self._requests.pace(leg.order.account)
        # The switch may have been slow: prices and stamp of what is sent have to be young.
        again = await self._quote(leg)
        if isinstance(again, Short):
            return again
        _, intent, _ = self._request(Ready(leg, part, quantity, again, rests=True))
        return again if self._requests.may_rest(intent) else None

    async def _take(self, leg: Leg, part: int, parts: int, quantity: Decimal) -> Short | None:
        """Send one request that takes if the market stands within the worst price."""
        await self._requests.renew(leg.order.account)
        quote = await self._quote(leg)
        if isinstance(quote, Short):
            return quote
        await self._requests.pace(leg.order.account)
        request = self._request(Ready(leg, part, quantity, quote))
        attempt = await self._sent(self._requests.send, *request[:2], parts, quote)
        if ended_badly(attempt):
            return short_of(attempt)
        return None if attempt.filled else Short("nothing filled at the worst price", over=False)

    async def _quote(self, leg: Leg) -> Quote | Short:
        """Read prices; short when there are none, or none within the worst price."""
        order = leg.order
        try:
            asked = read_quote(self._shell, order.account, order.instrument)
            prices = await meanwhile(self._shell, asked)
        except VenueError as error:
            return Short(f"no prices of {order.instrument}: {error}", over=False)
        self._shell.marks.add(prices)
        beyond = beyond_worst(order, prices)
        return prices if beyond is None else Short(beyond, over=False)

    async def _sent(self, send: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Send, and give the plan up when that is refused."""
        try:
            return await send(*args)
        except RefusedError as error:
            raise Abort(str(error)) from error

    def _request(
        self, ready: Ready, now: datetime | None = None
    ) -> tuple[Place, OrderIntent, Quote]:
        """Make an order of a slice, stamped with the time, or with one that several share."""
        run, order, config = self._run, ready.leg.order, self._shell.config
        number = 1 + sum(row.part == ready.part for row in run.attempts(order.seq))
        lease = self._shell.journal.lease.name
        tick = ready.leg.instrument.tick
        if ready.rests:
            price = resting_price(order, ready.quote)
        else:
            price = taking_price(order, ready.quote, tick, config.collar_bps)
            price = self._within_means(ready, price)
        intent = OrderIntent(
            client_id=client_id(lease, run.plan.plan_hash, order.seq, ready.part, number),
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            quantity=ready.quantity,
            limit_price=price,
            reduce_only=order.reduce_only,
            style="post_only" if ready.rests else "ioc",
            stamped_at=self._shell.clock.now() if now is None else now,
        )
        return Place(run.plan.plan_hash, order.seq, ready.part, number), intent, ready.quote

    @lawful
    def _within_means(self, ready: Ready, price: Decimal) -> Decimal:
        """Price a purchase for cash by what its account holds; derivatives as they are."""
        order, row = ready.leg.order, ready.leg.instrument
        if not row.is_spot or order.side == "sell":
            return price
        held = self._requests.means(order.account, row.cash)
        if held is None:
            return price
        # As the fee is reserved: a rebate comes later, if at all.
        fee = max(ZERO, self._run.book.taker(order.account, order.instrument))
        each = held / (ready.quantity * (ONE + fee))
        return within_means(price, ready.quote, row.tick, each)
