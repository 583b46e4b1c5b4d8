"""Binance: its three hosts, and positions, orders and wallets in the allocator's terms.

Sources: the venue's pages Account Information V3, Position Information V3, Current All Open
Orders (USD-M); Account Information, Position Information (COIN-M); Account Information (spot);
`binance_waiting` names those of orders that wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt import binance_books, binance_waiting
from allocator.adapters.ccxt.answers import distinct, rows
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.pairs import check_sign, netted
from allocator.adapters.ccxt.place import Place, client_id_of, flag, reduces, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, together
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import FoundState

HOSTS = {"spot": "private", "usdm": "fapiprivate", "coinm": "dapiprivate"}
KINDS = {"spot": "spot", "usdm": "linear", "coinm": "inverse"}
WALLET_OF = {kind: wallet for wallet, kind in KINDS.items()}
SIDES = {"usdm": "um", "coinm": "cm"}
"""Names of the wallets' services for portfolio margin."""

IDENTITY = Decimal("0.000001")

STATES: dict[str, FoundState] = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "partial",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "cancelled",
    "EXPIRED_IN_MATCH": "cancelled",
    "REJECTED": "cancelled",
}


def wallet_of(market: JsonObject) -> str:
    """Name the wallet that a ccxt market is traded from."""
    if market["spot"]:
        return "spot"
    return "usdm" if market["linear"] else "coinm"


def path_of(place: Place, market: JsonObject, verb: str, name: str) -> str:
    """Name ccxt's function for a request about a market, at the service the account trades by.

    Raises
    ------
    NotSentError
        When the account does not trade the market: nothing is asked.
    """
    wallet, own = wallet_of(market), place.config.wallet
    if own == "unified" and wallet in SIDES:
        return f"papi_{verb}_{SIDES[wallet]}_{name}"
    if own != wallet:
        raise NotSentError(f"{market['symbol']} is not traded from {place.account}")
    return f"{HOSTS[wallet]}_{verb}_{name}"


def size_of(market: JsonObject) -> Decimal:
    """Tell what a contract stands for: a unit, or the dollars that COIN-M states of each.

    Raises
    ------
    VenueError
        When they are not told: the client's word for that is one dollar.
    """
    return number(text(market["info"], "contractSize")) or ZERO if market["inverse"] else ONE


async def spot_balances(place: Place) -> dict[str, tuple[Decimal, Decimal]]:
    """Read the spot wallet: all units and free units by coin."""
    reply = await place.login.call("private_get_account", {"omitZeroBalances": "true"})
    found = distinct(rows(reply, "balances"), "asset")
    return {text(row, "asset"): _spot_balance(row) for row in found}


@exactly
def _spot_balance(row: JsonObject) -> tuple[Decimal, Decimal]:
    free = number(text(row, "free")) or ZERO
    return free + (number(text(row, "locked")) or ZERO), free


async def futures_assets(place: Place) -> list[JsonObject]:
    """Read the assets of a futures wallet that hold anything, their figures checked."""
    wallet = place.config.wallet
    endpoint = "fapiprivatev3_get_account" if wallet == "usdm" else "dapiprivate_get_account"
    found = distinct(rows(await place.login.call(endpoint, {}), "assets"), "asset")
    for row in found:
        check_identity(row)
    return [row for row in found if _is_used(row)]


def _is_used(row: JsonObject) -> bool:
    keys = ("walletBalance", "unrealizedProfit", "initialMargin")
    return any(number(row.get(key)) for key in keys)


@exactly
def check_identity(row: JsonObject) -> None:
    """Hold margin balance against wallet and unrealised profit of the same answer.

    Raises
    ------
    VenueError
        When they do not add up, or one is not told.
    """
    wallet = number(text(row, "walletBalance")) or ZERO
    profit = number(text(row, "unrealizedProfit")) or ZERO
    margin = number(text(row, "marginBalance")) or ZERO
    if abs(wallet + profit - margin) > IDENTITY * max(ONE, abs(margin)):
        raise VenueError(
            f"EQUITY_IDENTITY: {row.get('asset')} wallet={wallet} unrealised={profit} "
            f"margin={margin}"
        )


async def wallets(place: Place) -> dict[str, Decimal]:
    """Read units by coin, without unrealised profit."""
    if place.config.wallet == "spot":
        return {coin: units for coin, (units, _) in (await spot_balances(place)).items()}
    found = await futures_assets(place)
    return {text(row, "asset"): number(text(row, "walletBalance")) or ZERO for row in found}


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every leg that is not flat."""
    wallet = place.config.wallet
    if wallet == "spot":
        return []
    usdm = wallet == "usdm"
    endpoint = "fapiprivatev3_get_positionrisk" if usdm else "dapiprivate_get_positionrisk"
    found = rows(await place.login.call(endpoint, {}))
    held = [row for row in found if number(text(row, "positionAmt"))]
    for row in held:
        check_side(row)
    return held


def check_side(row: JsonObject) -> None:
    """Hold the sign of a leg's amount against its side, its profit and (USD-M) its notional.

    The page "Position Information V3" shows a short leg with amount and notional below zero; of
    COIN-M's notional no page tells a sign.

    Raises
    ------
    VenueError
        When they disagree.
    """
    name, amount = text(row, "symbol"), number(text(row, "positionAmt")) or ZERO
    side = text(row, "positionSide")
    if amount and side != "BOTH" and (amount > 0) != (side == "LONG"):
        raise VenueError(f"EQUITY_IDENTITY: {name} size={amount} of its {side} leg")
    told = {
        "entry": number(row.get("entryPrice")),
        "mark": number(row.get("markPrice")),
        "profit": number(row.get("unRealizedProfit")),
    }
    check_sign(name, amount, told, number(row.get("notional")))


def instrument_id(place: Place, row: JsonObject) -> str:
    """Name the instrument of a row; an unknown market is none of them."""
    return place.named(text(row, "symbol"), KINDS[place.config.wallet])


def net_positions(place: Place, legs: list[JsonObject]) -> dict[str, Decimal]:
    """Add legs up by instrument; a short leg's amount is negative already."""
    return netted(
        (instrument_id(place, row), number(text(row, "positionAmt")) or ZERO) for row in legs
    )


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book of the wallet's host, or waits there for a trigger.

    Those of the spot wallet that wait are among those that stand.
    """
    wallet = place.config.wallet
    stands, named = f"{HOSTS[wallet]}_get_openorders", partial(instrument_id, place)
    if wallet in binance_waiting.ALGO:
        waiting, found = await binance_books.in_books(place, stands, named)
        return standing(place, found, waiting)
    return standing(place, [(row, named(row)) for row in rows(await place.login.call(stands, {}))])


def standing(
    place: Place, told: Sequence[tuple[JsonObject, str]], waiting: Sequence[Waiting] = ()
) -> tuple[SeenOrder, ...]:
    """Describe orders by their instruments; one that closes all has no size, and is a note.

    What waits was read before those that stand: one that has fired since is told once.
    """
    ids = {(name, text(row, "orderId")) for row, name in told}
    waits = binance_waiting.still_waiting(waiting, ids)
    closing = [f"{text(row, 'orderId')} of {name}" for row, name in told if _closes_all(row)]
    sized = [open_order(row, name) for row, name in told if not _closes_all(row)]
    return together(place, sized, waits, closing)


def _closes_all(row: JsonObject) -> bool:
    return flag(row, "closePosition")


@exactly
def open_order(row: JsonObject, name: str) -> SeenOrder:
    """Describe an order that stands in the book of an instrument."""
    whole = number(text(row, "origQty")) or ZERO
    side = sided(row, "side", "BUY", "SELL")
    return SeenOrder(
        instrument=name,
        side=side,
        quantity=whole - (number(row.get("executedQty")) or ZERO),
        price=number(row.get("price")) or None,
        reduce_only=reduces(row, "positionSide", side, told=flag(row, "reduceOnly")),
        client_id=client_id_of(row, "clientOrderId"),
    )


def order_state(row: JsonObject) -> FoundState:
    """Translate the venue's order status."""
    status = text(row, "status")
    if status not in STATES:
        raise VenueError(f"order status {status} is not known")
    return STATES[status]
