"""The curve, whichever way it goes."""

from __future__ import annotations

from typing import assert_never

from allocator.decide import Engine
from allocator.frontier.actions import action_points
from allocator.frontier.buffer import buffer_points
from allocator.frontier.points import ActionPoint, BufferPoint, Frontier, TrackingPoint
from allocator.frontier.runs import Makes, Runs, Watch
from allocator.frontier.tracking import tracking_points
from allocator.models.canonical import mandate_hash, snapshot_hash
from allocator.models.errors import InputError, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.refusals import book_problems
from allocator.models.scenario import Along
from allocator.models.snapshot import Snapshot

POINTS = 11
"""Points that a curve has if nobody says otherwise."""

MOST_POINTS = 1000


def _unwatched(_done: int, _expected: int) -> None:
    pass


def frontier(  # noqa: PLR0913 - the curve's options
    snapshot: Snapshot,
    mandate: Mandate,
    *,
    along: Along = "actions",
    points: int = POINTS,
    engine: Makes = Engine,
    watch: Watch = _unwatched,
) -> Frontier:
    """Compute how cost trades against the number of actions, tracking, or the margin buffer.

    Pure, as `decide` is; every point is a plan that the verifier has released.

    Parameters
    ----------
    along
        ``actions``: the best plans of at most 0, 1, 2, ... actions, up to what `decide` uses.
        ``tracking``: the best plans as tracking weighs from a thousandth to a thousand times.
        ``margin_buffer``: the best plans as the buffer goes from none to twice the mandate's.
    points
        Most points of the curve, from 2; there may be fewer.
    engine
        Makes what decides, for each mandate along the curve.
    watch
        Told of the progress.

    Raises
    ------
    SnapshotError
        When snapshot and mandate make no sensible problem.
    RefusedError
        When the decision about the book itself is refused.
    """
    if not 2 <= points <= MOST_POINTS:
        raise InputError(f"a frontier has 2 to {MOST_POINTS} points, not {points}")
    problems = book_problems(snapshot, mandate)
    if problems:
        raise SnapshotError(problems)
    runs = Runs(snapshot, mandate, engine, watch, points)
    found: tuple[ActionPoint, ...] | tuple[TrackingPoint, ...] | tuple[BufferPoint, ...]
    match along:
        case "actions":
            found = action_points(runs, mandate, points)
        case "tracking":
            found = tracking_points(runs, mandate, points)
        case "margin_buffer":
            found = buffer_points(runs, mandate, points)
        case _:
            assert_never(along)
    return Frontier(
        along=along,
        points=found,
        snapshot_hash=snapshot_hash(snapshot),
        mandate_hash=mandate_hash(mandate),
        notes=tuple(runs.notes),
    )
