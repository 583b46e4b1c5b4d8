"""Binance: how orders are worded and sent, one to a request or up to five of a futures account.

Sources: the venue's pages New Order (spot, USD-M, COIN-M, Portfolio Margin), Place Multiple Orders
(USD-M, COIN-M), Error Codes. Several orders in a request are matched concurrently, and each has its
own order or error in the answer, in the order of the list; an error bears no client id, and the
client's own function for this (`create_orders`) sorts the answers by time, which takes errors off
their places. Spot and portfolio margin have no such request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.batches import of_request, told_each
from allocator.adapters.ccxt.binance_reads import path_of, wallet_of
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.base import plain
from allocator.models.intents import OrderIntent

DUPLICATE = "duplicate"
MOST_ORDERS = 5
WALLETS = ("usdm", "coinm")
"""Wallets whose service takes several orders in one request."""

OF_REQUEST = frozenset({"-1021", "-1022", "-1131", "-2014", "-2015", "-4082", "-4188", "-5028"})
"""Codes of stamp, window, signature, key and number of orders: none of them was looked at."""


def worded(place: Place, intent: OrderIntent) -> JsonObject:
    """Word a limit order; one-way mode."""
    market = place.market(intent.instrument)
    return {
        "symbol": market["id"],
        "side": intent.side.upper(),
        "quantity": plain(intent.quantity),
        "price": plain(intent.limit_price),
        "newClientOrderId": intent.client_id,
        "newOrderRespType": "ACK",
        **_style(wallet_of(market), intent),
    }


def _style(wallet: str, intent: OrderIntent) -> JsonObject:
    """Write how an order is to rest or fill, as the host wants it."""
    if wallet == "spot":
        if intent.style == "post_only":
            return {"type": "LIMIT_MAKER"}
        return {"type": "LIMIT", "timeInForce": "IOC"}
    times = {"ioc": "IOC", "post_only": "GTX"}
    body: JsonObject = {"type": "LIMIT", "timeInForce": times[intent.style]}
    return {**body, "reduceOnly": "true"} if intent.reduce_only else body


async def alone(place: Place, intent: OrderIntent) -> str:
    """Send an order in a request of its own."""
    asked = path_of(place, place.market(intent.instrument), "post", "order")
    try:
        reply = await place.login.call(asked, worded(place, intent), intent.stamped_at)
    except RefusalError as error:
        if error.code == "-2010" and "duplicate" in error.message.lower():
            raise RefusalError(DUPLICATE, error.message) from error
        raise
    return text(reply, "orderId")


async def together(place: Place, intents: Sequence[OrderIntent]) -> tuple[str | Exception, ...]:
    """Send orders of one service in one request; each is taken or refused by itself.

    Raises
    ------
    NotSentError
        When they are of two services, or of one where the account does not trade.
    VenueError
        When the request as a whole was refused, or not answered.
    """
    paths = {path_of(place, place.market(row.instrument), "post", "batchorders")
             for row in intents}  # fmt: skip
    if len(paths) != 1:
        raise NotSentError("orders of one request are of one service")
    (asked,) = paths
    body = {"batchOrders": [worded(place, intent) for intent in intents]}
    try:
        reply = await place.login.call(asked, body, intents[0].stamped_at)
    except RefusalError as error:
        # The client takes a list of one error for an error of the request.
        reply = json.loads(error.body)
        if not isinstance(reply, list):
            raise of_request(error, OF_REQUEST) from error
    return told_each([intent.client_id for intent in intents], rows(reply), "clientOrderId")
