"""A pair put together from the rows by which a venue tells of it: one, or one for each leg."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.exact import exactly
from allocator.adapters.figures import CENT
from allocator.models.account import Isolated, Legs, Position
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

DRIFT = Decimal("0.005")
"""Part of a position's worth by which two reads of one gather may tell its profit apart.

They leave together, and a gather's deadline is ten seconds by default. In that time a price that
moves 10 % a day moves 0.11 %; five times as much, rounded down, is allowed. What moves by more
freezes the account for a cycle.
"""

NEAR = Decimal("0.0001")
"""Part of the entry price by which a mark may move between two figures of one row."""


@dataclass(frozen=True, slots=True)
class Held:
    """One row of a pair.

    Attributes
    ----------
    quantity
        Signed contracts.
    entry, unrealised
        Entry price, and profit in settle units as the venue counts it in its equity, which an
        entry older than the last settlement does not tell.
    apart
        Settle units set aside for it; None: its margin is the account's.
    leverage
        As selected; None: not told.
    """

    quantity: Decimal
    entry: Decimal | None
    unrealised: Decimal
    apart: Decimal | None
    leverage: Decimal | None


@exactly
def netted(rows: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Add signed contracts up by instrument, the two legs of a pair to their difference."""
    net = dict[str, Decimal]()
    for name, quantity in rows:
        net[name] = net.get(name, ZERO) + quantity
    return net


@exactly
def pair_of(name: str, rows: Sequence[Held], *, one_way: bool, tradable: bool) -> Position:
    """Describe a pair; in hedge mode its rows are its legs, and it is not traded.

    Raises
    ------
    VenueError
        When it is held cross and isolated at once: one place cannot stand for both.
    """
    apart = [row.apart for row in rows if row.apart is not None]
    if apart and len(apart) < len(rows):
        raise VenueError(f"{name} is held cross and isolated at once")
    leverage = min((row.leverage for row in rows if row.leverage), default=None)
    isolated = Isolated(wallet=sum((max(ZERO, units) for units in apart), ZERO)) if apart else None
    if one_way and len(rows) == 1:
        (row,) = rows
        return Position(
            quantity=row.quantity,
            entry_price=(row.entry or None) if row.quantity else None,
            unrealised=row.unrealised if row.quantity else None,
            leverage=leverage,
            isolated=isolated,
            tradable=tradable,
        )
    sizes = [row.quantity for row in rows]
    return Position(
        legs=Legs(
            long=sum((size for size in sizes if size > 0), ZERO),
            short=-sum((size for size in sizes if size < 0), ZERO),
        ),
        unrealised=sum((row.unrealised for row in rows), ZERO),
        leverage=leverage,
        isolated=isolated,
        tradable=False,
    )


def flat_pair(
    leverage: Decimal | None, *, one_way: bool, isolated: bool, tradable: bool = True
) -> Position:
    """Describe a pair without a position by its settings."""
    return Position(
        quantity=ZERO,
        leverage=leverage or None,
        tradable=tradable and one_way,
        legs=None if one_way else Legs(),
        isolated=Isolated(wallet=ZERO) if isolated else None,
    )


def check_legs(told: Sequence[str], whole: str, legs: Sequence[str]) -> None:
    """Hold the sides of a pair's rows against the venue's words: one whole, or its two legs.

    Raises
    ------
    VenueError
        When one is another word, or told twice: it would be left out in silence.
    """
    if list(told) != [whole] and (len(set(told)) < len(told) or not set(told) <= set(legs)):
        raise VenueError(f"legs {', '.join(told)} of one pair")


@exactly
def check_sign(
    name: str, quantity: Decimal, told: Mapping[str, Decimal | None], same_sign: Decimal | None
) -> None:
    """Hold the sign of a position's size against other figures of the same row.

    A long one gains above its entry, a short one below it, whatever its contract; so near the
    entry that the mark may have crossed it between two figures of a row, profit tells nothing.

    Parameters
    ----------
    quantity
        Signed, as it would be believed.
    told
        The row's ``entry``, ``mark`` and ``profit``; None or zero: it does not tell that.
    same_sign
        A figure that bears the sign of the size; None or zero: there is none.

    Raises
    ------
    VenueError
        When one of them says the other side.
    """
    entry, mark, profit = (told.get(key) or ZERO for key in ("entry", "mark", "profit"))
    apart = mark - entry if entry and mark else ZERO
    if abs(apart) > NEAR * entry and apart * quantity * profit < 0:
        raise VenueError(
            f"EQUITY_IDENTITY: {name} size={quantity} profit={profit} entry={entry} mark={mark}"
        )
    if same_sign and quantity and (same_sign > 0) != (quantity > 0):
        raise VenueError(f"EQUITY_IDENTITY: {name} size={quantity} worth={same_sign}")


@exactly
def check_unrealised(coin: str, told: Decimal, found: Decimal, allowed: Decimal) -> None:
    """Hold an account's own figure of unrealised profit against its positions'.

    Parameters
    ----------
    allowed
        By how much prices may have moved the two apart between the reads.

    Raises
    ------
    VenueError
        When they differ by more: a position was not read, or the equity is not what it says.
    """
    if abs(told - found) > allowed:
        raise VenueError(f"EQUITY_IDENTITY: {coin} unrealised={told} positions={found}")


@exactly
def a_cent(units: Decimal | None, dollars: Decimal | None) -> Decimal:
    """Tell how many units of an asset are a cent, by what so many of it are worth.

    None where that is not told: an allowance must not be larger for an asset that is dearer.
    """
    return CENT * abs(units / dollars) if units and dollars else ZERO
