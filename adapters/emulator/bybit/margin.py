"""The unified account's margin law (regular, cross), in USD.

Margin balance = coins + unrealised profit of perpetuals; the haircut is what the coins lose at
their collateral ratio (debts count in full).
Initial margin = value / leverage, of positions and of resting orders that add risk; maintenance =
value * rate - deduction of the tier (venue's page "margin parameters"). Available = margin balance
- haircut - initial margin. Fees to close are left out, as on that page.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Exchange, Intent, opening
from allocator.adapters.emulator.market import (
    EIGHT,
    Instrument,
    counted,
    leverage_cap,
    maintenance,
    profit,
    value,
)
from allocator.adapters.emulator.records import ZERO, Order, Position
from allocator.adapters.emulator.resting import initial_of, locked_by

UNIFIED = "UNIFIED"
FUND = "FUND"
RATIO_STEPS: dict[str, tuple[tuple[Decimal, Decimal], ...]] = {
    "USDT": ((Decimal("Infinity"), Decimal(1)),),
    "USDC": ((Decimal("Infinity"), Decimal(1)),),
    "BTC": (
        (Decimal(500), Decimal("0.95")),
        (Decimal(1000), Decimal("0.9")),
        (Decimal("Infinity"), Decimal("0.5")),
    ),
    "ETH": (
        (Decimal(5000), Decimal("0.95")),
        (Decimal(10000), Decimal("0.9")),
        (Decimal("Infinity"), Decimal("0.5")),
    ),
}


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """A position with its value, profit and margins, in the settle coin."""

    instrument: Instrument
    position: Position
    mark: Decimal
    leverage: Decimal
    value: Decimal
    profit: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin of the unified wallet: balance, profit, margins and locks, in the coin."""

    coin: str
    wallet: Decimal
    profit: Decimal
    position_initial: Decimal
    order_initial: Decimal
    maintenance: Decimal
    locked: Decimal
    realised: Decimal
    usd: Decimal

    @property
    def equity(self) -> Decimal:
        """Return wallet plus unrealised profit."""
        return self.wallet + self.profit


@dataclass(frozen=True, slots=True)
class Account:
    """The unified account in USD, and its coins."""

    coins: tuple[Coin, ...]
    positions: tuple[PositionMargin, ...]
    wallet: Decimal
    equity: Decimal
    haircut: Decimal
    profit: Decimal
    initial: Decimal
    maintenance: Decimal

    @property
    def available(self) -> Decimal:
        """Return what new risk may use; negative when there is none."""
        return self.margin_balance - self.haircut - self.initial

    @property
    def margin_balance(self) -> Decimal:
        """Return coins plus profit, before the haircut."""
        return self.wallet + self.profit

    def rate(self, requirement: Decimal) -> Decimal:
        """Return a requirement over what backs it; one when nothing does."""
        backing = self.margin_balance - self.haircut
        if requirement == 0:
            return ZERO
        return requirement / backing if backing > 0 else Decimal(1)


def collateral(coin: str, amount: Decimal) -> Decimal:
    """Return how much of `amount` counts as margin, in the coin: tiered, a debt counts in full."""
    return counted(RATIO_STEPS.get(coin, ()), amount)


def margin_of(exchange: Exchange, instrument: Instrument, position: Position) -> PositionMargin:
    """Return the margins of one position at its mark."""
    mark = exchange.quote(instrument).mark
    leverage = exchange.leverage(position.user, instrument)
    worth = abs(value(instrument, position.quantity, mark))
    return PositionMargin(
        instrument,
        position,
        mark,
        leverage,
        worth,
        profit(instrument, position.quantity, position.entry, mark),
        worth / leverage,
        maintenance(instrument.tiers, worth),
    )


def account(exchange: Exchange, user: str) -> Account:
    """Return the unified account of a user."""
    ledger = exchange.ledger
    positions = tuple(margin_of(exchange, i, p) for i, p in exchange.positions(user))
    names = {row.coin: None for row in ledger.balances.by("wallet", (user, UNIFIED))}
    names.update({p.instrument.settle: None for p in positions})
    orders = ledger.orders.by("open", (user, True))
    coins = tuple(_coin(exchange, user, name, positions, orders) for name in names)
    return Account(
        coins,
        positions,
        wallet=sum((c.wallet * c.usd for c in coins), ZERO),
        equity=sum((c.equity * c.usd for c in coins), ZERO),
        haircut=sum(((c.wallet - collateral(c.coin, c.wallet)) * c.usd for c in coins), ZERO),
        profit=sum((c.profit * c.usd for c in coins), ZERO),
        initial=sum(((c.position_initial + c.order_initial) * c.usd for c in coins), ZERO),
        maintenance=sum((c.maintenance * c.usd for c in coins), ZERO),
    )


def admit(exchange: Exchange, intent: Intent) -> None:
    """Raise Refused when the unified account cannot carry the order."""
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
    if needed * exchange.ledger.coin_usd(instrument.settle) > current.available:
        raise Refused(Refusal.MARGIN, needed=needed, available=current.available)
    held = exchange.ledger.position(intent.user, instrument.id, intent.leg)
    after = (ZERO if held is None else held.quantity) + intent.signed
    cap = leverage_cap(instrument.tiers, leverage)
    if abs(value(instrument, after, price)) > cap:
        raise Refused(Refusal.RISK_LIMIT, leverage=leverage, cap=cap)


def transferable(exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
    """Return what may leave a wallet: free coins, no more than the margin left can spare."""
    held = exchange.ledger.amount(user, wallet, coin)
    if wallet != UNIFIED:
        return max(ZERO, held)
    current = account(exchange, user)
    row = next((c for c in current.coins if c.coin == coin), None)
    if row is None:
        return ZERO
    free = row.wallet - row.locked
    used = any(p.value for p in current.positions) or current.initial > 0
    if used:
        full = collateral(coin, row.wallet) * row.usd
        ratio = full / (row.wallet * row.usd) if row.wallet > 0 else Decimal(1)
        spare = current.available / (row.usd * ratio) if ratio else free
        free = min(free, spare)
    return max(ZERO, free.quantize(EIGHT, rounding=ROUND_DOWN))


def _admit_spot(exchange: Exchange, intent: Intent) -> None:
    instrument = intent.instrument
    buying = intent.side == "buy"
    coin = instrument.quote if buying else instrument.base
    price = intent.price or exchange.book(instrument).asks[0][0]
    needed = intent.quantity * price if buying else intent.quantity
    row = next((c for c in account(exchange, intent.user).coins if c.coin == coin), None)
    free = ZERO if row is None else row.wallet - row.locked
    if needed > free:
        raise Refused(Refusal.BALANCE, coin=coin, needed=needed, free=free)


def _coin(
    exchange: Exchange,
    user: str,
    coin: str,
    positions: tuple[PositionMargin, ...],
    orders: list[Order],
) -> Coin:
    mine = [p for p in positions if p.instrument.settle == coin]
    realised = [
        p.realised
        for p in exchange.ledger.positions.by("user", user)
        if exchange.instruments[p.instrument].settle == coin
    ]
    return Coin(
        coin=coin,
        wallet=exchange.ledger.amount(user, UNIFIED, coin),
        profit=sum((p.profit for p in mine), ZERO),
        position_initial=sum((p.initial for p in mine), ZERO),
        order_initial=sum((initial_of(exchange, o, coin) for o in orders), ZERO),
        maintenance=sum((p.maintenance for p in mine), ZERO),
        locked=sum((locked_by(exchange, o, coin) for o in orders), ZERO),
        realised=sum(realised, ZERO),
        usd=exchange.ledger.coin_usd(coin),
    )
