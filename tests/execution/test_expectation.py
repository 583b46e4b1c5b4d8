from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.execution.attempts import Attempt
from allocator.execution.expectation import Expected, expected_now, of_snapshot
from allocator.execution.transitions import State
from allocator.models.intents import AccountReading, Intent, MoveIntent
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.state import Book
from tests.execution.book import BTC_A, START, order_intent, snapshot, transfer_intent

COIN = "alpha:BTC/USD:BTC"
SPOT = "alpha:BTC/USDT"


def book() -> Book:
    data = snapshot().model_dump(by_alias=True)
    inverse = {**data["instruments"][0], "id": COIN, "payoff": "inverse", "settle": "BTC"}
    inverse |= {"contract_size": "100", "quote": "USD", "lot": "1"}
    spot = {"id": SPOT, "kind": "spot", "base": "BTC", "quote": "USDT", "lot": "0.0001"}
    spot |= {"tick": "0.1", "bid": "49999.5", "ask": "50000.5", "mark": "50000"}
    data["instruments"] = [*data["instruments"], inverse, spot]
    mine = data["accounts"][0]
    mine["positions"] = dict(mine["positions"])
    mine["positions"][COIN] = {"quantity": "10", "entry_price": "40000", "leverage": "5"}
    mine["balances"] = {**mine["balances"], "BTC": {"wallet": "2"}}
    return Book.of(Snapshot.model_validate(data), Mandate())


BOOK = book()


def baseline() -> dict[str, AccountReading]:
    return {
        "a": AccountReading(
            account="a",
            at=START,
            complete=True,
            wallets={"USDT": Decimal(100000), "BTC": Decimal(2)},
            positions={BTC_A: Decimal(1), COIN: Decimal(10)},
        ),
        "b": AccountReading(
            account="b", at=START, complete=True, wallets={"USDT": Decimal(100000)}
        ),
    }


def attempt(intent: Intent, state: State, **over: Any) -> Attempt:
    row: dict[str, Any] = {
        "plan_hash": "p",
        "seq": 1,
        "part": 1,
        "number": 1,
        "intent": intent,
        "intent_at": START,
        "fence_at": START + timedelta(seconds=5),
        "state": state,
    }
    return Attempt(**row | over)


def after(*attempts: Attempt) -> Expected:
    return expected_now(BOOK, baseline(), attempts)


def reading(**over: Any) -> AccountReading:
    return baseline()["a"].model_copy(update=over)


def test_nothing_done_leaves_everything_as_it_was() -> None:
    assert after().breaks(reading()) == ()
    breaks = after().breaks(reading(positions={BTC_A: Decimal("1.001"), COIN: Decimal(10)}))
    assert [(row.what, row.tolerance) for row in breaks] == [(BTC_A, 0)]


def test_position_that_is_not_listed_is_flat() -> None:
    assert [row.what for row in after().breaks(reading(positions={COIN: Decimal(10)}))] == [BTC_A]


def test_position_that_nobody_knew_of_is_a_break_and_a_coin_is_not() -> None:
    seen = {**baseline()["a"].positions, "alpha:ETH/USDT:USDT": Decimal(1)}
    assert [row.what for row in after().breaks(reading(positions=seen))] == ["alpha:ETH/USDT:USDT"]
    coins = {**baseline()["a"].wallets, "SHIB": Decimal(1)}
    assert after().breaks(reading(wallets=coins)) == ()


def test_wallet_may_drift_by_funding_and_no_more() -> None:
    drift = 2 * Decimal("0.0001") * 50000 + Decimal("0.1") + Decimal("0.01")
    for units, broken in ((drift, 0), (drift + Decimal("0.0001"), 1)):
        for sign in (1, -1):
            seen = {"USDT": 100000 + sign * units, "BTC": Decimal(2)}
            assert len(after().breaks(reading(wallets=seen))) == broken


def test_fills_move_the_position_and_realise_its_profit() -> None:
    intent = order_intent(side="sell", quantity="0.5")
    done = attempt(
        intent,
        State.FILLED,
        filled=Decimal("0.5"),
        average_price=Decimal(51000),
        fees={"USDT": Decimal("12.75")},
    )
    out = after(done)
    assert out.position("a", BTC_A).value == Decimal("0.5")
    assert out.wallet("a", "USDT").value == 100000 + Decimal(500) - Decimal("12.75")


def test_turned_position_realises_only_what_it_closes() -> None:
    intent = order_intent(side="sell", quantity="3")
    done = attempt(intent, State.FILLED, filled=Decimal(3), average_price=Decimal(51000))
    back = attempt(
        order_intent("9" * 32, quantity="2"),
        State.FILLED,
        intent_at=START + timedelta(seconds=1),
        filled=Decimal(2),
        average_price=Decimal(50500),
    )
    assert after(done).wallet("a", "USDT").value == 101000
    assert after(back, done).wallet("a", "USDT").value == 102000
    assert after(back, done).position("a", BTC_A).value == 0


def test_inverse_profit_is_in_coin() -> None:
    intent = order_intent(side="sell", quantity="5", instrument=COIN)
    done = attempt(intent, State.FILLED, filled=Decimal(5), average_price=Decimal(50000))
    out = after(done)
    assert out.position("a", COIN).value == 5
    profit = 5 * 100 * (1 / Decimal(40000) - 1 / Decimal(50000))
    assert abs(out.wallet("a", "BTC").value - 2 - profit) < Decimal("1e-20")


def test_spot_moves_both_wallets() -> None:
    intent = order_intent(quantity="0.1", instrument=SPOT)
    done = attempt(intent, State.FILLED, filled=Decimal("0.1"), average_price=Decimal(50000))
    out = after(done)
    assert out.wallet("a", "BTC").value == Decimal("2.1")
    assert out.wallet("a", "USDT").value == 95000
    assert (("a", SPOT) in out.positions) is False


@pytest.mark.parametrize("state", [State.SENDING, State.UNKNOWN, State.ACKED, State.MANUAL])
def test_order_whose_end_is_open_may_have_filled_any_part(state: State) -> None:
    out = after(attempt(order_intent(side="sell", quantity="0.5"), state))
    place = out.position("a", BTC_A)
    assert place.holds(Decimal(1))
    assert place.holds(Decimal("0.5"))
    assert not place.holds(Decimal("0.499"))
    assert not place.holds(Decimal("1.001"))


@pytest.mark.parametrize(
    ("state", "source", "target"),
    [
        (State.IN_TRANSIT, (False, True), (True, True)),
        (State.SETTLED, (False, True), (False, True)),
        (State.RETURNED, (True, False), (True, False)),
        (State.REJECTED, (True, False), (True, False)),
        (State.NOT_EXECUTED, (True, False), (True, False)),
        (State.UNKNOWN, (True, True), (True, True)),
        (State.ACKED, (True, True), (True, True)),
    ],
)
def test_money_is_where_its_transfer_says(
    state: State, source: tuple[bool, bool], target: tuple[bool, bool]
) -> None:
    out = after(attempt(transfer_intent(), state))
    left, stayed = Decimal(98999), Decimal(100000)
    wallet = out.wallet("a", "USDT")
    assert (wallet.holds(stayed), wallet.holds(left)) == source
    there = out.wallet("b", "USDT")
    assert (there.holds(Decimal(100000)), there.holds(Decimal(101000))) == target


def test_moved_position_changes_both_accounts() -> None:
    intent = MoveIntent.model_validate(
        {
            "client_id": "m",
            "source": "a",
            "target": "b",
            "instrument": BTC_A,
            "side": "buy",
            "quantity": "1",
            "price": "51000",
        }
    )
    out = after(attempt(intent, State.SETTLED))
    assert out.position("a", BTC_A).value == 0
    assert out.position("b", BTC_A).value == 1
    assert out.wallet("a", "USDT").value == 101000
    open_ = after(attempt(intent, State.UNKNOWN))
    assert open_.position("a", BTC_A).holds(Decimal(0))
    assert open_.position("a", BTC_A).holds(Decimal(1))
    assert not open_.position("b", BTC_A).holds(Decimal(2))


def test_snapshot_tells_what_to_find_before_the_start() -> None:
    out = of_snapshot(BOOK, ["a"])
    assert out.breaks(reading()) == ()
    assert len(out.breaks(reading(positions={}))) == 2
