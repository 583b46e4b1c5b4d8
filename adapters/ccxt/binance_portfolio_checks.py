"""Binance portfolio margin: the account's own figures held against each other.

Sources: the pages Account Information, Account Balance and Query UM (CM) Position Information of
portfolio margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.market import Tier

DRIFT = Decimal("0.005")
"""Share of an account's gross worth by which prices may move between its reads."""

CENT = Decimal("0.01")


@exactly
def added(found: Sequence[JsonObject], *keys: str) -> Decimal:
    """Add some figures of rows up; one that is not told counts as none."""
    return sum((number(row.get(key)) or ZERO for row in found for key in keys), ZERO)


@exactly
def wallet_of(row: JsonObject) -> Decimal:
    """Tell an asset's units without unrealised profit; what is borrowed is owed."""
    owned = added([row], "crossMarginFree", "crossMarginLocked", "umWalletBalance",
                 "cmWalletBalance")  # fmt: skip
    return owned - added([row], "crossMarginBorrowed", "crossMarginInterest")


def profit_of(row: JsonObject) -> Decimal:
    """Tell an asset's unrealised profit."""
    return added([row], "umUnrealizedPNL", "cmUnrealizedPNL")


@exactly
def check_equity(
    whole: JsonObject, balances: Mapping[str, JsonObject], rates: Mapping[str, Decimal],
    prices: Mapping[str, Decimal],
) -> None:  # fmt: skip
    """Hold the account's equity, with and without collateral rates, against its assets.

    Raises
    ------
    VenueError
        When they differ by more than prices move, or an asset has no price.
    """
    worth = dict[str, Decimal]()
    for coin, row in balances.items():
        if coin not in prices:
            raise VenueError(f"no index price of {coin}")
        worth[coin] = (wallet_of(row) + profit_of(row)) * prices[coin]
    allowed = CENT + DRIFT * sum((abs(one) for one in worth.values()), ZERO)
    counted = sum((min(one, one * rates.get(coin, ZERO)) for coin, one in worth.items()), ZERO)
    for key, found in (("actualEquity", sum(worth.values(), ZERO)), ("accountEquity", counted)):
        told = number(text(whole, key)) or ZERO
        if abs(told - found) > allowed:
            raise VenueError(f"EQUITY_IDENTITY: {key}={told} assets={found}")


@exactly
def check_profit(
    place: Place, balances: Mapping[str, JsonObject], pairs: Mapping[str, list[JsonObject]]
) -> None:
    """Hold unrealised profit of each asset against that of the positions it settles.

    Raises
    ------
    VenueError
        When they differ by more than prices move: a position was not read.
    """
    found, worth = dict[str, Decimal](), dict[str, Decimal]()
    for name, pair in pairs.items():
        coin = str(place.market(name)["settle"])
        found[coin] = found.get(coin, ZERO) + added(pair, "unRealizedProfit")
        sizes = (abs(number(row.get("notional", row.get("notionalValue"))) or ZERO) for row in pair)
        worth[coin] = worth.get(coin, ZERO) + sum(sizes, ZERO)
    for coin in sorted(found.keys() | balances.keys()):
        told = profit_of(balances[coin]) if coin in balances else ZERO
        sum_found, allowed = found.get(coin, ZERO), DRIFT * worth.get(coin, ZERO)
        if abs(told - sum_found) > allowed + Decimal("1e-6"):
            raise VenueError(f"EQUITY_IDENTITY: {coin} unrealised={told} positions={sum_found}")


@exactly
def check_maintenance(
    place: Place, whole: JsonObject, pairs: Mapping[str, list[JsonObject]],
    brackets: Mapping[str, tuple[Tier, ...]], prices: Mapping[str, Decimal],
) -> None:  # fmt: skip
    """Hold what the account states as maintenance against the brackets.

    Raises
    ------
    VenueError
        When more is stated than positions need, or the ratio is lower than equity by maintenance:
        something is margined, or counted as lost, that is not read.
    """
    needed = ZERO
    for name, pair in pairs.items():
        if name not in brackets:
            raise VenueError(f"no brackets of {name}")
        inverse = bool(place.market(name)["inverse"])
        price = prices.get(str(place.market(name)["settle"]), ZERO) if inverse else ONE
        for row in pair:
            size = abs(number(text(row, "notionalValue" if inverse else "notional")) or ZERO)
            tier = next((one for one in brackets[name] if size <= one.cap), brackets[name][-1])
            needed += (size * tier.maintenance - tier.deduction) * price
    told, equity, ratio = (
        number(text(whole, key)) or ZERO
        for key in ("accountMaintMargin", "accountEquity", "uniMMR")
    )
    if told > needed * (ONE + 4 * DRIFT) + CENT:
        raise VenueError(f"MAINTENANCE: stated={told} by brackets={needed}")
    if ratio * told < equity * (ONE - 4 * DRIFT) - CENT and told:
        raise VenueError(f"MAINTENANCE: uniMMR={ratio} of {told}, and equity={equity}")
