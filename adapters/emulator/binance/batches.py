"""Several orders of a futures host in one request, each taken or refused by itself.

Page: Place Multiple Orders (USD-M and COIN-M). The answers stand in the order of the list; an error
bears no client order id. The venue matches them concurrently, this exchange one after the other.
"""

import json
from dataclasses import replace

from allocator.adapters.emulator.binance import orders, refusals
from allocator.adapters.emulator.binance.words import error, required
from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.wire import Call, Json

MOST_ORDERS = 5


def create(call: Call) -> Json:
    """Place each order of the list `batchOrders`, or return its own code.

    Raises
    ------
    VenueError
        -1102 without a list, -1130 for what is none of orders, -4082 for none or too many.
    """
    try:
        listed = json.loads(required(call, "batchOrders"), parse_float=str)
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise error(-1130, "Data sent for parameter 'batchOrders' is not valid.")
    if not 1 <= len(listed) <= MOST_ORDERS:
        raise error(-4082, f"Invalid number of batch place orders: {len(listed)}")
    return [_one(replace(call, params=row)) for row in listed]


def _one(call: Call) -> Json:
    try:
        body = orders.create(call)
    except (VenueError, Refused, ValueError) as failure:
        words = refusals.venue_error(call.host, call.path, failure)
        return {"code": words.code, "msg": words.message}
    assert isinstance(body, dict)
    return {name: told for name, told in body.items() if name != "closePosition"}
