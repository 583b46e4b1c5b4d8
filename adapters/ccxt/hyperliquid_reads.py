"""Hyperliquid: balances, positions and orders of an address in our terms.

The perpetuals' account (``unified``) holds USDC; the spot account (``spot``) only holds. A contract
is one unit of its coin. Markets that builders deployed margin by themselves and are not read: a
position there is exposure that nobody would count, so its account is refused. Sources: the venue's
pages "Info endpoint" (userAbstraction), "Perpetuals" and "Spot" (perpDexs, clearinghouseState,
spotClearinghouseState, frontendOpenOrders), "Account abstraction modes".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from allocator.adapters.ccxt.answers import distinct, listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.place import Place, client_id_of, flag, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import OrderIntent

COIN = "USDC"
INFO = "public_post_info"
CENT = Decimal("0.01")
APART = frozenset({"default", "disabled", "dexAbstraction"})
"""Modes in which the perpetuals' account margins by its own USDC alone."""

AT_MARKET = frozenset({"Stop Market", "Take Profit Market"})
KINDS = AT_MARKET | {"Stop Limit", "Take Profit Limit"}
"""Kinds of order that wait for a price."""

DEXES_AGE_S = 600.0
"""Seconds for which the list of the builders' markets is kept."""


def address(place: Place) -> str:
    """Tell the address that is read: the account's own, never that of what signs for it.

    Raises
    ------
    NotSentError
        When it is not known.
    """
    place.login.signs.check()
    return str(place.login.client.walletAddress)


async def info(place: Place, kind: str, **asked: object) -> Any:
    """Ask for what concerns this address."""
    return await place.login.call(INFO, {"type": kind, "user": address(place), **asked})


def coins(place: Place) -> dict[str, str]:
    """Name the instrument of each coin."""
    markets = (place.login.client.markets or {}).values()
    return {
        str(market["info"]["name"]): f"{place.venue}:{market['symbol']}"
        for market in markets if market["swap"]
    }  # fmt: skip


def named(known: Mapping[str, str], coin: str) -> str:
    """Name the instrument of a coin.

    Raises
    ------
    VenueError
        When it is not among the markets.
    """
    if coin not in known:
        raise VenueError(f"an unknown market: {coin}")
    return known[coin]


async def state(place: Place) -> JsonObject:
    """Read the perpetuals' account.

    Raises
    ------
    VenueError
        When nothing usable came.
    """
    found = await info(place, "clearinghouseState")
    if not isinstance(found, dict) or not isinstance(found.get("marginSummary"), dict):
        raise UnansweredError("no clearinghouse state")
    return found


async def check_apart(place: Place) -> None:
    """Refuse an account whose collateral is shared with its spot account.

    Raises
    ------
    VenueError
        When it is, or its mode is not known.
    """
    mode = await place.login.word(INFO, {"type": "userAbstraction", "user": address(place)})
    if mode not in APART:
        raise VenueError(f"account mode {mode} is not read: switch it to disabled")


async def check_elsewhere(place: Place) -> None:
    """Look for positions in the markets of builders, each of which is asked by its name.

    Raises
    ------
    VenueError
        When there is one: nobody counts it.
    """
    known = listed(await place.login.shared(INFO, {"type": "perpDexs"}, DEXES_AGE_S), "builders")
    # The first place of the list is the venue's own market, which has no name.
    names = [text(row, "name") for row in known if row is not None]
    states = await asyncio.gather(*(info(place, "clearinghouseState", dex=name) for name in names))
    for name, whole in zip(names, states, strict=True):
        if not isinstance(whole, dict):
            raise UnansweredError(f"no clearinghouse state of {name}")
        held = sorted(text(row, "coin") for row in position_rows(whole))
        if held:
            raise VenueError(f"UNREAD_WALLET: positions in builders' markets: {', '.join(held)}")


def position_rows(whole: JsonObject) -> list[JsonObject]:
    """List the positions that are not flat.

    Raises
    ------
    VenueError
        For a kind of position that is not known: the venue announces hedge mode.
    """
    rows = listed(whole.get("assetPositions"), "positions")
    for row in rows:
        if row.get("type") != "oneWay":
            raise VenueError(f"position type {row.get('type')} is not known")
    found = [dict(row["position"]) for row in rows]
    return [row for row in found if number(text(row, "szi"))]


@exactly
def profit(rows: list[JsonObject]) -> Decimal:
    """Add up unrealised profit."""
    return sum((number(text(row, "unrealizedPnl")) or ZERO for row in rows), ZERO)


@exactly
def wallet(whole: JsonObject, rows: list[JsonObject]) -> Decimal:
    """Read what the account holds without unrealised profit."""
    return (number(text(whole["marginSummary"], "accountValue")) or ZERO) - profit(rows)


@exactly
def check_identity(whole: JsonObject, rows: list[JsonObject]) -> None:
    """Hold the account's value against its cash and positions: they come in one answer.

    Raises
    ------
    VenueError
        When they differ by more than a cent: a position is missing, or is not what it says.
    """
    summary = whole["marginSummary"]
    told, cash = (number(text(summary, key)) or ZERO for key in ("accountValue", "totalRawUsd"))
    worth = sum(
        ((number(text(row, "positionValue")) or ZERO).copy_sign(number(text(row, "szi")) or ZERO)
         for row in rows), ZERO
    )  # fmt: skip
    if abs(told - cash - worth) > CENT:
        raise VenueError(f"EQUITY_IDENTITY: accountValue={told} cash and positions={cash + worth}")


async def held(place: Place) -> dict[str, Decimal]:
    """Read the spot account.

    Raises
    ------
    VenueError
        When something is on hold: an order may stand that this adapter does not read.
    """
    reply = await info(place, "spotClearinghouseState")
    found = listed(reply.get("balances") if isinstance(reply, dict) else None, "balances")
    rows = distinct(found, "coin")
    kept = [text(row, "coin") for row in rows if number(text(row, "hold"))]
    if kept:
        raise VenueError(f"spot orders are not read, and {', '.join(kept)} is on hold")
    return {text(row, "coin"): number(text(row, "total")) or ZERO for row in rows}


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a perpetual's book, or waits for a price.

    One answer lists both. Spot orders are left out.
    """
    known = coins(place)
    told = _with_children(listed(await info(place, "frontendOpenOrders"), "open orders"))
    rows = [row for row in told if not is_spot(text(row, "coin"))]
    waits = [row for row in rows if flag(row, "isTrigger")]
    standing = [_open_order(known, row) for row in rows if not flag(row, "isTrigger")]
    return together(place, standing, each(waits, "oid", partial(_waiting, known)))


def _with_children(rows: list[JsonObject]) -> list[JsonObject]:
    """List orders, and those that wait for one of them to be filled where they are not listed.

    Raises
    ------
    VenueError
        When something among an order's children is none.
    """
    found, known = list(rows), {text(row, "oid") for row in rows}
    for row in rows:
        for child in row.get("children") or []:
            if not isinstance(child, dict):
                raise VenueError(f"children of {row.get('oid')}: {child!r} is not an order")
            if text(child, "oid") not in known:
                known.add(text(child, "oid"))
                found.append(child)
    return found


def client_id(intent: OrderIntent) -> str:
    """Write a client id as the venue wants it.

    >>> from allocator.models.intents import OrderIntent
    >>> client_id(OrderIntent(client_id="0123456789abcdef0123456789abcdef", account="a",
    ...     instrument="i", side="buy", quantity=1, limit_price=1))
    '0x0123456789abcdef0123456789abcdef'
    """
    return f"0x{intent.client_id}"


def intent_id(name: str) -> str:
    """Take a name back to the client id that `client_id` wrote; any other is left as it is.

    >>> intent_id("0x0123456789abcdef0123456789abcdef"), intent_id("0xAB")
    ('0123456789abcdef0123456789abcdef', '0xAB')
    """
    return name[2:] if re.fullmatch(r"0x[0-9a-f]{32}", name) else name


def _open_order(known: Mapping[str, str], row: JsonObject) -> SeenOrder:
    return SeenOrder(
        instrument=named(known, text(row, "coin")),
        side=sided(row, "side", "B", "A"),
        quantity=number(text(row, "sz")) or ZERO,
        price=number(row.get("limitPx")) or None,
        reduce_only=flag(row, "reduceOnly"),
        client_id=client_id_of(row, "cloid", intent_id),
    )


def _waiting(known: Mapping[str, str], row: JsonObject) -> Waiting:
    """Read an order that waits: the limit of one that fires at market is its slippage's.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    kind, reduces = one_of(row, "orderType", KINDS), flag(row, "reduceOnly")
    whole = flag(row, "isPositionTpsl") and not number(text(row, "sz"))
    if whole and not reduces:
        raise VenueError("it closes all of a position, and may add to it")
    return Waiting(
        id=text(row, "oid"),
        instrument=named(known, text(row, "coin")),
        side=sided(row, "side", "B", "A"),
        quantity=None if whole else sized(row, "sz"),
        price=None if kind in AT_MARKET else number(row.get("limitPx")) or None,
        reduce_only=reduces,
    )


def is_spot(coin: str) -> bool:
    """Tell whether a coin is a spot pair's: by its index, or by both its names."""
    return coin.startswith("@") or "/" in coin
