"""Bitget v2: the USDT futures wallet (classic account), or the spot wallet, as a snapshot has it.

USDT alone margins (single-asset mode; the other is refused), and the tier of the whole position
sets its maintenance rate. Sources: the venue's pages contract/account/Get-Single-Account,
contract/position/get-all-position, contract/position/Get-Query-Position-Lever, common trade rate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt import bitget_markets
from allocator.adapters.ccxt.bitget_reads import (
    COIN,
    FUTURES,
    elsewhere,
    futures_account,
    instrument_of,
    net_positions,
    position_rows,
    row_of,
    signed,
    spot_rows,
    unrealised,
    wallet,
)
from allocator.adapters.ccxt.bitget_waiting import open_orders
from allocator.adapters.ccxt.dust import check_leftovers
from allocator.adapters.ccxt.pairs import DRIFT, Held, check_unrealised, flat_pair, pair_of
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import holding, reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import (
    Account,
    Balance,
    FeeRates,
    Fees,
    Margin,
    Position,
    SeenOrder,
)
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

ONE_WAY = "one_way_mode"


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return {text(r, "coin"): number(text(r, "available")) or ZERO
                for r in await spot_rows(place)}  # fmt: skip
    whole, rows = await asyncio.gather(futures_account(place), position_rows(place))
    return {COIN: wallet(whole, rows)}


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return {}
    return net_positions(place, await position_rows(place))


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet == "spot" else await open_orders(place)


async def setting(place: Place, market: JsonObject) -> JsonObject:
    """Read how a pair is set: margin and position mode, leverage; kept for a short while."""
    asked = {**FUTURES, "symbol": market["id"], "marginCoin": COIN}
    reply = await place.login.kept("private_mix_get_v2_mix_account_account", asked)
    return row_of(reply, "account")


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the account's mode is not modelled, or the figures do not add up.
    """
    if place.config.wallet == "spot":
        return holding(place, await _wallets(place))
    whole, rows, orders, fees, settings, left = await asyncio.gather(
        futures_account(place),
        position_rows(place),
        open_orders(place),
        _fees(place),
        place.each(setting),
        elsewhere(place),
    )
    mode = text(whole, "assetMode")
    if mode != "single":
        raise VenueError(f"asset mode {mode} is not read by this adapter: only single")
    check_identity(whole, rows)
    await check_leftovers(place, left, bitget_markets.prices)
    held = wallet(whole, rows)
    free = min(held, number(text(whole, "maxTransferOut")) or ZERO)
    return Account(
        **who(place),
        fees=fees,
        margin=Margin(model="whole_position", asset_mode="single"),
        balances={COIN: Balance(wallet=held, withdrawable=max(ZERO, free))},
        collateral={COIN: (CollateralTier(upto=None, ratio=ONE),)},
        positions=_positions(place, rows, settings),
        open_orders=orders,
    )


async def _fees(place: Place) -> Fees:
    """Read fee rates by pair; the highest taker fee stands for what is not configured."""
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    replies = await asyncio.gather(
        *(
            place.login.kept(
                "private_common_get_v2_common_trade_rate",
                {"symbol": market["id"], "businessType": "mix"},
            )
            for market in markets
        )
    )
    rates = dict[str, FeeRates]()
    for market, reply in zip(markets, replies, strict=True):
        row = row_of(reply, "trade rate")
        rates[f"{place.venue}:{market['symbol']}"] = FeeRates(
            maker=number(text(row, "makerFeeRate")), taker=number(text(row, "takerFeeRate"))
        )
    return Fees(taker=max((row.taker or ZERO for row in rates.values()), default=ZERO), by=rates)


def _positions(
    place: Place, rows: list[JsonObject], settings: Mapping[str, JsonObject]
) -> dict[str, Position]:
    found = {name: _flat(row) for name, row in settings.items()}
    pairs = dict[str, list[JsonObject]]()
    for row in rows:
        pairs.setdefault(instrument_of(place, row), []).append(row)
    for name, pair in pairs.items():
        found[name] = _position(name, pair, tradable=name in settings)
    return found


def _flat(row: JsonObject) -> Position:
    """Describe a pair without a position by its settings.

    Raises
    ------
    VenueError
        For a margin mode that is not known.
    """
    alone = is_isolated(row)
    levers = (
        [number(row.get("isolatedLongLever")), number(row.get("isolatedShortLever"))]
        if alone else [number(row.get("crossedMarginLeverage"))]
    )  # fmt: skip
    leverage = min((lever for lever in levers if lever), default=None)
    return flat_pair(leverage, one_way=text(row, "posMode") == ONE_WAY, isolated=alone)


def is_isolated(row: JsonObject) -> bool:
    """Tell whether a pair's margin stands apart."""
    mode = text(row, "marginMode")
    if mode not in {"isolated", "crossed"}:
        raise VenueError(f"margin mode {mode} is not known")
    return mode == "isolated"


def _position(name: str, pair: list[JsonObject], *, tradable: bool) -> Position:
    one_way = len(pair) == 1 and text(pair[0], "posMode") == ONE_WAY
    return pair_of(name, [_held(row) for row in pair], one_way=one_way, tradable=tradable)


def _held(row: JsonObject) -> Held:
    return Held(
        quantity=signed(row),
        entry=number(row.get("openPriceAvg")),
        unrealised=number(text(row, "unrealizedPL")) or ZERO,
        apart=(number(text(row, "marginSize")) or ZERO) if is_isolated(row) else None,
        leverage=number(row.get("leverage")),
    )


def profit(rows: list[JsonObject]) -> Decimal:
    """Add up the unrealised profit of positions."""
    return sum((number(text(row, "unrealizedPL")) or ZERO for row in rows), ZERO)


@exactly
def check_identity(whole: JsonObject, rows: list[JsonObject]) -> None:
    """Hold the positions read against the account's own figures.

    Raises
    ------
    VenueError
        When unrealised profit differs by more than prices may have moved in between, which it
        does too when a position is missing.
    """
    worth = sum((abs(signed(r)) * (number(text(r, "markPrice")) or ZERO) for r in rows), ZERO)
    check_unrealised(COIN, unrealised(whole, rows), profit(rows), DRIFT * worth)
