"""One request from its intent to its end: written down, sent once, looked up, never resent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from allocator.execution.asking import answer, look, window_s
from allocator.execution.attempts import Attempt, sender, touched
from allocator.execution.audit import ATTEMPT, CANCEL
from allocator.execution.clocks import Onward
from allocator.execution.entries import Place
from allocator.execution.gate import Gate, reduces, scopes
from allocator.execution.readings import read_all
from allocator.execution.reservations import Reservation, reservations
from allocator.execution.returns import expected_after, returned
from allocator.execution.run import Run
from allocator.execution.switches import Switches
from allocator.execution.transitions import Stage, State
from allocator.execution.waits import meanwhile, pause
from allocator.models.base import ZERO
from allocator.models.config import ExecutionConfig
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import (
    AbsentNow,
    Finding,
    Found,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
    Rejected,
    TransferIntent,
    Unknown,
)
from allocator.models.plan import Order
from allocator.ports import Batching, Venue
from allocator.risk.breaker import covering, stops

Answer = TypeVar("Answer")

NEGATIVES = 3
"""Well-formed answers without it, before an attempt may be taken not to have happened."""

HELD_UP = Unknown(why="held up before it was sent; not sent")

UNTOLD = Unknown(why="the adapter did not tell of every order")


@dataclass(slots=True)
class Absence:
    """Negative answers so far, spaced and after the fence."""

    not_before: datetime
    spacing: timedelta
    count: int = 0
    last: datetime | None = None

    def add(self, at: datetime) -> None:
        """Count an answer, by the venue's clock or ours, whichever is behind."""
        if at <= self.not_before:
            return
        if self.last is None or at >= self.last + self.spacing:
            self.count += 1
            self.last = at

    @property
    def enough(self) -> bool:
        """Whether it has been absent often enough."""
        return self.count >= NEGATIVES


class Requests:
    """Sends requests of a run and follows them.

    Parameters
    ----------
    run
        The plan they belong to.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shell = run.shell
        self._journal = run.shell.journal
        self._gate = Gate(run)
        self._switches = Switches(run.shell)
        self._cancelled = set[str]()

    async def send(
        self, place: Place, intent: Intent, parts: int = 1, quote: Quote | None = None
    ) -> Attempt:
        """Send a request and follow it until its end, or until money is seen under way.

        Parameters
        ----------
        quote
            Fresh prices, which an order is held against.

        Raises
        ------
        RefusedError
            When a control, a breaker or a freeze stands in the way, or too little is held:
            nothing was sent.
        """
        self._gate.check(place, intent, quote)
        attempt = self._intend(place, intent)
        self._run.tell(attempt, parts)
        venue = self._shell.venue(sender(intent))
        outcome = await self._submit(venue, attempt)
        attempt = self._keep(self._journal.outcome(attempt.client_id, outcome))
        self._run.tell(attempt, parts)
        attempt = await self.settle(attempt)
        self._run.tell(attempt, parts)
        return attempt

    async def send_together(
        self, requests: Sequence[tuple[Place, OrderIntent, Quote]], parts: int = 1
    ) -> tuple[Attempt, ...]:
        """Send orders of one account in one request, each written down before; follow them all.

        Raises
        ------
        RefusedError
            When something stands in the way of one of them: none was sent.
        """
        venue = self._shell.venue(requests[0][1].account)
        attempts = list[Attempt]()
        try:
            for place, intent, quote in requests:
                self._gate.check(place, intent, quote)
                attempts.append(self._intend(place, intent))
        except RefusedError:
            for row in attempts:
                self._outcome(row, Rejected(code="NOT_SENT", message="another one was refused"))
            raise
        outcomes = await self._submit_all(venue, attempts)
        told = [self._outcome(row, out) for row, out in zip(attempts, outcomes, strict=True)]
        ended = [await self.settle(row) for row in told]
        for row in ended:
            self._run.tell(row, parts)
        return tuple(ended)

    async def _submit_all(self, venue: Venue, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        assert isinstance(venue, Batching)
        if any(self._held_up(row, window_s(venue)) for row in attempts):
            return [HELD_UP] * len(attempts)
        intents = [row.intent for row in attempts]
        orders = [row for row in intents if isinstance(row, OrderIntent)]
        found = await self._answered(venue, venue.submit_together(orders))
        if isinstance(found, Unknown):
            return [found] * len(attempts)
        return found if len(found) == len(attempts) else [UNTOLD] * len(attempts)

    def _outcome(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        kept = self._keep(self._journal.outcome(attempt.client_id, outcome))
        self._run.tell(kept)
        return kept

    async def pace(self, *accounts: str, count: int = 1) -> None:
        """Hold requests back while too many were sent; their time is stamped after that."""
        await self._gate.pace(accounts, count)

    async def space(self, orders: Sequence[Order], spare: int = 0) -> None:
        """Hold what follows of an order back while its side has had its orders of the window."""
        await self._gate.space(orders, spare)

    def stopped(self, orders: Sequence[Order]) -> dict[int, str]:
        """Tell which orders a breaker lets no request of go, and why, by their numbers."""
        return self._gate.stopped(orders)

    def check_ahead(self, place: Place, intent: OrderIntent, quote: Quote) -> None:
        """Refuse an order before what goes ahead of it is sent, by what that does not change."""
        self._gate.check_ahead(place, intent, quote)

    def may_rest(self, intent: OrderIntent) -> bool:
        """Whether an order meets none of our own that stand or wait in its instrument's book."""
        return self._gate.may_rest(intent)

    def must_arm(self, account: str) -> bool:
        """Tell whether the venue's switch has to be set before an order may rest."""
        return self._switches.must_arm(account)

    async def arm(self, place: Place, intent: OrderIntent) -> bool:
        """Have everything cancelled should we fall silent; False: the venue would not."""
        return await self._switches.arm(place, intent)

    async def renew(self, account: str) -> None:
        """Keep the venue's switch from running out while an order takes, not rests."""
        await self._switches.renew(account)

    def _keep(self, attempt: Attempt) -> Attempt:
        return self._run.keep(attempt)

    def _intend(self, place: Place, intent: Intent) -> Attempt:
        """Write down what is about to be sent.

        Raises
        ------
        RefusedError
            When a breaker or a freeze stands in the way, or too little is held.
        """
        venue = self._shell.venue(sender(intent))
        rows = reservations(intent, self._run.book)
        leaving = next((row for row in rows if row.direction == "out"), None)
        held = None if leaving is None else self._held(intent, leaving)
        attempt = self._journal.intend(
            place,
            intent,
            window_s(venue),
            rows,
            held,
            scopes=scopes(self._run, intent),
            reduces=reduces(self._run, intent),
        )
        self._run.note_stage([place.seq], Stage.WORKING)
        self._shell.recent.add(self._run.book, attempt)
        return self._keep(attempt)

    def _held(self, intent: Intent, leaving: Reservation) -> Decimal | None:
        """Tell what an account holds of what leaves it; None: not known."""
        if isinstance(intent, OrderIntent):
            return self.means(leaving.account, leaving.asset)
        seen = self._run.seen.get(leaving.account)
        return None if seen is None else seen.wallets.get(leaving.asset, ZERO)

    def means(self, account: str, asset: str) -> Decimal | None:
        """Tell what an account has to trade with; None: not known.

        Between the slices of a group nobody reads it: what the fills since have spent is gone.
        """
        seen = self._run.seen.get(account)
        if seen is None:
            return None
        held = seen.wallets.get(asset, ZERO)
        return min(held, self._run.expected().wallet(account, asset).value)

    def _held_up(self, attempt: Attempt, window: Decimal) -> bool:
        """Whether so much of the window is over that the venue might take it too late."""
        stalled = (self._shell.clock.now() - attempt.intent_at).total_seconds()
        return stalled > float(window) / 2

    async def _submit(self, venue: Venue, attempt: Attempt) -> Outcome:
        if self._held_up(attempt, window_s(venue)):
            return HELD_UP
        try:
            return await self._answered(venue, venue.submit(attempt.intent))
        except asyncio.CancelledError:
            self._keep(
                self._journal.outcome(attempt.client_id, Unknown(why="cancelled while sending"))
            )
            raise

    async def _answered(self, venue: Venue, asked: Coroutine[Any, Any, Answer]) -> Answer | Unknown:
        return await meanwhile(self._shell, answer(self._shell, venue, asked))

    async def _look(self, attempt: Attempt) -> Finding:
        return await meanwhile(self._shell, look(self._shell, attempt))

    async def settle(self, attempt: Attempt) -> Attempt:
        """Follow an attempt until nothing about it is open but money on its way."""
        while attempt.state not in (State.MANUAL, State.IN_TRANSIT) and not attempt.final:
            if attempt.state is State.SENDING:
                why = "the process ended before an answer was written down"
                attempt = self._keep(self._journal.mark(attempt.client_id, State.UNKNOWN, why))
            elif attempt.state is State.UNKNOWN:
                attempt = await self._resolve(attempt)
            else:
                attempt = await self._follow(attempt)
        return attempt

    async def take(self, attempt: Attempt, found: Found) -> Attempt:
        """Record what a venue says; what cannot be goes to an operator."""
        if found.state == "settled" and not await self._arrived(attempt):
            found = found.model_copy(update={"state": "in_transit", "filled": ZERO})
        try:
            return self._keep(self._journal.found(attempt.client_id, found))
        except JournalError as error:
            if error.code == "FENCED":
                raise
            if isinstance(attempt.intent, OrderIntent):
                # What is told of it cannot be, so nobody knows that it does not stand there.
                await self._cancel(attempt, attempt.intent)
            return self._keep(self._journal.hand_over(attempt.client_id, str(error)))

    async def _arrived(self, attempt: Attempt) -> bool:
        """Whether the receiver shows the money: until then it cannot be used."""
        intent = attempt.intent
        if not isinstance(intent, TransferIntent) or not self._run.confirms:
            return True
        back = await returned(self._run, (intent.target,))
        row = (await read_all(self._shell, (intent.target,)))[intent.target]
        expected = expected_after(self._run, back, (attempt.client_id,))
        wanted = expected.wallet(intent.target, intent.asset)
        least = wanted.value - wanted.below + intent.amount
        return row.complete and row.wallets.get(intent.asset, ZERO) >= least

    async def _follow(self, attempt: Attempt) -> Attempt:
        """Follow what the venue took until it ends; cancel what is left of an order in time."""
        config = self._shell.config
        clock = Onward(self._shell.clock, attempt.intent_at)
        begun = clock.now()
        end = begun + timedelta(seconds=float(config.unknown_deadline_s))
        cancel_at = _cancel_at(attempt, begun, config)
        while True:
            finding = await self._look(attempt)
            if isinstance(finding, Found):
                attempt = await self.take(attempt, finding)
                if attempt.state in (State.MANUAL, State.IN_TRANSIT) or attempt.final:
                    return attempt
            now = clock.now()
            if now >= end:
                return await self._hand_over(attempt, "was taken, and its end was not told in time")
            if isinstance(attempt.intent, OrderIntent):
                if now >= cancel_at or self._is_stopped(attempt.intent):
                    await self._cancel(attempt, attempt.intent)
                    cancel_at = now + timedelta(seconds=float(config.order_timeout_s))
                    self._cancelled.add(attempt.client_id)
                elif attempt.client_id not in self._cancelled:
                    # What is to go is not kept: should no cancel be heard, the switch ends it.
                    await self._switches.keep(attempt.intent)
            await pause(self._shell)

    async def _hand_over(self, attempt: Attempt, why: str) -> Attempt:
        """Give an attempt to an operator; an order is cancelled and looked up once more before."""
        if isinstance(attempt.intent, OrderIntent):
            await self._cancel(attempt, attempt.intent)
            finding = await self._look(attempt)
            if isinstance(finding, Found):
                attempt = await self.take(attempt, finding)
                if attempt.state is State.MANUAL or attempt.final:
                    return attempt
        return self._keep(self._journal.hand_over(attempt.client_id, why))

    def _is_stopped(self, intent: OrderIntent) -> bool:
        """Whether an order in the market has to go: somebody has halted it, or stops us."""
        if intent.client_id in self._cancelled:
            return False
        if self._shell.stopping.is_set() and intent.style == "post_only":
            return True
        venue = self._run.book.accounts[intent.account].venue
        found = covering(self._journal.history.breakers(), intent.account, venue)
        return found is not None and stops(found.state, reduces=intent.reduce_only)

    async def _cancel(self, attempt: Attempt, intent: OrderIntent) -> None:
        """Ask to cancel; whatever the answer, the order is looked up again."""
        subject, venue = f"{ATTEMPT}{attempt.client_id}", self._shell.venue(intent.account)
        self._journal.note(subject, CANCEL, filled=str(attempt.filled))
        self._shell.recent.message((intent.account,), self._shell.clock.now())
        outcome = await answer(self._shell, venue, venue.cancel(intent))
        if isinstance(outcome, Unknown):
            self._journal.note(subject, "cancel_unknown", why=outcome.why)

    async def _resolve(self, attempt: Attempt) -> Attempt:
        """Learn what became of a request whose outcome nobody told."""
        shell, clock = self._shell, Onward(self._shell.clock, attempt.intent_at)
        lag = shell.venue(sender(attempt.intent)).capabilities.read_lag_s
        deadline = max(attempt.fence_at, clock.now())
        deadline += timedelta(seconds=float(shell.config.unknown_deadline_s))
        absence = Absence(
            not_before=attempt.fence_at + timedelta(seconds=float(shell.clock_skew_s + lag)),
            spacing=timedelta(seconds=float(max(lag, shell.config.poll_s))),
        )
        while True:
            finding = await self._look(attempt)
            if isinstance(finding, Found):
                return await self.take(attempt, finding)
            if isinstance(finding, AbsentNow):
                # The fence is by our clock and the window by the venue's, which may have come
                # apart since they were compared: both have to be past it.
                absence.add(min(finding.venue_time, clock.now()))
            if absence.enough and await self._books_agree(attempt):
                why = f"absent {NEGATIVES} times after its fence, and the account agrees"
                return self._keep(self._journal.mark(attempt.client_id, State.NOT_EXECUTED, why))
            if clock.now() >= deadline:
                why = f"nobody could say in time what became of it ({attempt.reason})"
                return await self._hand_over(attempt, why)
            await pause(shell, min(lag, Decimal(1)))

    async def _books_agree(self, attempt: Attempt) -> bool:
        """Whether its accounts hold what they should if it had not happened."""
        back = await returned(self._run, touched(attempt.intent))
        rows = await read_all(self._shell, touched(attempt.intent))
        if not all(row.complete for row in rows.values()):
            return False
        expected = expected_after(self._run, back, (attempt.client_id,))
        if isinstance(attempt.intent, TransferIntent):
            # Half the amount tells a transfer that left from charges that were not told yet.
            half = attempt.intent.amount / 2
            for account in touched(attempt.intent):
                expected.wallet(account, attempt.intent.asset).widen(half)
        return not any(expected.breaks(row) for row in rows.values())


def _cancel_at(attempt: Attempt, begun: datetime, config: ExecutionConfig) -> datetime:
    """Tell when an order is cancelled: at once when it was sent by an earlier start."""
    rests = isinstance(attempt.intent, OrderIntent) and attempt.intent.style == "post_only"
    timeout_s = config.post_only_timeout_s if rests else config.order_timeout_s
    return max(begun, attempt.intent_at + timedelta(seconds=float(timeout_s)))
