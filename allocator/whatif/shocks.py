"""Applying a shock: the book as it would stand a moment after it.

Prices move together and without arbitrage: an asset by its own change (else that of its
underlying), a mark by the change of the underlying over that of the currency it is quoted in.
Positions are unchanged; unrealised profit follows the marks. Options move by their delta: gamma,
vega and the change of delta itself are left out, so large shocks of option books are only as
good as that line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from allocator.models.account import Account, FeeRates, Fees, Margin, MarginScenario, Position
from allocator.models.base import ONE, ZERO
from allocator.models.errors import InputError, Problem
from allocator.models.mandate import Mandate, Policy, Risk
from allocator.models.market import Asset, Instrument, Tier
from allocator.models.snapshot import Route, Snapshot
from allocator.whatif.document import suggest
from allocator.whatif.shock import Change, Scale, Shock

DEFAULT_VOLATILITY = Decimal("0.03")
"""Daily volatility of an underlying that the mandate's risk does not name."""

ARITHMETIC = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""Digits of a shocked figure, whatever the caller's context: as many as a file may hold."""

SMALLEST_PREMIUM = Decimal("1e-8")
"""What an option is worth at least: by its delta alone it would fall below nothing."""


class ShockError(InputError):
    """A shock that names what the book does not have; paths start inside the shock."""

    code = "SHOCK"


def shocked(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> tuple[Snapshot, Mandate]:
    """Apply a shock.

    Returns
    -------
    The book and the mandate after it; of the mandate only the risk forecast changes, with
    volatility.

    Raises
    ------
    ShockError
        When the shock names an unknown asset, underlying, venue, account or instrument.
    """
    found = list(_unknown(snapshot, shock))
    if found:
        raise ShockError(found)
    with localcontext(ARITHMETIC):
        return _applied(snapshot, mandate, shock)


def _applied(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> tuple[Snapshot, Mandate]:
    prices = _Prices(snapshot, shock)
    instruments = {row.id: prices.instrument(row) for row in snapshot.instruments}
    accounts = tuple(
        _account(row, snapshot, instruments, prices, shock) for row in snapshot.accounts
    )
    return (
        snapshot.model_copy(
            update={
                "assets": {name: prices.asset(name) for name in snapshot.assets},
                "instruments": tuple(_market(row, shock) for row in instruments.values()),
                "accounts": accounts,
                "routes": tuple(_route(row, snapshot, shock) for row in snapshot.routes),
            }
        ),
        _mandate(snapshot, mandate, shock),
    )


def _unknown(snapshot: Snapshot, shock: Shock) -> Iterable[Problem]:
    """Yield what the shock names and the book does not have."""
    underlyings = _underlyings(snapshot)
    venues = {row.venue for row in snapshot.accounts} | {r.venue for r in snapshot.instruments}
    accounts = {row.id for row in snapshot.accounts}
    instruments = {row.id for row in snapshot.instruments}
    kinds = (
        ("prices", shock.prices, underlyings | set(snapshot.assets), "asset or underlying"),
        ("venues", shock.venues, venues, "venue"),
        ("accounts", shock.accounts, accounts, "account"),
    )
    for key, names, known, kind in kinds:
        for name in names:
            if name not in known:
                yield Problem((key, name), f"unknown {kind} {name!r}{suggest(name, known)}")
    anything = underlyings | venues | accounts | instruments
    for key in ("volatility", "volume", "spreads", "funding", "fees", "margin"):
        change: Change | Scale | None = getattr(shock, key)
        for i, name in enumerate(change.only if change is not None else ()):
            if name not in anything:
                message = f"unknown name {name!r}{suggest(name, anything)}"
                yield Problem((key, "only", i), message)


def _underlyings(snapshot: Snapshot) -> set[str]:
    rows: list[Instrument | Asset] = [*snapshot.instruments, *snapshot.assets.values()]
    return {row.underlying for row in rows if row.underlying is not None}


@dataclass(frozen=True, slots=True)
class _Prices:
    """Price factors of assets, underlyings and marks."""

    snapshot: Snapshot
    shock: Shock

    def underlying(self, name: str | None) -> Decimal:
        """Factor on the price of an underlying."""
        return ONE + self.shock.prices.get(name, ZERO) if name is not None else ONE

    def factor(self, name: str | None) -> Decimal:
        """Factor on the price of an asset; one for the numeraire and what is no asset."""
        asset = self.snapshot.assets.get(name) if name is not None else None
        if name is None or asset is None:
            return ONE
        if name in self.shock.prices:
            return ONE + self.shock.prices[name]
        return self.underlying(asset.underlying)

    def asset(self, name: str) -> Asset:
        """Give the asset its new price."""
        asset = self.snapshot.assets[name]
        return asset.model_copy(update={"price": asset.price * self.factor(name)})

    def mark(self, inst: Instrument) -> Decimal:
        """Factor on the quotes of an instrument."""
        if inst.kind == "option":
            return self._premium(inst) / inst.mark
        if inst.is_spot:
            return self.factor(inst.base) / self.factor(inst.quote)
        quote = inst.settle if inst.payoff == "linear" and inst.quote is None else inst.quote
        return self.underlying(inst.underlying) / self.factor(quote)

    def _premium(self, inst: Instrument) -> Decimal:
        """Price an option after the move by its delta, in its settle asset."""
        assert inst.delta is not None
        assert inst.underlying is not None
        move = self.underlying(inst.underlying) - ONE
        settle = self.snapshot.assets[inst.cash].price
        gain = inst.delta * self._price(inst.underlying) * move / settle
        return max(inst.mark + gain, SMALLEST_PREMIUM)

    def _price(self, underlying: str) -> Decimal:
        assets = self.snapshot.assets
        if underlying in assets:
            return assets[underlying].price
        return next(row.price for row in assets.values() if row.underlying == underlying)

    def instrument(self, inst: Instrument) -> Instrument:
        """Give the instrument its new quotes."""
        factor = self.mark(inst)
        quotes = {key: getattr(inst, key) for key in ("bid", "ask", "mark")}
        return inst.model_copy(
            update={key: value * factor for key, value in quotes.items() if value is not None}
        )


def _named(only: Iterable[str], *names: str | None) -> bool:
    """Tell whether a limited change covers something called by these names."""
    chosen = set(only)
    return not chosen or bool(chosen & {name for name in names if name is not None})


def _market(inst: Instrument, shock: Shock) -> Instrument:
    """Change volume, volatility, spread, funding and brackets of an instrument."""
    names = (inst.id, inst.underlying, inst.venue)
    out = dict[str, object]()
    for key, change in (("daily_volatility", shock.volatility), ("daily_volume", shock.volume)):
        value = getattr(inst, key)
        if change is not None and value is not None and _named(change.only, *names):
            out[key] = max(change.of(value), ZERO)
    if shock.spreads is not None and _named(shock.spreads.only, *names):
        out.update(_spread(inst, shock.spreads.multiply))
    if (
        shock.funding is not None
        and inst.funding is not None
        and _named(shock.funding.only, *names)
    ):
        rate = shock.funding.of(inst.funding.rate)
        out["funding"] = inst.funding.model_copy(update={"rate": rate})
    if shock.margin is not None and _named(shock.margin.only, *names):
        out["tiers"] = _tiers(inst.tiers, shock.margin.multiply)
    return inst.model_copy(update=out)


def _spread(inst: Instrument, factor: Decimal) -> dict[str, Decimal]:
    if inst.bid is None or inst.ask is None:
        return {}
    middle, half = (inst.bid + inst.ask) / 2, (inst.ask - inst.bid) / 2 * factor
    return {"bid": max(middle - half, inst.tick), "ask": middle + half}


def _tiers(tiers: tuple[Tier, ...], factor: Decimal) -> tuple[Tier, ...]:
    """Scale margin rates; brackets stay continuous because deductions scale with them."""
    if factor == 0:
        return tiers
    scaled = ("maintenance", "deduction", "initial", "initial_deduction")
    return tuple(
        tier.model_copy(
            update={
                **{k: v * factor for k in scaled if (v := getattr(tier, k)) is not None},
                "max_leverage": tier.max_leverage and tier.max_leverage / factor,
            }
        )
        for tier in tiers
    )


def _account(
    account: Account,
    before: Snapshot,
    after: dict[str, Instrument],
    prices: _Prices,
    shock: Shock,
) -> Account:
    """Revalue positions; change state and fees."""
    out: dict[str, object] = {
        "positions": {
            name: _position(row, before.instrument[name], after[name], account, shock)
            for name, row in account.positions.items()
        },
        "margin": _scenarios(account.margin, before, prices),
    }
    if account.id in shock.accounts:
        out["state"] = shock.accounts[account.id].state
    venue = shock.venues.get(account.venue)
    if venue is not None and venue.outage:
        out["state"] = "frozen"
    if shock.fees is not None and _named(shock.fees.only, account.id, account.venue):
        out["fees"] = _fees(account.fees, shock.fees.of)
    return account.model_copy(update=out)


def _position(
    row: Position, before: Instrument, after: Instrument, account: Account, shock: Shock
) -> Position:
    """Let a given unrealised profit follow the mark; an entry price needs nothing."""
    out = dict[str, object]()
    if row.unrealised is not None:
        out["unrealised"] = row.unrealised + row.net * _gain(before, after.mark)
    names = (before.id, before.underlying, before.venue, account.id)
    if row.tiers and shock.margin is not None and _named(shock.margin.only, *names):
        out["tiers"] = _tiers(row.tiers, shock.margin.multiply)
    return row.model_copy(update=out)


def _gain(inst: Instrument, mark: Decimal) -> Decimal:
    """Settle units that one long contract gains when its mark goes to another."""
    if inst.payoff == "inverse":
        return inst.size * (ONE / inst.mark - ONE / mark)
    return inst.size * (mark - inst.mark)


def _scenarios(margin: Margin, before: Snapshot, prices: _Prices) -> Margin:
    """Let scenario losses follow the notional of their instrument, as venues state moves in %."""
    if not margin.scenarios:
        return margin

    def scaled(name: str, pnl: Decimal) -> Decimal:
        inst = before.instrument[name]
        return pnl if inst.payoff == "inverse" else pnl * prices.underlying(inst.underlying)

    rows = tuple(
        MarginScenario(pnl={name: scaled(name, pnl) for name, pnl in row.pnl.items()})
        for row in margin.scenarios
    )
    return margin.model_copy(update={"scenarios": rows})


def _fees(fees: Fees, change: Callable[[Decimal], Decimal]) -> Fees:
    def rate(value: Decimal | None, least: Decimal | None) -> Decimal | None:
        if value is None:
            return None
        return change(value) if least is None else max(change(value), least)

    return Fees(
        maker=rate(fees.maker, None),
        taker=max(change(fees.taker), ZERO),
        by={
            name: FeeRates(maker=rate(row.maker, None), taker=rate(row.taker, ZERO))
            for name, row in fees.by.items()
        },
    )


def _route(route: Route, snapshot: Snapshot, shock: Shock) -> Route:
    """Close the ways out of a venue whose withdrawals are halted."""
    venue = shock.venues.get(snapshot.account[route.source].venue)
    leaves = route.kind != "internal" or (
        snapshot.account[route.source].venue != snapshot.account[route.target].venue
    )
    if venue is None or venue.withdrawals == "open" or not leaves:
        return route
    return route.model_copy(update={"enabled": False})


def _mandate(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> Mandate:
    """Change the volatility forecast of every underlying, those at the default included."""
    change = shock.volatility
    if change is None:
        return mandate
    risk = mandate.policy.risk
    names = _underlyings(snapshot) | {row.underlying for row in mandate.targets}
    rows = dict(risk.daily_volatility)
    for name in sorted(names):
        if _named(change.only, name):
            rows[name] = max(change.of(rows.get(name, DEFAULT_VOLATILITY)), ZERO)
    new = Risk(daily_volatility=rows, correlation=risk.correlation)
    policy: Policy = mandate.policy.model_copy(update={"risk": new})
    return mandate.model_copy(update={"policy": policy})
