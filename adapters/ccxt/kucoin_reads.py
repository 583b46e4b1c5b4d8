"""KuCoin Futures: balances, positions and orders of a user in our terms.

The futures wallet read is the one settled in USDT (``usdm``); the main wallet (``funding``) and the
spot trading wallet (``spot``) only hold. Sources: the venue's pages "Get Account - Futures",
"Get Account List - Spot", "Get Position List", "Get Order List".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import listed, single
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.place import Place, flag, sided, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import OpenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

COIN = "USDT"
HOLDS = {"funding": "main", "spot": "trade"}
PAGE = 50
PAGES = 100

rows_of = partial(listed, key="data")
data_of = partial(single, key="data")


async def pages(login: Login, endpoint: str, params: Mapping[str, object]) -> list[JsonObject]:
    """Read every page of a list.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    rows = list[JsonObject]()
    for page in range(1, PAGES + 1):
        asked = {**params, "currentPage": page, "pageSize": PAGE}
        found = data_of(await login.call(endpoint, asked), endpoint)
        items = found.get("items")
        if not isinstance(items, list):
            raise UnansweredError(f"{endpoint}: no items")
        rows.extend(items)
        if page >= int(text(found, "totalPage")):
            return rows
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def futures_account(place: Place) -> JsonObject:
    """Read the futures wallet settled in USDT.

    Raises
    ------
    VenueError
        When there is none, or the wallet is not modelled.
    """
    if place.config.wallet != "usdm":
        kinds = ", ".join(("usdm", *HOLDS))
        raise VenueError(f"wallet {place.config.wallet} of KuCoin is not read: {kinds} are")
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

    Raises
    ------
    VenueError
        When something is held back: an order may stand that this adapter does not read.
    """
    asked = {"type": HOLDS[place.config.wallet]}
    rows = rows_of(await place.login.call("private_get_accounts", asked), "accounts")
    kept = [text(row, "currency") for row in rows if number(text(row, "holds"))]
    if kept:
        raise VenueError(f"spot orders are not read, and {', '.join(kept)} is held back")
    return {text(row, "currency"): number(text(row, "balance")) or ZERO for row in rows}


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every position that is not flat: one row a leg."""
    endpoint = "futuresprivate_get_positions"
    rows = rows_of(await place.login.call(endpoint, {"currency": COIN}), "positions")
    return [row for row in rows if number(text(row, "currentQty"))]


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


@exactly
def net_positions(place: Place, rows: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, legs to their difference."""
    net = dict[str, Decimal]()
    for row in rows:
        name = instrument_of(place, row)
        net[name] = net.get(name, ZERO) + signed(row)
    return net


async def open_orders(place: Place) -> tuple[OpenOrder, ...]:
    """Read every order that stands in a book; stop orders do not, and are not read."""
    asked = {"status": "active"}
    rows = await pages(place.login, "futuresprivate_get_orders", asked)
    return tuple(_open_order(place, row) for row in rows if text(row, "settleCurrency") == COIN)


@exactly
def _open_order(place: Place, row: JsonObject) -> OpenOrder:
    left = (number(text(row, "size")) or ZERO) - (number(row.get("filledSize")) or ZERO)
    return OpenOrder(
        instrument=instrument_of(place, row),
        side=sided(row, "side", "buy", "sell"),
        quantity=left,
        price=number(row.get("price")) or None,
        reduce_only=flag(row, "reduceOnly") or flag(row, "closeOrder"),
    )
