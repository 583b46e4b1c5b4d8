"""Daily covariance of the underlyings' returns: s_u s_v rho_uv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.mandate import Risk

DEFAULT_VOLATILITY = Decimal("0.03")
DEFAULT_CORRELATION = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Covariance:
    """Volatilities and correlations, never written out as a matrix.

    Attributes
    ----------
    volatility
        Daily, by underlying.
    given
        Correlations by pair of underlyings; empty: every pair has the default one.
    """

    volatility: Mapping[str, Decimal]
    given: Mapping[frozenset[str], Decimal]

    @classmethod
    def of(cls, names: tuple[str, ...], risk: Risk) -> Covariance:
        """Look up what the mandate says of the underlyings.

        Raises
        ------
        SnapshotError
            When correlations are given, but not for every pair.
        """
        volatility = {u: risk.daily_volatility.get(u, DEFAULT_VOLATILITY) for u in names}
        out = cls(volatility, {frozenset((u, v)): rho for u, v, rho in risk.correlation})
        if out.given:
            for at, u in enumerate(names):
                for v in names[at + 1 :]:
                    out.correlation(u, v)
        return out

    def correlation(self, u: str, v: str) -> Decimal:
        """Look up the correlation of two underlyings."""
        if u == v:
            return ONE
        if not self.given:
            return DEFAULT_CORRELATION
        rho = self.given.get(frozenset((u, v)))
        if rho is None:
            path = ("mandate", "policy", "risk", "correlation")
            raise SnapshotError([Problem(path, f"no correlation of {u} and {v}: all or none")])
        return rho

    def __getitem__(self, pair: tuple[str, str]) -> Decimal:
        u, v = pair
        return self.volatility[u] * self.volatility[v] * self.correlation(u, v)

    def form(self, gaps: Mapping[str, Decimal]) -> Decimal:
        """Compute g' Sigma g.

        With one correlation for all pairs it is rho (sum s g)^2 + (1 - rho) sum (s g)^2.
        """
        moves = [(u, gap * self.volatility[u]) for u, gap in gaps.items() if gap]
        squares = sum((move * move for _, move in moves), ZERO)
        if not self.given:
            along = sum((move for _, move in moves), ZERO)
            return DEFAULT_CORRELATION * along * along + (ONE - DEFAULT_CORRELATION) * squares
        twice = ZERO
        for at, (u, move) in enumerate(moves):
            for v, other in moves[at + 1 :]:
                twice += move * other * self.given[frozenset((u, v))]
        return squares + 2 * twice
