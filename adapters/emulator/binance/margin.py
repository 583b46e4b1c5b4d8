"""The margin law of one wallet: positions, open orders, what is free and what may leave.

Single-asset mode, cross margin. For a pool with wallet balance W, unrealised profit U, initial
margin IM (positions and open orders) and maintenance margin MM, all in the margin coin:

* available for orders = max(0, W + U - IM);
* may leave = max(0, min(W - MM, W + U - IM)), page: Max Transfer Out (USD-M);
* the present notional of an instrument is max(|position + bids|, |position - asks|).
"""

from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.emulator.binance.words import COINM, USDM, VENUE
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.market import Instrument, maintenance, profit, tier_of, value
from allocator.adapters.emulator.records import ZERO, Leg, Position

COINS = {USDM: ("USDT", "USDC"), COINM: ("BTC", "ETH")}


@dataclass(frozen=True, slots=True)
class Holding:
    """One leg of an instrument: contracts at their mark, and the orders resting on it.

    `notional` is signed; `bids` and `asks` are unsigned; all in the margin coin.
    """

    instrument: Instrument
    leg: Leg
    quantity: Decimal
    entry: Decimal
    mark: Decimal
    leverage: Decimal
    bids: Decimal
    asks: Decimal
    updated_ms: int

    @property
    def notional(self) -> Decimal:
        """Return the value of the contracts at the mark, signed."""
        return value(self.instrument, self.quantity, self.mark)

    @property
    def unrealised(self) -> Decimal:
        """Return the profit not yet realised."""
        return profit(self.instrument, self.quantity, self.entry, self.mark)

    @property
    def present(self) -> Decimal:
        """Return the largest notional that the resting orders may lead to."""
        return max(abs(self.notional + self.bids), abs(self.notional - self.asks))

    @property
    def position_initial(self) -> Decimal:
        """Return the initial margin of the position alone."""
        return abs(self.notional) / self.leverage

    @property
    def open_initial(self) -> Decimal:
        """Return the initial margin that the resting orders add."""
        return self.present / self.leverage - self.position_initial

    @property
    def initial(self) -> Decimal:
        """Return the initial margin of position and resting orders."""
        return self.present / self.leverage

    @property
    def maintenance(self) -> Decimal:
        """Return the maintenance margin."""
        return maintenance(self.instrument.tiers, abs(self.notional))

    @property
    def open(self) -> bool:
        """Tell whether there is a position or a resting order."""
        return bool(self.quantity or self.bids or self.asks)


@dataclass(frozen=True, slots=True)
class Pool:
    """A coin in a futures wallet and everything it margins."""

    coin: str
    wallet: Decimal
    holdings: tuple[Holding, ...]

    @property
    def unrealised(self) -> Decimal:
        """Return the unrealised profit of every holding."""
        return sum((h.unrealised for h in self.holdings), ZERO)

    @property
    def maintenance(self) -> Decimal:
        """Return the maintenance margin of every holding."""
        return sum((h.maintenance for h in self.holdings), ZERO)

    @property
    def position_initial(self) -> Decimal:
        """Return the initial margin of the positions."""
        return sum((h.position_initial for h in self.holdings), ZERO)

    @property
    def open_initial(self) -> Decimal:
        """Return the initial margin that resting orders add."""
        return sum((h.open_initial for h in self.holdings), ZERO)

    @property
    def initial(self) -> Decimal:
        """Return the initial margin of positions and resting orders."""
        return self.position_initial + self.open_initial

    @property
    def equity(self) -> Decimal:
        """Return the margin balance: wallet and unrealised profit."""
        return self.wallet + self.unrealised

    @property
    def available(self) -> Decimal:
        """Return what new orders may use."""
        return max(ZERO, self.equity - self.initial)

    @property
    def may_leave(self) -> Decimal:
        """Return what may be transferred out."""
        return max(ZERO, min(self.wallet - self.maintenance, self.equity - self.initial))


def holding(exchange: Exchange, user: str, instrument: Instrument, leg: Leg) -> Holding:
    """Return one leg of an instrument as the user holds it, flat when never touched."""
    position = exchange.ledger.position(user, instrument.id, leg)
    bids, asks = _resting(exchange, user, instrument, leg)
    held = position or Position(user, instrument.id, leg, ZERO, ZERO, ZERO, 0, 0)
    return Holding(
        instrument=instrument,
        leg=leg,
        quantity=held.quantity,
        entry=held.entry,
        mark=exchange.quote(instrument).mark,
        leverage=exchange.leverage(user, instrument),
        bids=bids,
        asks=asks,
        updated_ms=held.updated_ms,
    )


def legs(exchange: Exchange, user: str, market: str) -> tuple[Leg, ...]:
    """Return the legs of the user's position mode: net, or long and short."""
    setting = exchange.ledger.counters.get(dual_setting(user, market))
    return ("long", "short") if setting is not None and setting.value else ("net",)


def dual_setting(user: str, market: str) -> str:
    """Return the name under which the position mode is kept."""
    return f"{user}|{market}|dual"


def holdings(exchange: Exchange, user: str, market: str) -> list[Holding]:
    """Return every leg of every instrument of a market."""
    return [
        holding(exchange, user, instrument, leg)
        for instrument in exchange.instruments.values()
        if (instrument.venue, instrument.market) == (VENUE, market)
        for leg in legs(exchange, user, market)
    ]


def pools(exchange: Exchange, user: str, market: str) -> dict[str, Pool]:
    """Return the pools of a futures wallet by coin, those never funded too."""
    held = holdings(exchange, user, market)
    return {
        coin: Pool(
            coin,
            exchange.ledger.amount(user, market, coin),
            tuple(h for h in held if h.instrument.settle == coin),
        )
        for coin in COINS[market]
    }


def liquidation_price(pool: Pool, held: Holding) -> Decimal:
    """Return the mark at which the pool's margin balance meets its maintenance margin.

    The rate is that of the tier at the present notional; zero when no price does it.
    """
    size = abs(held.quantity) * held.instrument.contract_size
    if not size:
        return ZERO
    sign = 1 if held.quantity > 0 else -1
    others = pool.wallet + pool.unrealised - held.unrealised
    others -= pool.maintenance - held.maintenance
    tier = tier_of(held.instrument.tiers, abs(held.notional))
    others += tier.deduction
    if held.instrument.payoff == "inverse":
        below = others + sign * size / held.entry
        price = size * (tier.maintenance + sign) / below if below else ZERO
    else:
        price = (others - sign * size * held.entry) / (size * (tier.maintenance - sign))
    return max(ZERO, price)


def locked_coins(exchange: Exchange, user: str) -> dict[str, Decimal]:
    """Return what resting spot orders hold, by coin."""
    locked: dict[str, Decimal] = {}
    for order in exchange.ledger.orders.by("open", (user, True)):
        instrument = exchange.instruments[order.instrument]
        if instrument.payoff != "spot" or order.price is None:
            continue
        buys = order.side == "buy"
        coin = instrument.quote if buys else instrument.base
        held = order.remaining * order.price if buys else order.remaining
        locked[coin] = locked.get(coin, ZERO) + held
    return locked


def _resting(
    exchange: Exchange, user: str, instrument: Instrument, leg: Leg
) -> tuple[Decimal, Decimal]:
    bids, asks = ZERO, ZERO
    for order in exchange.ledger.orders.by("open", (user, True)):
        if (order.instrument, order.leg) != (instrument.id, leg) or order.reduce_only:
            continue
        if order.price is None:
            continue
        worth = value(instrument, order.remaining, order.price)
        if order.side == "buy":
            bids += worth
        else:
            asks += worth
    return bids, asks
