"""Deribit v2: an account as a snapshot has it: one margin pool of all its currencies.

Sources: docs.deribit.com/api-reference, private-get_account_summaries, private-get_positions,
private-get_open_orders; support.deribit.com 25944811317149 (margin models), 25944777203869 (cross
collateral).

Segregated (S:SM): each currency margins what settles in it, in full. Cross collateral (X:SM): all
currencies of the pool margin everything, after haircuts that the venue does not tell through its
API; they are configured (``assets.<A>.haircut``), and an asset without one is no collateral. The
haircut counts for initial margin at the venue, here for maintenance as well.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.deribit_margin import check, long_tiers
from allocator.adapters.ccxt.deribit_markets import prices_of
from allocator.adapters.ccxt.deribit_reads import (
    ask,
    check_positions,
    market_of,
    net_positions,
    open_orders,
    position_rows,
    signed,
    summaries,
    unrealised,
    wallets,
)
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.models.account import Account, Balance, FeeRates, Fees, Margin, Position
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

MODES = {"segregated_sm": False, "cross_sm": True}
"""Margin models that are read: whether currencies margin one another."""


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named.

    Wallets need positions: what options cost is in them.
    """
    at = datetime.now(UTC)
    found, positions, orders = await asyncio.gather(
        summaries(place), position_rows(place), open_orders(place), return_exceptions=True
    )
    missing = [
        f"{name}: {part}"
        for name, part in (("wallets", found), ("positions", positions), ("open orders", orders))
        if isinstance(part, BaseException)
    ]
    held = [] if isinstance(positions, BaseException) else positions
    units = dict[str, Decimal]()
    if not isinstance(found, BaseException) and not isinstance(positions, BaseException):
        units = wallets(place, found, positions)
    return AccountReading(
        account=place.account,
        at=at,
        complete=not missing,
        missing=tuple(missing),
        wallets=units,
        positions=net_positions(place, held),
        open_orders=() if isinstance(orders, BaseException) else orders,
    )


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the margin model is not modelled, or figures do not add up.
    """
    found, positions, orders = await asyncio.gather(
        summaries(place), position_rows(place), open_orders(place)
    )
    cross = _is_cross(found)
    check_positions(place, found, positions)
    held = _positions(place, positions)
    units = wallets(place, found, positions)
    free = {text(row, "currency"): _withdrawable(row) for row in found}
    used = {coin: amount for coin, amount in units.items() if amount or free.get(coin)}
    return Account(
        **who(place),
        fees=_fees(place),
        margin=Margin(asset_mode="multi" if cross else "single"),
        balances={
            # A premium that was received may leave, and is no part of the wallet.
            coin: Balance(wallet=amount, withdrawable=min(free.get(coin, ZERO), max(ZERO, amount)))
            for coin, amount in used.items()
        },
        collateral=await _outside(place) if cross else _whole(found),
        positions=held,
        spot=tuple(name for name, market in _mine(place).items() if market["spot"]),
        open_orders=orders,
    )


def _is_cross(found: list[JsonObject]) -> bool:
    """Read the one margin model of all currencies.

    Raises
    ------
    VenueError
        For portfolio margin, an unknown model, or figures that contradict each other.
    """
    models = {text(row, "margin_model") for row in found}
    if not models:
        raise UnansweredError("no currency in the answer")
    if len(models) > 1 or not models <= MODES.keys():
        raise VenueError(f"margin model {', '.join(sorted(models))} is not read by this adapter")
    cross = MODES[models.pop()]
    if any(row.get("cross_collateral_enabled") is not cross for row in found):
        raise VenueError("margin model and cross_collateral_enabled contradict each other")
    return cross


def _withdrawable(row: JsonObject) -> Decimal:
    """Read what may leave; profits of the session are not in it, at the venue as here."""
    return max(ZERO, number(text(row, "available_withdrawal_funds")) or ZERO)


def _mine(place: Place) -> dict[str, JsonObject]:
    """Look up the configured instruments."""
    return {
        f"{place.venue}:{symbol}": place.login.market(symbol) for symbol in place.config.instruments
    }


def _positions(place: Place, positions: list[JsonObject]) -> dict[str, Position]:
    """Describe what is held and what is configured; the venue's own margin is held against ours."""
    mine = _mine(place)
    found = {name: Position(quantity=ZERO) for name, row in mine.items() if row["contract"]}
    for row in positions:
        name, market = market_of(place, text(row, "instrument_name"))
        prices = prices_of(row, number(text(row, "mark_price")) or ZERO)
        check(market, row, prices)
        quantity = signed(market, row)
        only_held = market["option"] and quantity > 0 and name not in mine
        found[name] = Position(
            quantity=quantity,
            tiers=long_tiers(market, prices) if only_held else (),
            entry_price=number(text(row, "average_price")) or None,
            unrealised=unrealised(market, row),
            tradable=name in mine,
        )
    return found


def _fees(place: Place) -> Fees:
    """Read the public rates of configured instruments: a discount only makes them less.

    They are fractions of the underlying's notional for options as well.
    """
    by = dict[str, FeeRates]()
    for name, market in _mine(place).items():
        info: JsonObject = market["info"]
        by[name] = FeeRates(
            maker=number(info.get("maker_commission")),
            taker=number(text(info, "taker_commission")),
        )
    takers = [row.taker for row in by.values() if row.taker is not None]
    if not takers:
        rates = (
            number(row["info"].get("taker_commission"))
            for row in place.login.client.markets.values()
        )
        takers = [rate for rate in rates if rate is not None]
    if not takers:
        raise UnansweredError("no fee rates in the answer")
    return Fees(taker=max(takers), by=by)


def _whole(found: list[JsonObject]) -> dict[str, tuple[CollateralTier, ...]]:
    """Count every currency in full: it margins itself alone."""
    return {text(row, "currency"): (CollateralTier(upto=None, ratio=ONE),) for row in found}


async def _outside(place: Place) -> dict[str, tuple[CollateralTier, ...]]:
    """Count currencies outside the pool for nothing; those inside have configured haircuts."""
    listed = rows(await ask(place.login, "public_get_get_currencies"))
    nothing = CollateralTier(upto=None, ratio=ZERO)
    return {
        text(row, "currency"): (nothing,)
        for row in listed
        if row.get("in_cross_collateral_pool") is not True
    }
