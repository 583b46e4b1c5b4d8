"""Changes of rules in words, and the one that mends a missing thing as a plan leaves it."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.limits import Meter, meters_of
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.plan.relax import Rule, lacking, unit_of
from allocator.plan.shut import broken_rule, own_rule
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
    own = broken_rule(book, final, own_rule(row))
    amount = row.amount if own.kind == "margin" else _relaxation(book, own, final)
    if amount is not None:
        return change_of(book, own, amount), amount
    meter = _meter(book, own)
    cap, excess = meter.cap("max"), meter.excess(final)
    name = meter.limit.id
    return (f"add {excess / cap:,.2f} USD of equity where {name} measures" if cap else ""), None


def _meter(book: Book, rule: Rule) -> Meter:
    return next(meter for meter in meters_of(book) if meter.limit.id == rule.about[0])


def _relaxation(book: Book, own: Rule, final: State) -> Decimal | None:
    """Measure by how much a limit is exceeded, in its own unit; None of leverage without equity."""
    meter, bound = _meter(book, own), own.bound
    assert bound
    cap, excess = meter.cap(bound), meter.excess(final, bound)
    if meter.limit.measure == "leverage":
        owned = meter.equity(final)
        if owned <= ZERO:
            return None
        return (meter.total(final) / owned).quantize(MULTIPLE, ROUND_CEILING) - cap
    if meter.limit.measure == "quantity":
        return excess
    wanted = cap - excess if bound == "min" else cap + excess
    return abs(wanted.quantize(CENT, ROUND_FLOOR if bound == "min" else ROUND_CEILING) - cap)


def figure(value: Decimal) -> str:
    """Write a number with separators and no idle digits."""
    whole = value == value.to_integral_value()
    return f"{value:,.0f}" if whole else f"{value.normalize():,f}"


def change_of(book: Book, rule: Rule, amount: Decimal | None) -> str:
    """Say in words how a rule is relaxed."""
    if amount is None:
        return _switched(book, rule)
    own, unit = rule.about, unit_of(book, rule)
    match rule.kind:
        case "limit":
            row = next(row for row in book.mandate.limits if row.id == own[0])
            lower = row.max is None or rule.bound == "min"
            bound, old = ("min", row.min) if lower else ("max", row.max)
            new = (old or ZERO) + (-amount if bound == "min" else amount)
            verb = "lower" if bound == "min" else "raise"
            told = f"{verb} the {bound} of {row.id} from {figure(old or ZERO)} to {figure(new)}"
        case "margin":
            asset = "".join(f" in {name}" for name in own[1:2])
            told = f"add {amount:,.2f} USD of collateral{asset} to {own[0]}"
        case "move":
            told = f"let {amount:,.0f} USD more of {own[2]} move from {own[0]} to {own[1]}"
        case "no route to" | "no route from":
            told = _opened(book, rule, amount)
        case _:
            level, sign = _level(book, rule), -1 if rule.kind == "ring_fenced" else 1
            words = {
                "withdrawable": "raise what may leave",
                "ring_fenced": "lower what is ring-fenced in",
                "route": "raise the max of route",
                "order_budget": "raise the order budget of",
            }[rule.kind]
            end = figure(level + sign * amount)
            told = f"{words} {own[0]} from {figure(level)} to {end} {unit}"
    return told


def _opened(book: Book, rule: Rule, amount: Decimal | None) -> str:
    source, target, asset = lacking(book, rule) or ("", "", "")
    sent = ""
    if amount is not None:
        units = amount / book.price(asset)
        sent = figure(units.quantize(Decimal(1).scaleb(units.adjusted() - 7), ROUND_CEILING)) + " "
    return f"open a route from {source} to {target} that carries {sent}{asset}"


def _level(book: Book, rule: Rule) -> Decimal:
    """Read where an amount stands now, in the rule's unit."""
    own = rule.about
    if rule.kind == "withdrawable":
        return book.withdrawable(own[0], own[1])
    if rule.kind == "ring_fenced":
        return book.ring_fenced(own[0], own[1])
    if rule.kind == "route":
        return book.routes[own[0]].max or ZERO
    return Decimal(book.accounts[own[0]].order_budget or 0)


def _switched(book: Book, rule: Rule) -> str:
    """Say in words how a rule is given up that has no amount."""
    own = rule.about
    words = {
        "route": f"enable route {own[0]}",
        "status": f"open {own[0]}",
        "state": f"open account {own[0]}",
        "tradable": f"let {own[-1]} be traded in {own[0]}",
        "policy": f"allow {own[0]} in the policy",
        "withdrawable": f"let all {own[-1]} of {own[0]} leave",
        "ring_fenced": f"ring-fence no {own[-1]} in {own[0]}",
        "margin": f"add collateral to {own[0]}",
        "move": f"let any size of {own[-1]} move from {own[0]} to {own[min(1, len(own) - 1)]}",
        "lot": f"allow parts of the lot of {own[0]}",
        "smallest": f"allow smaller sizes of {own[0]}",
        "one side": f"let {own[0]} both buy and sell {own[-1]}",
        "limit": f"lift limit {own[0]}",
        "order_budget": f"lift the order budget of {own[0]}",
    }
    if rule.kind in ("no route to", "no route from"):
        return _opened(book, rule, None)
    told = words[rule.kind]
    if rule.kind == "route" and book.routes[own[0]].enabled:
        return f"lift the max of route {own[0]}"
    if rule.kind == "lot":
        return f"{told}, which is {figure(book.instruments[own[0]].lot)}"
    if rule.kind == "status":
        return f"{told}, which is {book.status(own[0]).replace('_', '-')}"
    if rule.kind == "state":
        return f"{told}, which is {book.accounts[own[0]].state.replace('_', '-')}"
    return told
