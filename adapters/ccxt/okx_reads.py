"""OKX v5: how pages are read, and positions, orders and wallets in the allocator's terms.

Every number is a string and what is absent is an empty one. Sources: the venue's pages "Get
balance" (trading and funding), "Get positions", "Order List", and the pagination of each list.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import distinct
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.pairs import check_sign, netted
from allocator.adapters.ccxt.place import Place, client_id_of, reduces, sided, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import FoundState

PAGES, PAGE_ROWS = 50, 100
IDENTITY = Decimal("0.000001")
KINDS = {"SPOT": "spot", "SWAP": "contract", "FUTURES": "contract"}
STATES: Mapping[str, FoundState] = {
    "live": "open",
    "partially_filled": "partial",
    "filled": "filled",
    "canceled": "cancelled",
    "mmp_canceled": "cancelled",
}


def rows(reply: JsonObject) -> list[JsonObject]:
    """Take the rows out of the envelope.

    Raises
    ------
    UnansweredError
        When it holds none.
    """
    found = reply.get("data")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UnansweredError("the envelope has no data")
    return found


def only(reply: JsonObject) -> JsonObject:
    """Take the one row out of the envelope.

    Raises
    ------
    UnansweredError
        When there is none, or more.
    """
    found = rows(reply)
    if len(found) != 1:
        raise UnansweredError(f"{len(found)} rows where one is expected")
    return found[0]


async def pages(
    login: Login, endpoint: str, params: Mapping[str, object], mark: str = "ordId"
) -> list[JsonObject]:
    """Read every page of a list, older and older by the last row's mark.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    found = list[JsonObject]()
    after: dict[str, str] = {}
    for _ in range(PAGES):
        asked = {**params, "limit": str(PAGE_ROWS), **after}
        page = rows(await login.call(endpoint, asked))
        found.extend(page)
        if len(page) < PAGE_ROWS:
            return found
        after = {"after": text(page[-1], mark)}
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


def kind_of(market: JsonObject) -> str:
    """Name the venue's instrument type of a ccxt market."""
    return "SPOT" if market["spot"] else "SWAP" if market["swap"] else "FUTURES"


def instrument_of(place: Place, row: JsonObject) -> str:
    """Name the instrument of a row.

    Raises
    ------
    VenueError
        For an option, a margin position, or a market that is not known: nothing stands for it.
    """
    kind, market_id = text(row, "instType"), text(row, "instId")
    found = place.instrument(market_id, KINDS[kind]) if kind in KINDS else None
    if found is None:
        raise VenueError(f"{kind} {market_id} is in the account and not represented here")
    return found


@exactly
def size_of(market: JsonObject) -> Decimal:
    """Tell what a contract stands for: value times multiplier, base units (inverse: quote)."""
    info: JsonObject = market["info"]
    value = number(text(info, "ctVal")) or ZERO
    return value * (number(info.get("ctMult")) or ONE)


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every position that is not flat, of every kind; the venue gives them in one page.

    The profit of a perpetual is told from its average price; that of a dated contract may be from
    its last settlement, and says nothing of the sign of its size.

    Raises
    ------
    VenueError
        When the profit of a perpetual says the other side.
    """
    reply = await place.login.call("private_get_account_positions", {})
    held = [row for row in rows(reply) if number(text(row, "pos"))]
    for row in held:
        if row.get("instType") == "SWAP":
            told = {
                "entry": number(row.get("avgPx")),
                "mark": number(row.get("markPx")),
                "profit": number(row.get("upl")),
            }
            check_sign(text(row, "instId"), signed(row), told, None)
    return held


async def standing_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book; `okx_waiting` reads those that wait."""
    found = await pages(place.login, "private_get_trade_orders_pending", {})
    return tuple(_open_order(place, row) for row in found)


@exactly
def _open_order(place: Place, row: JsonObject) -> SeenOrder:
    whole = number(text(row, "sz")) or ZERO
    side = sided(row, "side", "buy", "sell")
    return SeenOrder(
        instrument=instrument_of(place, row),
        side=side,
        quantity=whole - (number(row.get("accFillSz")) or ZERO),
        price=number(row.get("px")) or None,
        reduce_only=reduces(row, "posSide", side, told=str(row.get("reduceOnly")) == "true"),
        client_id=client_id_of(row, "clOrdId"),
    )


def signed(row: JsonObject) -> Decimal:
    """Read the signed size of a position: in long/short mode a short one is told unsigned."""
    size = number(text(row, "pos")) or ZERO
    return -abs(size) if row.get("posSide") == "short" else size


def net_positions(place: Place, found: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, the two legs of long/short mode to their difference."""
    return netted((instrument_of(place, row), signed(row)) for row in found)


async def trading_account(place: Place) -> JsonObject:
    """Read the trading account."""
    return only(await place.login.call("private_get_account_balance", {}))


def details(whole: JsonObject) -> list[JsonObject]:
    """Take the currencies out of the trading account.

    Raises
    ------
    UnansweredError
        When it has none.
    """
    found = whole.get("details")
    if not isinstance(found, list):
        raise UnansweredError("no currencies in the answer")
    return distinct(found, "ccy")


@exactly
def wallet(coin: JsonObject) -> Decimal:
    """Read what an account holds of a currency, without unrealised profit, net of what is owed.

    Cash, and what isolated positions have set aside (their equity less their profit). Equity that
    trading bots run is in the venue's equity and not in ours.

    Raises
    ------
    VenueError
        When these do not add up to the equity in the same answer: then something is in it that is
        not understood.
    """
    equity = number(text(coin, "eq")) or ZERO
    cash = number(text(coin, "cashBal")) or ZERO
    profit, apart = number(coin.get("upl")) or ZERO, number(coin.get("isoUpl")) or ZERO
    aside = (number(coin.get("isoEq")) or ZERO) - apart
    bots = number(coin.get("stgyEq")) or ZERO
    owed = number(coin.get("liab")) or ZERO
    tolerance = IDENTITY * max(ONE, abs(equity))
    for units in (cash + aside, cash + aside - owed):
        for told in (profit, profit + apart):
            if abs(units + told + bots - equity) <= tolerance:
                return units
    raise VenueError(
        f"EQUITY_IDENTITY: {coin.get('ccy')} cash={cash} aside={aside} owed={owed} "
        f"unrealised={profit} equity={equity}"
    )


async def funding_account(place: Place) -> dict[str, tuple[Decimal, Decimal]]:
    """Read the funding account: units and units free to leave, by currency."""
    found = distinct(rows(await place.login.call("private_get_asset_balances", {})), "ccy")
    return {
        text(row, "ccy"): (
            number(text(row, "bal")) or ZERO,
            number(row.get("availBal")) or ZERO,
        )
        for row in found
    }


def order_state(row: JsonObject) -> FoundState:
    """Translate the venue's order state."""
    state = text(row, "state")
    if state not in STATES:
        raise VenueError(f"order state {state} is not known")
    return STATES[state]
