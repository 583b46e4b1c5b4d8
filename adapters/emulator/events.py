"""What happens on the exchange without a request: arrivals, funding, price moves, silence."""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.exchange import Exchange, quote_at
from allocator.adapters.emulator.market import EIGHT, Instrument, value
from allocator.adapters.emulator.records import (
    CoinPrice,
    Counter,
    Deposit,
    Execution,
    Position,
    Withdrawal,
)

HOUR_MS = 3_600_000
COUNTDOWN = "countdown"


def catch_up(exchange: Exchange) -> None:
    """Carry out everything that fell due up to now."""
    now_ms = exchange.clock.now_ms()
    for status in ("pending", "sent"):
        for withdrawal in exchange.ledger.withdrawals.by("status", status):
            if withdrawal.due_ms <= now_ms:
                _arrive(exchange, withdrawal)
    for transfer in exchange.ledger.transfers.by("status", "pending"):
        if transfer.due_ms <= now_ms:
            exchange.ledger.credit(
                transfer.to_user, transfer.to_wallet, transfer.coin, transfer.amount
            )
            exchange.ledger.transfers.put(replace(transfer, status="done"))
    for instrument in exchange.instruments.values():
        if instrument.payoff != "spot" and instrument.funding_interval_h:
            _fund(exchange, instrument, now_ms)
    _hear_silence(exchange, now_ms)


def set_countdown(exchange: Exchange, user: str, instrument: Instrument, due_ms: int) -> None:
    """Cancel a user's orders on an instrument at `due_ms` unless set anew; zero calls it off."""
    exchange.ledger.counters.put(Counter(f"{COUNTDOWN}|{user}|{instrument.id}", due_ms))


def set_price(exchange: Exchange, coin: str, usd: Decimal) -> None:
    """Move a coin's index; marks follow with their basis and reach resting orders."""
    exchange.ledger.prices.put(CoinPrice(coin, usd))
    for instrument in exchange.instruments.values():
        if instrument.base == coin:
            old = exchange.quote(instrument)
            new = quote_at(instrument, usd, old.funded_ms)
            exchange.ledger.quotes.put(replace(new, funding_rate=old.funding_rate))
            matching.cross(exchange, instrument)


def set_funding(exchange: Exchange, instrument: Instrument, rate: Decimal) -> None:
    """Set the rate paid at the next funding time (positive: longs pay)."""
    exchange.ledger.quotes.put(replace(exchange.quote(instrument), funding_rate=rate))


def next_funding_ms(instrument: Instrument, now_ms: int) -> int:
    """Return the next funding time after now: multiples of the interval since the epoch."""
    interval_ms = instrument.funding_interval_h * HOUR_MS
    return (now_ms // interval_ms + 1) * interval_ms


def _hear_silence(exchange: Exchange, now_ms: int) -> None:
    for counter in exchange.ledger.counters:
        kind, _, rest = counter.name.partition("|")
        if kind != COUNTDOWN or not 0 < counter.value <= now_ms:
            continue
        user, _, instrument = rest.partition("|")
        for order in exchange.ledger.orders.by("open", (user, True)):
            if order.instrument == instrument:
                matching.cancel(exchange, order)
        exchange.ledger.counters.put(replace(counter, value=0))


def _arrive(exchange: Exchange, withdrawal: Withdrawal) -> None:
    ledger = exchange.ledger
    ledger.withdrawals.put(replace(withdrawal, status="done"))
    found = [
        a
        for a in ledger.addresses.by("address", (withdrawal.address, withdrawal.tag))
        if a.coin == withdrawal.coin
    ]
    if not found:
        return
    home = found[0]
    there = (exchange.venue_of(home.user).name, home.coin, home.chain)
    chains = exchange.world.chains
    fee = sum((c.deposit_fee for c in chains if (c.venue, c.coin, c.name) == there), Decimal(0))
    ledger.credit(home.user, home.wallet, withdrawal.coin, withdrawal.amount - fee)
    seq = ledger.next("deposit")
    ledger.deposits.put(
        Deposit(
            id=f"deposit-{seq}",
            user=home.user,
            wallet=home.wallet,
            coin=withdrawal.coin,
            chain=home.chain,
            amount=withdrawal.amount,
            address=home.address,
            tag=home.tag,
            txid=withdrawal.txid,
            seq=seq,
            time_ms=withdrawal.due_ms,
            fee=fee,
        )
    )


def _fund(exchange: Exchange, instrument: Instrument, now_ms: int) -> None:
    quote = exchange.quote(instrument)
    due_ms = next_funding_ms(instrument, quote.funded_ms)
    if due_ms > now_ms:
        return
    interval_ms = instrument.funding_interval_h * HOUR_MS
    times = range(due_ms, now_ms + 1, interval_ms)
    exchange.ledger.quotes.put(replace(quote, funded_ms=times[-1]))
    for position in exchange.ledger.positions.by("instrument", instrument.id):
        if position.quantity != 0:
            for time_ms in times:
                _pay(exchange, instrument, position, time_ms)


def _pay(exchange: Exchange, instrument: Instrument, position: Position, time_ms: int) -> None:
    ledger, quote = exchange.ledger, exchange.quote(instrument)
    worth = value(instrument, position.quantity, quote.mark)
    paid = -(-worth * quote.funding_rate).quantize(EIGHT, rounding=ROUND_FLOOR)
    wallet = exchange.venue_of(position.user).wallet(instrument)
    ledger.credit(position.user, wallet, instrument.settle, -paid)
    seq = ledger.next("execution")
    ledger.executions.put(
        Execution(
            id=f"execution-{seq}",
            order="",
            client_id="",
            user=position.user,
            instrument=instrument.id,
            side="buy" if position.quantity > 0 else "sell",
            price=quote.mark,
            quantity=abs(position.quantity),
            value=abs(worth),
            fee=paid,
            fee_coin=instrument.settle,
            fee_rate=quote.funding_rate,
            maker=False,
            kind="funding",
            realised=Decimal(0),
            closed=Decimal(0),
            leg=position.leg,
            mark=quote.mark,
            seq=seq,
            time_ms=time_ms,
        )
    )
