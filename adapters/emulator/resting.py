"""What resting orders bind in an account that margins contracts and trades spot in one wallet."""

from decimal import Decimal

from allocator.adapters.emulator.exchange import Exchange, Intent, opening
from allocator.adapters.emulator.market import value
from allocator.adapters.emulator.records import ZERO, Order


def initial_of(exchange: Exchange, order: Order, coin: str) -> Decimal:
    """Return the initial margin, in a coin, of what a resting order adds to a position."""
    instrument = exchange.instruments[order.instrument]
    if instrument.payoff == "spot" or instrument.settle != coin or order.reduce_only:
        return ZERO
    intent = Intent(
        order.user, instrument, order.side, order.remaining, order.price, False, order.leg
    )
    price = order.price or order.mark_at_creation
    worth = abs(value(instrument, opening(exchange, intent), price))
    return worth / exchange.leverage(order.user, instrument)


def locked_by(exchange: Exchange, order: Order, coin: str) -> Decimal:
    """Return how much of a coin a resting spot order locks."""
    instrument = exchange.instruments[order.instrument]
    if instrument.payoff != "spot" or order.price is None:
        return ZERO
    if order.side == "buy":
        return order.remaining * order.price if instrument.quote == coin else ZERO
    return order.remaining if instrument.base == coin else ZERO
