"""Positions, leverage, and moving positions between accounts."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.bybit.host import row
from allocator.adapters.emulator.bybit.words import (
    SIDES,
    amount,
    category,
    instrument_of,
    listed,
    new_id,
    page,
    required,
    uid,
    usd,
    user_id,
    uuid_of,
)
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import Instrument, leverage_cap, on_step, tier_of, value
from allocator.adapters.emulator.records import Leverage, Position, PositionMove, Side
from allocator.adapters.emulator.wire import Call, Json, plain

WORDS: dict[Side, str] = {"buy": "Buy", "sell": "Sell"}
OTHER: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
MAX_LEGS = 25
BAND = Decimal("0.05")
Leg = tuple[Instrument, Side, Decimal, Decimal]


def position_list(call: Call) -> Json:
    """Return positions: all that are not flat of a settle coin, or one symbol's, flat or not."""
    word = category(call)
    if word == "spot":
        raise VenueError(10001, "params error: Illegal category")
    symbol, settle = call.text("symbol"), call.text("settleCoin")
    if word == "linear" and not (symbol or settle):
        raise VenueError(10001, "params error: symbol or settleCoin is required")
    exchange = call.exchange
    if symbol:
        instrument = instrument_of(call)
        held = exchange.ledger.position(call.user, instrument.id) or _flat(call.user, instrument)
        rows = [(instrument, held)]
    else:
        rows = [
            (i, p)
            for i, p in exchange.positions(call.user)
            if i.market == word and settle in {"", i.settle}
        ]
    rows.sort(key=lambda pair: pair[0].symbol)
    chosen, cursor = page(call, rows, 20, 200)
    return listed(call, [_position(exchange, i, p) for i, p in chosen], cursor)


def set_leverage(call: Call) -> Json:
    """Set the leverage of a symbol (one-way mode: both sides equal)."""
    instrument = instrument_of(call)
    if instrument.payoff == "spot":
        raise VenueError(10001, "params error: Illegal category")
    buy, sell = amount(call, "buyLeverage"), amount(call, "sellLeverage")
    top = instrument.tiers[0].max_leverage
    if buy != sell or buy < 1:
        raise VenueError(10001, "params error: buy leverage not equal sell leverage")
    if buy > top:
        raise VenueError(
            110013,
            f"cannot set leverage [{plain(buy)}] gt maxLeverage [{plain(top)}] by risk limit",
        )
    if buy == call.exchange.leverage(call.user, instrument):
        raise Refused(Refusal.UNCHANGED)
    _check_leverage(call, instrument, buy)
    call.exchange.ledger.leverages.put(Leverage(call.user, instrument.id, buy))
    return {}


def move_positions(call: Call) -> Json:
    """Move positions between two accounts of one owner, without fee, at a price near the mark.

    What the receiver has no margin for is taken, and told as rejected by the maker.
    """
    exchange = call.exchange
    if exchange.ledger.users[call.user].parent is not None:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    source = user_id(required(call, "fromUid"))
    target = user_id(required(call, "toUid"))
    for user in (source, target):
        found = exchange.ledger.users.get(user)
        if found is None or found.root != call.user or source == target:
            raise VenueError(10001, "params error: fromUid or toUid invalid")
    listed_legs = call.params.get("list")
    if not isinstance(listed_legs, list) or not 1 <= len(listed_legs) <= MAX_LEGS:
        raise VenueError(10001, "params error: list invalid")
    legs = [_leg(exchange, leg) for leg in listed_legs]
    block = new_id(exchange, "block").replace("-", "")
    refused = _refusing(exchange, source, target, legs)
    for number, (instrument, side, quantity, price) in enumerate(legs if not refused else ()):
        turns: tuple[tuple[str, Side], ...] = ((source, side), (target, OTHER[side]))
        for user, turn in turns:
            order = uuid_of(f"{block}|{number}|{user}")
            trade = matching.Block(user, instrument, turn, quantity, price, order)
            matching.move_position(exchange, trade)
    exchange.ledger.moves.put(
        PositionMove(
            id=block,
            client_id="",
            from_user=source,
            to_user=target,
            legs=tuple((i.id, side, quantity, price) for i, side, quantity, price in legs),
            seq=exchange.ledger.next("move"),
            time_ms=call.now_ms,
            refused=refused,
        )
    )
    return {"blockTradeId": block, "status": "Processing", "rejectParty": ""}


def _refusing(exchange: Exchange, source: str, target: str, legs: Sequence[Leg]) -> str:
    """Name the party that refuses a move once it is taken; empty: none.

    Raises
    ------
    Refused
        When the one who gives up has no margin for it: it is not taken.
    """
    for instrument, side, quantity, price in legs:
        margin.admit(exchange, Intent(source, instrument, side, quantity, price, False))
    try:
        for instrument, side, quantity, price in legs:
            margin.admit(exchange, Intent(target, instrument, OTHER[side], quantity, price, False))
    except Refused:
        return "Maker"
    return ""


def move_history(call: Call) -> Json:
    """Return the legs of moves, newest first, both parties' rows."""
    rows = [
        (move, number, user)
        for move in reversed(list(call.exchange.ledger.moves))
        if call.text("blockTradeId", move.id) == move.id
        and call.exchange.ledger.users[move.from_user].root == call.user
        for number in range(len(move.legs))
        for user in (move.from_user, move.to_user)
    ]
    chosen, cursor = page(call, rows, 20, 200)
    done: list[Json] = [_moved(call.exchange, m, n, u) for m, n, u in chosen]
    return {"list": done, "nextPageCursor": cursor}


def _check_leverage(call: Call, instrument: Instrument, leverage: Decimal) -> None:
    held = call.exchange.ledger.position(call.user, instrument.id)
    if held is None or held.quantity == 0:
        return
    current = margin.margin_of(call.exchange, instrument, held)
    if current.value > leverage_cap(instrument.tiers, leverage):
        raise Refused(Refusal.LEVERAGE, value=current.value)
    more = current.value / leverage - current.initial
    state = margin.account(call.exchange, call.user)
    if more > 0 and more * call.exchange.ledger.coin_usd(instrument.settle) > state.available:
        raise VenueError(110044, "Available margin is insufficient.")


def _leg(exchange: Exchange, leg: Json) -> Leg:
    if not isinstance(leg, Mapping):
        raise VenueError(10001, "params error: list invalid")
    words = {name: str(word) for name, word in leg.items()}
    instrument = exchange.instrument("bybit", words.get("category", ""), words.get("symbol", ""))
    if instrument.payoff == "spot" or words.get("side") not in SIDES:
        raise VenueError(10001, "params error: leg invalid")
    quantity, price = Decimal(words.get("qty", "0")), Decimal(words.get("price", "0"))
    if quantity < instrument.min_quantity or not on_step(quantity, instrument.lot):
        raise VenueError(10001, "params error: qty invalid")
    mark = exchange.quote(instrument).mark
    if not mark * (1 - BAND) <= price <= mark * (1 + BAND) or not on_step(price, instrument.tick):
        raise VenueError(110003, "Order price exceeds the allowable range.")
    return instrument, SIDES[words["side"]], quantity, price


def _moved(exchange: Exchange, move: PositionMove, number: int, user: str) -> Json:
    identity, side, quantity, price = move.legs[number]
    instrument = exchange.instruments[identity]
    order = uuid_of(f"{move.id}|{number}|{user}")
    fills = exchange.ledger.executions.by("order", order)
    return {
        "blockTradeId": move.id,
        "category": instrument.market,
        "orderId": order,
        "userId": int(uid(user)),
        "symbol": instrument.symbol,
        "side": WORDS[side if user == move.from_user else OTHER[side]],
        "price": plain(price),
        "qty": plain(quantity),
        "execFee": "0",
        "status": "Rejected" if move.refused else "Filled",
        "execId": uuid_of(fills[0].id) if fills else "",
        "resultCode": 110007 if move.refused else 0,
        "resultMessage": "ab not enough for new order" if move.refused else "",
        "createdAt": move.time_ms,
        "updatedAt": move.time_ms,
        "rejectParty": move.refused,
    }


def _flat(user: str, instrument: Instrument) -> Position:
    zero = Decimal(0)
    return Position(user, instrument.id, "net", zero, zero, zero, 0, 0)


def _position(exchange: Exchange, instrument: Instrument, held: Position) -> dict[str, Json]:
    state = margin.margin_of(exchange, instrument, held)
    tier = tier_of(instrument.tiers, state.value)
    side = "" if held.quantity == 0 else "Buy" if held.quantity > 0 else "Sell"
    entry_value = (
        abs(value(instrument, held.quantity, held.entry)) if held.quantity else state.value
    )
    return {
        "symbol": instrument.symbol,
        "leverage": plain(state.leverage),
        "autoAddMargin": 0,
        "avgPrice": plain(held.entry.quantize(Decimal("1e-8"))),
        "liqPrice": "",
        "riskLimitValue": plain(leverage_cap(instrument.tiers, state.leverage)),
        "takeProfit": "",
        "positionValue": plain(entry_value.quantize(Decimal("1e-8"))) if side else "",
        "isReduceOnly": False,
        "positionIMByMp": usd(state.initial),
        "tpslMode": "Full",
        "riskId": instrument.tiers.index(tier) + 1,
        "trailingStop": "0",
        "unrealisedPnl": usd(state.profit) if side else "",
        "markPrice": plain(state.mark),
        "adlRankIndicator": 2 if side else 0,
        "cumRealisedPnl": usd(held.realised),
        "positionMM": usd(state.maintenance) if side else "",
        "createdTime": str(held.created_ms),
        "positionIdx": 0,
        "positionIM": usd(state.initial) if side else "",
        "positionMMByMp": usd(state.maintenance),
        "seq": exchange.clock.now_ms(),
        "updatedTime": str(held.updated_ms),
        "side": side,
        "bustPrice": "",
        "positionBalance": "0",
        "leverageSysUpdatedTime": "",
        "curRealisedPnl": usd(held.realised),
        "size": plain(abs(held.quantity)),
        "positionStatus": "Normal",
        "mmrSysUpdatedTime": "",
        "stopLoss": "",
        "tradeMode": 0,
        "sessionAvgPrice": "",
    }


_KEY = "bad key 10003, signature 10004, window 10002, limit 10006"
ENDPOINTS = (
    row("GET /v5/position/list", position_list, "v5/position", "one symbol, flat",
        "next page", "linear without symbol or settleCoin: 10001", _KEY, per_second=50),
    row("POST /v5/position/set-leverage", set_leverage, "v5/position/leverage",
        "unchanged: 110043", "above the tier: 110013", "margin short: 110044",
        "sides differ: 10001", _KEY, needs="trade"),
    row("POST /v5/position/move-positions", move_positions, "v5/position/move-position",
        "a sub-account asks: 10005", "not one owner: 10001", "price off the mark: 110003",
        "margin short at who gives up: 110007",
        "margin short at who receives: taken, then Rejected by the Maker", _KEY, needs="sub"),
    row("GET /v5/position/move-history", move_history, "v5/position/move-position-history",
        "by blockTradeId", "next page", _KEY),
)  # fmt: skip
