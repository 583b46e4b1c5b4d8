"""Positions that a world starts with: all were opened at one moment, and none has realised yet."""

from decimal import Decimal

from allocator.adapters.emulator.records import ZERO, Position

OPENED_MS = 1_790_000_000_000


def opened(user: str, instrument: str, quantity: Decimal | str, entry: str) -> Position:
    """Return a position in one-way mode; `quantity` is signed."""
    return Position(
        user, instrument, "net", Decimal(quantity), Decimal(entry), ZERO, OPENED_MS, OPENED_MS
    )
