"""The cost of a plan, numeraire, lower is better (problem.md section 3).

tracking       risk_aversion/2 h g' Sigma g + band_penalty sum_u max(0, |g_u| - B_u), g = D - T
fees, spread   what orders pay at taker rate and half the spread
impact         sum_i 2/3 impact sigma_i N_i^1.5 / sqrt(V_i), N_i over all accounts: one book
transfers      charges, capital under way, fees of moves
carry          funding less alpha on what is held, interest on negative wallets
concentration  expected loss by venue on the equity held there
actions        fixed costs
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from allocator.exposure import exposures, goals
from allocator.models.base import ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.plan import Cost
from allocator.state import Book, Effect, State, departures, equity, lawful, published

HOURS_A_YEAR = Decimal(8760)


@lawful
def cost(book: Book, effects: Sequence[Effect], final: State | None = None) -> Cost:
    """Compute every part of the cost of a plan, its total, and the total of doing nothing.

    Parameters
    ----------
    effects
        The plan's actions.
    final
        The state after all of them, where the caller has it already.
    """
    start = State.start(book)
    parts = _parts(book, effects, start.after(effects) if final is None else final)
    idle = book.once("idle cost", lambda: sum(_parts(book, (), start).values(), ZERO))
    total = sum(parts.values(), ZERO)
    rounded = {name: published(value) for name, value in parts.items()}
    return Cost(**rounded, total=published(total), do_nothing=published(idle))


def _parts(book: Book, effects: Sequence[Effect], final: State) -> dict[str, Decimal]:
    return {
        "tracking": tracking(book, exposures(book, final)),
        "fees": sum((e.fees for e in effects), ZERO),
        "spread": sum((e.spread for e in effects), ZERO),
        "impact": impact(book, effects),
        "transfers": sum((e.transfer_cost for e in effects), ZERO),
        "carry": carry(book, final),
        "concentration": concentration(book, final),
        "actions": fixed(book, effects),
    }


@lawful
def tracking(book: Book, after: Mapping[str, Decimal]) -> Decimal:
    """Charge the risk of the gaps to the targets and what lies outside the bands."""
    policy = book.policy
    risk = policy.risk_aversion / 2 * policy.horizon_h / 24 * variance(book, after)
    return risk + policy.band_penalty * outside_bands(book, after)


@lawful
def variance(book: Book, after: Mapping[str, Decimal]) -> Decimal:
    """Compute the variance of a day's return on the gaps to the targets, g' Sigma g."""
    gaps = {u: value - goals(book)[u].target for u, value in after.items()}
    return book.covariance.form(gaps)


@lawful
def outside_bands(book: Book, after: Mapping[str, Decimal]) -> Decimal:
    """Add up by how much exposures lie outside their bands, numeraire."""
    rows = ((abs(value - goals(book)[u].target), goals(book)[u].band) for u, value in after.items())
    return sum((max(ZERO, gap - band) for gap, band in rows), ZERO)


@lawful
def impact(book: Book, effects: Iterable[Effect]) -> Decimal:
    """Charge the 3/2-power law on the notional that all accounts order in one book.

    Raises
    ------
    SnapshotError
        When an instrument that is ordered has no volume or volatility.
    """
    sizes: dict[str, Decimal] = {}
    for effect in effects:
        if effect.action.kind == "order":
            name = effect.action.instrument
            sizes[name] = sizes.get(name, ZERO) + effect.notional
    total = ZERO
    for name, size in sizes.items():
        row = book.instruments[name]
        if not row.daily_volume or row.daily_volatility is None:
            path = ("snapshot", "instruments", name)
            raise SnapshotError([Problem(path, "what is traded needs volume and volatility")])
        total += row.daily_volatility * size * (size / row.daily_volume).sqrt()
    return Decimal(2) / 3 * book.policy.impact * total


@lawful
def carry(book: Book, final: State) -> Decimal:
    """Charge funding less expected return on positions, and interest on negative wallets."""
    start, changed = State.start(book), departures(book, final)
    total = book.once("carry", lambda: _carry_of_all(book, start))
    for (_, name), (before, after) in changed.contracts.items():
        total += (after - before) * book.units[name].carry
    for account in changed.accounts:
        total += _interest(book, final.holdings[account].wallet)
        total -= _interest(book, start.holdings[account].wallet)
    return total


def _carry_of_all(book: Book, start: State) -> Decimal:
    total = sum((q * book.units[name].carry for (_, name), q in book.quantity.items() if q), ZERO)
    return sum((_interest(book, row.wallet) for row in start.holdings.values()), total)


def _interest(book: Book, wallet: Mapping[str, Decimal]) -> Decimal:
    total, hours = ZERO, book.policy.horizon_h
    for asset, units in wallet.items():
        if units < 0:
            row = book.asset(asset)
            total -= row.borrow_rate * units * row.price * hours / HOURS_A_YEAR
    return total


@lawful
def concentration(book: Book, final: State) -> Decimal:
    """Charge the expected loss by venue on the equity held there, if positive."""
    held: dict[str, Decimal] = {}
    for name, row in book.accounts.items():
        if book.policy.venue_risk.get(row.venue):
            held[row.venue] = held.get(row.venue, ZERO) + equity(book, final, name)
    rates = book.policy.venue_risk
    years = book.policy.horizon_h / HOURS_A_YEAR
    return sum((rates[v] * max(ZERO, value) * years for v, value in held.items()), ZERO)


def fixed(book: Book, effects: Iterable[Effect]) -> Decimal:
    """Charge the fixed cost of every action."""
    policy = book.policy
    prices = {
        "order": policy.order_cost,
        "transfer": policy.transfer_cost,
        "move": policy.move_cost,
    }
    return sum((prices[e.action.kind] for e in effects), ZERO)
