"""Laws of the core that hold for any sequence of requests."""

import contextlib
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.adapters.emulator import events, funds, matching
from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.errors import Refused
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.funds import NewTransfer, NewWithdrawal, Purse
from allocator.adapters.emulator.market import maintenance, profit, value
from allocator.adapters.emulator.records import ZERO, Balance
from allocator.adapters.emulator.tables import Table
from allocator.adapters.emulator.world import demo_exchange

MEMBERS = ("bybit:10000001", "bybit:10000002", "bybit:10000003")
purses = st.builds(Purse, st.sampled_from(MEMBERS), st.sampled_from(("UNIFIED", "FUND")))
amounts = st.decimals(min_value=-1, max_value=300_000, places=8)
moves = st.lists(st.tuples(purses, purses, amounts), max_size=12)
HOME = "TBybitFundOne1111111111111111111111"


def total_usdt(exchange: Exchange) -> Decimal:
    """Sum what wallets hold, what is under way, and what withdrawals cost."""
    ledger = exchange.ledger
    held = sum((b.amount for b in ledger.balances if b.coin == "USDT"), ZERO)
    sent = sum((w.amount for w in ledger.withdrawals if w.status == "pending"), ZERO)
    return held + sent + sum((w.fee for w in ledger.withdrawals), ZERO)


def withdraw(exchange: Exchange, number: int, amount: Decimal) -> None:
    """Send USDT from the funding wallet back to its own address."""
    new = NewWithdrawal(
        id=f"w{number}",
        client_id=f"w{number}",
        user=MEMBERS[0],
        wallet="FUND",
        coin="USDT",
        chain="TRX",
        amount=amount,
        address=HOME,
        tag="",
        fee_on_top=True,
    )
    with contextlib.suppress(Refused), exchange.unit():
        funds.withdraw(exchange, new)


@settings(max_examples=40, deadline=None)
@given(moves, st.lists(st.decimals(min_value=1, max_value=60_000, places=6), max_size=3))
def test_coins_are_neither_made_nor_lost_on_the_move(
    transfers: list[tuple[Purse, Purse, Decimal]], withdrawals: list[Decimal]
) -> None:
    with contextlib.closing(demo_exchange(None)) as exchange:
        before = total_usdt(exchange)
        for number, (source, target, amount) in enumerate(transfers):
            new = NewTransfer(
                str(number), str(number), MEMBERS[0], "any", "USDT", amount, source, target
            )
            with contextlib.suppress(Refused), exchange.unit():
                funds.transfer(exchange, new)
            assert total_usdt(exchange) == before
            assert exchange.ledger.amount(source.user, source.wallet, "USDT") >= 0
        for number, amount in enumerate(withdrawals):
            withdraw(exchange, number, amount)
            assert total_usdt(exchange) == before
        with exchange.unit():
            exchange.advance_clock(10_000)
            events.catch_up(exchange)
        assert total_usdt(exchange) == before
        assert not exchange.ledger.withdrawals.by("status", "pending")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("buy", "sell")), st.integers(1, 3000)), min_size=1, max_size=8
    )
)
def test_equity_changes_by_fees_and_the_distance_to_the_mark_only(
    orders: list[tuple[str, int]],
) -> None:
    with contextlib.closing(demo_exchange(None)) as exchange:
        instrument = exchange.instrument("bybit", "linear", "BTCUSDT")
        mark = exchange.quote(instrument).mark
        before = margin.account(exchange, MEMBERS[0]).equity
        for number, (side, lots) in enumerate(orders):
            new = matching.NewOrder(
                id=f"o{number}",
                client_id="",
                user=MEMBERS[0],
                instrument=instrument,
                side="buy" if side == "buy" else "sell",
                type="market",
                tif="ioc",
                price=None,
                quantity=lots * instrument.lot,
            )
            with contextlib.suppress(Refused), exchange.unit():
                matching.place(exchange, new)
        trades = exchange.ledger.executions.by("user", MEMBERS[0])
        fees = sum((t.fee for t in trades), ZERO)
        slippage = sum((abs(t.price - mark) * t.quantity for t in trades), ZERO)
        after = margin.account(exchange, MEMBERS[0]).equity
        assert abs(before - after - fees - slippage) < Decimal("1e-6")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 9)), max_size=20))
def test_a_rolled_back_table_is_what_it_was(steps: list[tuple[str, int | None]]) -> None:
    table: Table[Balance] = Table("t", Balance, lambda r: r.coin, {"amount": lambda r: r.amount})
    table.put(Balance("u", "w", "a", ZERO))
    table.accept()
    for coin, amount in steps:
        if amount is None:
            table.remove(coin)
        else:
            table.put(Balance("u", "w", coin, Decimal(amount)))
    table.rollback()
    assert list(table) == [Balance("u", "w", "a", ZERO)]
    assert table.by("amount", ZERO) == [Balance("u", "w", "a", ZERO)]
    assert [table.by("amount", Decimal(n)) for n in range(1, 10)] == [[]] * 9
    assert table.changes() == []


def test_maintenance_is_continuous_at_every_cap_where_brackets_are_marginal() -> None:
    with contextlib.closing(demo_exchange(None)) as exchange:
        marginal = [i for i in exchange.instruments.values() if i.venue in ("bybit", "binance")]
        for instrument in marginal:
            for tier in instrument.tiers[:-1]:
                step = tier.cap * Decimal("1e-12")
                below = maintenance(instrument.tiers, tier.cap)
                above = maintenance(instrument.tiers, tier.cap + step)
                assert ZERO <= above - below < tier.cap * Decimal("1e-11"), instrument.id


def test_value_and_profit_follow_the_contract() -> None:
    with contextlib.closing(demo_exchange(None)) as exchange:
        linear = exchange.instrument("bybit", "linear", "BTCUSDT")
        inverse = exchange.instrument("bybit", "inverse", "BTCUSD")
        entry, mark = Decimal(50_000), Decimal(62_500)
        assert value(linear, Decimal(-2), mark) == Decimal(-125_000)
        assert profit(linear, Decimal(-2), entry, mark) == Decimal(-25_000)
        assert value(inverse, Decimal(50_000), mark) == Decimal("0.8")
        assert profit(inverse, Decimal(50_000), entry, mark) == Decimal("0.2")
