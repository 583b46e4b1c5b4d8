"""KuCoin Futures: balances, positions and orders of a user in our terms.

The futures wallet read is the one settled in USDT (``usdm``); the main wallet (``funding``) and the
spot trading wallet (``spot``) only hold. A user has a futures wallet for each coin that contracts
settle in; those in another coin than USDT are not read, and a user who has more than dust in one of
them is refused: nobody would count it. Sources: the venue's pages "Get Account - Futures" (a
currency a request), "Get Account List - Spot", "Get Position List" (of every currency where none is
asked for), "Get Order List", "Get Symbol" (``settleCurrency``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import distinct, listed, single
from allocator.adapters.ccxt.dust import Leftover
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.listing import agreed
from allocator.adapters.ccxt.pairs import check_sign, netted
from allocator.adapters.ccxt.place import Place, client_id_of, flag, reduces, sided, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

COIN = "USDT"
HOLDS = {"funding": "main", "spot": "trade"}
FREE = ("accountEquity", "marginBalance")
BOUND = ("unrealisedPNL", "positionMargin", "orderMargin")
"""What a futures wallet that has nothing, and owes nothing, tells as zero."""

PAGE = 50
PAGES = 100

rows_of = partial(listed, key="data")
data_of = partial(single, key="data")


async def pages(login: Login, endpoint: str, params: Mapping[str, object]) -> list[JsonObject]:
    """Read every page of a list that only grows.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    rows, _ = await _pages(login, endpoint, params)
    return rows


async def standing_rows(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> list[JsonObject]:
    """Read every page of a list of orders that may end meanwhile.

    Of the futures lists nothing tells how large a page may be: they are asked for by the default.

    Raises
    ------
    VenueError
        When a page fails, there is no end to them, or they do not hold still.
    """
    return await agreed(endpoint, partial(_pages, login, endpoint, params), "id")


async def _pages(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> tuple[list[JsonObject], bool]:
    """Read every page of a list, and tell whether there is but one."""
    rows = list[JsonObject]()
    for page in range(1, PAGES + 1):
        asked = {**params, "currentPage": page, "pageSize": PAGE}
        found = data_of(await login.call(endpoint, asked), endpoint)
        items = found.get("items")
        if not isinstance(items, list):
            raise UnansweredError(f"{endpoint}: no items")
        rows.extend(items)
        if page >= int(text(found, "totalPage")):
            return rows, page == 1
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def futures_account(place: Place) -> JsonObject:
    """Read the futures wallet settled in USDT.

    Raises
    ------
    VenueError
        When there is none.
    """
    endpoint = "futuresprivate_get_account_overview"
    found = data_of(await place.login.call(endpoint, {"currency": COIN}), "account")
    if text(found, "currency") != COIN:
        raise UnansweredError(f"asked for {COIN}, told of {found['currency']}")
    return found


@exactly
def wallet(row: JsonObject) -> Decimal:
    """Read what the futures wallet holds without unrealised profit.

    It is taken from the equity, which counts funding that an isolated position owes already.
    """
    return (number(text(row, "accountEquity")) or ZERO) - (
        number(text(row, "unrealisedPNL")) or ZERO
    )


async def held(place: Place) -> dict[str, Decimal]:
    """Read a wallet that only holds.

    No order stands in the main wallet: what is held back there waits to be withdrawn (page "Get
    Holds"), and is on its way as our own record has it.

    Raises
    ------
    VenueError
        When something else is held back: an order may stand that this adapter does not read.
    """
    asked = {"type": HOLDS[place.config.wallet]}
    found = rows_of(await place.login.call("private_get_accounts", asked), "accounts")
    rows = distinct(found, "currency")
    if place.config.wallet == "funding":
        return {text(row, "currency"): number(text(row, "available")) or ZERO for row in rows}
    kept = [text(row, "currency") for row in rows if number(text(row, "holds"))]
    if kept:
        raise VenueError(f"spot orders are not read, and {', '.join(kept)} is held back")
    return {text(row, "currency"): number(text(row, "balance")) or ZERO for row in rows}


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every position that is not flat: one row a leg.

    Raises
    ------
    VenueError
        When one is settled in a coin whose wallet is not read.
    """
    rows = rows_of(await place.login.call("futuresprivate_get_positions", {}), "positions")
    held = [row for row in rows if number(text(row, "currentQty"))]
    for row in held:
        check_read(row, "a position")
        _check_side(row)
    return held


def _check_side(row: JsonObject) -> None:
    """Hold a position's side against its profit, and against its value, which is signed as it is.

    Raises
    ------
    VenueError
        When they disagree.
    """
    told = {
        "entry": number(row.get("avgEntryPrice")),
        "mark": number(row.get("markPrice")),
        "profit": number(row.get("unrealisedPnl")),
    }
    one_way = text(row, "positionSide") == "BOTH"
    value = number(row.get("markValue")) if one_way else None
    check_sign(text(row, "symbol"), signed(row), told, value)


def check_read(row: JsonObject, what: str) -> None:
    """Refuse what is settled in a coin whose wallet is not read.

    Raises
    ------
    VenueError
        When it is.
    """
    coin = text(row, "settleCurrency")
    if coin != COIN:
        raise VenueError(f"UNREAD_WALLET: {what} in {text(row, 'symbol')}, settled in {coin}")


async def elsewhere(place: Place) -> list[Leftover]:
    """Look for money in the futures wallets of the other coins that contracts settle in.

    Raises
    ------
    VenueError
        When one does not tell.
    """
    markets = place.login.client.markets.values()
    coins = {str(row["settleId"]): str(row["settle"]) for row in markets if row["contract"]}
    endpoint = "futuresprivate_get_account_overview"
    others = sorted(coins.keys() - {COIN})
    found = await asyncio.gather(*(place.login.call(endpoint, {"currency": one}) for one in others))
    told = list[Leftover]()
    for coin, reply in zip(others, found, strict=True):
        row = data_of(reply, endpoint)
        if text(row, "currency") != coin:
            raise UnansweredError(f"asked for {coin}, told of {row['currency']}")
        bound = [number(text(row, key)) for key in BOUND]
        units = max(abs(number(text(row, key)) or ZERO) for key in FREE)
        words = f"{text(row, 'accountEquity')} {coin} of futures"
        told.append(Leftover(coins[coin], units, words, any(bound)))
    return [row for row in told if row.bound or row.units]


def signed(row: JsonObject) -> Decimal:
    """Read the signed contracts of a position: by its sign in one-way mode, else by its leg."""
    side, size = text(row, "positionSide"), number(text(row, "currentQty")) or ZERO
    legs = {"BOTH": size, "LONG": abs(size), "SHORT": -abs(size)}
    if side not in legs:
        raise VenueError(f"position side {side} is not known")
    return legs[side]


def instrument_of(place: Place, row: JsonObject) -> str:
    """Name the instrument of a row; an unknown market is none of them."""
    return place.named(text(row, "symbol"), "linear")


def net_positions(place: Place, rows: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, legs to their difference."""
    return netted((instrument_of(place, row), signed(row)) for row in rows)


async def standing_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book; `kucoin_waiting` reads those that wait.

    Raises
    ------
    VenueError
        When one is settled in a coin whose wallet is not read.
    """
    rows = await standing_rows(place.login, "futuresprivate_get_orders", {"status": "active"})
    for row in rows:
        check_read(row, "an order")
    return tuple(_open_order(place, row) for row in rows)


@exactly
def _open_order(place: Place, row: JsonObject) -> SeenOrder:
    left = (number(text(row, "size")) or ZERO) - (number(row.get("filledSize")) or ZERO)
    side = sided(row, "side", "buy", "sell")
    told = flag(row, "reduceOnly")
    return SeenOrder(
        instrument=instrument_of(place, row),
        side=side,
        quantity=left,
        price=number(row.get("price")) or None,
        reduce_only=flag(row, "closeOrder") or reduces(row, "positionSide", side, told=told),
        client_id=client_id_of(row, "clientOid"),
    )
