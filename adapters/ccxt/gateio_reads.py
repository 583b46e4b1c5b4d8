"""Gate v4: balances, positions and lists of the futures and spot wallets in our terms.

Sources: the venue's pages "Get futures account", "List all positions of a user", "List futures
orders", "List spot trading accounts" (API v4; models FuturesAccount, Position, FuturesOrder).
`gateio_waiting` reads orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import distinct, listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.listing import READINGS, by_name
from allocator.adapters.ccxt.pairs import check_sign, netted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError

PAGE = 100
PAGES = 50
OVERLAP = 10
"""Rows that a page of orders shares with the one before; so many may end between both."""

IDENTITY = Decimal("0.000001")
SETTLES = {"usdm": "usdt", "coinm": "btc"}
KINDS = {"usdm": "linear", "coinm": "inverse"}
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


def net_positions(place: Place, rows: list[JsonObject]) -> dict[str, Decimal]:
    """Add positions up by instrument, legs to their difference; pairs without any are left out."""
    return netted(
        (instrument_of(place, row), signed(row)) for row in rows if number(text(row, "size"))
    )
