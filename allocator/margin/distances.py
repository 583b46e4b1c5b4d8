"""Distance to liquidation: the nearest move of one underlying's price that uses up collateral.

Where margin is tiered, maintenance margin is convex in the move m and collateral concave: both
are straight lines between bends. With x = units + gain m of an asset whose price stays, and
x = units + gain m / (1 + m) of the coin that moves, whose value (1 + m) V(x) is
``(1 + m) extra + ratio ((1 + m) units + gain m)`` between bends of V. So the gap between them
has at most one root on each side of rest, and Newton's steps from beyond it stop at it, exactly,
after as many steps as there are bends between. Elsewhere (a bracket's rate on the whole position,
profit in the coin that moves) the root is closed in on from both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.margin.lines import Lines
from allocator.margin.pools import pools
from allocator.margin.stress import Shocked
from allocator.margin.terms import Reaction
from allocator.models.base import ONE, ZERO
from allocator.state import Book, State, lawful

LOWEST = Decimal("-0.999999")
HIGHEST = ONE
CLOSE_ENOUGH = Decimal("1e-9")
MOST_STEPS = 60

EXACT = Decimal("1e-30")
"""Step of a move, numeraire of a gap, and share of the gap at rest, that rounding may leave."""


@lawful
def liquidation_distances(book: Book, state: State, account: str) -> Mapping[str, Decimal | None]:
    """Find, by underlying, the nearest price move at which collateral equals maintenance margin.

    The move is signed (-0.2: a fall by 20 %) and searched in (-1, 1]; zero where collateral is
    already short, None where no move does it. In single-asset mode the nearest of all pools.
    Scenario margin is held at its present level.
    """
    key = ("distances", account, state.holdings[account])
    return book.once(key, lambda: _distances(book, state, account))


def _distances(book: Book, state: State, account: str) -> dict[str, Decimal | None]:
    out: dict[str, Decimal | None] = {}
    for pool in pools(book, account):
        shocked = Shocked.of(book, state, account, pool)
        if not shocked.held:
            continue
        for name in shocked.underlyings:
            found, known = _nearest(shocked, name), out.get(name)
            if known is None or (found is not None and abs(found) < abs(known)):
                out[name] = found
    return out


def _nearest(shocked: Shocked, underlying: str) -> Decimal | None:
    if shocked.rest >= 0:
        return ZERO
    bowl = _bowl(shocked, underlying)
    if bowl is not None:
        return bowl.nearest()

    def gap(move: Decimal) -> Decimal:
        return shocked.gap({underlying: move})

    roots = [_root(gap, shocked.rest, end) for end in (LOWEST, HIGHEST)]
    return min((r for r in roots if r is not None), key=abs, default=None)


Stock = tuple[Lines, Decimal, Decimal, Decimal, bool]
"""An asset whose value answers to a move: ratios, price, units, gain, whether its price moves."""


@dataclass(slots=True)
class _Bowl:
    """A gap that is convex in the move and below zero at rest.

    Attributes
    ----------
    rest, slope
        The gap at rest, numeraire, and its slope there.
    fixed
        What of the gap does not answer to the move.
    margins
        Maintenance margin by notional, and the notional at rest, of what does.
    stocks
        Assets whose value does.
    """

    rest: Decimal
    slope: Decimal
    fixed: Decimal
    margins: list[tuple[Lines, Decimal]]
    stocks: list[Stock]

    @classmethod
    def of(cls, rest: Decimal, margins: list[tuple[Lines, Decimal]], stocks: list[Stock]) -> _Bowl:
        """Take what answers to the move out of the gap at rest."""
        out = cls(rest, ZERO, ZERO, margins, stocks)
        moving, out.slope = out.at(ZERO)
        out.fixed = rest - moving
        return out

    def at(self, move: Decimal) -> tuple[Decimal, Decimal]:
        """Evaluate the gap, and its slope along the line that holds the move."""
        price, gap, slope = ONE + move, self.fixed, ZERO
        for margin, notional in self.margins:
            rate, extra = margin.line(notional * price)
            along = rate * notional
            gap += along * price + extra
            slope += along
        for ratios, worth, units, gain, moves in self.stocks:
            reach = gain * move
            rate, extra = ratios.line(units + (reach / price if moves else reach))
            along = (extra + rate * (units + gain) if moves else rate * gain) * worth
            gap -= along * move + (extra + rate * units) * worth
            slope -= along
        return gap, slope

    def nearest(self) -> Decimal | None:
        """Find the root nearest to rest, None if there is none: of two as near the fall.

        The slope at rest says where the gap rises. What is below zero there at the same
        distance on the other side has its root further out, if any.
        """
        slope = self.slope
        first = self.root(-self.rest / slope) if slope else None
        if first is not None:
            roots = [first, self.root(-first)]
        else:
            roots = [self.root(end) for end in (LOWEST, HIGHEST) if end * slope <= 0]
        return min(sorted(root for root in roots if root is not None), key=abs, default=None)

    def root(self, beyond: Decimal) -> Decimal | None:
        """Find the root between rest and a move; None if the gap stays below zero."""
        move = min(max(beyond, LOWEST), HIGHEST)
        gap, slope = self.at(move)
        within = max(EXACT, -self.rest * EXACT)
        if gap < -within:
            return None
        for _ in range(MOST_STEPS):
            if gap <= within:
                break
            step = gap / slope
            move -= step
            if abs(step) < EXACT:
                break
            gap, slope = self.at(move)
        return move


def _bowl(shocked: Shocked, underlying: str) -> _Bowl | None:
    """Gather what answers to a move; None if the gap may not be convex in it."""
    held, terms = shocked.held, shocked.terms
    gains: dict[str, Decimal] = dict.fromkeys(shocked.coins.get(underlying, ()), ZERO)
    margins = list[tuple[Lines, Decimal]]()
    for name in shocked.moved.get(underlying, ()):
        pair, quantity = terms[name], held[name]
        reaction = pair.reaction
        if not _is_convex(reaction, underlying):
            return None
        if reaction.own == underlying:
            gains[pair.cash] = gains.get(pair.cash, ZERO) + quantity * reaction.gain
        scales = reaction.own_scales if reaction.own == underlying else reaction.coin_scales
        notional = pair.notional(quantity)
        if scales and notional and not shocked.fixed:
            margin = pair.brackets().maintenance
            if margin is None:
                return None
            margins.append((margin, notional))
    stocks = list[Stock]()
    for asset, gain in gains.items():
        ratios, price, whose = shocked.stock(asset)
        if ratios.rates[1] > 1:
            return None
        stocks.append((ratios, price, shocked.units.get(asset, ZERO), gain, whose == underlying))
    return _Bowl.of(shocked.rest, margins, stocks)


def _is_convex(reaction: Reaction, underlying: str) -> bool:
    """Tell whether margin less profit of a contract is convex in an underlying's move."""
    if reaction.own != underlying:
        return True
    return (reaction.form == "inverse") == (reaction.coin == underlying)


def _root(gap: Callable[[Decimal], Decimal], at_rest: Decimal, end: Decimal) -> Decimal | None:
    """Close in on the zero between rest (gap below 0) and an end, by false position (Illinois)."""
    safe, below = ZERO, at_rest
    far, above = end, gap(end)
    if above < 0:
        return None
    last = 0
    for _ in range(MOST_STEPS):
        move = safe - below * (far - safe) / (above - below)
        value = gap(move)
        if not value or min(abs(move - safe), abs(far - move)) < CLOSE_ENOUGH:
            return move
        side = -1 if value < 0 else 1
        if side < 0:
            safe, below = move, value
            above = above / 2 if side == last else above
        else:
            far, above = move, value
            below = below / 2 if side == last else below
        last = side
    return safe
