"""Orders, their history and their trades.

Source: docs.deribit.com/api-reference/trading, one page a method. A label is the client's own
word: the venue neither requires it nor keeps it unique.
"""

from decimal import Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.words import (
    INVALID_PARAMS,
    RpcError,
    amount,
    contracts,
    currency,
    currency_of,
    instrument_of,
    integer,
    invalid,
    number,
    page,
    required,
    row,
    units,
)
from allocator.adapters.emulator.deribit.world import TICK_STEPS
from allocator.adapters.emulator.market import Instrument, on_step
from allocator.adapters.emulator.records import Execution, Order, OrderType, Side, TimeInForce
from allocator.adapters.emulator.wire import Call, Json

TYPES: dict[str, OrderType] = {"limit": "limit", "market": "market"}
TIFS: dict[str, TimeInForce] = {
    "good_til_cancelled": "gtc",
    "fill_or_kill": "fok",
    "immediate_or_cancel": "ioc",
}
TIF_WORDS = {word: name for name, word in TIFS.items()} | {"post_only": "good_til_cancelled"}
LONGEST_LABEL = 64
RECENT_MS = 30 * 60_000


def buy(call: Call) -> Json:
    """Place a buy order."""
    return _place(call, "buy")


def sell(call: Call) -> Json:
    """Place a sell order."""
    return _place(call, "sell")


def cancel(call: Call) -> Json:
    """Cancel an order by its id."""
    order = _mine(call)
    if order.status != "open":
        raise RpcError(10010, "already_closed")
    return _order(call, matching.cancel(call.exchange, order, "user_request"))


def cancel_by_label(call: Call) -> Json:
    """Cancel every open order with a label; return how many."""
    label = required(call, "label")
    rows = [o for o in _open(call) if o.client_id == label and _listed(call, o)]
    return _end(call, rows)


def cancel_all(call: Call) -> Json:
    """Cancel every open order; return how many."""
    return _end(call, _open(call))


def get_open_orders(call: Call) -> Json:
    """Return every open order."""
    return [_order(call, o) for o in _open(call)]


def get_open_orders_by_label(call: Call) -> Json:
    """Return open orders of a currency, those with a label when one is given."""
    label = call.text("label")
    return [_order(call, o) for o in _open(call) if label in {"", o.client_id} and _listed(call, o)]


def get_order_state(call: Call) -> Json:
    """Return an order by its id."""
    return _order(call, _mine(call))


def get_order_state_by_label(call: Call) -> Json:
    """Return the orders of a currency that bear a label, open or recently ended."""
    label = required(call, "label")
    rows = call.exchange.ledger.orders.by("client", (call.user, label))
    return [_order(call, o) for o in rows if _listed(call, o) and (_is_open(o) or _recent(call, o))]


def get_order_history_by_instrument(call: Call) -> Json:
    """Return orders that ended, newest first: recent ones, or with `historical` the older ones.

    Those without any fill only when asked for. The page does not tell what an answer with a
    continuation looks like, so there is none.
    """
    found = instrument_of(call)
    rows = [
        o
        for o in reversed(call.exchange.ledger.orders.by("user", call.user))
        if o.instrument == found.id
        and not _is_open(o)
        and (o.filled or call.flag("include_unfilled"))
        and _recent(call, o) != call.flag("historical")
    ]
    if call.flag("with_continuation"):
        raise RpcError(11047, "unsupported_arg_combination")
    return [_order(call, o) for o in page(call, rows, 20)]


def get_user_trades_by_order(call: Call) -> Json:
    """Return the trades of an order."""
    order = _mine(call)
    return [_trade(call, e, order) for e in call.exchange.ledger.executions.by("order", order.id)]


def _place(call: Call, side: Side) -> Json:
    until = call.text("valid_until")
    if until and integer(call, "valid_until") <= call.now_ms:
        raise RpcError(13888, "timed_out")
    found = instrument_of(call)
    label, kind = call.text("label"), call.text("type", "limit")
    if len(label) > LONGEST_LABEL:
        raise invalid("too long", "label")
    if kind not in TYPES:
        raise RpcError(11047, "unsupported_arg_combination")
    order = matching.place(
        call.exchange,
        matching.NewOrder(
            id=f"{found.base}-{call.exchange.ledger.next('deribit.order', 4_000_001)}",
            client_id=label,
            user=call.user,
            instrument=found,
            side=side,
            type=TYPES[kind],
            tif=_tif(call, kind),
            price=_price(call, found) if kind == "limit" else None,
            quantity=_quantity(call, found),
            reduce_only=call.flag("reduce_only"),
        ),
    )
    if order.reason == "post_only":
        raise RpcError(11054, "post_only_reject")
    fills = call.exchange.ledger.executions.by("order", order.id)
    return {"order": _order(call, order), "trades": [_trade(call, e, order) for e in fills]}


def _tif(call: Call, kind: str) -> TimeInForce:
    word = call.text("time_in_force", "good_til_cancelled")
    if word not in TIFS:
        raise invalid("invalid time_in_force", "time_in_force")
    if not call.flag("post_only"):
        return "ioc" if kind == "market" else TIFS[word]
    if word != "good_til_cancelled":
        raise RpcError(11055, "post_only_not_allowed")
    if not call.flag("reject_post_only"):
        raise RpcError(11047, "unsupported_arg_combination")
    return "post_only"


def _quantity(call: Call, found: Instrument) -> Decimal:
    asked = amount(call, "amount")
    if asked <= 0:
        raise RpcError(10002, "qty_too_low")
    return contracts(found, asked)


def _price(call: Call, found: Instrument) -> Decimal:
    price = amount(call, "price")
    tick = found.tick
    for above, coarser in TICK_STEPS.get(found.symbol, ()):
        tick = coarser if price > above else tick
    if price > 0 and not on_step(price, tick):
        raise RpcError(10043, "price_wrong_tick", reason=f"must conform to tick size {tick}")
    return price


def _open(call: Call) -> list[Order]:
    rows = call.exchange.ledger.orders.by("open", (call.user, True))
    return list(reversed(rows))


def _listed(call: Call, order: Order) -> bool:
    return currency(call) in {"", currency_of(call.exchange.instruments[order.instrument])}


def _is_open(order: Order) -> bool:
    return order.status == "open"


def _recent(call: Call, order: Order) -> bool:
    return order.updated_ms > call.now_ms - RECENT_MS


def _mine(call: Call) -> Order:
    order = call.exchange.ledger.orders.get(required(call, "order_id"))
    if order is None or not order.user.startswith("deribit:"):
        raise RpcError(10004, "order_not_found")
    if order.user != call.user:
        raise RpcError(10029, "not_owner_of_order")
    return order


def _end(call: Call, rows: list[Order]) -> Json:
    for order in rows:
        matching.cancel(call.exchange, order, "user_request")
    return len(rows)


def _order(call: Call, order: Order) -> Json:
    found = call.exchange.instruments[order.instrument]
    shown: dict[str, Json] = {
        "order_id": order.id,
        "instrument_name": found.symbol,
        "direction": order.side,
        "order_type": order.type,
        "order_state": order.status,
        "time_in_force": TIF_WORDS[order.tif],
        "price": "market_price" if order.price is None else number(order.price),
        "amount": number(units(found, order.quantity)),
        "contracts": number(order.quantity),
        "filled_amount": number(units(found, order.filled)),
        "average_price": number(_average(order)),
        "label": order.client_id,
        "post_only": order.tif == "post_only",
        "reduce_only": order.reduce_only,
        "creation_timestamp": order.created_ms,
        "last_update_timestamp": order.updated_ms,
        "api": True,
        "web": False,
        "mmp": False,
        "replaced": False,
        "risk_reducing": False,
        "is_liquidation": False,
    }
    if order.tif == "post_only":
        shown["reject_post_only"] = True
    if order.status == "cancelled" and order.reason == "user_request":
        shown["cancel_reason"] = "user_request"
    return shown


def _average(order: Order) -> Decimal:
    return Decimal(0) if order.average is None else order.average.quantize(Decimal("1e-8"))


def _trade(call: Call, entry: Execution, order: Order) -> Json:
    found = call.exchange.instruments[entry.instrument]
    shown: dict[str, Json] = {
        "trade_id": f"{found.base}-{entry.seq}",
        "trade_seq": entry.seq,
        "order_id": order.id,
        "order_type": order.type,
        "instrument_name": found.symbol,
        "direction": entry.side,
        "price": number(entry.price),
        "amount": number(units(found, entry.quantity)),
        "contracts": number(entry.quantity),
        "fee": number(entry.fee),
        "fee_currency": entry.fee_coin,
        "liquidity": "M" if entry.maker else "T",
        "mark_price": number(entry.mark),
        "index_price": number(call.exchange.quote(found).index),
        "profit_loss": number(entry.realised),
        "timestamp": entry.time_ms,
        "tick_direction": 0,
        "matching_id": None,
        "state": order.status,
        "label": order.client_id,
        "api": True,
        "mmp": False,
        "post_only": order.tif == "post_only",
        "reduce_only": order.reduce_only,
        "risk_reducing": False,
    }
    if found.option is not None:
        shown["iv"] = number(Decimal("55.5"))
        shown["underlying_price"] = number(margin.forward_of(call.exchange, found))
    return shown


_AUTH = "bad key or signature 13009, scope missing 13021, too many requests 10028"
_PAGE = "trading/private-"
_WRONG = f"parameter missing or unreadable: {INVALID_PARAMS}"
_PLACE = (
    "margin or balance short: 10009", "amount too low: 10002", "amount off its step: 10021",
    "price off its tick, coarser steps too: 10043", "unknown instrument: 13020",
    "post-only would take: 11054", "post-only that fills at once: 11055",
    "reduce-only would not reduce: 11030", "after valid_until: 13888",
    "order type or post-only without reject: 11047", "nothing to fill at once: cancelled",
    "the same label again: another order", _WRONG, _AUTH,
)  # fmt: skip
ENDPOINTS = (
    row("private/buy", buy, f"{_PAGE}buy", *_PLACE, needs="trade:read_write", engine=True),
    row("private/sell", sell, f"{_PAGE}sell", *_PLACE, needs="trade:read_write", engine=True),
    row("private/cancel", cancel, f"{_PAGE}cancel", "unknown: 10004", "ended: 10010",
        "another's: 10029", _AUTH, needs="trade:read_write", engine=True),
    row("private/cancel_by_label", cancel_by_label, f"{_PAGE}cancel_by_label", "none: 0", _WRONG,
        _AUTH, needs="trade:read_write", engine=True),
    row("private/cancel_all", cancel_all, f"{_PAGE}cancel_all", "none: 0", _AUTH,
        needs="trade:read_write", engine=True),
    row("private/get_open_orders", get_open_orders, f"{_PAGE}get_open_orders", _AUTH,
        needs="trade:read_write"),
    row("private/get_open_orders_by_label", get_open_orders_by_label,
        f"{_PAGE}get_open_orders_by_label", _WRONG, _AUTH, needs="trade:read_write"),
    row("private/get_order_state", get_order_state, f"{_PAGE}get_order_state",
        "unknown: 10004", "another's: 10029", _AUTH, needs="trade:read_write"),
    row("private/get_order_state_by_label", get_order_state_by_label,
        f"{_PAGE}get_order_state_by_label", "none: empty", "ended long ago: empty", _WRONG, _AUTH,
        needs="trade:read_write"),
    row("private/get_order_history_by_instrument", get_order_history_by_instrument,
        f"{_PAGE}get_order_history_by_instrument", "historical", "count and offset",
        "with_continuation: 11047", "unknown instrument: 13020", _AUTH, needs="trade:read_write"),
    row("private/get_user_trades_by_order", get_user_trades_by_order,
        f"{_PAGE}get_user_trades_by_order", "unknown: 10004", "another's: 10029", _AUTH,
        needs="trade:read_write"),
)  # fmt: skip
