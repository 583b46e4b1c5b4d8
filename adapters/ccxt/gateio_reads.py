"""Gate v4: balances, positions and orders of the futures and spot wallets in our terms.

Sources: the venue's pages "Get futures account", "List all positions of a user", "List futures
orders", "Query auto order list", "List spot trading accounts" (API v4; models FuturesAccount,
Position, FuturesOrder, FuturesPriceTriggeredOrder, FuturesInitialOrder), "Get trail order list"
(models TrailOrderListResponse and TrailOrder of the venue's own clients; an independent client
finds the envelope of CreateTrailOrderResponse around the list, and both are read).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import distinct, listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.listing import READINGS, agreed, by_name
from allocator.adapters.ccxt.pairs import check_sign
from allocator.adapters.ccxt.place import Place, flag, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, together
from allocator.adapters.exact import exactly
from allocator.models.account import OpenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError

PAGE = 100
PAGES = 50
OVERLAP = 10
"""Rows that a page of orders shares with the one before; so many may end between both."""

IDENTITY = Decimal("0.000001")
SETTLES = {"usdm": "usdt", "coinm": "btc"}
KINDS = {"usdm": "linear", "coinm": "inverse"}
AUTO_STATES = frozenset({"open", "inactive"})
"""States in which an order waits: for a price, or first for the order whose position it closes.

The list can be asked for by the first word alone; an order in the other state adds nothing.
"""

AUTO_KINDS = frozenset(
    f"{plan}close-{leg}-{what}"
    for leg in ("long", "short")
    for plan, what in (("", "order"), ("", "position"), ("plan-", "position"))
)
TRAILS = "private_futures_get_settle_autoorder_v1_trail_list"
LEGS = frozenset({"close_long", "close_short"})
CLOSES = ("close", "is_close")
REDUCES = ("reduce_only", "is_reduce_only")
"""Flags of an order that waits, as it was asked for and as it is."""

FLOWS = ("dnw", "pnl", "fee", "refr", "fund")


def settle(place: Place) -> str:
    """Name the settle currency of a futures wallet, as the venue's paths have it."""
    return SETTLES[place.config.wallet]


async def pages(login: Login, endpoint: str, params: Mapping[str, object]) -> list[JsonObject]:
    """Read every page of a list that loses no rows.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    rows = list[JsonObject]()
    for page in range(PAGES):
        asked = {**params, "limit": PAGE, "offset": page * PAGE}
        found = listed(await login.call(endpoint, asked), endpoint)
        rows.extend(found)
        if len(found) < PAGE:
            return rows
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def standing_rows(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> list[JsonObject]:
    """Read every page of a list of orders that may end meanwhile, each with rows of the one before.

    Raises
    ------
    VenueError
        When a page fails, there is no end to them, or they do not join.
    """
    for _ in range(READINGS):
        found = await _joined(login, endpoint, params)
        if found is not None:
            return found
    raise UnansweredError(f"{endpoint}: its pages did not join in {READINGS} readings")


async def _joined(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> list[JsonObject] | None:
    """Read every page of a list; None: one begins behind the end of the one before."""
    rows = dict[str, JsonObject]()
    for page in range(PAGES):
        asked = {**params, "limit": PAGE, "offset": page * (PAGE - OVERLAP)}
        found = listed(await login.call(endpoint, asked), endpoint)
        told = by_name(found, "id")
        if page and next(iter(told), None) not in rows:
            return None
        rows |= told
        if len(found) < PAGE:
            return list(rows.values())
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def trails(login: Login, settled: str) -> list[JsonObject]:
    """Read every page of the orders that trail a price.

    No page says how many one of them may hold: the last is the one that tells nothing new, and any
    may have been full.

    Raises
    ------
    VenueError
        When a page fails, there is no end to them, or they do not hold still.
    """
    return await agreed(TRAILS, partial(_trail_pages, login, settled), "id")


async def _trail_pages(login: Login, settled: str) -> tuple[list[JsonObject], bool]:
    """Read every page of what trails, and tell whether there is nothing."""
    rows = dict[str, JsonObject]()
    for page in range(1, PAGES + 1):
        asked = {"settle": settled, "is_finished": "false", "page_num": page, "page_size": PAGE}
        told = by_name(_trails(await login.call(TRAILS, asked)), "id")
        if told.keys() <= rows.keys():
            return list(rows.values()), not rows
        rows |= told
    raise VenueError(f"{TRAILS}: more than {PAGES} pages")


def _trails(reply: object) -> list[JsonObject]:
    """Take a page out of its envelope, or of none; without any order the list may be left out.

    Raises
    ------
    UnansweredError
        When the answer is an error, or something else.
    """
    told = reply
    if isinstance(reply, dict) and "code" in reply:
        if str(reply["code"]) != "0":
            raise UnansweredError(f"{TRAILS}: {reply['code']} {reply.get('message')}")
        told = reply.get("data") or {}
    if isinstance(told, dict) and "label" not in told and told.get("orders") is None:
        return []
    return listed(told, TRAILS, "orders")


async def futures_account(place: Place) -> JsonObject:
    """Read a futures wallet."""
    reply = await place.login.call("private_futures_get_settle_accounts", {"settle": settle(place)})
    if not isinstance(reply, dict):
        raise UnansweredError("no futures account in the answer")
    return reply


@exactly
def wallet(row: JsonObject) -> Decimal:
    """Read what a futures wallet holds without unrealised profit.

    The venue defines its total as the sum of deposits and withdrawals, realised profit, fees,
    rebates and funding, which the same answer lists.

    Raises
    ------
    VenueError
        When they do not add up, or a bonus is in it, which margins positions but is not money.
    """
    total = number(text(row, "total")) or ZERO
    if number(row.get("bonus")):
        raise VenueError(f"a bonus of {row['bonus']} {row.get('currency')} is not modelled")
    history = row.get("history")
    if not isinstance(history, dict):
        raise VenueError("the answer has no history")
    flows = sum((number(text(history, name)) or ZERO for name in FLOWS), ZERO)
    if abs(total - flows) > IDENTITY * max(ONE, abs(total)):
        raise VenueError(f"EQUITY_IDENTITY: {row.get('currency')} total={total} history={flows}")
    return total


async def spot_rows(place: Place) -> list[JsonObject]:
    """Read the spot wallet.

    Raises
    ------
    VenueError
        When something is locked: an order may stand that this adapter does not read.
    """
    reply = await place.login.call("private_spot_get_accounts", {})
    rows = distinct(listed(reply, "spot accounts"), "currency")
    locked = [text(row, "currency") for row in rows if number(text(row, "locked"))]
    if locked:
        raise VenueError(f"spot orders are not read, and {', '.join(locked)} is locked")
    return rows


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every pair, flat ones too: they tell leverage and margin mode.

    Raises
    ------
    VenueError
        When the profit of one says the other side.
    """
    asked = {"settle": settle(place)}
    found = await pages(place.login, "private_futures_get_settle_positions", asked)
    for row in found:
        told = {
            "entry": number(row.get("entry_price")),
            "mark": number(row.get("mark_price")),
            "profit": number(row.get("unrealised_pnl")),
        }
        check_sign(text(row, "contract"), signed(row), told, None)
    return found


def signed(row: JsonObject) -> Decimal:
    """Read the signed contracts of a row: by its sign in one-way mode, else by its leg."""
    size = number(text(row, "size")) or ZERO
    legs = {"dual_long": abs(size), "dual_short": -abs(size), "single": size}
    mode = text(row, "mode")
    if mode not in legs:
        raise VenueError(f"position mode {mode} is not known")
    return legs[mode]


def instrument_of(place: Place, row: JsonObject) -> str:
    """Name the instrument of a row; an unknown market is none of them."""
    return place.named(text(row, "contract"), KINDS[place.config.wallet])


@exactly
def net_positions(place: Place, rows: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, legs to their difference; pairs without any are left out."""
    held = dict[str, Decimal]()
    for row in rows:
        if number(text(row, "size")):
            name = instrument_of(place, row)
            held[name] = held.get(name, ZERO) + signed(row)
    return held


async def open_orders(place: Place) -> tuple[OpenOrder, ...]:
    """Read every order that stands in a book, waits for a price, or trails one."""
    asked = {"settle": settle(place), "status": "open"}
    told = await standing_rows(place.login, "private_futures_get_settle_price_orders", asked)
    trailing = await trails(place.login, settle(place))
    rows = await standing_rows(place.login, "private_futures_get_settle_orders", asked)
    waiting = [
        *each(told, "id", partial(_waiting, place)),
        *each(trailing, "id", partial(_trailing, place)),
    ]
    whole = [row for row in rows if _closes_all(row)]
    closing = [f"{text(row, 'id')} of {instrument_of(place, row)}" for row in whole]
    standing = [_open_order(place, row) for row in rows if not _closes_all(row)]
    return together(place, standing, waiting, closing)


def _waiting(place: Place, row: JsonObject) -> Waiting:
    """Read an order that waits; the sign of its size is its side, and one that closes all has none.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    initial = row.get("initial")
    if not isinstance(initial, dict):
        raise VenueError("the answer has no initial")
    one_of(row, "status", AUTO_STATES)
    size, closes = number(text(initial, "size")) or ZERO, _closes(row, initial)
    if not size and not closes:
        raise VenueError("an order without a size, which closes nothing")
    return Waiting(
        id=text(row, "id"),
        instrument=instrument_of(place, initial),
        side=None if not size else "buy" if size > 0 else "sell",
        quantity=abs(size) or None,
        price=number(initial.get("price")) or None,
        reduce_only=not size or any([flag(initial, key) for key in REDUCES]),
    )


def _trailing(place: Place, row: JsonObject) -> Waiting:
    """Read an order that trails a price; it fires at market, and its sign is its side.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    one_of(row, "status", {"open"})
    size = number(text(row, "amount")) or ZERO
    whole = not size and flag(row, "position_related")
    if not size and not whole:
        raise VenueError("an order without a size, which closes nothing")
    return Waiting(
        id=text(row, "id"),
        instrument=instrument_of(place, row),
        side=None if whole else "buy" if size > 0 else "sell",
        quantity=abs(size) or None,
        price=None,
        reduce_only=whole or flag(row, "reduce_only"),
    )


def _closes(row: JsonObject, initial: JsonObject) -> bool:
    """Tell whether an order says that it closes: without a size, whatever there is then.

    Raises
    ------
    VenueError
        When it says so, or anything else, in words that are not known.
    """
    kind = row.get("order_type") and one_of(row, "order_type", AUTO_KINDS)
    leg = initial.get("auto_size") and one_of(initial, "auto_size", LEGS)
    return bool(kind or leg) or any([flag(initial, key) for key in CLOSES])


def _closes_all(row: JsonObject) -> bool:
    """Tell whether an order that stands closes all of a position: it has no size of its own."""
    return not number(text(row, "left")) and any([flag(row, key) for key in CLOSES])


def _open_order(place: Place, row: JsonObject) -> OpenOrder:
    left = number(text(row, "left")) or ZERO
    if not left:
        raise VenueError(f"an open order without a size: {row.get('id')}")
    return OpenOrder(
        instrument=instrument_of(place, row),
        side="buy" if left > 0 else "sell",
        quantity=abs(left),
        price=number(row.get("price")) or None,
        reduce_only=flag(row, "is_reduce_only"),
    )
