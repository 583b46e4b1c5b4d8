"""The venue's standard margin, segregated by currency or with cross collateral.

Futures: initial ``(1/leverage + f q) q``, maintenance ``(1/(2 leverage) + f q) q`` with q base
units and f the scaling of the underlying, in the settle coin (linear: times the index). Sources:
support.deribit.com 25944738177565 (linear perpetual), 25944826427293 (change of 11 January 2022).
Short options, a unit: initial ``max(0.15 - OTM/U, 0.1) + mark`` (a put no less than its
maintenance), maintenance ``0.075 + mark`` (put ``max(0.075, 0.075 mark) + mark``); long ones none.
Equity = balance + session profit of futures + value of options; margin balance leaves the value
out. Premiums, fees leave the balance at once, profits of futures at the settlement of 08:00 UTC:
realised ones here, while unrealised ones stay in the session for ever.
With cross collateral each figure is the sum over the pool in dollars, in the currency's units;
haircuts count for initial margin (25944777203869; the rates here are the demo's own).
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from allocator.adapters.emulator.deribit.words import WALLET
from allocator.adapters.emulator.deribit.world import CROSS
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import EIGHT, Instrument, profit
from allocator.adapters.emulator.records import ZERO, Execution, Position

SCALING = {"BTC": Decimal("0.00005"), "ETH": Decimal("0.000004")}
HAIRCUTS = {"BTC": ZERO, "ETH": ZERO, "USDC": ZERO, "USDT": Decimal("0.02")}
SHORT_INITIAL, SHORT_FLOOR, SHORT_MAINTENANCE = Decimal("0.15"), Decimal("0.1"), Decimal("0.075")
DAY_MS, SETTLES_MS = 86_400_000, 8 * 3_600_000


@dataclass(frozen=True, slots=True)
class Need:
    """Initial and maintenance margin, settle coin."""

    initial: Decimal = ZERO
    maintenance: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Purse:
    """One currency of an account, in its units, before cross collateral.

    `upl` and `rpl` are the session's, of futures and of options; `value` is the options' worth.
    """

    currency: str
    balance: Decimal
    upl: Decimal
    rpl: Decimal
    options_upl: Decimal
    value: Decimal
    need: Need
    orders: Decimal
    reserved: Decimal
    delta: Decimal
    usd: Decimal

    @property
    def margin_balance(self) -> Decimal:
        """Return balance plus the session profit of futures."""
        return self.balance + self.upl + self.rpl

    @property
    def equity(self) -> Decimal:
        """Return the margin balance plus what the options are worth."""
        return self.margin_balance + self.value

    @property
    def initial(self) -> Decimal:
        """Return the initial margin of positions and orders."""
        return self.need.initial + self.orders


def base_units(instrument: Instrument, contracts: Decimal, mark: Decimal) -> Decimal:
    """Return signed contracts in base units."""
    amount = contracts * instrument.contract_size
    return amount / mark if instrument.payoff == "inverse" else amount


def need(
    instrument: Instrument, contracts: Decimal, mark: Decimal, index: Decimal, forward: Decimal
) -> Need:
    """Return what a position needs, in the settle coin."""
    size = abs(base_units(instrument, contracts, mark))
    in_coin = instrument.settle == instrument.base
    if instrument.option is None:
        tier, extra = instrument.tiers[0], SCALING[instrument.base] * size
        unit = Decimal(1) if in_coin else index
        initial = (1 / tier.max_leverage + extra) * size * unit
        return Need(initial, (tier.maintenance + extra) * size * unit)
    if contracts >= 0:
        return Need()
    option, unit = instrument.option, Decimal(1) if in_coin else forward
    away = option.strike - forward if option.call else forward - option.strike
    initial = max(SHORT_INITIAL - max(ZERO, away) / forward, SHORT_FLOOR) * unit + mark
    floor = SHORT_MAINTENANCE * unit
    maintenance = (floor if option.call else max(floor, SHORT_MAINTENANCE * mark)) + mark
    if not option.call:
        initial = max(initial, maintenance)
    return Need(initial * size, maintenance * size)


def forward_of(exchange: Exchange, instrument: Instrument) -> Decimal:
    """Return the price of the underlying that an option is priced by."""
    return exchange.quote(instrument).index * (1 + instrument.basis)


def need_now(exchange: Exchange, instrument: Instrument, contracts: Decimal) -> Need:
    """Return what contracts need at the present prices."""
    quote = exchange.quote(instrument)
    return need(instrument, contracts, quote.mark, quote.index, forward_of(exchange, instrument))


def gain(exchange: Exchange, instrument: Instrument, position: Position) -> Decimal:
    """Return the unrealised profit of a position, settle coin."""
    mark = exchange.quote(instrument).mark
    return profit(instrument, position.quantity, position.entry, mark)


def session_start_ms(now_ms: int) -> int:
    """Return when the present session began: the last 08:00 UTC."""
    return (now_ms - SETTLES_MS) // DAY_MS * DAY_MS + SETTLES_MS


def realised(exchange: Exchange, row: Execution) -> Decimal:
    """Return what a fill or a funding payment of a future adds to the session's realised profit."""
    instrument = exchange.instruments[row.instrument]
    if instrument.market != "future":
        return ZERO
    return -row.fee if row.kind == "funding" else row.realised


def purse(exchange: Exchange, user: str, currency: str) -> Purse:
    """Return one currency of an account."""
    ledger = exchange.ledger
    held = [(i, p) for i, p in exchange.positions(user) if i.settle == currency]
    futures = [(i, p) for i, p in held if i.option is None]
    options = [(i, p) for i, p in held if i.option is not None]
    start_ms = session_start_ms(exchange.clock.now_ms())
    rpl = sum(
        (
            realised(exchange, row)
            for row in ledger.executions.by("user", user)
            if row.time_ms >= start_ms and exchange.instruments[row.instrument].settle == currency
        ),
        ZERO,
    )
    cost = sum((p.quantity * i.contract_size * p.entry for i, p in options), ZERO)
    needs = [need_now(exchange, i, p.quantity) for i, p in held]
    options_upl = sum((gain(exchange, i, p) for i, p in options), ZERO)
    return Purse(
        currency=currency,
        balance=ledger.amount(user, WALLET, currency) - rpl - cost,
        upl=sum((gain(exchange, i, p) for i, p in futures), ZERO),
        rpl=rpl,
        options_upl=options_upl,
        value=cost + options_upl,
        need=Need(sum((n.initial for n in needs), ZERO), sum((n.maintenance for n in needs), ZERO)),
        orders=_orders(exchange, user, currency),
        reserved=_reserved(exchange, user, currency),
        delta=sum((base_units(i, p.quantity, exchange.quote(i).mark) for i, p in futures), ZERO),
        usd=ledger.coin_usd(currency),
    )


def purses(exchange: Exchange, user: str) -> list[Purse]:
    """Return every currency of an account, those of the world without a balance as well."""
    return [purse(exchange, user, coin) for coin in HAIRCUTS]


@dataclass(frozen=True, slots=True)
class Pool:
    """The figures that cross collateral sums up, in one currency's units or in dollars."""

    margin_balance: Decimal
    initial: Decimal
    maintenance: Decimal
    available: Decimal


def pool(exchange: Exchange, user: str, currency: str | None) -> Pool:
    """Return the margin of a currency, or with cross collateral of all, in its units.

    None: in dollars.
    """
    every = purses(exchange, user)
    unit = Decimal(1) if currency is None else exchange.ledger.coin_usd(currency)
    if user in CROSS or currency is None:
        counted = sum((_after_haircut(p) * p.usd for p in every), ZERO)
        initial = sum((p.initial * p.usd for p in every), ZERO)
        return Pool(
            sum((p.margin_balance * p.usd for p in every), ZERO) / unit,
            initial / unit,
            sum((p.need.maintenance * p.usd for p in every), ZERO) / unit,
            (counted - initial) / unit,
        )
    own = next(p for p in every if p.currency == currency)
    return Pool(
        own.margin_balance, own.initial, own.need.maintenance, own.margin_balance - own.initial
    )


def admit(exchange: Exchange, intent: Intent) -> None:
    """Raise Refused when the account cannot carry an order."""
    instrument = intent.instrument
    if instrument.payoff == "spot":
        _admit_spot(exchange, intent)
        return
    if intent.reduce_only:
        return
    quote = exchange.quote(instrument)
    held = exchange.ledger.position(intent.user, instrument.id)
    before = ZERO if held is None else held.quantity
    old = need_now(exchange, instrument, before).initial
    new = need_now(exchange, instrument, before + intent.signed).initial
    wanted = max(ZERO, new - old)
    if instrument.option is not None and intent.side == "buy":
        price = quote.mark if intent.price is None else intent.price
        wanted += intent.quantity * instrument.contract_size * price
    free = pool(exchange, intent.user, instrument.settle).available
    if wanted > free:
        raise Refused(Refusal.MARGIN, needed=wanted, available=free)


def transferable(exchange: Exchange, user: str, currency: str) -> Decimal:
    """Return what may leave: never a profit of the session, nor what margin needs."""
    own = purse(exchange, user, currency)
    free = min(
        own.balance - own.reserved + min(ZERO, own.upl + own.rpl),
        pool(exchange, user, currency).available,
    )
    return max(ZERO, free.quantize(EIGHT, rounding=ROUND_DOWN))


def _after_haircut(own: Purse) -> Decimal:
    counted = own.margin_balance
    return counted * (1 - HAIRCUTS[own.currency]) if counted > 0 else counted


def _orders(exchange: Exchange, user: str, currency: str) -> Decimal:
    total = ZERO
    for order in exchange.ledger.orders.by("open", (user, True)):
        instrument = exchange.instruments[order.instrument]
        if instrument.payoff == "spot" or instrument.settle != currency or order.reduce_only:
            continue
        held = exchange.ledger.position(user, instrument.id)
        before = ZERO if held is None else held.quantity
        signed = order.remaining if order.side == "buy" else -order.remaining
        old = need_now(exchange, instrument, before).initial
        total += max(ZERO, need_now(exchange, instrument, before + signed).initial - old)
        if instrument.option is not None and order.side == "buy" and order.price is not None:
            total += order.remaining * instrument.contract_size * order.price
    return total


def _reserved(exchange: Exchange, user: str, currency: str) -> Decimal:
    total = ZERO
    for order in exchange.ledger.orders.by("open", (user, True)):
        instrument = exchange.instruments[order.instrument]
        if instrument.payoff != "spot" or order.price is None:
            continue
        if order.side == "buy" and instrument.quote == currency:
            total += order.remaining * order.price
        elif order.side == "sell" and instrument.base == currency:
            total += order.remaining
    return total


def _admit_spot(exchange: Exchange, intent: Intent) -> None:
    instrument = intent.instrument
    buying = intent.side == "buy"
    coin = instrument.quote if buying else instrument.base
    price = exchange.book(instrument).asks[0][0] if intent.price is None else intent.price
    wanted = intent.quantity * price if buying else intent.quantity
    own = purse(exchange, intent.user, coin)
    if wanted > own.balance - own.reserved:
        raise Refused(Refusal.BALANCE, needed=wanted, free=own.balance - own.reserved)
