"""Gate v4: a futures wallet (classic account), or the spot wallet, as a snapshot has it.

Each settle currency is a margin pool of its own, and margin is marginal by risk-limit tiers. A
unified account, and one whose margin is not tiered, are refused: they are not modelled.

Sources: the venue's pages "Get user account information", "Get futures account", "List all
positions of a user", "Query futures market trading fee rates", "Transfer between trading accounts".
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from allocator.adapters.ccxt.gateio_reads import (
    IDENTITY,
    futures_account,
    instrument_of,
    net_positions,
    position_rows,
    settle,
    signed,
    spot_rows,
    wallet,
)
from allocator.adapters.ccxt.gateio_waiting import open_orders
from allocator.adapters.ccxt.pairs import DRIFT, Held, check_unrealised, flat_pair, pair_of
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import holding, reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import (
    Account,
    Balance,
    FeeRates,
    Fees,
    Margin,
    Position,
    SeenOrder,
)
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

CLASSIC = "1"


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return {text(r, "currency"): number(text(r, "available")) or ZERO
                for r in await spot_rows(place)}  # fmt: skip
    row = await futures_account(place)
    return {text(row, "currency"): wallet(row)}


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "spot":
        return {}
    return net_positions(place, await position_rows(place))


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet == "spot" else await open_orders(place)


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the account's mode is not modelled, or the figures do not add up.
    """
    if place.config.wallet == "spot":
        return await _spot(place)
    detail, whole, rows, orders, fees = await asyncio.gather(
        place.login.call("private_account_get_detail", {}),
        futures_account(place),
        position_rows(place),
        open_orders(place),
        _fees(place),
    )
    check_mode(detail, whole)
    check_identity(whole, rows)
    coin = text(whole, "currency")
    return Account(
        **who(place),
        fees=fees,
        margin=Margin(model="tiered", asset_mode="single"),
        balances={coin: Balance(wallet=wallet(whole), withdrawable=withdrawable(whole))},
        collateral={coin: (CollateralTier(upto=None, ratio=ONE),)},
        positions=_positions(place, rows, hedge=_hedge(whole)),
        open_orders=orders,
    )


async def _spot(place: Place) -> Account:
    detail, held = await asyncio.gather(
        place.login.call("private_account_get_detail", {}), _wallets(place)
    )
    _check_classic(detail)
    return holding(place, held)


def _check_classic(detail: JsonObject) -> None:
    key = detail.get("key")
    mode = text(key, "mode") if isinstance(key, dict) else "not told"
    if mode != CLASSIC:
        raise VenueError(f"account mode {mode} is not read by this adapter: only classic (1)")


def check_mode(detail: JsonObject, whole: JsonObject) -> None:
    """Refuse an account whose margin is computed in a way that is not modelled.

    Raises
    ------
    VenueError
        For a unified account, portfolio margin, or margin that is not tiered.
    """
    _check_classic(detail)
    if str(whole.get("margin_mode") or 0) != "0" or whole.get("enable_credit"):
        raise VenueError("a unified account's margin is not read by this adapter")
    if whole.get("enable_tiered_mm") is not True:
        raise VenueError("maintenance margin that is not tiered is not read by this adapter")


def _hedge(whole: JsonObject) -> bool:
    """Tell whether pairs have legs; `position_mode` is newer than `in_dual_mode`."""
    return str(whole.get("position_mode") or "single") != "single" or bool(
        whole.get("in_dual_mode")
    )


@exactly
def withdrawable(whole: JsonObject) -> Decimal:
    """Tell what may leave: what is available, and no profit that is not realised."""
    figures = [number(text(whole, "available")) or ZERO, number(text(whole, "total")) or ZERO]
    if whole.get("enable_evolved_classic"):
        figures.append(number(text(whole, "cross_available")) or ZERO)
    return max(ZERO, min(figures))


async def _fees(place: Place) -> Fees:
    """Read fee rates by contract; the highest taker fee stands for what is not listed."""
    reply = await place.login.call("private_futures_get_settle_fee", {"settle": settle(place)})
    rates = dict[str, FeeRates]()
    for name in place.config.instruments:
        market = place.login.market(name)
        row = reply.get(market["id"]) if isinstance(reply, dict) else None
        if isinstance(row, dict):
            rates[f"{place.venue}:{name}"] = FeeRates(
                maker=number(text(row, "maker_fee")), taker=number(text(row, "taker_fee"))
            )
    told = reply.values() if isinstance(reply, dict) else ()
    takers = [number(text(row, "taker_fee")) or ZERO for row in told]
    if not takers:
        raise VenueError("no fee rates in the answer")
    return Fees(taker=max(takers), by=rates)


def _positions(place: Place, rows: list[JsonObject], *, hedge: bool) -> dict[str, Position]:
    mine = {f"{place.venue}:{symbol}" for symbol in place.config.instruments}
    pairs = dict[str, list[JsonObject]]()
    for row in rows:
        held = bool(number(text(row, "size")))
        if held or place.instrument(text(row, "contract"), _kind(place)) in mine:
            pairs.setdefault(instrument_of(place, row), []).append(row)
    found = {name: _position(name, pair, tradable=name in mine) for name, pair in pairs.items()}
    flat = flat_pair(None, one_way=not hedge, isolated=False)
    return {name: flat for name in sorted(mine - found.keys())} | found


def _kind(place: Place) -> str:
    return "linear" if place.config.wallet == "usdm" else "inverse"


def is_isolated(row: JsonObject) -> bool:
    """Tell whether a pair's margin stands apart: by its mode, else by a leverage of its own."""
    mode = str(row.get("pos_margin_mode") or "")
    return mode == "isolated" if mode else bool(number(text(row, "leverage")))


def _leverage(row: JsonObject) -> Decimal | None:
    own = row.get("leverage") if is_isolated(row) else row.get("cross_leverage_limit")
    return number(row.get("lever")) or number(own) or None


def _position(name: str, pair: list[JsonObject], *, tradable: bool) -> Position:
    one_way = all(text(row, "mode") == "single" for row in pair) and len(pair) == 1
    held = [row for row in pair if number(text(row, "size"))] or pair
    return pair_of(name, [_held(row) for row in held], one_way=one_way, tradable=tradable)


def _held(row: JsonObject) -> Held:
    return Held(
        quantity=signed(row),
        entry=number(row.get("entry_price")),
        unrealised=number(text(row, "unrealised_pnl")) or ZERO,
        apart=(number(text(row, "margin")) or ZERO) if is_isolated(row) else None,
        leverage=_leverage(row),
    )


def _sum(rows: list[JsonObject], key: str) -> Decimal:
    return sum((number(text(row, key)) or ZERO for row in rows), ZERO)


@exactly
def check_identity(whole: JsonObject, rows: list[JsonObject]) -> None:
    """Hold the positions read against the account's own figures.

    Raises
    ------
    VenueError
        When the account carries position margin but no position was read, or unrealised profit
        differs by more than prices may have moved in between.
    """
    held = [row for row in rows if number(text(row, "size"))]
    told, found = number(text(whole, "unrealised_pnl")) or ZERO, _sum(held, "unrealised_pnl")
    if not held and number(whole.get("position_margin")):
        raise VenueError("EQUITY_IDENTITY: the account has position margin, and no position")
    allowed = DRIFT * _sum(held, "value") + IDENTITY
    check_unrealised(text(whole, "currency"), told, found, allowed)
