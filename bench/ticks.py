"""A book a moment later: prices, quotes and balances have moved a little."""

from __future__ import annotations

import copy
import random
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from bench.books import Size, digits, raw_book

MOST = 5e-4
"""Largest relative move of a price."""


def moved(raw: dict[str, Any], seed: int) -> dict[str, Any]:
    """Move every coin's price, its instruments with it by whole ticks, and every wallet.

    Parameters
    ----------
    raw
        A snapshot as the data of a file.
    """
    with localcontext(Context(prec=28)):
        return _moved(raw, random.Random(f"tick-{seed}"))


def _moved(raw: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    out = copy.deepcopy(raw)
    by = {name: rng.uniform(-MOST, MOST) for name in out["assets"]}
    for name, row in out["assets"].items():
        if "underlying" in row:
            row["price"] = digits(float(row["price"]) * (1 + by[name]), 7)
    for row in out["instruments"]:
        tick = Decimal(row["tick"])
        wanted = Decimal(row["mark"]) * Decimal(by[row["underlying"]])
        shift = (wanted / tick).to_integral_value(ROUND_HALF_EVEN) * tick
        for key in ("mark", "bid", "ask"):
            row[key] = format(Decimal(row[key]) + shift, "f")
    for account in out["accounts"]:
        for balance in account["balances"].values():
            wallet = float(balance["wallet"]) * (1 + rng.uniform(0, MOST))
            balance["wallet"] = digits(wallet, 9)
    return out


def ticking(size: Size, ticks: int, seed: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Make a book's snapshot, the same some ticks later, and its mandate, as data."""
    snapshot, mandate = raw_book(size, seed)
    return [snapshot, *(moved(snapshot, tick) for tick in range(ticks))], mandate
