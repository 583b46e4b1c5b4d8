"""The smallest change that would mend what a plan leaves broken."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from allocator.limits import Bound, Meter, is_of_plan
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.models.plan import Action
from allocator.state import Book, State, effect_of, lawful

MULTIPLE = Decimal("0.0001")
"""To what a leverage is rounded up."""


@lawful
def remedies(book: Book, actions: Sequence[Action], rows: Sequence[Missing]) -> tuple[str, ...]:
    """Advise on each missing thing, all else left as the plan leaves it.

    A limit is relaxed to what the book measures after the plan, in the limit's own unit.

    Returns
    -------
    One sentence per row, in the rows' order; empty where neither relaxing nor money helps.
    """
    final = State.start(book).after([effect_of(book, action) for action in actions])
    meters = {
        limit.id: Meter(book, limit) for limit in book.mandate.limits if not is_of_plan(limit)
    }
    out = list[str]()
    for row in rows:
        kind, _, name = row.what.partition(" ")
        if kind == "margin":
            out.append(_collateral(book, name, row.amount))
        else:
            out.append(_relaxation(meters[name], final))
    return tuple(out)


def _collateral(book: Book, name: str, amount: Decimal) -> str:
    if name in book.accounts:
        return f"add {amount:,.2f} USD of collateral to {name}"
    account, _, asset = name.rpartition(" ")
    return f"add {amount:,.2f} USD of collateral in {asset} to {account}"


def _relaxation(meter: Meter, final: State) -> str:
    bound: Bound = max(meter.bounds, key=lambda side: meter.excess(final, side))
    cap, excess, name = meter.cap(bound), meter.excess(final, bound), meter.limit.id
    if meter.limit.measure == "leverage":
        owned = meter.equity(final)
        if owned <= ZERO:
            return f"add {excess / cap:,.2f} USD of equity where {name} measures" if cap else ""
        wanted = (meter.total(final) / owned).quantize(MULTIPLE, ROUND_CEILING)
    else:
        wanted = cap - excess if bound == "min" else cap + excess
    verb = "lower" if bound == "min" else "raise"
    return f"{verb} the {bound} of {name} from {_figure(cap)} to {_figure(wanted)}"


def _figure(value: Decimal) -> str:
    whole = value == value.to_integral_value()
    return f"{value:,.0f}" if whole else f"{value.normalize():,f}"
