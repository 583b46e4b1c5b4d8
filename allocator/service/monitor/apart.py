"""Positions with a margin of their own: each is a pool by itself, which nothing else holds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import liquidation_distances, margin_ratio
from allocator.models.account import Account, Balance, Margin, Position
from allocator.models.base import ONE
from allocator.models.errors import SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.market import CollateralTier
from allocator.models.snapshot import Snapshot
from allocator.state import Book, State

WHOLE = (CollateralTier(upto=None, ratio=ONE),)
"""What is set aside counts in full: no haircut of the account's other collateral touches it."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The margin of one such position.

    Attributes
    ----------
    ratio
        What it has set aside, with its profit, over its maintenance margin.
    distance
        Nearest price move, as a positive fraction, that uses it up; None: no move does it.
    unknown
        Why neither is known; empty: they are.
    """

    ratio: Decimal | None = None
    distance: Decimal | None = None
    unknown: str = ""


def apart(snapshot: Snapshot, account: Account) -> Iterator[Apart]:
    """Yield the margins of an account's positions that have one of their own."""
    for name, place in account.positions.items():
        if place.isolated is not None and _held(place):
            try:
                yield _margin(_alone(snapshot, account, name, place), account.id)
            except SnapshotError as error:
                yield Apart(unknown=str(error))


def _held(place: Position) -> bool:
    legs = place.legs
    return bool(place.net) or (legs is not None and bool(legs.long or legs.short))


def _alone(snapshot: Snapshot, account: Account, name: str, place: Position) -> Book:
    """Make a book of one account that holds nothing but the position and what it has set aside."""
    assert place.isolated is not None
    row = snapshot.instrument[name]
    alone = account.model_copy(
        update={
            "margin": Margin() if account.margin.model == "scenario" else account.margin,
            "balances": {row.cash: Balance(wallet=place.isolated.wallet)},
            "collateral": {row.cash: WHOLE},
            "positions": {name: place.model_copy(update={"isolated": None})},
            "spot": (),
            "open_orders": (),
            "in_flight": (),
            "ring_fenced": {},
        }
    )
    told = {"accounts": (alone,), "instruments": (row,), "routes": (), "moves": ()}
    return Book.of(snapshot.model_copy(update=told), Mandate())


def _margin(book: Book, account: str) -> Apart:
    state = State.start(book)
    moves = liquidation_distances(book, state, account).values()
    distance = min((abs(move) for move in moves if move is not None), default=None)
    return Apart(margin_ratio(book, state, account), distance)
