"""Placing and cancelling orders, one at a time or several in a request.

A refusal stands in the row of the order, with code 1 when every order failed and 2 when some did.

Sources: the venue's pages "Place order", "Place multiple orders", "Cancel order", "Cancel multiple
orders", "Cancel All After".
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from allocator.adapters.emulator import events, matching
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.market import Instrument, to_step
from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.account import KEY, RIGHT
from allocator.adapters.emulator.okx.host import TRADE, USER, row
from allocator.adapters.emulator.okx.positions import CLOSES
from allocator.adapters.emulator.okx.refusals import code_of
from allocator.adapters.emulator.okx.words import (
    LEGS,
    SIDES,
    TIFS,
    actions,
    amount,
    instrument_named,
    new_id,
    required,
    setting,
    wrong,
)
from allocator.adapters.emulator.records import ZERO, Leg, Order, Side
from allocator.adapters.emulator.wire import Call, Json

CLIENT_ID = re.compile(r"[0-9A-Za-z]{1,32}")
MOST_ORDERS = 20
LEAST_S, MOST_S = 10, 120
DONE, SOME_FAILED, ALL_FAILED = ("0", ""), ("2", "Bulk operation partially succeeded."), (
    "1",
    "All operations failed",
)  # fmt: skip
SPOT_MODES = {margin.SPOT: "cash", margin.FUTURES: "cash", margin.MULTI: "cross"}


def place(call: Call) -> Json:
    """Place an order."""
    required(call, "instId")
    return _carried_out(call, [call], _place)


def place_many(call: Call) -> Json:
    """Place up to twenty orders; each succeeds or fails by itself."""
    return _carried_out(call, _each(call), _place)


def cancel(call: Call) -> Json:
    """Cancel an order by either id."""
    required(call, "instId")
    return _carried_out(call, [call], _cancel)


def cancel_many(call: Call) -> Json:
    """Cancel up to twenty orders."""
    return _carried_out(call, _each(call), _cancel)


def cancel_all_after(call: Call) -> Json:
    """Cancel every order of the account after so many seconds of silence; 0 calls it off."""
    seconds = amount(call, "timeOut")
    if seconds != 0 and not LEAST_S <= seconds <= MOST_S:
        raise wrong("timeOut")
    due_ms = call.now_ms + int(seconds * 1000) if seconds else 0
    for instrument in call.exchange.instruments.values():
        if instrument.venue == "okx":
            events.set_countdown(call.exchange, call.user, instrument, due_ms)
    return [{"triggerTime": str(due_ms), "tag": call.text("tag"), "ts": str(call.now_ms)}]


def _each(call: Call) -> list[Call]:
    rows = actions(call)
    if not rows:
        raise VenueError(50000, "Body for POST request cannot be empty.", status=400)
    if len(rows) > MOST_ORDERS:
        raise VenueError(51111, f"Maximum {MOST_ORDERS} orders can be placed in bulk.")
    return [replace(call, params=params) for params in rows]


def _carried_out(call: Call, each: Sequence[Call], act: Callable[[Call], Order]) -> dict[str, Json]:
    rows = [_row(one, act) for one in each]
    failed = sum(str(row["sCode"]) != "0" for row in rows)
    code, message = DONE if not failed else ALL_FAILED if failed == len(rows) else SOME_FAILED
    listed: list[Json] = [*rows]
    moment = str(call.now_ms * 1000)
    return {"code": code, "msg": message, "data": listed, "inTime": moment, "outTime": moment}


def _row(call: Call, act: Callable[[Call], Order]) -> dict[str, Json]:
    """Carry one action out; what refuses it is told in its row."""
    told: dict[str, Json] = {"clOrdId": call.text("clOrdId"), "ordId": call.text("ordId")}
    code, words, sub = "0", "", ""
    try:
        order = act(call)
        told = {"clOrdId": order.client_id, "ordId": order.id}
    except Refused as error:
        number, words, sub = code_of(call.path, error)
        code = str(number)
    except VenueError as error:
        code, words = str(error.code), error.message
    told |= {"ts": str(call.now_ms), "sCode": code, "sMsg": words}
    if act is _place:
        told |= {
            "sMsg": words or "Order placed",
            "tag": call.text("tag"),
            "subCode": sub,
        }
    return told


def _place(call: Call) -> Order:
    exchange = call.exchange
    instrument = instrument_named(exchange, required(call, "instId"))
    client_id = call.text("clOrdId")
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise wrong("clOrdId")
    mine = exchange.ledger.orders.by("client", (call.user, client_id)) if client_id else []
    if any(order.status == "open" for order in mine):
        raise Refused(Refusal.DUPLICATE)
    _check_mode(call, instrument)
    side, kind = SIDES.get(required(call, "side")), required(call, "ordType")
    if side is None or kind not in TIFS:
        raise wrong("side" if side is None else "ordType")
    leg = _leg(call, instrument)
    quantity = _quantity(call, instrument, side)
    price = None if kind == "market" else amount(call, "px")
    if price is not None:
        _check_price(exchange, instrument, side, price)
    if (leg, side) in CLOSES:
        _check_closable(exchange, call.user, instrument, leg, quantity)
    return matching.place(
        exchange,
        matching.NewOrder(
            id=new_id(exchange, "order"),
            client_id=client_id,
            user=call.user,
            instrument=instrument,
            side=side,
            type="market" if kind == "market" else "limit",
            tif=TIFS[kind],
            price=price,
            quantity=quantity,
            reduce_only=call.flag("reduceOnly") and instrument.payoff != "spot",
            leg=leg,
            tag=call.text("tag"),
        ),
    )


def _check_mode(call: Call, instrument: Instrument) -> None:
    """Refuse a trade mode that the account's mode does not go with, or a pair held isolated."""
    mode, level = required(call, "tdMode"), setting(call.exchange, call.user, "level")
    if mode not in {"cash", "cross", "isolated"}:
        raise wrong("tdMode")
    spot = instrument.payoff == "spot"
    wanted = SPOT_MODES[level] if spot else "cross"
    if mode != wanted or (not spot and level == margin.SPOT):
        raise VenueError(51010, "Request unsupported under current account mode")
    mine = call.exchange.positions(call.user)
    held = (margin.held(call.exchange, i, p) for i, p in mine if i.id == instrument.id)
    if any(position.isolated for position in held):
        raise VenueError(51010, "Request unsupported under current account mode")


def _leg(call: Call, instrument: Instrument) -> Leg:
    """Read the position side: required of contracts in long/short mode, no word of spot."""
    word = call.text("posSide")
    hedge = setting(call.exchange, call.user, "hedge") and instrument.payoff != "spot"
    if hedge:
        if word not in {"long", "short"}:
            raise Refused(Refusal.POSITION_LEG)
    elif word not in {"", "net"}:
        raise Refused(Refusal.POSITION_LEG)
    return LEGS[word or "net"]


def _quantity(call: Call, instrument: Instrument, side: Side) -> Decimal:
    """Return contracts or base units; a spot market buy is in quote unless told otherwise."""
    quantity = amount(call, "sz")
    if instrument.payoff != "spot" or call.text("ordType") != "market":
        return quantity
    unit = call.text("tgtCcy", "quote_ccy" if side == "buy" else "base_ccy")
    if unit == "base_ccy":
        return quantity
    return to_step(quantity / call.exchange.book(instrument).asks[0][0], instrument.lot)


def _check_price(exchange: Exchange, instrument: Instrument, side: Side, price: Decimal) -> None:
    """Refuse a price beyond the band: above it to buy, below it to sell."""
    mark = exchange.quote(instrument).mark
    highest, lowest = mark * (1 + margin.BAND), mark * (1 - margin.BAND)
    if (side == "buy" and price > highest) or (side == "sell" and 0 < price < lowest):
        raise VenueError(
            51006,
            f"Order price is not within the price limit (max buy price: {highest:f}, "
            f"min sell price: {lowest:f})",
        )


def _check_closable(
    exchange: Exchange, user: str, instrument: Instrument, leg: Leg, quantity: Decimal
) -> None:
    position = exchange.ledger.position(user, instrument.id, leg)
    now = ZERO if position is None else abs(position.quantity)
    if now == 0:
        raise Refused(Refusal.REDUCE_ONLY)
    if quantity > now:
        raise VenueError(51112, "Close order size exceeds available size for this position.")


def _cancel(call: Call) -> Order:
    instrument = instrument_named(call.exchange, required(call, "instId"))
    order = named(call, instrument)
    if order is None:
        raise Refused(Refusal.ORDER_CLOSED)
    return matching.cancel(call.exchange, order)


def named(call: Call, instrument: Instrument) -> Order | None:
    """Find the caller's order by its id, else the latest by its client id.

    Raises
    ------
    VenueError
        51003 when neither is told.
    """
    orders = call.exchange.ledger.orders
    if call.text("ordId"):
        found = orders.get(call.text("ordId"))
        rows = [] if found is None else [found]
    elif call.text("clOrdId"):
        rows = orders.by("client", (call.user, call.text("clOrdId")))
    else:
        raise VenueError(51003, "Either client order ID or order ID is required.")
    mine = [o for o in rows if (o.user, o.instrument) == (call.user, instrument.id)]
    return max(mine, key=lambda o: o.seq, default=None)


_PLACING = (
    "margin short, balance short: 51008", "above the leverage's tier: 51004",
    "reduce-only would not reduce: 51169", "client id of an open order: 51016",
    "unknown instrument: 51001", "below minimum: 51020", "above maximum: 51005",
    "off the lot: 51121", "off the tick: 51150", "price beyond the band: 51006",
    "mode of another account: 51010", "side, type, client id, posSide wrong: 51000",
    "closes more than the leg: 51112", "post-only would take: accepted, canceled",
    "nothing to fill at once: accepted, canceled",
)  # fmt: skip
ENDPOINTS = (
    row("POST trade/order", place, "order-book-trading-trade-post-place-order", *_PLACING,
        "deadline passed: 50036", "instId missing: 50014", "over 1000 in 2 s: 50061", RIGHT, *KEY,
        limit=f"60/2s {USER} instId", needs=TRADE),
    row("POST trade/batch-orders", place_many,
        "order-book-trading-trade-post-place-multiple-orders", "some failed: code 2",
        "more than twenty: 51111", "no list: 50002", "empty: 50000", *_PLACING,
        "deadline passed: 50036", "over 1000 in 2 s: 50061", RIGHT, *KEY,
        limit=f"300/2s {USER} instId", needs=TRADE),
    row("POST trade/cancel-order", cancel, "order-book-trading-trade-post-cancel-order",
        "unknown or ended: 51400", "neither id: 51003", RIGHT, *KEY,
        limit=f"60/2s {USER} instId", needs=TRADE),
    row("POST trade/cancel-batch-orders", cancel_many,
        "order-book-trading-trade-post-cancel-multiple-orders", "some failed: code 2",
        "unknown or ended: 51400", "no list: 50002", RIGHT, *KEY,
        limit=f"300/2s {USER} instId", needs=TRADE),
    row("POST trade/cancel-all-after", cancel_all_after,
        "order-book-trading-trade-post-cancel-all-after", "not 0 nor 10 to 120: 51000", RIGHT,
        *KEY, limit="1/1s user tag", needs=TRADE),
)  # fmt: skip
