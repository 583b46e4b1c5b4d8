"""Deribit v2: envelopes, pages, and positions, orders and money in the allocator's terms.

Sources: docs.deribit.com/api-reference, private-get_account_summaries, private-get_positions,
private-get_open_orders, private-get_order_state_by_label, private-get_transaction_log.

Amounts of the venue are USD for inverse contracts and base units for everything else; contracts
are amounts over the contract size.

What an account owns of a currency: ``equity = balance + futures_session_upl +
futures_session_rpl + options_value``. A premium leaves the balance when it is paid, so that the
session figures of options are in `options_value` already; the profit of futures comes into the
balance at 08:00 UTC only. Here a wallet is the balance, what futures realised in the session, and
what the options held cost: then a fill moves it by fees and realised profit, as everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from allocator.adapters.ccxt.answers import distinct, rows
from allocator.adapters.ccxt.failures import RefusalError, UnansweredError
from allocator.adapters.ccxt.pairs import DRIFT
from allocator.adapters.ccxt.place import Place, client_id_of, flag, sided, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import FoundState

PAGE = 1000
PAGES = 50
IDENTITY = Decimal("0.0000001")
OPTION_DRIFT = Decimal("0.02")
"""Part of what options are worth by which two reads may tell it apart: `DRIFT` of the underlying,
and an option that moves by four times as much in percent, as one near the money months out does."""

LOCKED = "security_key_authorization_required"


def result(reply: JsonObject) -> Any:
    """Take the result out of the envelope.

    Raises
    ------
    RefusalError
        When the venue wants a security key first; nothing was done.
    UnansweredError
        When it holds none.
    """
    found = reply.get("result")
    asked = found if isinstance(found, dict) and LOCKED in found else reply
    if asked.get(LOCKED):
        raise RefusalError(LOCKED, "the key needs no security key for what it does")
    if found is None:
        raise UnansweredError("the envelope has no result")
    return found


async def ask(login: Login, endpoint: str, params: Mapping[str, object] | None = None) -> Any:
    """Ask an endpoint that reads and return its result."""
    return result(await login.call(endpoint, params or {}))


async def counted(
    login: Login, endpoint: str, params: Mapping[str, object], key: str | None = "data"
) -> list[JsonObject]:
    """Read every page of a list that is paged by count and offset, newest first.

    What is added in front while paging shows twice, and nothing is missed.

    Parameters
    ----------
    key
        Where the list is in the result; None: it is the result.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    found = list[JsonObject]()
    for _ in range(PAGES):
        page = await ask(login, endpoint, {**params, "count": PAGE, "offset": len(found)})
        data = rows(page, key)
        found.extend(data)
        if len(data) < PAGE:
            return found
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


async def continued(
    login: Login, endpoint: str, params: Mapping[str, object], key: str
) -> list[JsonObject]:
    """Read every page of a list that is paged by a continuation token.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    found, token = list[JsonObject](), ""
    for _ in range(PAGES):
        asked = {**params, "continuation": token} if token else params
        page = await ask(login, endpoint, asked)
        found.extend(rows(page, key))
        token = str(page.get("continuation") or "")
        if not token:
            return found
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


def market_of(place: Place, name: str) -> tuple[str, JsonObject]:
    """Look up instrument id and ccxt market of a venue's instrument.

    Raises
    ------
    VenueError
        When it is not known: a combo, or listed since markets were loaded.
    """
    for kind in ("contract", "spot"):
        instrument = place.instrument(name, kind)
        if instrument is not None and place.market(instrument)["id"] == name:
            return instrument, place.market(instrument)
    raise VenueError(f"a row of an unknown market: {name}")


def currency_of(market: JsonObject) -> str:
    """Name the currency that the venue lists a market under: of spot the quote."""
    return str(market["settle"] or market["quote"])


def size_of(market: JsonObject) -> Decimal:
    """Read how many of the venue's units a contract has; one for spot."""
    return ONE if market["spot"] else number(text(market["info"], "contract_size")) or ONE


@exactly
def units(market: JsonObject, contracts: Decimal) -> Decimal:
    """Turn contracts into the venue's amount."""
    return contracts * size_of(market)


@exactly
def contracts(market: JsonObject, amount: Decimal) -> Decimal:
    """Turn the venue's amount into contracts."""
    return amount / size_of(market)


def written(value: Mapping[str, object] | list[Mapping[str, object]]) -> str:
    """Write a parameter that is JSON itself."""
    return json.dumps(value, separators=(",", ":"))


async def summaries(place: Place) -> list[JsonObject]:
    """Read the summary of every currency, each with its figures checked."""
    reply = await ask(place.login, "private_get_get_account_summaries")
    found = distinct(rows(reply, "summaries"), "currency")
    for row in found:
        check_equity(row)
    return found


@exactly
def check_equity(row: JsonObject) -> None:
    """Hold equity against what it is made of, in the same answer.

    Raises
    ------
    VenueError
        When they do not add up: then something is in it that is not understood.
    """
    keys = ("balance", "futures_session_upl", "futures_session_rpl", "options_value")
    parts = {key: number(row.get(key)) or ZERO for key in keys}
    equity = number(text(row, "equity")) or ZERO
    # Every figure is rounded to eight places (stablecoins to six).
    if abs(sum(parts.values()) - equity) > IDENTITY * max(Decimal(40), abs(equity)):
        told = " ".join(f"{key}={value}" for key, value in parts.items())
        raise VenueError(f"EQUITY_IDENTITY: {row.get('currency')} {told} equity={equity}")


async def position_rows(place: Place) -> list[JsonObject]:
    """Read every position that is not flat, of all currencies and kinds."""
    found = rows(await ask(place.login, "private_get_get_positions", {"currency": "any"}))
    return [row for row in found if number(text(row, "size")) and row.get("kind") != "spot"]


@exactly
def signed(market: JsonObject, row: JsonObject) -> Decimal:
    """Read the signed contracts of a position; the size of a linear future is in `size_currency`.

    The side is told apart, whatever sign the size has.
    """
    linear_future = market["linear"] and not market["option"]
    size = abs(number(text(row, "size_currency" if linear_future else "size")) or ZERO)
    return contracts(market, size if sided(row, "direction", "buy", "sell") == "buy" else -size)


@exactly
def unrealised(market: JsonObject, row: JsonObject) -> Decimal:
    """Read what a position has gained beyond the wallet: of a future in this session alone."""
    if not market["option"]:
        return number(text(row, "floating_profit_loss")) or ZERO
    gain = (number(text(row, "mark_price")) or ZERO) - (number(text(row, "average_price")) or ZERO)
    return units(market, signed(market, row)) * gain


@exactly
def wallets(
    place: Place, found: list[JsonObject], positions: list[JsonObject]
) -> dict[str, Decimal]:
    """Work out units by currency, without unrealised profit (see the module's text)."""
    held = {
        text(row, "currency"): (number(text(row, "balance")) or ZERO)
        + (number(row.get("futures_session_rpl")) or ZERO)
        for row in found
    }
    for row in positions:
        _, market = market_of(place, text(row, "instrument_name"))
        if market["option"]:
            cost = units(market, signed(market, row)) * (number(text(row, "average_price")) or ZERO)
            held[str(market["settle"])] = held.get(str(market["settle"]), ZERO) + cost
    return held


@exactly
def check_positions(place: Place, found: list[JsonObject], positions: list[JsonObject]) -> None:
    """Hold the positions read against the summaries.

    Raises
    ------
    VenueError
        When the session profit of futures, or the value of options, differs by more than prices
        may have moved in between.
    """
    sums, worth = dict[tuple[str, str], Decimal](), dict[tuple[str, str], Decimal]()
    for row in positions:
        _, market = market_of(place, text(row, "instrument_name"))
        mark = number(text(row, "mark_price")) or ZERO
        if market["option"]:
            key, amount = "options_value", units(market, signed(market, row)) * mark
            size = abs(amount)
        else:
            key, amount = "futures_session_upl", unrealised(market, row)
            size = abs(number(text(row, "size_currency")) or ZERO)
            size = size if market["inverse"] else size * mark
        name = (str(market["settle"]), key)
        sums[name] = sums.get(name, ZERO) + amount
        worth[name] = worth.get(name, ZERO) + size
    for row in found:
        for key in ("futures_session_upl", "options_value"):
            name = (text(row, "currency"), key)
            told, mine = number(row.get(key)) or ZERO, sums.get(name, ZERO)
            drift = OPTION_DRIFT if key == "options_value" else DRIFT
            if abs(told - mine) > drift * worth.get(name, ZERO) + IDENTITY:
                raise VenueError(f"EQUITY_IDENTITY: {name[0]} {key}={told} positions={mine}")


@exactly
def net_positions(place: Place, positions: list[JsonObject]) -> dict[str, Decimal]:
    """Read signed contracts by instrument."""
    held = dict[str, Decimal]()
    for row in positions:
        instrument, market = market_of(place, text(row, "instrument_name"))
        held[instrument] = signed(market, row)
    return held


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book or waits for a trigger."""
    found = rows(await ask(place.login, "private_get_get_open_orders"))
    return tuple(_open_order(place, row) for row in found)


@exactly
def _open_order(place: Place, row: JsonObject) -> SeenOrder:
    instrument, market = market_of(place, text(row, "instrument_name"))
    left = (number(text(row, "amount")) or ZERO) - (number(row.get("filled_amount")) or ZERO)
    price = row.get("price")
    return SeenOrder(
        instrument=instrument,
        side=sided(row, "direction", "buy", "sell"),
        quantity=contracts(market, left),
        price=None if price == "market_price" else number(price) or None,
        reduce_only=flag(row, "reduce_only"),
        waits=row.get("order_state") == "untriggered",
        client_id=client_id_of(row, "label"),
    )


def order_state(row: JsonObject) -> FoundState:
    """Translate the venue's order state.

    Raises
    ------
    VenueError
        For a word that is not known.
    """
    state = text(row, "order_state")
    if state in ("open", "untriggered"):
        return "partial" if number(row.get("filled_amount")) else "open"
    if state == "filled":
        return "filled"
    if state in ("cancelled", "rejected"):
        return "cancelled"
    raise VenueError(f"order state {state} is not known")
