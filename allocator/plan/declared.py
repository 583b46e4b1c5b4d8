"""What a person wants to know of a rule that binds: its unit, level, source and place."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import contracts_carried
from allocator.models.market import Tier
from allocator.models.reasons import Binding, Place
from allocator.plan.needs import leading_leg
from allocator.plan.relax import Rule, limit_unit
from allocator.plan.remedies import figure
from allocator.state import Book, Pair, State, lawful


@dataclass(frozen=True)
class Priced:
    """A rule with its price.

    Attributes
    ----------
    rule
        Margin, withdrawable, order budget, or a limit with its bound.
    price
        Numeraire per unit of the rule.
    """

    rule: Rule
    price: Decimal

    @property
    def name(self) -> str:
        """Name it as `Binding.limit` does: a limit by its id alone."""
        return self.rule.joined if self.rule.kind == "limit" else self.rule.name


@lawful
def declared(book: Book, final: State, row: Priced) -> Binding:
    """Describe a rule that binds at a state."""
    if row.rule.kind == "limit":
        return _limit(book, row)
    if row.rule.kind == "withdrawable":
        return _withdrawable(book, row)
    if row.rule.kind == "order_budget":
        name = row.rule.about[0]
        budget = book.accounts[name].order_budget
        return Binding(
            limit=row.name,
            price=row.price,
            unit="orders",
            bound="max",
            level=None if budget is None else Decimal(budget),
            declared=("snapshot", "accounts", name, "order_budget"),
        )
    return _margin(book, final, row)


def _limit(book: Book, row: Priced) -> Binding:
    limit = next(limit for limit in book.mandate.limits if limit.id == row.rule.about[0])
    bound = row.rule.bound
    return Binding(
        limit=limit.id,
        price=row.price,
        unit=limit_unit(limit),
        bound=bound,
        level=limit.max if bound == "max" else limit.min,
        source=limit.source or "",
        declared=("mandate", "limits", limit.id),
    )


def _withdrawable(book: Book, row: Priced) -> Binding:
    account, asset = row.rule.about
    return Binding(
        limit=row.name,
        price=row.price,
        bound="max",
        level=book.withdrawable(account, asset) * book.price(asset),
        declared=("snapshot", "accounts", account, "balances", asset),
    )


def _margin(book: Book, final: State, row: Priced) -> Binding:
    account, pool = row.rule.about[0], row.rule.about[1] if len(row.rule.about) > 1 else None
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
