"""The price of one request: never beyond the plan's worst price, and no worse than it has to be.

Every request is priced anew from the prices of the moment. Pure.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.models.base import ONE, plain
from allocator.models.intents import Quote
from allocator.models.plan import Order
from allocator.state import lawful

BPS = Decimal(10000)


def beyond_worst(order: Order, quote: Quote) -> str | None:
    """Tell why the market does not take an order now; None: it does."""
    if order.side == "buy" and quote.ask > order.limit_price:
        return f"the ask {plain(quote.ask)} is beyond the worst price"
    if order.side == "sell" and quote.bid < order.limit_price:
        return f"the bid {plain(quote.bid)} is beyond the worst price"
    return None


@lawful
def taking_price(order: Order, quote: Quote, tick: Decimal, collar_bps: Decimal | None) -> Decimal:
    """Price an order that takes: the best price and a collar beyond it, within the worst.

    >>> from datetime import UTC, datetime
    >>> order = Order(seq=1, account="a", instrument="i", side="buy", quantity=1, limit_price=110)
    >>> at = datetime(2026, 11, 20, tzinfo=UTC)
    >>> quote = Quote(instrument="i", bid=99, ask=100, mark=100, at=at)
    >>> taking_price(order, quote, Decimal("0.1"), Decimal(10))
    Decimal('100.1')
    >>> taking_price(order, quote, Decimal("0.1"), None)
    Decimal('110')
    """
    if collar_bps is None:
        return order.limit_price
    share = collar_bps / BPS
    if order.side == "buy":
        return min(order.limit_price, max(quote.ask, _down(quote.ask * (ONE + share), tick)))
    return max(order.limit_price, min(quote.bid, _up(quote.bid * (ONE - share), tick)))


@lawful
def within_means(price: Decimal, quote: Quote, tick: Decimal, each: Decimal) -> Decimal:
    """Lower the worst price of a purchase to what money for it is there; the ask at the least.

    A plan spends what the ask takes, and a purchase with all the money of an account has none for
    the collar beyond it.

    Parameters
    ----------
    each
        Money for one contract, without the fee on it.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 11, 20, tzinfo=UTC)
    >>> quote, tick = Quote(instrument="i", bid=99, ask=100, mark=100, at=at), Decimal("0.1")
    >>> [str(within_means(Decimal(110), quote, tick, Decimal(each)))
    ...  for each in (200, "103.98", 50)]
    ['110', '103.9', '100']
    """
    return min(price, max(quote.ask, _down(each, tick)))


@lawful
def resting_price(order: Order, quote: Quote) -> Decimal:
    """Price an order that rests: on the best price of its own side, within the worst."""
    if order.side == "buy":
        return min(order.limit_price, quote.bid)
    return max(order.limit_price, quote.ask)


def _down(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick


def _up(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral_value(ROUND_CEILING) * tick
