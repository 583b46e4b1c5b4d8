"""The trading account's margin law, in its three modes: spot, futures, multi-currency.

A contract's value is contracts x contract size x mark (inverse: over mark, in the coin); initial
margin = value / leverage, maintenance = value x the rate of the tier that holds the whole
position, in contracts. An isolated position has set its margin aside; it is in the currency's
equity and in no cross figure. Futures mode: each currency margins its own contracts.
Multi-currency mode: adjusted equity is what each currency's cross equity is worth at its discount
steps, a debt in full.

Sources: the venue's pages "Get balance", "Get positions", "Get position tiers", "Get discount
rate and interest-free quota".
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Exchange, Intent, opening
from allocator.adapters.emulator.market import EIGHT, Instrument, counted, profit, tier_of, value
from allocator.adapters.emulator.okx.words import setting
from allocator.adapters.emulator.records import ZERO, Order, Position
from allocator.adapters.emulator.resting import initial_of, locked_by

TRADING, FUNDING = "18", "6"
SPOT, FUTURES, MULTI = 1, 2, 3
BAND = Decimal("0.05")
"""How far from the mark an order's price may lie."""

STEPS: dict[str, tuple[tuple[Decimal, Decimal], ...]] = {
    "USDT": ((Decimal("Infinity"), Decimal(1)),),
    "USDC": ((Decimal("Infinity"), Decimal(1)),),
    "BTC": (
        (Decimal(20), Decimal("0.98")),
        (Decimal(25), Decimal("0.9775")),
        (Decimal("Infinity"), Decimal("0.95")),
    ),
    "ETH": (
        (Decimal(1000), Decimal("0.98")),
        (Decimal("Infinity"), Decimal("0.94")),
    ),
}
"""Discount rates by step of the currency's equity."""


@dataclass(frozen=True, slots=True)
class Held:
    """A position with its value, profit and margins in the settle coin; `aside` is set apart."""

    instrument: Instrument
    position: Position
    mark: Decimal
    leverage: Decimal
    value: Decimal
    profit: Decimal
    initial: Decimal
    maintenance: Decimal
    isolated: bool
    aside: Decimal


@dataclass(frozen=True, slots=True)
class Coin:
    """One currency of the trading account, in its own units."""

    coin: str
    cash: Decimal
    aside: Decimal
    cross_profit: Decimal
    isolated_profit: Decimal
    initial: Decimal
    order_initial: Decimal
    maintenance: Decimal
    locked: Decimal
    usd: Decimal

    @property
    def isolated_equity(self) -> Decimal:
        """Return what is set aside, with the profit on it."""
        return self.aside + self.isolated_profit

    @property
    def cross_equity(self) -> Decimal:
        """Return cash and the profit of cross positions."""
        return self.cash + self.cross_profit

    @property
    def equity(self) -> Decimal:
        """Return everything."""
        return self.cross_equity + self.isolated_equity

    @property
    def discounted(self) -> Decimal:
        """Return what cross equity counts for, in USD: tiered, a debt in full."""
        return discounted(self.coin, self.cross_equity) * self.usd

    @property
    def free(self) -> Decimal:
        """Return cross equity that carries nothing yet."""
        return self.cross_equity - self.initial - self.order_initial - self.locked


@dataclass(frozen=True, slots=True)
class Account:
    """The trading account: its mode, currencies and positions."""

    level: int
    coins: tuple[Coin, ...]
    positions: tuple[Held, ...]

    @property
    def adjusted(self) -> Decimal:
        """Return adjusted equity, USD."""
        return sum((c.discounted for c in self.coins), ZERO)

    @property
    def initial(self) -> Decimal:
        """Return initial margin of cross positions and orders, USD."""
        return sum(((c.initial + c.order_initial) * c.usd for c in self.coins), ZERO)

    @property
    def maintenance(self) -> Decimal:
        """Return maintenance margin of cross positions, USD."""
        return sum((c.maintenance * c.usd for c in self.coins), ZERO)

    @property
    def available(self) -> Decimal:
        """Return adjusted equity that carries nothing yet, USD."""
        return self.adjusted - self.initial

    def coin(self, name: str) -> Coin | None:
        """Return a currency, or None when the account never held it."""
        return next((c for c in self.coins if c.coin == name), None)


def discounted(coin: str, units: Decimal) -> Decimal:
    """Return how much of `units` counts, in the coin."""
    return counted(STEPS.get(coin, ()), units)


def purse(position: Position) -> str:
    """Return the wallet that holds what an isolated position has set aside."""
    return f"isolated|{position.instrument}|{position.leg}"


def held(exchange: Exchange, instrument: Instrument, position: Position) -> Held:
    """Return a position with its margins at the mark."""
    mark = exchange.quote(instrument).mark
    leverage = exchange.leverage(position.user, instrument)
    worth = abs(value(instrument, position.quantity, mark))
    name = f"{position.user}|{purse(position)}|{instrument.settle}"
    return Held(
        instrument,
        position,
        mark,
        leverage,
        worth,
        profit(instrument, position.quantity, position.entry, mark),
        worth / leverage,
        worth * tier_of(instrument.tiers, abs(position.quantity)).maintenance,
        name in exchange.ledger.balances,
        exchange.ledger.amount(position.user, purse(position), instrument.settle),
    )


def account(exchange: Exchange, user: str) -> Account:
    """Return the trading account of a user."""
    ledger = exchange.ledger
    positions = tuple(held(exchange, i, p) for i, p in exchange.positions(user))
    names = {row.coin: None for row in ledger.balances.by("wallet", (user, TRADING))}
    names.update({p.instrument.settle: None for p in positions})
    orders = ledger.orders.by("open", (user, True))
    coins = tuple(_coin(exchange, user, name, positions, orders) for name in names)
    return Account(setting(exchange, user, "level"), coins, positions)


def most_contracts(instrument: Instrument, leverage: Decimal) -> Decimal:
    """Return how many contracts a leverage may carry; zero above every tier's."""
    return max((t.cap for t in instrument.tiers if t.max_leverage >= leverage), default=ZERO)


def admit(exchange: Exchange, intent: Intent) -> None:
    """Raise Refused when the account cannot carry the order."""
    if intent.instrument.payoff == "spot":
        _admit_spot(exchange, intent)
        return
    added = ZERO if intent.reduce_only else opening(exchange, intent)
    if added == 0:
        return
    instrument = intent.instrument
    price = intent.price or exchange.quote(instrument).mark
    leverage = exchange.leverage(intent.user, instrument)
    worth = abs(value(instrument, added, price))
    needed = worth / leverage + worth * instrument.taker
    current = account(exchange, intent.user)
    if needed > _room(current, instrument.settle, exchange.ledger.coin_usd(instrument.settle)):
        raise Refused(Refusal.MARGIN, coin=instrument.settle)
    position = exchange.ledger.position(intent.user, instrument.id, intent.leg)
    after = (ZERO if position is None else position.quantity) + intent.signed
    most = most_contracts(instrument, leverage)
    if abs(after) > most:
        raise Refused(Refusal.RISK_LIMIT, maximum=most)


def transferable(exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
    """Return what may leave: no borrowed coins, no profit, no more than the margin left spares."""
    if wallet != TRADING:
        return max(ZERO, exchange.ledger.amount(user, wallet, coin))
    current = account(exchange, user)
    row = current.coin(coin)
    if row is None:
        return ZERO
    free = row.cash - row.locked
    if current.level == FUTURES:
        free = min(free, row.free)
    elif current.level == MULTI and current.initial > 0 and row.cash > 0:
        rate = discounted(coin, row.cash) / row.cash
        free = min(free, current.available / (row.usd * rate)) if rate else free
    return max(ZERO, free.quantize(EIGHT, rounding=ROUND_DOWN))


def _room(current: Account, coin: str, usd: Decimal) -> Decimal:
    """Return how much more initial margin the account carries in a coin."""
    if current.level == MULTI:
        return current.available / usd
    row = current.coin(coin)
    return ZERO if row is None or current.level == SPOT else row.free


def _admit_spot(exchange: Exchange, intent: Intent) -> None:
    instrument = intent.instrument
    buying = intent.side == "buy"
    coin = instrument.quote if buying else instrument.base
    price = intent.price or exchange.book(instrument).asks[0][0]
    needed = intent.quantity * price if buying else intent.quantity
    row = account(exchange, intent.user).coin(coin)
    if row is None or needed > row.cash - row.locked:
        raise Refused(Refusal.BALANCE, coin=coin)


def _coin(
    exchange: Exchange, user: str, coin: str, positions: tuple[Held, ...], orders: list[Order]
) -> Coin:
    mine = [p for p in positions if p.instrument.settle == coin]
    cross = [p for p in mine if not p.isolated]
    return Coin(
        coin=coin,
        cash=exchange.ledger.amount(user, TRADING, coin),
        aside=sum((p.aside for p in mine), ZERO),
        cross_profit=sum((p.profit for p in cross), ZERO),
        isolated_profit=sum((p.profit for p in mine if p.isolated), ZERO),
        initial=sum((p.initial for p in cross), ZERO),
        order_initial=sum((initial_of(exchange, o, coin) for o in orders), ZERO),
        maintenance=sum((p.maintenance for p in cross), ZERO),
        locked=sum((locked_by(exchange, o, coin) for o in orders), ZERO),
        usd=exchange.ledger.coin_usd(coin),
    )
