"""Whom each venue counts together where it bounds positions, and which page says so.

The widest scope holds where pages differ or none was read: a narrower one is for the mandate to
claim, with a source of its own. Whom it counts together where it bounds requests is in `rates`.

This is for whoever writes a mandate. Of the bounds listed only brackets by leverage are read from
the venue and planned by; of the others no request that is used here tells the figure, so the
planner knows them as far as the mandate declares a limit of that scope, and the venue's refusal
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on positions.

    Attributes
    ----------
    scope
        ``account``: each by itself; ``owner``: all of an owner's together.
    source
        Who says so.
    """

    what: str
    scope: Literal["account", "owner"]
    source: str


SCOPES: Mapping[str, tuple[Bound, ...]] = {
    "binance": (
        Bound("position at a leverage", "account", "Notional and Leverage Brackets, of each user"),
        Bound("whatever else", "owner", "no page read on adding sub-accounts up"),
    ),
    "bitget": (
        Bound("open interest", "owner", "position limits: each account's, and all of them added"),
    ),
    "bybit": (
        Bound("position at a leverage", "account", "v5/market/risk-limit"),
        Bound("open interest of a direction", "owner", "Open Interest Limit: all of a trader's"),
    ),
    "deribit": (Bound("position", "account", "errors 10013 to 10018; told beforehand by none"),),
    "gate": (
        Bound("position at a tier", "account", "Query risk limit tiers, by user and contract"),
        Bound("whatever else", "owner", "no page read"),
    ),
    "hyperliquid": (
        Bound("position at a margin tier", "account", "Margining, by address and coin"),
        Bound("open orders", "account", "Rate limits and user limits, by address"),
    ),
    "krakenfutures": (
        Bound("position", "account", "Get instruments, maxPositionSize"),
        Bound("whatever else", "owner", "no page read"),
    ),
    "kucoinfutures": (
        Bound("position at a level", "account", "Get Futures Risk Limit, by user and contract"),
        Bound("whatever else", "owner", "no page read"),
    ),
    "okx": (
        Bound("position at a tier", "account", "Get position tiers"),
        Bound(
            "positions and orders of a direction",
            "owner",
            "Position limits of contracts: main account and sub-accounts together",
        ),
    ),
}
"""By venue."""
