"""Binance: the spot, USD-M or COIN-M wallet of a login as an account of a snapshot.

Each wallet is one margin pool (USD-M in single-asset mode and COIN-M: one a coin). Sources: the
venue's pages Account Config, Symbol Config, User Commission Rate, Multi-Assets Mode Asset Index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.binance_brackets import brackets, check_maintenance
from allocator.adapters.ccxt.binance_reads import (
    HOSTS,
    futures_assets,
    instrument_id,
    net_positions,
    open_orders,
    position_rows,
    spot_balances,
    wallet_of,
    wallets,
)
from allocator.adapters.ccxt.pairs import DRIFT, check_legs, check_unrealised
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import (
    Account,
    Balance,
    FeeRates,
    Fees,
    Isolated,
    Legs,
    Margin,
    Position,
)
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

LAST_DIGIT = Decimal("1e-8")
"""To which profits are told: each of those added up may be off by as much."""


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, wallets(place), _net(place), open_orders(place))


async def _net(place: Place) -> dict[str, Decimal]:
    return net_positions(place, await position_rows(place))


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, or the figures do not add up.
    """
    return await (_spot(place) if place.config.wallet == "spot" else _futures(place))


def _mine(place: Place) -> list[JsonObject]:
    """List the configured markets that this wallet trades.

    Raises
    ------
    VenueError
        When one belongs to another wallet: it would silently never be traded.
    """
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    for market in markets:
        if wallet_of(market) != place.config.wallet:
            raise VenueError(
                f"{market['symbol']} is traded from the {wallet_of(market)} wallet, "
                f"not from {place.config.wallet}"
            )
    return markets


def _name(place: Place, market: JsonObject) -> str:
    return f"{place.venue}:{market['symbol']}"


FEES_AGE_S = 3600.0
"""Seconds for which fees are kept: the venue reckons a member's tier once a day."""


async def _each(place: Place, endpoint: str, markets: list[JsonObject]) -> dict[str, JsonObject]:
    """Ask for each market's fees, which weigh much, and return them by instrument."""
    replies: list[JsonObject] = await asyncio.gather(
        *(place.login.kept(endpoint, {"symbol": row["id"]}, FEES_AGE_S) for row in markets)
    )
    return {_name(place, row): reply for row, reply in zip(markets, replies, strict=True)}


async def _spot(place: Place) -> Account:
    markets = _mine(place)
    held, orders, rates = await asyncio.gather(
        spot_balances(place),
        open_orders(place),
        _each(place, "private_get_account_commission", markets),
    )
    fees = {name: _spot_rates(reply) for name, reply in rates.items()}
    return Account(
        **who(place),
        fees=_fees(fees),
        balances={
            coin: Balance(wallet=units, withdrawable=free) for coin, (units, free) in held.items()
        },
        spot=tuple(_name(place, market) for market in markets),
        open_orders=orders,
    )


@exactly
def _spot_rates(reply: JsonObject) -> FeeRates:
    """Add up what a spot order pays: standard, special and tax commission."""
    parts = [reply.get(f"{name}Commission") or {} for name in ("standard", "special", "tax")]
    return FeeRates(
        maker=sum((number(row.get("maker")) or ZERO for row in parts), ZERO),
        taker=sum((number(row.get("taker")) or ZERO for row in parts), ZERO),
    )


def _fees(by: Mapping[str, FeeRates]) -> Fees:
    """Let the highest taker fee stand for what is not listed."""
    takers = [row.taker for row in by.values() if row.taker is not None]
    return Fees(taker=max(takers, default=ZERO), by=by)


async def _futures(place: Place) -> Account:
    markets = _mine(place)
    assets, legs, orders, rates = await asyncio.gather(
        futures_assets(place),
        position_rows(place),
        open_orders(place),
        _each(place, f"{HOSTS[place.config.wallet]}_get_commissionrate", markets),
    )
    terms, mode = await asyncio.gather(_terms(place), _mode(place))
    check_complete(place, assets, legs)
    await _check_margin(place, assets, legs)
    fees = {
        name: FeeRates(
            maker=number(reply.get("makerCommissionRate")),
            taker=number(text(reply, "takerCommissionRate")),
        )
        for name, reply in rates.items()
    }
    return Account(
        **who(place),
        fees=_fees(fees),
        margin=Margin(asset_mode="multi" if mode.multi else "single"),
        balances={
            text(row, "asset"): Balance(
                wallet=number(text(row, "walletBalance")) or ZERO,
                withdrawable=max(ZERO, number(text(row, "maxWithdrawAmount")) or ZERO),
            )
            for row in assets
        },
        collateral=await _collateral(place, multi=mode.multi),
        positions=_positions(place, legs, terms, two_legs=mode.two_legs),
        open_orders=orders,
    )


@dataclass(frozen=True, slots=True)
class _Mode:
    """Whether assets margin one another, and whether long and short legs are kept apart."""

    multi: bool
    two_legs: bool


async def _mode(place: Place) -> _Mode:
    usdm = place.config.wallet == "usdm"
    endpoint = "fapiprivate_get_accountconfig" if usdm else "dapiprivate_get_positionside_dual"
    reply = await place.login.call(endpoint, {})
    multi, two_legs = reply.get("multiAssetsMargin", False), reply.get("dualSidePosition")
    if not isinstance(multi, bool) or not isinstance(two_legs, bool):
        raise VenueError("the answer does not tell the account's mode")
    return _Mode(multi, two_legs)


async def _terms(place: Place) -> dict[str, tuple[Decimal, bool]]:
    """Read leverage, and whether margin is isolated, of every market of the wallet."""
    if place.config.wallet == "usdm":
        found = rows(await place.login.call("fapiprivate_get_symbolconfig", {}))
    else:
        found = rows(await place.login.call("dapiprivate_get_positionrisk", {}))
    return {
        text(row, "symbol"): (
            number(text(row, "leverage")) or ONE,
            text(row, "marginType").upper() == "ISOLATED",
        )
        for row in found
    }


async def _collateral(place: Place, *, multi: bool) -> dict[str, tuple[CollateralTier, ...]]:
    """Count settle assets in full in single-asset mode; else each at its bid buffer."""
    if not multi:
        kind = "linear" if place.config.wallet == "usdm" else "inverse"
        markets = place.login.client.markets.values()
        coins = sorted({str(row["settle"]) for row in markets if row[kind]})
        return {coin: (CollateralTier(upto=None, ratio=ONE),) for coin in coins}
    found = rows(await place.login.shared("fapipublic_get_assetindex", {}))
    return {
        text(row, "symbol").removesuffix("USD"): (
            CollateralTier(upto=None, ratio=_left(number(text(row, "bidBuffer")) or ZERO)),
        )
        for row in found
    }


@exactly
def _left(buffer: Decimal) -> Decimal:
    return max(ZERO, ONE - buffer)


async def _check_margin(place: Place, assets: list[JsonObject], legs: list[JsonObject]) -> None:
    """Hold each asset's maintenance against the brackets of the positions that it margins."""
    held = dict[str, list[tuple[str, Decimal]]]()
    for row in legs:
        market = place.market(instrument_id(place, row))
        size = text(row, "symbol"), _worth(market, row)
        held.setdefault(str(market["settle"]), []).append(size)
    known = await brackets(place, place.config.wallet) if held else {}
    for row in assets:
        check_maintenance(row, held.get(text(row, "asset"), ()), known)


@exactly
def check_complete(place: Place, assets: list[JsonObject], legs: list[JsonObject]) -> None:
    """Hold each asset's margin and unrealised profit against the positions read.

    Raises
    ------
    VenueError
        When an asset carries position margin but no position was read in it, when a position's
        asset is not among them, or when its profit differs by more than prices may have moved.
    """
    profits, worth = dict[str, Decimal](), dict[str, Decimal]()
    for row in legs:
        market = place.market(instrument_id(place, row))
        coin = str(market["settle"])
        profits[coin] = profits.get(coin, ZERO) + (number(text(row, "unRealizedProfit")) or ZERO)
        worth[coin] = worth.get(coin, ZERO) + _worth(market, row)
    told = {text(row, "asset"): row for row in assets}
    for coin, row in told.items():
        if number(row.get("positionInitialMargin")) and coin not in worth:
            raise VenueError(f"EQUITY_IDENTITY: {coin} has position margin, no position")
    for coin in sorted(told.keys() | worth.keys()):
        if coin not in told:
            raise VenueError(f"EQUITY_IDENTITY: a position in {coin}, which the wallet has not")
        gain = number(text(told[coin], "unrealizedProfit")) or ZERO
        allowed = DRIFT * worth.get(coin, ZERO) + LAST_DIGIT * (1 + len(legs))
        check_unrealised(coin, gain, profits.get(coin, ZERO), allowed)


@exactly
def _worth(market: JsonObject, row: JsonObject) -> Decimal:
    """Tell what a leg is worth in its settle asset."""
    mark = number(text(row, "markPrice")) or ZERO
    size = number(text(market, "contractSize")) or ZERO
    units = abs(number(text(row, "positionAmt")) or ZERO) * size
    if not market["inverse"]:
        return units * mark
    if not mark:
        raise VenueError(f"no mark price of {market['symbol']}")
    return units / mark


def _positions(
    place: Place,
    legs: list[JsonObject],
    terms: Mapping[str, tuple[Decimal, bool]],
    *,
    two_legs: bool,
) -> dict[str, Position]:
    tradable = {_name(place, market): str(market["id"]) for market in _mine(place)}
    found = {
        name: _flat(*terms.get(market_id, (None, False)), two_legs=two_legs)
        for name, market_id in tradable.items()
    }
    pairs = dict[str, list[JsonObject]]()
    for row in legs:
        pairs.setdefault(instrument_id(place, row), []).append(row)
    for name, pair in pairs.items():
        leverage, isolated = terms.get(text(pair[0], "symbol"), (None, False))
        found[name] = position_of(pair, leverage, tradable=name in tradable, isolated=isolated)
    return found


def _flat(leverage: Decimal | None, isolated: bool, *, two_legs: bool) -> Position:
    """Describe a pair that is flat: it is traded only in one-way mode and cross margin."""
    return Position(
        quantity=ZERO,
        leverage=leverage,
        tradable=not two_legs,
        legs=Legs() if two_legs else None,
        isolated=Isolated(wallet=ZERO) if isolated else None,
    )


@exactly
def set_aside(row: JsonObject) -> Decimal:
    """Read what an isolated leg has set aside, in its settle asset.

    The page of COIN-M's positions shows no wallet of it, but its margin, which is the wallet and
    the profit not realised.

    Raises
    ------
    VenueError
        When neither is told.
    """
    wallet = number(row.get("isolatedWallet"))
    if wallet is not None:
        return wallet
    margin = number(text(row, "isolatedMargin")) or ZERO
    return margin - (number(text(row, "unRealizedProfit")) or ZERO)


@exactly
def position_of(
    pair: list[JsonObject], leverage: Decimal | None, *, tradable: bool, isolated: bool
) -> Position:
    """Describe a pair; an isolated one's wallet may be below zero after funding: then zero.

    Raises
    ------
    VenueError
        When its legs are not one whole, or a long and a short one.
    """
    check_legs([text(row, "positionSide") for row in pair], "BOTH", ("LONG", "SHORT"))
    apart = [max(ZERO, set_aside(row)) for row in pair] if isolated else []
    separate = Isolated(wallet=sum(apart, ZERO)) if isolated else None
    row = pair[0]
    if text(row, "positionSide") == "BOTH":
        return Position(
            quantity=number(text(row, "positionAmt")),
            entry_price=number(text(row, "entryPrice")),
            leverage=leverage,
            tradable=tradable,
            isolated=separate,
        )
    sizes = {text(leg, "positionSide"): number(text(leg, "positionAmt")) or ZERO for leg in pair}
    return Position(
        legs=Legs(long=abs(sizes.get("LONG", ZERO)), short=abs(sizes.get("SHORT", ZERO))),
        unrealised=sum((number(text(leg, "unRealizedProfit")) or ZERO for leg in pair), ZERO),
        leverage=leverage,
        tradable=False,
        isolated=separate,
    )
