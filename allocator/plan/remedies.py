"""The smallest change that would mend what a plan leaves broken."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.limits import Bound, Meter, meters_of
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.plan.relax import figure
from allocator.state import Book, State, lawful

MULTIPLE = Decimal("0.0001")
"""To what a leverage is rounded up."""

CENT = Decimal("0.01")
"""To what numeraire is rounded, so that the relaxed limit is kept."""


@lawful
def remedy_of(book: Book, final: State, row: Missing) -> tuple[str, Decimal | None]:
    """Advise on one missing thing, all else left as the plan leaves it.

    A limit is relaxed to what the book measures after the plan, in the limit's own unit.

    Returns
    -------
    A sentence, empty where neither relaxing nor money helps; and by how much its rule is
    relaxed, None where the advice is not to relax it.
    """
    kind, _, name = row.what.partition(" ")
    if kind == "margin":
        return _collateral(book, name, row.amount), row.amount
    meter = next(meter for meter in meters_of(book) if meter.limit.id == name)
    return _relaxation(meter, final)


def _collateral(book: Book, name: str, amount: Decimal) -> str:
    if name in book.accounts:
        return f"add {amount:,.2f} USD of collateral to {name}"
    account, _, asset = name.rpartition(" ")
    return f"add {amount:,.2f} USD of collateral in {asset} to {account}"


def _relaxation(meter: Meter, final: State) -> tuple[str, Decimal | None]:
    bound: Bound = max(meter.bounds, key=lambda side: meter.excess(final, side))
    cap, excess, name = meter.cap(bound), meter.excess(final, bound), meter.limit.id
    if meter.limit.measure == "leverage":
        owned = meter.equity(final)
        if owned <= ZERO:
            told = f"add {excess / cap:,.2f} USD of equity where {name} measures" if cap else ""
            return told, None
        wanted = (meter.total(final) / owned).quantize(MULTIPLE, ROUND_CEILING)
    else:
        wanted = cap - excess if bound == "min" else cap + excess
        if meter.limit.measure != "quantity":
            wanted = wanted.quantize(CENT, ROUND_FLOOR if bound == "min" else ROUND_CEILING)
    verb = "lower" if bound == "min" else "raise"
    told = f"{verb} the {bound} of {name} from {figure(cap)} to {figure(wanted)}"
    return told, abs(wanted - cap)
