"""Kraken Futures: balances, positions and orders of the multi-collateral wallet in our terms.

The wallet ``flex`` (``unified``) margins linear contracts, of which one is a base unit and which
settle in USD; the cash wallet (``funding``) only holds. Single-collateral contracts belong to
wallets of their own, which are not read: a position or an order there is exposure that nobody would
count, so an account of a user who has one is refused.

Sources: the venue's pages "Get wallets", "Get open positions", "Get open orders" (`cliOrdId`, it
says, is told only where there is one).
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import distinct
from allocator.adapters.ccxt.answers import rows as listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.kraken_orders import id_of_uuid
from allocator.adapters.ccxt.place import Place, client_id_of, flag, sided, text, unsigned
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

FLEX = "flex"
WALLETS = {"unified": FLEX, "funding": "cash"}
HELD = "assets of the multi-collateral wallet"
"""What a login's note of the assets that its multi-collateral wallet lists is called."""

FLEXIBLE = "flexible_futures"
RESTING = frozenset({"lmt", "post"})
TRIGGERS = frozenset({"stp", "stop", "take_profit", "trailing_stop"})
"""Kinds of order that stand in a book, and that wait for a price outside it."""


async def wallet_of(place: Place) -> JsonObject:
    """Read the account's own wallet.

    Raises
    ------
    VenueError
        When it is not modelled, or not there.
    """
    reply = await place.login.call("private_get_accounts", {})
    wallets = reply.get("accounts") if isinstance(reply, dict) else None
    found = wallets.get(WALLETS[place.config.wallet]) if isinstance(wallets, dict) else None
    if not isinstance(found, dict):
        raise UnansweredError(f"no wallet {WALLETS[place.config.wallet]}")
    whole = wallets.get(FLEX) if isinstance(wallets, dict) else None
    listed_there = whole.get("currencies") if isinstance(whole, dict) else None
    names = listed_there if isinstance(listed_there, dict) else ()
    place.login.noted[HELD] = " ".join(asset(place, name) for name in names)
    return found


def holds(place: Place, name: str) -> bool:
    """Tell whether a wallet takes an asset: the multi-collateral one what it was read to list."""
    wallet = place.config.wallet
    return wallet == "funding" or name in place.login.noted.get(HELD, "").split()


def asset(place: Place, name: str) -> str:
    """Name an asset as everybody does: the venue's XBT is BTC."""
    return str(place.login.client.safe_currency_code(name.upper()))


@exactly
def held(place: Place, wallet: JsonObject) -> dict[str, Decimal]:
    """Read units by asset, without unrealised profit; what is owed is negative.

    Raises
    ------
    VenueError
        When two of the venue's names are of one asset.
    """
    if place.config.wallet == "funding":
        rows = {name: {"quantity": units} for name, units in dict(wallet["balances"]).items()}
    else:
        rows = dict(wallet["currencies"])
    named = [{**row, "asset": asset(place, name)} for name, row in rows.items()]
    return {
        text(row, "asset"): number(text(row, "quantity")) or ZERO
        for row in distinct(named, "asset")
    }


def instrument_of(place: Place, row: JsonObject) -> str | None:
    """Name the instrument of a row; None: it is of a wallet that is not read.

    Raises
    ------
    VenueError
        When it is not among the markets.
    """
    name = text(row, "symbol").upper()
    rows = place.login.client.markets_by_id.get(name, [])
    if not rows:
        raise VenueError(f"an unknown market: {row.get('symbol')}")
    if rows[0]["info"].get("type") != FLEXIBLE:
        return None
    return f"{place.venue}:{rows[0]['symbol']}"


def _counted(place: Place, row: JsonObject, what: str) -> str:
    """Name the instrument of a position or an order.

    Raises
    ------
    VenueError
        When it is of a single-collateral wallet: none of them is read.
    """
    name = instrument_of(place, row)
    if name is None:
        symbol = text(row, "symbol").upper()
        raise VenueError(f"UNREAD_WALLET: {what} in {symbol}, a single-collateral contract")
    return name


async def position_rows(place: Place) -> dict[str, JsonObject]:
    """Read every position of the wallet by instrument.

    Raises
    ------
    VenueError
        When one instrument has two: the venue has no hedge mode; or one is of another wallet.
    """
    reply = await place.login.call("private_get_openpositions", {})
    found = dict[str, JsonObject]()
    for row in listed(reply, "openPositions"):
        if not number(text(row, "size")):
            continue
        name = _counted(place, row, "a position")
        if name in found:
            raise VenueError(f"two positions in {name}")
        found[name] = row
    return found


def signed(row: JsonObject) -> Decimal:
    """Read the signed size of a position by its side."""
    side, size = text(row, "side"), unsigned(row, "size")
    if side not in {"long", "short"}:
        raise VenueError(f"position side {side} is not known")
    return size if side == "long" else -size


async def order_rows(place: Place) -> list[JsonObject]:
    """Read every open order of the user."""
    return listed(await place.login.call("private_get_openorders", {}), "openOrders")


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book, or waits for a price: one answer lists both."""
    stands, waits = list[JsonObject](), list[JsonObject]()
    for row in await order_rows(place):
        kind = one_of(row, "orderType", RESTING | TRIGGERS)
        (stands if kind in RESTING else waits).append(row)
    standing = [_open_order(_counted(place, row, "an order"), row) for row in stands]
    return together(place, standing, each(waits, "order_id", partial(_waiting, place)))


def _waiting(place: Place, row: JsonObject) -> Waiting:
    """Read an order that waits; without a limit it fires at market."""
    return Waiting(
        id=text(row, "order_id"),
        instrument=_counted(place, row, "an order"),
        side=sided(row, "side", "buy", "sell"),
        quantity=sized(row, "unfilledSize"),
        price=number(row.get("limitPrice")) or None,
        reduce_only=flag(row, "reduceOnly"),
    )


def _open_order(name: str, row: JsonObject) -> SeenOrder:
    return SeenOrder(
        instrument=name,
        side=sided(row, "side", "buy", "sell"),
        quantity=number(text(row, "unfilledSize")) or ZERO,
        price=number(row.get("limitPrice")) or None,
        reduce_only=flag(row, "reduceOnly"),
        client_id=client_id_of(row, "cliOrdId", id_of_uuid),
    )
