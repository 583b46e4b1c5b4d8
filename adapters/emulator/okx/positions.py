"""Positions and the leverage they are margined by."""

from decimal import Decimal

from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.account import KEY, RIGHT
from allocator.adapters.emulator.okx.host import TRADE, row
from allocator.adapters.emulator.okx.words import (
    amount,
    figure,
    instrument_named,
    required,
    setting,
    wrong,
)
from allocator.adapters.emulator.records import ZERO, Leg, Leverage, Side
from allocator.adapters.emulator.wire import Call, Json, plain

MARGIN_MODES = ("cross", "isolated")
MOST_NAMES = 20
UNUSED = """
    availPos baseBal baseBorrowed baseInterest bePx bizRefId bizRefType clSpotInUseAmt deltaBS
    deltaPA gammaBS gammaPA hedgedPos interest liab liabCcy liqPx maxSpotInUseAmt nonSettleAvgPx
    optVal pendingCloseOrdLiabVal posCcy quoteBal quoteBorrowed quoteInterest settledPnl
    spotInUseAmt spotInUseCcy thetaBS thetaPA tradeId vegaBS vegaPA
    """
"""Keys of a position that a contract of a margin account leaves empty."""
CLOSES: frozenset[tuple[Leg, Side]] = frozenset({("long", "sell"), ("short", "buy")})


def positions(call: Call) -> Json:
    """Return positions that are not flat, newest first; the legs of long/short mode apart."""
    kind = call.text("instType")
    names = [name for name in call.text("instId").split(",") if name]
    rows = [
        margin.held(call.exchange, instrument, position)
        for instrument, position in call.exchange.positions(call.user)
        if kind in {"", instrument.market} and (not names or instrument.symbol in names)
    ]
    rows.sort(key=lambda h: h.position.created_ms, reverse=True)
    return [_position(call, h) for h in rows]


def leverage_info(call: Call) -> Json:
    """Return the leverage selected for up to twenty contracts: of both legs in long/short mode."""
    mode = _margin_mode(call)
    names = required(call, "instId").split(",")
    if len(names) > MOST_NAMES:
        raise wrong("instId")
    legs = ("long", "short") if setting(call.exchange, call.user, "hedge") else ("net",)
    return [
        {
            "ccy": "",
            "instId": name,
            "mgnMode": mode,
            "posSide": leg,
            "lever": plain(call.exchange.leverage(call.user, _contract(call, name))),
        }
        for name in names
        for leg in legs
    ]


def set_leverage(call: Call) -> Json:
    """Select the leverage of a contract, for both legs of cross margin."""
    mode = _margin_mode(call)
    instrument = _contract(call, required(call, "instId"))
    lever = amount(call, "lever")
    if lever < 1:
        raise VenueError(
            59105, "Leverage can't be less than 1. Please increase the leverage.", status=400
        )
    if lever > instrument.tiers[0].max_leverage:
        raise VenueError(59102, "Leverage exceeds the maximum limit. Please lower the leverage.")
    _check_held(call, instrument, lever)
    call.exchange.ledger.leverages.put(Leverage(call.user, instrument.id, lever))
    return [
        {
            "lever": plain(lever),
            "mgnMode": mode,
            "instId": instrument.symbol,
            "posSide": call.text("posSide"),
        }
    ]


def _margin_mode(call: Call) -> str:
    mode = required(call, "mgnMode")
    if mode not in MARGIN_MODES:
        raise wrong("mgnMode")
    return mode


def _contract(call: Call, name: str) -> Instrument:
    instrument = instrument_named(call.exchange, name)
    if instrument.payoff == "spot":
        raise wrong("instId")
    return instrument


def _check_held(call: Call, instrument: Instrument, lever: Decimal) -> None:
    """Refuse a leverage that what is held outgrows, or that the account has no margin for."""
    mine = [
        margin.held(call.exchange, i, p)
        for i, p in call.exchange.positions(call.user)
        if i.id == instrument.id
    ]
    if any(abs(h.position.quantity) > margin.most_contracts(instrument, lever) for h in mine):
        raise VenueError(59102, "Leverage exceeds the maximum limit. Please lower the leverage.")
    more = sum((h.value / lever - h.initial for h in mine if not h.isolated), ZERO)
    state = margin.account(call.exchange, call.user)
    usd = call.exchange.ledger.coin_usd(instrument.settle)
    row = state.coin(instrument.settle)
    room = state.available / usd if state.level == margin.MULTI else row.free if row else ZERO
    if more > 0 and more > room:
        raise VenueError(
            59109,
            "Account equity less than the required margin amount after adjustment. "
            "Please adjust the leverage.",
        )


def _position(call: Call, held: margin.Held) -> Json:
    instrument, position = held.instrument, held.position
    usd = call.exchange.ledger.coin_usd(instrument.settle)
    quantity = position.quantity if position.leg == "net" else abs(position.quantity)
    base = held.aside if held.isolated else held.initial
    mark = plain(held.mark)
    empty: dict[str, Json] = dict.fromkeys(UNUSED.split(), "")
    return empty | {
        "adl": "1",
        "avgPx": figure(position.entry),
        "cTime": str(position.created_ms),
        "ccy": instrument.settle,
        "closeOrderAlgo": [],
        "fee": "0",
        "fundingFee": "0",
        "idxPx": plain(call.exchange.quote(instrument).index),
        "imr": "" if held.isolated else figure(held.initial),
        "instId": instrument.symbol,
        "instType": instrument.market,
        "last": mark,
        "lever": plain(held.leverage),
        "liqPenalty": "0",
        "margin": plain(held.aside) if held.isolated else "",
        "markPx": mark,
        "mgnMode": "isolated" if held.isolated else "cross",
        "mgnRatio": figure((base + held.profit) / held.maintenance) if held.maintenance else "",
        "mmr": figure(held.maintenance),
        "notionalUsd": figure(held.value * usd),
        "pnl": figure(position.realised),
        "pos": plain(quantity),
        "posId": str(3_000_000_000 + position.created_ms % 1_000_000_000),
        "posSide": position.leg,
        "realizedPnl": figure(position.realised),
        "uTime": str(position.updated_ms),
        "upl": figure(held.profit),
        "uplLastPx": figure(held.profit),
        "uplRatio": figure(held.profit / base) if base else "",
        "uplRatioLastPx": figure(held.profit / base) if base else "",
        "usdPx": plain(usd),
    }


ENDPOINTS = (
    row("GET account/positions", positions, "trading-account-rest-api-get-positions",
        "one contract", "long and short legs", *KEY, limit="10/2s user"),
    row("GET account/leverage-info", leverage_info, "trading-account-rest-api-get-leverage",
        "long and short legs", "mgnMode wrong, spot: 51000", *KEY, limit="20/2s user"),
    row("POST account/set-leverage", set_leverage, "trading-account-rest-api-set-leverage",
        "below one: 59105", "above the tier: 59102", "margin short: 59109", RIGHT, *KEY,
        limit="20/2s user", needs=TRADE),
)  # fmt: skip
