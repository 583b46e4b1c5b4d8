"""Leverage, brackets, fees, position mode and margin type of the futures hosts.

Pages: Notional and Leverage Brackets, Change Initial Leverage, User Commission Rate, Get Current
Position Mode, Change Position Mode, Change Margin Type, Get Current Multi-Assets Mode (USD-M);
Notional Bracket for Symbol and the same pages (COIN-M).
"""

from decimal import Decimal

from allocator.adapters.emulator.binance.margin import dual_setting, holdings, pools
from allocator.adapters.emulator.binance.words import (
    FAPI,
    error,
    instrument_of,
    instruments_of,
    market_of,
    pair,
    required,
    whole,
)
from allocator.adapters.emulator.market import Instrument, leverage_cap
from allocator.adapters.emulator.records import Counter, Leverage
from allocator.adapters.emulator.wire import Call, Json, plain

SUCCESS: dict[str, Json] = {"code": 200, "msg": "success"}


def brackets(call: Call) -> Json:
    """Return the tiers: notional in USDT for USD-M, quantity in the base coin for COIN-M."""
    what = "notional" if call.host == FAPI else "qty"
    return [{"symbol": i.symbol, "brackets": _brackets(i, what)} for i in instruments_of(call)]


def pair_brackets(call: Call) -> Json:
    """Return the COIN-M tiers in the older form, by pair."""
    asked = call.text("pair")
    return [
        {"pair": pair(i), "brackets": _brackets(i, "qty")}
        for i in instruments_of(call)
        if asked in {"", pair(i)}
    ]


def commission(call: Call) -> Json:
    """Return the user's maker and taker rates for a symbol."""
    instrument = instrument_of(call)
    reply: dict[str, Json] = {
        "symbol": instrument.symbol,
        "makerCommissionRate": plain(instrument.maker),
        "takerCommissionRate": plain(instrument.taker),
    }
    if call.host == FAPI:
        reply["rpiCommissionRate"] = plain(instrument.maker)
    return reply


def change_leverage(call: Call) -> Json:
    """Select a leverage.

    Raises
    ------
    VenueError
        -4028 outside the brackets, -2027 when the position is above the new cap, -2028 when the
        margin does not suffice.
    """
    instrument = instrument_of(call)
    required(call, "leverage")
    chosen = Decimal(whole(call, "leverage", 0))
    if not 1 <= chosen <= instrument.tiers[0].max_leverage:
        raise error(-4028, f"Leverage {plain(chosen)} is not valid")
    cap = leverage_cap(instrument.tiers, chosen)
    _check_leverage(call, instrument, chosen, cap)
    call.exchange.ledger.leverages.put(Leverage(call.user, instrument.id, chosen))
    word = "maxNotionalValue" if call.host == FAPI else "maxQty"
    return {"leverage": int(chosen), word: plain(cap), "symbol": instrument.symbol}


def position_mode(call: Call) -> Json:
    """Tell whether long and short legs are kept apart."""
    setting = call.exchange.ledger.counters.get(dual_setting(call.user, market_of(call)))
    return {"dualSidePosition": setting is not None and bool(setting.value)}


def change_position_mode(call: Call) -> Json:
    """Switch between one net position and separate legs.

    Raises
    ------
    VenueError
        -4059 when nothing would change, -4067 with open orders, -4068 with positions.
    """
    required(call, "dualSidePosition")
    market, dual = market_of(call), call.flag("dualSidePosition")
    held = holdings(call.exchange, call.user, market)
    if dual == (held[0].leg != "net"):
        raise error(-4059, "No need to change position side.")
    if any(h.quantity for h in held):
        raise error(-4068, "Position side cannot be changed if there exists position.")
    if any(h.open for h in held):
        raise error(-4067, "Position side cannot be changed if there exists open orders.")
    name = dual_setting(call.user, market)
    call.exchange.ledger.counters.put(Counter(name, int(dual)))
    return SUCCESS


def change_margin_type(call: Call) -> Json:
    """Refuse: every symbol is in cross margin and stays there.

    Raises
    ------
    VenueError
        -4046 for CROSSED; -4048 with a position, -4047 with orders, else -4084 for ISOLATED.
    """
    instrument = instrument_of(call)
    if required(call, "marginType") == "CROSSED":
        raise error(-4046, "No need to change margin type.")
    held = [
        h
        for h in holdings(call.exchange, call.user, market_of(call))
        if h.instrument.id == instrument.id
    ]
    if any(h.quantity for h in held):
        raise error(-4048, "Margin type cannot be changed if there exists position.")
    if any(h.open for h in held):
        raise error(-4047, "Margin type cannot be changed if there exists open orders.")
    raise error(-4084, "Method is not allowed currently. Upcoming soon.")


def multi_assets_mode(call: Call) -> Json:
    """Tell that every coin margins itself alone."""
    del call
    return {"multiAssetsMargin": False}


def _check_leverage(call: Call, instrument: Instrument, chosen: Decimal, cap: Decimal) -> None:
    pool = pools(call.exchange, call.user, market_of(call))[instrument.settle]
    held = [h for h in pool.holdings if h.instrument.id == instrument.id]
    if any(abs(h.notional) > cap for h in held):
        raise error(-2027, "Exceeded the maximum allowable position at current leverage.")
    more = sum((h.present / chosen - h.initial for h in held), Decimal(0))
    if more > pool.available:
        raise error(-2028, "Leverage is smaller than permitted: insufficient margin balance.")


def _brackets(instrument: Instrument, what: str) -> list[Json]:
    """Return the tiers; `what` they are bounded in begins the names of both bounds."""
    rows: list[Json] = []
    floor = Decimal(0)
    for number, tier in enumerate(instrument.tiers, 1):
        rows.append(
            {
                "bracket": number,
                "initialLeverage": int(tier.max_leverage),
                f"{what}Cap": int(tier.cap),
                f"{what}Floor": int(floor),
                "maintMarginRatio": float(tier.maintenance),
                "cum": float(tier.deduction),
            }
        )
        floor = tier.cap
    return rows
