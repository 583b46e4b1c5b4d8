"""Cost against tracking.

Both weights of tracking, risk_aversion and band_penalty, are multiplied by the same factor, from a
thousandth to a thousand times; each plan is then priced at the mandate's own weights. As tracking
is one part of the cost and all else the other, a plan that is best for any factor is efficient:
none tracks better for less. Plans that are not, because lots are whole or proofs are not tight,
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal

from allocator.cost import outside_bands, variance
from allocator.exposure import exposures
from allocator.frontier.limits import scaled
from allocator.frontier.points import TrackingPoint
from allocator.frontier.runs import Run, Runs
from allocator.models.base import ONE
from allocator.models.mandate import Mandate
from allocator.state import Book, State, effect_of, lawful, published

DECADES = 3
"""Powers of ten, either way, that the weights are multiplied by at most."""

DIGITS = Context(prec=6)
"""Digits of a factor."""


def factors(points: int) -> list[Decimal]:
    """Lay out a geometric grid around one: an odd number of factors, at most so many.

    >>> [str(factor) for factor in factors(3)]
    ['0.001', '1', '1000']
    """
    half = max(0, points - 1) // 2
    ten = Decimal(10)
    rows = [DIGITS.power(ten, Decimal(DECADES * k) / half) for k in range(1, half + 1)]
    below = [DIGITS.divide(ONE, row).normalize(DIGITS) for row in reversed(rows)]
    return [below_one.normalize() for below_one in below] + [ONE, *(+row for row in rows)]


@lawful
def tracking_points(runs: Runs, mandate: Mandate, points: int) -> tuple[TrackingPoint, ...]:
    """Compute the curve, ascending by factor."""
    policy = mandate.policy
    grid = factors(points)
    if not (policy.risk_aversion or policy.band_penalty):
        runs.notes.append("tracking has no weight in the mandate, so there is nothing to scale")
        grid = [ONE]
    found = list[tuple[Decimal, Run]]()
    for factor in grid:
        run = runs.released(scaled(mandate, factor), f"factor {factor:f}")
        if run is not None:
            found.append((factor, run))
    kept = efficient(found)
    dropped = len(found) - len(kept)
    if dropped:
        runs.notes.append(f"{dropped} of {len(found)} factors give no other or no efficient plan")
    return tuple(_point(runs.book, factor, run) for factor, run in kept)


def efficient(found: Sequence[tuple[Decimal, Run]]) -> list[tuple[Decimal, Run]]:
    """Keep those that no other one tracks better for as little, and of equals one.

    The one nearest to the mandate's own weights is kept of equals; those with more missing than
    the least S are no competition.
    """
    least = min((run.repair for _, run in found), default=ONE)
    best = dict[tuple[Decimal, Decimal], tuple[Decimal, Run]]()
    for factor, run in sorted(found, key=lambda row: (max(row[0], ONE / row[0]), row[0])):
        if run.repair == least:
            best.setdefault(_ends(run), (factor, run))
    kept = [
        row
        for ends, row in best.items()
        if not any(a <= ends[0] and b <= ends[1] and (a, b) != ends for a, b in best)
    ]
    return sorted(kept, key=lambda row: row[0])


def _ends(run: Run) -> tuple[Decimal, Decimal]:
    """Cost of tracking, and all other cost, at the mandate's own weights."""
    cost = run.blocks.cost
    return cost.tracking, cost.total - cost.tracking


def _point(book: Book, factor: Decimal, run: Run) -> TrackingPoint:
    effects = [effect_of(book, action) for action in run.plan.actions]
    after = exposures(book, State.start(book).after(effects))
    cost, proof = run.blocks.cost, run.plan.certificate
    days = book.policy.horizon_h / 24
    return TrackingPoint(
        factor=factor,
        tracking_error=published((variance(book, after) * days).sqrt()),
        band_excess=published(outside_bands(book, after)),
        spent=published(cost.worked - cost.tracking),
        cost=cost,
        count=run.count,
        gap=None if proof is None else proof.gap,
        plan=run.plan,
    )
