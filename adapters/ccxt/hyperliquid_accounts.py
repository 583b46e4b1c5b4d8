"""Hyperliquid: the perpetuals' account of an address, or its spot account, as a snapshot has it.

USDC alone margins, and margin is marginal by the coin's margin table. Accounts whose collateral is
shared with spot, or that hold positions in markets of builders, are refused: what they have there
is not counted. Sources: the venue's pages "Perpetuals" (clearinghouseState, activeAssetData),
"Query a user's fees", "Margining".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt.hyperliquid_reads import (
    COIN,
    INFO,
    address,
    check_apart,
    check_elsewhere,
    check_identity,
    coins,
    held,
    named,
    open_orders,
    position_rows,
    state,
    wallet,
)
from allocator.adapters.ccxt.pairs import Held, flat_pair, pair_of
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import holding, reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import Account, Balance, Fees, Margin, Position, SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return await held(place)
    whole = await state(place)
    return {COIN: wallet(whole, position_rows(whole))}


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return {}
    known = coins(place)
    return {
        named(known, text(row, "coin")): number(text(row, "szi")) or ZERO
        for row in position_rows(await state(place))
    }


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet == "spot" else await open_orders(place)


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the figures do not add up, or something is not counted in them.
    """
    if place.config.wallet == "spot":
        await check_apart(place)
        return holding(place, await held(place))
    whole, orders, fees, settings, _, _ = await asyncio.gather(
        state(place),
        open_orders(place),
        _fees(place),
        place.each(_setting),
        check_apart(place),
        check_elsewhere(place),
    )
    rows = position_rows(whole)
    check_identity(whole, rows)
    own = wallet(whole, rows)
    free = min(own, number(text(whole, "withdrawable")) or ZERO)
    return Account(
        **who(place),
        fees=fees,
        margin=Margin(model="tiered", asset_mode="single"),
        balances={COIN: Balance(wallet=own, withdrawable=max(ZERO, free))},
        collateral={COIN: (CollateralTier(upto=None, ratio=ONE),)},
        positions=_positions(place, rows, settings),
        open_orders=orders,
    )


async def _setting(place: Place, market: JsonObject) -> JsonObject:
    asked = {"type": "activeAssetData", "user": address(place), "coin": market["info"]["name"]}
    reply = await place.login.kept(INFO, asked)
    leverage = reply.get("leverage") if isinstance(reply, dict) else None
    if not isinstance(leverage, dict):
        raise VenueError(f"no leverage of {market['symbol']}")
    return leverage


async def _fees(place: Place) -> Fees:
    row = await place.login.kept(INFO, {"type": "userFees", "user": address(place)})
    maker, taker = (number(text(row, key)) for key in ("userAddRate", "userCrossRate"))
    return Fees(maker=maker, taker=taker or ZERO)


def _positions(
    place: Place, rows: list[JsonObject], settings: Mapping[str, JsonObject]
) -> dict[str, Position]:
    known = coins(place)
    found = {
        name: flat_pair(number(row.get("value")), one_way=True, isolated=is_isolated(row))
        for name, row in settings.items()
    }
    for row in rows:
        name = named(known, text(row, "coin"))
        found[name] = pair_of(name, [_held(row)], one_way=True, tradable=name in settings)
    return found


def is_isolated(leverage: JsonObject) -> bool:
    """Tell whether a pair's margin stands apart."""
    kind = text(leverage, "type")
    if kind not in {"isolated", "cross"}:
        raise VenueError(f"leverage type {kind} is not known")
    return kind == "isolated"


@exactly
def _held(row: JsonObject) -> Held:
    """Read a position; what an isolated one has set aside is told with its profit."""
    gain = number(text(row, "unrealizedPnl")) or ZERO
    leverage = row["leverage"]
    apart = (number(text(row, "marginUsed")) or ZERO) - gain if is_isolated(leverage) else None
    return Held(
        quantity=number(text(row, "szi")) or ZERO,
        entry=number(row.get("entryPx")),
        unrealised=gain,
        apart=apart,
        leverage=number(leverage.get("value")),
    )
