"""What actions came to against what the plan had forecast: implementation shortfall. Pure.

shortfall = slippage + fees + missed

slippage  filled (p - m) s v / m       p average price of the fills, m the mark the plan was decided
                                       at, s one for a buy and minus one for a sell, v the notional
                                       a contract; the half-spread and the impact are in it
missed    unfilled (M - m) s v / m     M the mark that was last seen: what waiting has cost
forecast  fees, half-spread and the action's share of its instrument's impact, of what was filled

All in numeraire, positive is paid. (A. Perold, The implementation shortfall, 1988.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from allocator.cost import impact
from allocator.execution.attempts import Attempt
from allocator.execution.transitions import State
from allocator.models.base import ONE, ZERO
from allocator.models.errors import SnapshotError
from allocator.models.plan import Action, Order, Plan
from allocator.state import Book, Effect, effect_of, lawful, published


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One action's figures.

    Attributes
    ----------
    decided, average
        The mark the plan was decided at, and the price of all fills; None: not an order, or
        nothing filled.
    """

    seq: int
    filled: Decimal
    decided: Decimal | None
    average: Decimal | None
    forecast: Decimal
    fees: Decimal
    slippage: Decimal
    missed: Decimal

    @property
    def total(self) -> Decimal:
        """The implementation shortfall."""
        return self.slippage + self.fees + self.missed


@lawful
def shortfalls(
    book: Book, plan: Plan, attempts: Sequence[Attempt], marks: Mapping[str, Decimal]
) -> tuple[Shortfall, ...]:
    """Measure every action of a plan of which something was sent.

    Parameters
    ----------
    marks
        Marks that were last seen, by instrument; one that was not counts as unmoved.
    """
    mine = dict[int, list[Attempt]]()
    for row in attempts:
        mine.setdefault(row.seq, []).append(row)
    effects = {row.seq: effect_of(book, row) for row in plan.actions}
    impacts = _impacts(book, effects.values())
    return tuple(
        _of_action(book, action, mine[action.seq], (effects[action.seq], impacts), marks)
        for action in plan.actions
        if action.seq in mine
    )


def average_price(attempts: Sequence[Attempt]) -> Decimal | None:
    """Average the price of fills; None: nothing was filled, or no price was told."""
    priced = [(row.filled, row.average_price) for row in attempts if row.average_price is not None]
    filled = sum((quantity for quantity, _ in priced), ZERO)
    if not filled:
        return None
    return sum((quantity * price for quantity, price in priced), ZERO) / filled


@lawful
def measured_again(plan: Plan, now: Shortfall, before: Shortfall) -> Shortfall:
    """Keep the mark that an action was measured at before, of which what is unfilled now missed."""
    action = next(row for row in plan.actions if row.seq == now.seq)
    if not isinstance(action, Order) or before.filled == action.quantity:
        return now
    share = (action.quantity - now.filled) / (action.quantity - before.filled)
    return replace(now, missed=published(before.missed * share))


@lawful
def slippage_of(book: Book, order: Order, quantity: Decimal, price: Decimal) -> Decimal:
    """Tell what a price costs beyond the mark the plan was decided at, numeraire."""
    mark = book.instruments[order.instrument].mark
    worse = (price - mark) / mark * (ONE if order.side == "buy" else -ONE)
    return worse * quantity * book.notional(order.instrument)


def fees_of(book: Book, attempts: Sequence[Attempt]) -> Decimal:
    """Add up the charges that venues told, numeraire; assets without a price are left out."""
    priced = book.snapshot.assets
    return sum(
        (
            fee * priced[asset].price
            for row in attempts
            for asset, fee in row.fees.items()
            if asset in priced
        ),
        ZERO,
    )


Forecast = tuple[Effect, Mapping[str, Decimal]]
"""An action's effect, and the impact a numeraire of notional by instrument."""


def _impacts(book: Book, effects: Iterable[Effect]) -> dict[str, Decimal]:
    """Spread each instrument's impact over the notional that is ordered of it."""
    rows = dict[str, list[Effect]]()
    for effect in effects:
        if isinstance(effect.action, Order):
            rows.setdefault(effect.action.instrument, []).append(effect)
    out = dict[str, Decimal]()
    for name, mine in rows.items():
        total = sum((row.notional for row in mine), ZERO)
        try:
            out[name] = impact(book, mine) / total if total else ZERO
        except SnapshotError:
            out[name] = ZERO
    return out


def _of_action(
    book: Book,
    action: Action,
    attempts: Sequence[Attempt],
    forecast: Forecast,
    marks: Mapping[str, Decimal],
) -> Shortfall:
    effect, impacts = forecast
    filled = sum((row.filled for row in attempts), ZERO)
    fees = published(fees_of(book, attempts))
    if not isinstance(action, Order):
        done = any(row.state is State.SETTLED for row in attempts)
        cost = published(effect.transfer_cost) if done else ZERO
        return Shortfall(action.seq, filled, None, None, cost, fees, ZERO, ZERO)
    share = filled / action.quantity
    wanted = effect.fees + effect.spread + impacts[action.instrument] * effect.notional
    price, mark = average_price(attempts), book.instruments[action.instrument].mark
    now = marks.get(action.instrument, mark)
    slippage = ZERO if price is None else slippage_of(book, action, filled, price)
    return Shortfall(
        seq=action.seq,
        filled=filled,
        decided=mark,
        average=None if price is None else published(price),
        forecast=published(wanted * share),
        fees=fees,
        slippage=published(slippage),
        missed=published(slippage_of(book, action, action.quantity - filled, now)),
    )
