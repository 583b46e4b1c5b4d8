"""The book in unit values, what actions do to it, and the states they lead to.

The law of problem.md in Decimal starts here: every figure of margin, limits and cost is made
from the facts of a `Book` and a `State`.
"""

from allocator.state.arithmetic import LAW, lawful, published
from allocator.state.book import Book, Pair
from allocator.state.effects import Effect, charge_of, effect_of, move_rule
from allocator.state.state import (
    Departures,
    Holding,
    State,
    Transit,
    departures,
    equity,
    equity_units,
    held_assets,
)

__all__ = [
    "LAW",
    "Book",
    "Departures",
    "Effect",
    "Holding",
    "Pair",
    "State",
    "Transit",
    "charge_of",
    "departures",
    "effect_of",
    "equity",
    "equity_units",
    "held_assets",
    "lawful",
    "move_rule",
    "published",
]
