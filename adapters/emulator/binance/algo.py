"""The algo service: orders that wait for a trigger.

Pages: Current All Algo Open Orders (USD-M), Important Notice - COIN-M / USD-M Architecture
Integration, which gives COIN-M the same service.
"""

from decimal import Decimal

from allocator.adapters.emulator.binance.words import (
    POSITION_SIDE,
    instrument_of,
    market_of,
    stepped,
)
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ZERO, Waiting
from allocator.adapters.emulator.wire import Call, Json


def open_orders(call: Call) -> Json:
    """Return what waits in the host's market, or in the symbol's, in one array."""
    wanted = instrument_of(call).id if call.text("symbol") else None
    rows = call.exchange.ledger.waiting.by("user", call.user)
    placed = [(row, call.exchange.instruments[row.instrument]) for row in rows]
    return [
        _shown(row, instrument)
        for row, instrument in placed
        if instrument.market == market_of(call) and wanted in {None, instrument.id}
    ]


def _shown(row: Waiting, instrument: Instrument) -> Json:
    none = _price(instrument, None)
    return {
        "algoId": int(row.id),
        "clientAlgoId": f"algo-{row.id}",
        "algoType": "CONDITIONAL",
        "orderType": row.kind,
        "symbol": instrument.symbol,
        "side": row.side.upper(),
        "positionSide": POSITION_SIDE[row.leg],
        "timeInForce": "GTC",
        "quantity": stepped(row.quantity or ZERO, instrument.lot),
        "algoStatus": "NEW",
        "actualOrderId": "",
        "actualPrice": "0.00000",
        "triggerPrice": _price(instrument, row.trigger),
        "price": _price(instrument, row.price),
        "icebergQuantity": None,
        "tpTriggerPrice": none,
        "tpPrice": none,
        "slTriggerPrice": none,
        "slPrice": none,
        "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": row.quantity is None,
        "priceProtect": False,
        "reduceOnly": row.reduce_only,
        "createTime": row.created_ms,
        "updateTime": row.created_ms,
        "triggerTime": 0,
        "goodTillDate": 0,
    }


def _price(instrument: Instrument, price: Decimal | None) -> str:
    return stepped(ZERO if price is None else price, instrument.tick)
