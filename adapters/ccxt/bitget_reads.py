"""Bitget v2: balances, positions and orders of the USDT futures and spot wallets in our terms.

A contract is one unit of the base coin. The wallets of coin- and USDC-margined futures are not
read, and a user who has more than dust in one of them is refused: nobody would count it, and
neither positions nor orders are without money there. Sources: the venue's pages
contract/account/Get-Account-List, contract/account/Get-Single-Account,
contract/position/get-all-position, contract/trade/Get-Orders-Pending, contract/trade/Place-Order
(what a side means with two legs), spot/account/Get-Account-Assets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import distinct, listed, single
from allocator.adapters.ccxt.dust import Leftover
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.pairs import netted
from allocator.adapters.ccxt.place import Place, client_id_of, sided, text, unsigned
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder, Side
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

PRODUCT, COIN = "USDT-FUTURES", "USDT"
FUTURES = {"productType": PRODUCT}
UNREAD = ("COIN-FUTURES", "USDC-FUTURES")
FREE = ("accountEquity", "available")
BOUND = ("locked", "unrealizedPL", "coupon", "grant", "crossedMargin", "isolatedMargin")
"""What a futures wallet that has nothing, and owes nothing, tells as zero or leaves empty."""

PAGE = 100
PAGES = 50

rows_of = partial(listed, key="data")
row_of = partial(single, key="data")


async def pages(
    login: Login,
    endpoint: str,
    params: Mapping[str, object],
    key: str = "entrustedList",
    *,
    kept_s: float | None = None,
) -> list[JsonObject]:
    """Read every page of a list of orders, or of their fills; an empty one is written as null.

    Parameters
    ----------
    kept_s
        How long answers are kept; None: they are asked for anew.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    ask = login.call if kept_s is None else partial(login.kept, age_s=kept_s)
    rows = list[JsonObject]()
    before: dict[str, object] = {}
    for _ in range(PAGES):
        page = row_of(await ask(endpoint, {**params, "limit": PAGE, **before}), endpoint)
        if key not in page:
            raise UnansweredError(f"{endpoint}: no {key}")
        found: list[JsonObject] = page[key] or []
        rows.extend(found)
        if len(found) < PAGE:
            return rows
        before = {"idLessThan": text(page, "endId")}
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def futures_account(place: Place) -> JsonObject:
    """Read the futures wallet's USDT.

    Raises
    ------
    VenueError
        When there is none.
    """
    reply = await place.login.call("private_mix_get_v2_mix_account_accounts", FUTURES)
    rows = distinct(rows_of(reply, "accounts"), "marginCoin")
    found: JsonObject | None = next(
        (row for row in rows if str(row.get("marginCoin")).upper() == COIN), None
    )
    if found is None:
        raise UnansweredError(f"no {COIN} in the answer")
    return found


async def elsewhere(place: Place) -> list[Leftover]:
    """Look for money in the wallets of the futures that are not read.

    Raises
    ------
    VenueError
        When one does not tell.
    """
    endpoint = "private_mix_get_v2_mix_account_accounts"
    found = await asyncio.gather(
        *(place.login.call(endpoint, {"productType": kind}) for kind in UNREAD)
    )
    told = [
        _leftover(row, kind)
        for kind, reply in zip(UNREAD, found, strict=True)
        for row in rows_of(reply, kind)
    ]
    return [row for row in told if row.bound or row.units]


def _leftover(row: JsonObject, kind: str) -> Leftover:
    units, coin = text(row, "accountEquity"), text(row, "marginCoin")
    free = (number(row.get(key)) or ZERO for key in FREE)
    return Leftover(
        asset=coin,
        units=max(abs(figure) for figure in free),
        words=f"{units} {coin} of {kind}",
        bound=any(number(row.get(key)) for key in BOUND),
        dollars=number(row.get("usdtEquity")),
    )


@exactly
def wallet(row: JsonObject, rows: list[JsonObject]) -> Decimal:
    """Read what the futures wallet holds without unrealised profit.

    Raises
    ------
    VenueError
        When a bonus is in it, which margins positions but is not money.
    """
    for name in ("coupon", "grant"):
        if number(row.get(name)):
            raise VenueError(f"a bonus ({name}) of {row[name]} is not modelled")
    return (number(text(row, "accountEquity")) or ZERO) - unrealised(row, rows)


def unrealised(row: JsonObject, rows: list[JsonObject]) -> Decimal:
    """Read unrealised profit, which the venue leaves empty where there is no position."""
    told = number(row.get("unrealizedPL"))
    if told is None and rows:
        raise VenueError("the account tells no unrealised profit of its positions")
    return told or ZERO


async def spot_rows(place: Place) -> list[JsonObject]:
    """Read the spot wallet.

    Raises
    ------
    VenueError
        When something is frozen or locked: an order may stand that this adapter does not read.
    """
    reply = await place.login.call("private_spot_get_v2_spot_account_assets", {})
    rows = distinct(rows_of(reply, "assets"), "coin")
    held = [text(r, "coin") for r in rows if number(text(r, "frozen")) or number(text(r, "locked"))]
    if held:
        raise VenueError(f"spot orders are not read, and {', '.join(held)} is locked")
    return rows


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every position that is not flat: one row a leg."""
    asked = {**FUTURES, "marginCoin": COIN}
    reply = await place.login.call("private_mix_get_v2_mix_position_all_position", asked)
    return [row for row in rows_of(reply, "positions") if number(text(row, "total"))]


def signed(row: JsonObject) -> Decimal:
    """Read the signed size of a position by its side."""
    side, size = text(row, "holdSide"), unsigned(row, "total")
    if side not in {"long", "short"}:
        raise VenueError(f"position side {side} is not known")
    return size if side == "long" else -size


def instrument_of(place: Place, row: JsonObject) -> str:
    """Name the instrument of a row; an unknown market is none of them."""
    return place.named(text(row, "symbol").upper(), "linear")


def net_positions(place: Place, rows: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, legs to their difference."""
    return netted((instrument_of(place, row), signed(row)) for row in rows)


async def standing_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book; `bitget_waiting` reads those that wait."""
    rows = await pages(place.login, "private_mix_get_v2_mix_order_orders_pending", FUTURES)
    return tuple(_open_order(place, row) for row in rows)


def traded(row: JsonObject) -> Side:
    """Tell what an order trades: of two legs its ``side`` names the leg, whatever it does with it.

    Raises
    ------
    VenueError
        When the answer does not tell.
    """
    if not of_legs(row):
        return sided(row, "side", "buy", "sell")
    leg = text(row, "posSide")
    if leg not in {"long", "short"}:
        raise VenueError(f"posSide {leg} is not known")
    return "buy" if (leg == "long") == (not closes(row)) else "sell"


def of_legs(row: JsonObject) -> bool:
    """Tell whether an order is of an account with long and short legs.

    Raises
    ------
    VenueError
        When the answer does not tell.
    """
    mode = text(row, "posMode")
    if mode not in {"one_way_mode", "hedge_mode"}:
        raise VenueError(f"posMode {mode} is not known")
    return mode == "hedge_mode"


def closes(row: JsonObject) -> bool:
    """Tell whether an order closes the leg that it names; one without legs does not.

    Raises
    ------
    VenueError
        When it has legs, and neither opens nor closes one.
    """
    if not of_legs(row):
        return False
    does = text(row, "tradeSide")
    if does != "open" and "close" not in does:
        raise VenueError(f"tradeSide {does} is not known")
    return does != "open"


@exactly
def _open_order(place: Place, row: JsonObject) -> SeenOrder:
    left = (number(text(row, "size")) or ZERO) - (number(row.get("baseVolume")) or ZERO)
    return SeenOrder(
        instrument=instrument_of(place, row),
        side=traded(row),
        quantity=left,
        price=number(row.get("price")) or None,
        reduce_only=closes(row) or str(row.get("reduceOnly")).upper() == "YES",
        client_id=client_id_of(row, "clientOid"),
    )
