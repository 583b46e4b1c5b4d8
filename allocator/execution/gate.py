"""Holds every request against the pre-trade controls before it is written down or sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from allocator.execution.attempts import touched
from allocator.execution.entries import Place
from allocator.execution.others import standing_of_others
from allocator.execution.recent import DAY, HOUR, Recent, asks, traded_value
from allocator.execution.run import Run
from allocator.execution.waits import pause
from allocator.models.account import OpenOrder
from allocator.models.base import ZERO
from allocator.models.errors import RefusedError
from allocator.models.intents import Intent, MoveIntent, OrderIntent, Quote, TransferIntent
from allocator.models.plan import Order
from allocator.risk import breaker, table
from allocator.risk.control import Control, Reading, judge
from allocator.risk.exposure import Change, Working, exposure_readings, left_readings
from allocator.risk.orders import (
    OrderFacts,
    Sent,
    message_readings,
    order_readings,
    repeated_reading,
    would_meet,
)
from allocator.risk.volume import move_readings, transfer_readings, volume_readings
from allocator.state import State as BookState
from allocator.state import effect_of

MOST_PACED = 50
"""Looks at the message throttle before a request is refused instead of held back."""


class Gate:
    """The controls of one plan's requests.

    Parameters
    ----------
    run
        The plan they belong to.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shell = run.shell
        self._limits = run.shell.controls

    async def pace(self, accounts: Sequence[str], count: int = 1) -> None:
        """Hold requests back while their account, key or owner has sent too many."""
        for _ in range(MOST_PACED):
            counts = {row: sent + count - 1 for row, sent in self._counts(accounts).items()}
            if not judge(message_readings(counts), self._limits):
                return
            await pause(self._shell)

    async def space(self, orders: Sequence[Order], spare: int = 0) -> None:
        """Hold what follows of an order back while its side has had its orders of the window.

        Slices and tries that follow one another fast are no runaway; uncounted they would hide
        one, and refused they would halt their account with an order done in part.

        Parameters
        ----------
        spare
            Requests that a slice may take beside one.

        Raises
        ------
        Parked
            When a stop was asked for.
        """
        window = timedelta(seconds=float(self._limits.repeat_window_s))
        until = self._shell.clock.now() + window
        while self._shell.clock.now() <= until:
            since, recent = self._shell.clock.now() - window, self._recent()
            sent = [recent.same_side(row, since) + spare for row in orders]
            rows = [repeated_reading(n, row.account) for n, row in zip(sent, orders, strict=True)]
            if not judge(rows, self._limits):
                return
            self._shell.check_stop()
            await pause(self._shell)

    def check(self, place: Place, intent: Intent, quote: Quote | None) -> None:
        """Refuse a request that a control blocks; the refusal is on record when this raises.

        Raises
        ------
        RefusedError
            With the code of the first control that blocks it.
        """
        self._refuse(place, intent, self._readings(place, intent, quote))

    def check_ahead(self, place: Place, intent: OrderIntent, quote: Quote) -> None:
        """Refuse an order before what goes ahead of it is sent, by what that does not change.

        Raises
        ------
        RefusedError
            With the code of the first control that blocks it, which is on record.
        """
        facts = self._facts(place, intent, quote, self._shell.clock.now())
        self._refuse(place, intent, order_readings(facts))

    def _refuse(self, place: Place, intent: Intent, readings: Iterator[Reading]) -> None:
        refusals = judge(readings, self._limits)
        if refusals:
            self._shell.journal.refuse(place, intent, refusals)
            raise RefusedError("; ".join(map(str, refusals)))

    def stopped(self, orders: Sequence[Order]) -> dict[int, str]:
        """Tell which orders a breaker lets no request of go, and why, by their numbers."""
        rows, book = self._shell.journal.history.breakers(), self._run.book
        out = dict[int, str]()
        for order in orders:
            found = breaker.covering(rows, order.account, book.accounts[order.account].venue)
            if found and breaker.stops(found.state, reduces=breaker.reduces(book, order)):
                out[order.seq] = breaker.told(found.scope, found.state, found.reason)
        return out

    def may_rest(self, intent: OrderIntent) -> bool:
        """Whether an order meets none of our own that stand or wait in its instrument's book."""
        return not would_meet(intent, tuple(self._resting(intent)))

    def _readings(self, place: Place, intent: Intent, quote: Quote | None) -> Iterator[Reading]:
        run, now = self._run, self._shell.clock.now()
        recent = self._recent()
        volumes = (
            recent.cycle(place.plan_hash),
            recent.since(now - HOUR),
            recent.since(now - DAY),
        )
        yield from volume_readings(traded_value(run.book, intent), *volumes)
        yield from message_readings(self._counts(asks(intent)))
        match intent:
            case OrderIntent():
                yield from order_readings(self._facts(place, intent, quote, now))
                yield from self._exposures(place, intent, self._signed(intent))
            case TransferIntent():
                kinds = self._limits.route_kinds
                yield from transfer_readings(run.book, intent, volumes[2], kinds)
                yield from left_readings(run.book, self._after(place, intent), intent.source)
            case MoveIntent():
                yield from move_readings(run.book, intent)
                yield from self._exposures(place, intent, self._signed(intent))

    def _recent(self) -> Recent:
        """Tell what was sent, as of now."""
        recent = self._shell.recent
        recent.by(self._shell.clock.now())
        return recent

    def _counts(self, accounts: Sequence[str]) -> dict[Control, int]:
        """Count requests within the window by account, key and owner, the most of any account."""
        counts = [self._counts_of(name) for name in accounts]
        return {control: max(row[control] for row in counts) for control in counts[0]}

    def _counts_of(self, account: str) -> dict[Control, int]:
        rows, me = self._run.book.accounts, self._run.book.accounts[account]
        since = self._shell.clock.now() - timedelta(seconds=float(self._limits.message_window_s))
        recent = self._recent()
        groups = {
            table.MESSAGES_ACCOUNT: (me.id,),
            table.MESSAGES_LOGIN: [r.id for r in rows.values() if r.login and r.login == me.login],
            table.MESSAGES_OWNER: [r.id for r in rows.values() if r.owner == me.owner],
        }
        return {
            control: recent.messages(names or (me.id,), since) for control, names in groups.items()
        }

    def _facts(
        self, place: Place, intent: OrderIntent, quote: Quote | None, now: datetime
    ) -> OrderFacts:
        run, limits, recent = self._run, self._limits, self._recent()
        row = run.book.instruments[intent.instrument]
        marks: Sequence[Decimal] = ()
        if quote is not None:
            since = now - timedelta(seconds=float(limits.window_s))
            marks = (*self._shell.marks.within(row.id, since), quote.mark)
        expected = run.expected()
        if row.is_spot:
            held = expected.wallet(intent.account, row.base or "").value
        else:
            held = expected.position(intent.account, row.id).value
        within = limits.duplicate_window_s or ZERO
        action = (place.plan_hash, place.seq)
        window = timedelta(seconds=float(limits.repeat_window_s))
        sent = Sent(
            since_equal_s=recent.equal_before_s(intent, action, now, within),
            same_side=recent.same_side(intent, now - window),
        )
        return OrderFacts(
            book=run.book,
            intent=intent,
            quote=quote,
            age_s=self._age_s(quote, now),
            held=held,
            marks=marks,
            resting=tuple(self._resting(intent)),
            sent=sent,
        )

    def _age_s(self, quote: Quote | None, now: datetime) -> Decimal | None:
        """Tell how old prices are; of prices from the future, nobody can."""
        if quote is None:
            return None
        age = Decimal(str((now - quote.at).total_seconds()))
        return None if age < -self._shell.clock_skew_s else age

    def _resting(self, intent: OrderIntent) -> Iterator[OpenOrder]:
        """List what stands in the instrument's book of anybody under the same control."""
        group = self._run.book.accounts[intent.account].group
        for name, account in self._run.book.accounts.items():
            if account.group != group:
                continue
            seen = self._run.seen.get(name)
            rows = account.open_orders if seen is None else seen.open_orders
            yield from (row for row in rows if row.instrument == intent.instrument)

    def _signed(self, intent: OrderIntent | MoveIntent) -> tuple[Working, ...]:
        sign = 1 if intent.side == "buy" else -1
        signed = intent.quantity * sign
        if isinstance(intent, OrderIntent):
            return (Working(intent.account, intent.instrument, signed),)
        return (
            Working(intent.source, intent.instrument, -signed),
            Working(intent.target, intent.instrument, signed),
        )

    def _working(self) -> Iterator[Working]:
        """List orders of the plan, and of others, that may still fill."""
        for attempt in self._run.attempts():
            if isinstance(attempt.intent, OrderIntent) and not attempt.final:
                rest = attempt.intent.model_copy(
                    update={"quantity": attempt.intent.quantity - attempt.filled}
                )
                yield from self._signed(rest)
        for name, row in standing_of_others(self._run):
            signed = row.quantity if row.side == "buy" else -row.quantity
            yield Working(name, row.instrument, signed)

    def _exposures(
        self, place: Place, intent: Intent, request: tuple[Working, ...]
    ) -> Iterator[Reading]:
        run = self._run
        change = Change(
            book=run.book,
            before=run.state(),
            after=self._after(place, intent),
            working=tuple(self._working()),
            request=request,
        )
        return exposure_readings(change)

    def _after(self, place: Place, intent: Intent) -> BookState:
        """Tell where the book would stand once all of a request is done."""
        run = self._run
        action = next(row for row in run.plan.actions if row.seq == place.seq)
        if isinstance(action, Order) and isinstance(intent, OrderIntent):
            action = action.model_copy(update={"quantity": intent.quantity})
        return run.state().after([effect_of(run.book, action)])


def scopes(run: Run, intent: Intent) -> tuple[str, ...]:
    """Name every breaker that covers what an intent touches."""
    names = [(name, run.book.accounts[name].venue) for name in touched(intent)]
    pairs = ((f"account:{name}", f"venue:{venue}") for name, venue in names)
    return tuple(dict.fromkeys(("global", *chain.from_iterable(pairs))))


def reduces(run: Run, intent: Intent) -> bool:
    """Whether an intent of a plan may go while only reductions may."""
    return breaker.reduces(run.book, intent)
