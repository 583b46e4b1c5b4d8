import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from allocator.adapters.paper import Behaviour, Fault, PaperExchange, open_paper
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Intent,
    MoveIntent,
    OrderIntent,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from allocator.models.snapshot import Snapshot

T = TypeVar("T")
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
LINEAR, INVERSE, SPOT = "x:BTC/USDT:USDT", "x:BTC/USD:BTC", "x:BTC/USDT"


class Jumping:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def snapshot() -> Snapshot:
    tiers = [{"cap": 10**9, "maintenance": "0.005", "max_leverage": 100}]
    market = {
        "bid": "63999",
        "ask": "64001",
        "mark": "64000",
        "tick": "0.1",
        "daily_volume": 10**9,
        "daily_volatility": "0.03",
        "underlying": "BTC",
        "tiers": tiers,
        "funding": {"interval_h": 8},
    }
    spot = {key: market[key] for key in ("bid", "ask", "mark", "tick")}
    fees = {"taker": "0.0005", "by": {"spot": {"taker": "0.001"}}}
    account = {"venue": "x", "owner": "o", "fees": fees}
    return Snapshot.model_validate(
        {
            "as_of": START,
            "assets": {"USDT": {"price": 1}, "BTC": {"price": 64000, "underlying": "BTC"}},
            "instruments": [
                {"id": LINEAR, "kind": "perpetual", "settle": "USDT", "contract_size": "0.01",
                 "lot": 1, **market},
                {"id": INVERSE, "kind": "perpetual", "payoff": "inverse", "settle": "BTC",
                 "quote": "USD", "contract_size": 100, "lot": 1, **market},
                {"id": SPOT, "kind": "spot", "base": "BTC", "quote": "USDT", "lot": "0.001",
                 **spot},
            ],
            "accounts": [
                {"id": "a", **account, "spot": [SPOT],
                 "balances": {"USDT": {"wallet": 10000, "withdrawable": 5000},
                              "BTC": {"wallet": 1}},
                 "positions": {
                     LINEAR: {"quantity": 10, "entry_price": 60000, "leverage": 10},
                     INVERSE: {"quantity": 64, "unrealised": "0.01", "leverage": 10}}},
                {"id": "b", **account, "balances": {"USDT": {"wallet": 0}},
                 "positions": {LINEAR: {"quantity": 0, "leverage": 10}}},
            ],
            "routes": [{"id": "r", "from": "a", "to": "b", "asset": "USDT", "fee": 1,
                        "latency_s": 30}],
            "moves": [{"from": "a", "to": "b", "instrument": LINEAR}],
        }
    )  # fmt: skip


def order(**changes: Any) -> OrderIntent:
    data = {
        "client_id": "c1",
        "account": "a",
        "instrument": LINEAR,
        "side": "buy",
        "quantity": 10,
        "limit_price": "64010",
    }
    return OrderIntent.model_validate({**data, **changes})


TRANSFER = TransferIntent(
    client_id="t1", route="r", source="a", target="b", asset="USDT", amount=Decimal(1000)
)
MOVE = MoveIntent(
    client_id="m1",
    source="a",
    target="b",
    instrument=LINEAR,
    side="buy",
    quantity=Decimal(4),
    price=Decimal(64000),
)


def units(exchange: PaperExchange, account: str, asset: str) -> Decimal:
    return exchange.holdings[account].wallet(asset).units


def test_a_snapshot_comes_back_with_the_same_equity() -> None:
    _, market, _ = open_paper(snapshot(), Jumping())
    account = run(market.gather()).snapshot.account["a"]
    assert account.positions[LINEAR].unrealised == 400
    assert account.positions[INVERSE].unrealised == Decimal("0.01")
    assert account.balances["USDT"].withdrawable == 5000


def test_a_buy_fills_at_the_ask_and_pays_the_taker_fee() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    assert isinstance(run(venues["a"].submit(order())), Ack)
    found = run(venues["a"].find(order(), START))
    assert isinstance(found, Found)
    assert (found.state, found.filled, found.average_price) == ("filled", 10, 64001)
    assert found.fees == {"USDT": Decimal("3.20005")}
    assert units(exchange, "a", "USDT") == 10000 - Decimal("3.20005")


def test_closing_part_of_a_position_realises_its_part_of_the_profit() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    run(venues["a"].submit(order(side="sell", quantity=5, limit_price=63000)))
    fee = Decimal("0.05") * 63999 * Decimal("0.0005")
    assert units(exchange, "a", "USDT") == 10000 + Decimal("0.05") * 3999 - fee
    held = exchange.holdings["a"].holding(LINEAR)
    assert (held.quantity, held.basis) == (5, 3000)


def test_an_inverse_position_that_turns_round_starts_anew() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    run(venues["a"].submit(order(instrument=INVERSE, side="sell", quantity=128, limit_price=63000)))
    held = exchange.holdings["a"].holding(INVERSE)
    assert held.quantity == -64
    assert abs(held.basis - Decimal(-6400) / 63999) < Decimal("1e-20")
    fee = Decimal(12800) / 63999 * Decimal("0.0005")
    profit = Decimal("0.11") - Decimal(6400) / 63999
    assert abs(units(exchange, "a", "BTC") - (1 + profit - fee)) < Decimal("1e-20")


def test_a_spot_buy_carries_both_balances_and_needs_the_money() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    buy = order(instrument=SPOT, quantity="0.1", limit_price=64001)
    assert isinstance(run(venues["a"].submit(buy)), Ack)
    assert units(exchange, "a", "BTC") == Decimal("1.1")
    assert units(exchange, "a", "USDT") == 10000 - Decimal("6400.1") - Decimal("6.4001")
    refused = run(venues["a"].submit(order(client_id="c2", instrument=SPOT)))
    assert isinstance(refused, Rejected)
    assert refused.code == "INSUFFICIENT"


def test_a_transfer_leaves_at_once_and_arrives_after_its_latency() -> None:
    clock = Jumping()
    exchange, market, venues = open_paper(snapshot(), clock)
    run(venues["a"].submit(TRANSFER))
    assert units(exchange, "a", "USDT") == 8999
    found = run(venues["a"].find(TRANSFER, START))
    assert isinstance(found, Found)
    assert found.state == "in_transit"
    assert run(market.gather()).snapshot.account["b"].in_flight[0].amount == 1000
    clock.time += timedelta(seconds=30)
    found = run(venues["b"].find(TRANSFER, START))
    assert isinstance(found, Found)
    assert (found.state, found.filled) == ("settled", 1000)
    assert run(market.gather()).snapshot.account["b"].balances["USDT"].wallet == 1000


def test_more_than_may_leave_is_refused() -> None:
    _, _, venues = open_paper(snapshot(), Jumping())
    much = TRANSFER.model_copy(update={"amount": Decimal(5000)})
    refused = run(venues["a"].submit(much))
    assert isinstance(refused, Rejected)
    assert refused.code == "INSUFFICIENT"


def test_a_move_carries_the_position_and_settles_its_profit() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    run(venues["a"].submit(MOVE))
    assert exchange.holdings["a"].holding(LINEAR).quantity == 6
    assert exchange.holdings["b"].holding(LINEAR).quantity == 4
    assert units(exchange, "a", "USDT") == 10160
    assert exchange.holdings["b"].holding(LINEAR).basis == 2560


@pytest.mark.parametrize("intent", [order(), TRANSFER, MOVE], ids=["order", "transfer", "move"])
def test_a_client_id_that_comes_again_changes_nothing(intent: Intent) -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    assert run(venues["a"].submit(intent)) == run(venues["a"].submit(intent))
    assert (exchange.received[intent.client_id], exchange.effects[intent.client_id]) == (2, 1)


def test_a_venue_that_does_not_deduplicate_doubles() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping(), behaviour=Behaviour(deduplicates=False))
    for _ in range(2):
        run(venues["a"].submit(order()))
    assert exchange.effects["c1"] == 2
    assert exchange.holdings["a"].holding(LINEAR).quantity == 30


def test_a_lost_request_is_unknown_and_absent() -> None:
    _, _, venues = open_paper(snapshot(), Jumping(), faults=[Fault("order", "lost_before")])
    assert isinstance(run(venues["a"].submit(order())), Unknown)
    assert isinstance(run(venues["a"].find(order(), START)), AbsentNow)


def test_a_lost_reply_is_unknown_and_found() -> None:
    _, _, venues = open_paper(snapshot(), Jumping(), faults=[Fault("order", "lost_after")])
    assert isinstance(run(venues["a"].submit(order())), Unknown)
    assert isinstance(run(venues["a"].find(order(), START)), Found)


@pytest.mark.parametrize(("delay_s", "arrives"), [(3, True), (6, False)])
def test_a_late_request_counts_only_inside_the_receive_window(delay_s: int, arrives: bool) -> None:
    clock = Jumping()
    fault = Fault("order", "late", delay_s=Decimal(delay_s))
    exchange, _, venues = open_paper(snapshot(), clock, faults=[fault])
    assert isinstance(run(venues["a"].submit(order())), Unknown)
    assert isinstance(run(venues["a"].find(order(), START)), AbsentNow)
    clock.time += timedelta(seconds=delay_s)
    assert isinstance(run(venues["a"].find(order(), START)), Found) is arrives
    assert exchange.effects["c1"] == arrives


def test_a_partial_fill_ends_an_ioc_order() -> None:
    fault = Fault("order", "partial", share=Decimal("0.35"))
    _, _, venues = open_paper(snapshot(), Jumping(), faults=[fault])
    run(venues["a"].submit(order()))
    found = run(venues["a"].find(order(), START))
    assert isinstance(found, Found)
    assert (found.state, found.filled) == ("cancelled", 3)


def test_a_post_only_order_rests_until_the_market_comes_to_it() -> None:
    exchange, market, venues = open_paper(snapshot(), Jumping())
    resting = order(style="post_only", limit_price=63990)
    run(venues["a"].submit(resting))
    assert run(market.gather()).snapshot.account["a"].open_orders[0].quantity == 10
    exchange.set_price(LINEAR, Decimal(63980), Decimal(63985), Decimal(63982))
    found = run(venues["a"].find(resting, START))
    assert isinstance(found, Found)
    assert (found.state, found.average_price) == ("filled", 63990)
    assert isinstance(run(venues["a"].cancel(resting)), Rejected)


def test_a_post_only_order_that_would_take_is_ended_unfilled() -> None:
    _, _, venues = open_paper(snapshot(), Jumping())
    run(venues["a"].submit(order(style="post_only")))
    found = run(venues["a"].find(order(), START))
    assert isinstance(found, Found)
    assert (found.state, found.filled) == ("cancelled", 0)


def test_reduce_only_never_adds() -> None:
    exchange, _, venues = open_paper(snapshot(), Jumping())
    assert isinstance(run(venues["a"].submit(order(reduce_only=True))), Rejected)
    more = order(client_id="c2", side="sell", quantity=15, limit_price=63000, reduce_only=True)
    run(venues["a"].submit(more))
    assert exchange.holdings["a"].holding(LINEAR).quantity == 0


def test_a_stuck_transfer_never_arrives_and_a_returned_one_comes_back_whole() -> None:
    clock = Jumping()
    stuck, returned = Fault("transfer", "stuck"), Fault("transfer", "returned", nth=2)
    exchange, _, venues = open_paper(snapshot(), clock, faults=[stuck, returned])
    second = TRANSFER.model_copy(update={"client_id": "t2"})
    run(venues["a"].submit(TRANSFER))
    run(venues["a"].submit(second))
    clock.time += timedelta(days=1)
    states = [run(venues["a"].find(row, START)) for row in (TRANSFER, second)]
    assert [row.state for row in states if isinstance(row, Found)] == ["in_transit", "returned"]
    assert units(exchange, "a", "USDT") == 8999


def test_questions_fail_as_ordered() -> None:
    calls = ("find", "read", "quote", "time", "cancel")
    faults = [Fault(call, "error", account="a") for call in calls]
    _, _, venues = open_paper(snapshot(), Jumping(), faults=faults)
    venue = venues["a"]
    assert isinstance(run(venue.find(order(), START)), Unsure)
    assert not run(venue.read()).complete
    with pytest.raises(VenueError):
        run(venue.quote(LINEAR))
    with pytest.raises(VenueError):
        run(venue.server_time())
    assert isinstance(run(venue.cancel(order())), Unknown)
    assert run(venue.read()).position(LINEAR) == 10


def test_an_account_that_is_not_read_stands_frozen_and_named() -> None:
    _, market, _ = open_paper(snapshot(), Jumping(), faults=[Fault("gather", "error", account="b")])
    gathered = run(market.gather())
    assert gathered.snapshot.account["b"].state == "frozen"
    assert [row.account for row in gathered.missing] == ["b"]
