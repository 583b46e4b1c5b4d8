"""Applying a shock: the book as it would stand a moment after it.

Positions are unchanged but for what was traded by hand; unrealised profit follows the marks.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, localcontext

from allocator.models.errors import InputError, Problem
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Shock
from allocator.whatif.shocks.accounts import Accounts
from allocator.whatif.shocks.fees import impossible_fees
from allocator.whatif.shocks.flows import flowed
from allocator.whatif.shocks.market import asset, market
from allocator.whatif.shocks.names import unknown
from allocator.whatif.shocks.prices import Prices
from allocator.whatif.shocks.ways import Ways
from allocator.whatif.shocks.wishes import wished

__all__ = ["ShockError", "shocked", "shocked_by"]

ARITHMETIC = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""Digits of a shocked figure, whatever the caller's context: as many as a file may hold."""


class ShockError(InputError):
    """A shock that names what the book does not have; paths start inside the shock."""

    code = "SHOCK"


def shocked(
    snapshot: Snapshot, mandate: Mandate, shock: Shock, ways: Ways | None = None
) -> tuple[Snapshot, Mandate]:
    """Apply a shock.

    Parameters
    ----------
    ways
        What was said of withdrawals and deposits up to this shock; None: it is the first one.

    Returns
    -------
    The book and the mandate after it; a half that the shock does not touch is the same value.

    Raises
    ------
    ShockError
        When the shock names what the book does not have, or what cannot have happened.
    """
    found = list(unknown(snapshot, mandate, shock))
    if found:
        raise ShockError(found)
    ways = (Ways.of(snapshot) if ways is None else ways).after(shock)
    with localcontext(ARITHMETIC):
        moved = _moved(snapshot, shock, ways)
        after, wrong = flowed(moved, shock)
        wrong += impossible_fees(snapshot, moved)
        wishes, refused = wished(snapshot, mandate, shock)
    wrong += refused
    if wrong:
        raise ShockError(wrong)
    return after, wishes


def shocked_by(
    snapshot: Snapshot, mandate: Mandate, shocks: Iterable[Shock]
) -> tuple[Snapshot, Mandate]:
    """Apply shocks one after the other.

    Raises
    ------
    ShockError
        From the first one that cannot be applied; paths start at its position.
    """
    ways = Ways.of(snapshot)
    for i, shock in enumerate(shocks):
        try:
            snapshot, mandate = shocked(snapshot, mandate, shock, ways)
            ways = ways.after(shock)
        except ShockError as error:
            rows = [Problem((i, *row.path), row.message) for row in error.problems]
            raise ShockError(rows) from error
    return snapshot, mandate


def _moved(snapshot: Snapshot, shock: Shock, ways: Ways) -> Snapshot:
    prices = Prices(snapshot, shock)
    instruments = {row.id: market(prices.instrument(row), shock) for row in snapshot.instruments}
    accounts = Accounts(snapshot, instruments, prices, shock)
    places = {name for row in snapshot.accounts for name in (row.id, row.venue)}
    return snapshot.model_copy(
        update={
            "assets": {
                name: asset(name, prices.asset(name), shock, places) for name in snapshot.assets
            },
            "instruments": tuple(instruments.values()),
            "accounts": tuple(accounts.account(row) for row in snapshot.accounts),
            "routes": tuple(ways.route(row, snapshot) for row in snapshot.routes),
        }
    )
