"""What a person wants to know of a rule that binds: its unit, level, source and place."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.limits import Bound
from allocator.margin import contracts_carried
from allocator.models.mandate import Limit
from allocator.models.market import Tier
from allocator.models.reasons import Binding, Place
from allocator.plan.needs import leading_leg
from allocator.plan.relax import limit_unit
from allocator.plan.remedies import figure
from allocator.state import Book, Pair, State, lawful


@dataclass(frozen=True, order=True)
class Priced:
    """A rule with its price.

    Attributes
    ----------
    name
        ``margin <account>[ <asset>]``, ``withdrawable <account>/<asset>``,
        ``order_budget <account>`` or the id of a limit.
    bound
        Which bound of a limit; empty for other rules.
    price
        Numeraire per unit of the rule.
    """

    name: str
    bound: Bound | None
    price: Decimal


@lawful
def declared(book: Book, final: State, row: Priced) -> Binding:
    """Describe a rule that binds at a state."""
    if row.bound is not None:
        limit = next(limit for limit in book.mandate.limits if limit.id == row.name)
        return _limit(limit, row.bound, row.price)
    kind, _, name = row.name.partition(" ")
    if kind == "withdrawable":
        return _withdrawable(book, row, name)
    if kind == "order_budget":
        budget = book.accounts[name].order_budget
        return Binding(
            limit=row.name,
            price=row.price,
            unit="orders",
            bound="max",
            level=None if budget is None else Decimal(budget),
            declared=("snapshot", "accounts", name, "order_budget"),
        )
    return _margin(book, final, row, name)


def _limit(limit: Limit, bound: Bound, price: Decimal) -> Binding:
    return Binding(
        limit=limit.id,
        price=price,
        unit=limit_unit(limit),
        bound=bound,
        level=limit.max if bound == "max" else limit.min,
        source=limit.source or "",
        declared=("mandate", "limits", limit.id),
    )


def _withdrawable(book: Book, row: Priced, name: str) -> Binding:
    account, asset = next(key for key in book.wallet if "/".join(key) == name)
    return Binding(
        limit=row.name,
        price=row.price,
        bound="max",
        level=book.withdrawable(account, asset) * book.price(asset),
        declared=("snapshot", "accounts", account, "balances", asset),
    )


def _margin(book: Book, final: State, row: Priced, name: str) -> Binding:
    account, pool = name, None
    if name not in book.accounts:
        account, _, pool = name.rpartition(" ")
    leg = leading_leg(book, final, account, pool)
    place: Place = ("snapshot", "accounts", account)
    bracket = ""
    if leg is not None:
        place = (*place, "positions", leg)
        held = abs(contracts_carried(book, final, account, pool)[leg]) * book.notional(leg)
        bracket = bracket_of(book, (account, leg), held)
    return Binding(limit=row.name, price=row.price, declared=place, leg=leg, bracket=bracket)


def bracket_of(book: Book, pair: Pair, notional: Decimal) -> str:
    """Tell in words the bracket that holds a notional; empty where the model has none."""
    tiers = book.tiers.get(pair, ())
    if not tiers or book.accounts[pair[0]].margin.model == "scenario":
        return ""
    number = next((n for n, tier in enumerate(tiers) if notional <= tier.cap), len(tiers) - 1)
    tier: Tier = tiers[number]
    place = book.position(*pair)
    selected = None if place is None else place.leverage
    at = selected if selected is not None else tier.max_leverage
    leverage = "" if at is None or tier.initial is not None else f", at {figure(at)}x"
    return (
        f"bracket {number + 1} of {len(tiers)} up to {tier.cap:,.0f} USD, "
        f"maintenance {figure(tier.maintenance * 100)} %{leverage}"
    )
