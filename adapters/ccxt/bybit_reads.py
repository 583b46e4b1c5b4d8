"""Bybit v5: how pages are read, and positions, orders and wallets in the allocator's terms.

Sources: the venue's pages v5/position, v5/order/open-order, v5/account/wallet-balance, and v5/enum
(orderStatus: a conditional order is Untriggered until it fires).

Options are asked for and their markets are not read: one that is held, or has an order, is of an
unknown market, as any other that is not listed here. Without symbol or coin the venue's list has
all of them, so that one request of each kind proves that an account has none: a hundred more a
gather at fifty accounts, where an address has 600 in 5 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import distinct, listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.pairs import netted
from allocator.adapters.ccxt.place import Place, client_id_of, flag, sided, text, unsigned
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import FoundState

PAGES = 50
IDENTITY = Decimal("0.000001")
CATEGORIES = ("linear", "inverse", "spot")
SIDES = {"buy": "Buy", "sell": "Sell"}


def result(reply: JsonObject) -> JsonObject:
    """Take the result out of the envelope.

    Raises
    ------
    UnansweredError
        When it holds none.
    """
    found = reply.get("result")
    if not isinstance(found, dict):
        raise UnansweredError("the envelope has no result")
    return found


async def pages(
    login: Login, endpoint: str, params: Mapping[str, object], key: str = "list"
) -> list[JsonObject]:
    """Read every page of a list.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    rows = list[JsonObject]()
    cursor = ""
    for _ in range(PAGES):
        asked = {**params, "cursor": cursor} if cursor else dict(params)
        page = result(await login.call(endpoint, asked))
        found = page.get(key)
        if not isinstance(found, list):
            raise UnansweredError(f"{endpoint}: no {key}")
        rows.extend(found)
        cursor = str(page.get("nextPageCursor") or "")
        if not cursor or not found:
            return rows
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


def category(market: JsonObject) -> str:
    """Name the venue's category of a ccxt market."""
    if market["spot"]:
        return "spot"
    return "linear" if market["linear"] else "inverse"


def settle_coins(login: Login) -> list[str]:
    """List the settle coins of linear contracts: positions are asked for one at a time."""
    rows = login.client.markets.values()
    return sorted({str(row["settle"]) for row in rows if row["linear"] and row["swap"]})


async def position_rows(place: Place) -> list[tuple[str, JsonObject]]:
    """Read every position that is not flat: (category, row), all settle coins, all pages."""
    asked = [("linear", {"settleCoin": coin}) for coin in settle_coins(place.login)]
    asked += [("inverse", {}), ("option", {})]
    rows = list[tuple[str, JsonObject]]()
    for name, params in asked:
        found = await pages(
            place.login,
            "private_get_v5_position_list",
            {"category": name, "limit": 200, **params},
        )
        rows.extend((name, row) for row in found if number(text(row, "size")))
    return rows


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book or waits for a trigger."""
    asked: list[tuple[str, dict[str, str]]] = [
        ("linear", {"settleCoin": coin}) for coin in settle_coins(place.login)
    ]
    asked += [("inverse", {}), ("spot", {}), ("option", {})]
    orders = list[SeenOrder]()
    for name, params in asked:
        found = await pages(
            place.login, "private_get_v5_order_realtime", {"category": name, "limit": 50, **params}
        )
        orders.extend(_open_order(place, name, row) for row in found)
    return tuple(orders)


def _open_order(place: Place, name: str, row: JsonObject) -> SeenOrder:
    instrument = place.instrument(text(row, "symbol"), name)
    if instrument is None:
        raise VenueError(f"an open order in an unknown market: {row.get('symbol')}")
    return SeenOrder(
        instrument=instrument,
        side=sided(row, "side", "Buy", "Sell"),
        quantity=number(row.get("leavesQty")) or number(text(row, "qty")) or ZERO,
        price=number(row.get("price")) or None,
        reduce_only=flag(row, "reduceOnly"),
        waits=row.get("orderStatus") == "Untriggered",
        client_id=client_id_of(row, "orderLinkId"),
    )


def signed(row: JsonObject) -> Decimal:
    """Read the signed size of a position that is not flat: only a flat one has no side.

    Raises
    ------
    VenueError
        When the answer does not say how large it is, or on which side.
    """
    side, size = row.get("side"), unsigned(row, "size")
    if side not in SIDES.values():
        raise VenueError(f"a position that is neither Buy nor Sell: {side!r}")
    return -size if side == "Sell" else size


def instrument_of(place: Place, row: JsonObject, kind: str) -> str:
    """Name the instrument of a position.

    Raises
    ------
    VenueError
        When it is not among the markets.
    """
    instrument = place.instrument(text(row, "symbol"), kind)
    if instrument is None:
        raise VenueError(f"a position in an unknown market: {row.get('symbol')}")
    return instrument


def net_positions(place: Place, rows: list[tuple[str, JsonObject]]) -> dict[str, Decimal]:
    """Add positions up by instrument, the two legs of hedge mode to their difference."""
    return netted((instrument_of(place, row, name), signed(row)) for name, row in rows)


async def unified(place: Place) -> JsonObject:
    """Read the unified wallet."""
    reply = await place.login.call(
        "private_get_v5_account_wallet_balance", {"accountType": "UNIFIED"}
    )
    rows = result(reply).get("list")
    if not isinstance(rows, list) or len(rows) != 1:
        raise UnansweredError("no unified account in the answer")
    found: JsonObject = rows[0]
    distinct(listed(found.get("coin"), "coins"), "coin")
    return found


@exactly
def wallet(coin: JsonObject) -> Decimal:
    """Read what a coin's wallet holds without unrealised profit, net of what was borrowed.

    Raises
    ------
    VenueError
        When wallet and unrealised profit do not add up to the equity in the same answer: then
        something is in it that is not understood.
    """
    equity = number(text(coin, "equity")) or ZERO
    held = number(text(coin, "walletBalance")) or ZERO
    profit = number(coin.get("unrealisedPnl")) or ZERO
    borrowed = number(coin.get("spotBorrow")) or ZERO
    tolerance = IDENTITY * max(ONE, abs(equity))
    for units in (held - borrowed, held):
        if abs(units + profit - equity) <= tolerance:
            return units
    raise VenueError(
        f"EQUITY_IDENTITY: {coin.get('coin')} wallet={held} borrowed={borrowed} "
        f"unrealised={profit} equity={equity}"
    )


async def funding_wallet(place: Place) -> dict[str, tuple[Decimal, Decimal]]:
    """Read the funding wallet: units and transferable units by coin."""
    reply = await place.login.call(
        "private_get_v5_asset_transfer_query_account_coins_balance", {"accountType": "FUND"}
    )
    rows = result(reply).get("balance")
    if not isinstance(rows, list):
        raise UnansweredError("no balances in the answer")
    return {
        text(row, "coin"): (
            number(text(row, "walletBalance")) or ZERO,
            number(row.get("transferBalance")) or ZERO,
        )
        for row in distinct(rows, "coin")
    }


def order_state(row: JsonObject) -> FoundState:
    """Translate the venue's order status."""
    status = text(row, "orderStatus")
    if status in ("New", "Untriggered", "Created", "Triggered", "PartiallyFilled"):
        return "partial" if number(row.get("cumExecQty")) else "open"
    if status == "Filled":
        return "filled"
    if status in ("Cancelled", "PartiallyFilledCanceled", "Rejected", "Deactivated"):
        return "cancelled"
    raise VenueError(f"order status {status} is not known")
