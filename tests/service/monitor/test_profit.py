from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from allocator.service.monitor.profit import Flows, Held, Moment, Profit, profit, settled

START = datetime(2026, 11, 20, 7, 59, tzinfo=UTC)
D = Decimal


def moment(wallet: str, *, minutes: int = 0, price: str = "1", **changes: object) -> Moment:
    given_ = {
        "at": START + timedelta(minutes=minutes),
        "wallet": {"USDT": D(wallet)},
        "prices": {"USDT": D(price)},
        "unrealised": D(0),
        **changes,
    }
    return Moment.model_validate(given_)


def test_money_that_was_transferred_is_no_profit() -> None:
    after = moment("150", flows=Flows(moved={"USDT": D(50)}))
    assert profit(moment("100"), after) == Profit(flows=D(50))


def test_wallet_changed_by_our_trading_is_realised() -> None:
    after = moment("110", flows=Flows(fills=D(2), fees={"USDT": D("0.5")}))
    assert profit(moment("100"), after) == Profit(realised=D("10.5"), fees=D("-0.5"))


def test_wallet_changed_without_us_is_other() -> None:
    assert profit(moment("100"), moment("90")) == Profit(other=D(-10))


def test_coin_that_gained_is_revalued() -> None:
    assert profit(moment("2", price="100"), moment("2", price="110")) == Profit(revaluation=D(20))


def test_funding_is_what_the_rate_said_at_the_settlement() -> None:
    held = (Held(due=D("1.5"), interval_h=D(8), next_at=START + timedelta(minutes=1)),)
    before = moment("100", held=held)
    assert profit(before, moment("98.5", minutes=2)) == Profit(funding=D("-1.5"))
    assert profit(before, moment("100", minutes=0)) == Profit()


def test_settlements_are_counted_once_over_adjoining_intervals() -> None:
    row = Held(due=D(1), interval_h=D(1))
    times = [START + timedelta(minutes=7 * i) for i in range(40)]
    counts = [settled(row, a, b) for a, b in pairwise(times)]
    assert sum(counts) == settled(row, times[0], times[-1])
    assert sum(counts) == 5


money = st.decimals(-1000, 1000, places=3)
prices = st.decimals("0.01", 1000, places=2)
flows = st.builds(
    Flows,
    moved=st.dictionaries(st.sampled_from("AB"), money),
    fees=st.dictionaries(st.sampled_from("AB"), money),
    fills=st.sampled_from([D(0), D(1)]),
)
moments = st.builds(
    lambda wallet, a, b, gain, minutes, moved, due: Moment(
        at=START + timedelta(minutes=minutes),
        wallet=wallet,
        prices={"A": a, "B": b},
        unrealised=gain,
        held=(Held(due=due, interval_h=D(1)),),
        flows=moved,
    ),
    st.dictionaries(st.sampled_from("AB"), money),
    prices,
    prices,
    money,
    st.integers(0, 5000),
    flows,
    money,
)


@given(moments, moments)
def test_parts_add_up_to_the_change_of_equity_less_what_was_paid_in(
    before: Moment, after: Moment
) -> None:
    earned = profit(before, after)
    assert earned.total + earned.flows == after.equity - before.equity
