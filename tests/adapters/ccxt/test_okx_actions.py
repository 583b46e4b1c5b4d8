"""Orders, transfers and withdrawals at OKX: typed outcomes, and nothing sent twice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.okx import FACTS, _each_refused, client_order_id
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    MoveIntent,
    OrderIntent,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
Ask = Callable[..., Any]
ID = "0123456789abcdef0123456789abcdef"
LINEAR, INVERSE, SPOT = "okx:BTC/USDT:USDT", "okx:BTC/USD:BTC", "okx:BTC/USDT"
ORDER, BATCH = "trade/order", "trade/batch-orders"
EVERY_FAULT = [
    ("drop_before", False), ("drop_after", True), ("http_500_after", True), ("truncate", True),
    ("html", True), ("429", False),
]  # fmt: skip


def ago(seconds: float = 60) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def order(**changes: Any) -> OrderIntent:
    data = {
        "client_id": ID,
        "account": "okx-main",
        "instrument": LINEAR,
        "side": "buy",
        "quantity": "0.35",
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def resting(**changes: Any) -> OrderIntent:
    return order(limit_price="62000", style="post_only", **changes)


def transfer(**changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": "internal:okx-main>okx-a:USDT",
        "source": "okx-main",
        "target": "okx-a",
        "asset": "USDT",
        "amount": "1000.1",
    }
    return TransferIntent.model_validate({**data, **changes})


def effects(emulator: Emulator, kind: str) -> list[int]:
    rows: Any = emulator.admin("GET", "effects")
    return [row["count"] for row in rows[kind]]


def sent(emulator: Emulator, path: str) -> int:
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == f"/api/v5/{path}" and row["method"] == "POST" for row in rows)


def fault(emulator: Emulator, kind: str, path: str, method: str = "POST", times: int = 1) -> None:
    emulator.fault({"kind": kind, "path": f"/api/v5/{path}", "method": method, "times": times})


async def found_at_last(venue: Any, intent: Any) -> Any:
    """Look until the pause that a throttle asked for is over."""
    finding = await venue.find(intent, ago())
    while isinstance(finding, Unsure) and "pause" in finding.why:
        finding = await venue.find(intent, ago())
    return finding


@pytest.mark.parametrize(
    ("instrument", "quantity", "fee_coin"),
    [(LINEAR, "0.35", "USDT"), (INVERSE, "50.1", "BTC"), (SPOT, "0.00350001", "BTC")],
)
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, okx: Config, instrument: str, quantity: str, fee_coin: str
) -> None:
    intent = order(instrument=instrument, quantity=quantity)

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        ack = await venue.submit(intent)
        assert isinstance(ack, Ack)
        found = await venue.find(intent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(quantity)
        assert found.average_price is not None
        assert found.average_price <= 64100
        assert list(found.fees) == [fee_coin]
        assert found.fees[fee_coin] > 0

    run(okx, work)


def test_a_contract_counts_as_many_as_was_sent(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        before = (await venue.read()).position(LINEAR)
        await venue.submit(order())
        assert (await venue.read()).position(LINEAR) - before == Decimal("0.35")

    run(okx, work)


@pytest.mark.parametrize("quantity", ["0.035", "0.351"])
def test_a_quantity_off_the_step_goes_out_as_it_is_and_is_refused(
    run: Run, okx: Config, quantity: str
) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main"].submit(order(quantity=quantity))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "51121"

    run(okx, work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": "okx-a", "side": "sell", "quantity": "5000", "limit_price": "63900"}, "51008"),
        ({"quantity": "20000"}, "51008"),
        ({"side": "buy", "reduce_only": True}, "51169"),
        ({"limit_price": "64100.05"}, "51150"),
        ({"limit_price": "70000"}, "51006"),
        ({"instrument": SPOT, "quantity": "0.000001"}, "51020"),
    ],
)
def test_a_refusal_carries_the_code_of_the_order(
    run: Run, okx: Config, emulator: Emulator, changes: dict[str, Any], code: str
) -> None:
    async def work(opened: Opened) -> None:
        intent = order(**changes)
        outcome = await opened.venues[intent.account].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == code

    run(okx, work)
    assert effects(emulator, "orders") == []


def test_every_definitive_code_is_no_other_kind() -> None:
    kinds = [FACTS.definitive, FACTS.duplicate, FACTS.gone - {"51603"}, FACTS.stale]
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))
    unsure = {"1", "50001", "50004", "50011", "50013", "50026", "50061", "51054", "51149"}
    assert not unsure & frozenset().union(*kinds)


@pytest.mark.parametrize("client_id", ["a-b", "x" * 33, "", "ä"])
def test_a_client_id_outside_the_venue_s_charset_is_not_shortened(client_id: str) -> None:
    with pytest.raises(NotSentError):
        client_order_id(client_id)


def test_a_resting_order_sent_again_is_one_order_and_cancelled_once(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        first = await venue.submit(resting())
        assert isinstance(first, Ack)
        assert await venue.submit(resting()) == first
        reading = await venue.read()
        assert [(o.instrument, o.quantity, o.price) for o in reading.open_orders] == [
            (LINEAR, Decimal("0.35"), Decimal(62000))
        ]
        assert isinstance(await venue.cancel(resting()), Ack)
        assert isinstance(await venue.cancel(resting()), Rejected)
        ended = await venue.find(resting(), ago())
        assert isinstance(ended, Found)
        assert (ended.state, ended.filled) == ("cancelled", 0)

    run(okx, work)
    assert effects(emulator, "orders") == [1]


@pytest.mark.parametrize("stale_reads", [1, 2])
def test_an_order_is_found_in_the_history_and_the_archive_where_the_lookup_by_id_lags(
    run: Run, okx: Config, emulator: Emulator, stale_reads: int
) -> None:
    since = ago(5)

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(await venue.find(order(), since), AbsentNow)
        ack = await venue.submit(order())
        assert isinstance(ack, Ack)
        fault(emulator, "stale", ORDER, "GET", stale_reads)
        found = await venue.find(order(), since)
        assert isinstance(found, Found)
        assert found.venue_id == ack.venue_id

    run(okx, work)
    requests: Any = emulator.admin("GET", "requests")
    assert sum(row["fault"] == "stale" for row in requests) == stale_reads


@pytest.mark.parametrize(("kind", "executed"), EVERY_FAULT)
def test_a_batch_without_an_answer_is_unknown_order_by_order(
    run: Run, okx: Config, emulator: Emulator, kind: str, executed: bool
) -> None:
    intents = [order(client_id=f"batch{number}", quantity="0.01") for number in range(3)]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        await venue.server_time()
        fault(emulator, kind, BATCH)
        outcomes = await venue.submit_together(intents)
        assert [type(row) for row in outcomes] == [Unknown] * 3
        for intent in intents:
            finding = await found_at_last(venue, intent)
            assert isinstance(finding, Found if executed else AbsentNow)

    run(okx, work)
    assert effects(emulator, "orders") == ([1, 1, 1] if executed else [])
    assert sent(emulator, BATCH) == 1


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "http_500_after"])
def test_a_lookup_that_fails_is_never_an_absence(
    run: Run, okx: Config, emulator: Emulator, kind: str
) -> None:
    """Twice, because aiohttp itself repeats a GET whose kept connection died."""
    paths = ("trade/order", "trade/orders-history", "trade/orders-history-archive", "public/time")

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        for path in paths:
            fault(emulator, kind, path, "GET", 2)
            assert isinstance(await venue.find(order(), ago()), Unsure)
        fault(emulator, kind, "asset/transfer-state", "GET", 2)
        assert isinstance(await venue.find(transfer(), ago()), Unsure)
        emulator.fault()
        for intent in (order(), transfer()):
            assert isinstance(await venue.find(intent, ago()), AbsentNow)

    run(okx, work)


@pytest.mark.parametrize("intent", [order(stamped_at=ago(6)), transfer(stamped_at=ago(6))])
def test_an_action_stamped_before_the_window_is_refused(
    run: Run, okx: Config, emulator: Emulator, intent: Any
) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main"].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code in FACTS.stale

    run(okx, work)
    assert effects(emulator, "orders") + effects(emulator, "transfers") == []


def test_an_order_the_venue_comes_to_too_late_is_refused_by_its_deadline(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    """The stamp is still good for the gateway; the deadline beside it has passed."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        emulator.admin("POST", "clock", advance_ms=4900)
        stamp = datetime.now(UTC) - timedelta(milliseconds=50)
        assert isinstance(await venue.submit(order(stamped_at=stamp)), Ack)
        emulator.admin("POST", "clock", advance_ms=200)
        outcome = await venue.submit(order(client_id="late1", stamped_at=stamp))
        assert isinstance(outcome, Rejected)
        assert outcome.code in {"50036", "50102"}

    run(okx, work)


def test_a_batch_tells_each_order_its_own_outcome(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intents = [
        order(client_id="good1", quantity="0.01"),
        order(client_id="bad1", quantity="0.011"),
        order(client_id="good2", quantity="0.02"),
        order(client_id="bad2", limit_price="70000"),
    ]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        assert venue.capabilities.batch_orders == 20
        outcomes = await venue.submit_together(intents)
        assert [getattr(row, "code", row.outcome) for row in outcomes] == [
            "ack", "51121", "ack", "51006",
        ]  # fmt: skip
        failed = await venue.submit_together([intents[1], intents[3]])
        assert [getattr(row, "code", row.outcome) for row in failed] == ["51121", "51006"]
        found = await venue.find(intents[2], ago())
        assert isinstance(found, Found)
        assert found.filled == Decimal("0.02")

    run(okx, work)
    assert effects(emulator, "orders") == [1, 1]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"code":"50113","msg":"Invalid signature.","data":[]}', RefusalError),
        ('{"code":"1","data":[{"sCode":"51008"}]}', UnansweredError),
        ('{"code":"1","data":{"sCode":"51008"}}', UnansweredError),
    ],
)
def test_a_refused_batch_whose_rows_are_not_its_orders_tells_nothing_of_them(
    body: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _each_refused(RefusalError("51008", "", body), 2)


def test_more_orders_than_a_batch_holds_do_not_leave(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intents = [order(client_id=f"many{number}") for number in range(21)]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        outcomes = await venue.submit_together(intents)
        assert {getattr(row, "code", "") for row in outcomes} == {"NOT_SENT"}

    run(okx, work)
    assert sent(emulator, BATCH) == 0


def test_silence_cancels_every_order_and_a_call_in_time_does_not(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        await venue.submit(resting())
        await venue.submit(resting(client_id="spot1", instrument=SPOT, quantity="0.001"))
        for _ in range(2):
            assert isinstance(await venue.cancel_after(10), Ack)
            emulator.admin("POST", "clock", advance_ms=8_000)
        assert len((await venue.read()).open_orders) == 2
        emulator.admin("POST", "clock", advance_ms=3_000)
        assert (await venue.read()).open_orders == ()

    run(okx, work)


def test_money_moves_between_accounts_and_members_under_its_own_key(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    moves = [
        transfer(),
        transfer(client_id="own1", target="okx-main-fund", amount="0.1"),
        transfer(client_id="up1", source="okx-a", target="okx-main-fund", amount="20.00000001"),
        transfer(client_id="down1", source="okx-main-fund", target="okx-b-fund", amount="7"),
    ]

    async def work(opened: Opened) -> None:
        for intent in moves:
            venue = opened.venues[intent.source]
            assert isinstance(await venue.find(intent, ago()), AbsentNow)
            ack = await venue.submit(intent)
            assert isinstance(ack, Ack)
            assert await venue.submit(intent) == ack
            found = await venue.find(intent, ago())
            assert isinstance(found, Found)
            assert (found.venue_id, found.state, found.filled) == (
                ack.venue_id, "settled", intent.amount,
            )  # fmt: skip
        fund = await opened.venues["okx-main-fund"].read()
        assert fund.wallets["USDT"] == Decimal("40013.10000001")
        member = await opened.venues["okx-a"].read()
        assert member.wallets["USDT"] == Decimal("12980.09999999")

    run(okx, work)
    assert effects(emulator, "transfers") == [1, 1, 1, 1]


def test_a_member_sends_to_another_only_with_the_right(run: Run, okx: Config, ask: Ask) -> None:
    intent = transfer(source="okx-b", target="okx-a", amount="5")

    async def refused(opened: Opened) -> None:
        outcome = await opened.venues["okx-b"].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "58119"

    async def taken(opened: Opened) -> None:
        venue = opened.venues["okx-b"]
        assert isinstance(await venue.submit(intent), Ack)
        assert isinstance(await venue.find(intent, ago()), Found)

    run(okx, refused)
    ask(okx, "okx-main", "private_post_users_subaccount_set_transfer_out", {"subAcct": "okxb"})
    run(okx, taken)


def test_more_than_there_is_does_not_move(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main"].submit(transfer(amount="99999999"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "58116"

    run(okx, work)


def test_what_the_venue_cannot_do_is_told_and_not_tried(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    moved = MoveIntent(
        client_id=ID, source="okx-main", target="okx-a", instrument=LINEAR, side="buy",
        quantity=Decimal(1), price=Decimal(64000),
    )  # fmt: skip

    async def work(opened: Opened) -> None:
        able = {name: venue.capabilities for name, venue in opened.venues.items()}
        assert not any(row.moves for row in able.values())
        assert [name for name, row in able.items() if row.withdrawals] == ["okx-main-fund"]
        assert not able["okx-main-fund"].orders
        outcome = await opened.venues["okx-main"].submit(moved)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(okx, work)
    requests: Any = emulator.admin("GET", "requests")
    assert requests == []


def test_a_quote_is_dated_and_ordered(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        for name in (LINEAR, SPOT):
            quote = await opened.venues["okx-main"].quote(name)
            assert quote.bid < quote.mark < quote.ask
            assert abs((quote.at - datetime.now(UTC)).total_seconds()) < 5

    run(okx, work)


def test_a_reading_that_fails_in_part_says_which(run: Run, okx: Config, emulator: Emulator) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        emulator.fault({"kind": "html", "path": "/api/v5/account/positions"})
        reading = await venue.read()
        assert not reading.complete
        assert "positions" in reading.missing[0]
        assert reading.wallets["USDT"] == 180000

    run(okx, work)


ROUTES = {
    "out": ("okx-main-fund", "bybit-fund", "USDT-TRC20", "TBybitFundOne1111111111111111111111"),
    "back": ("bybit-fund", "okx-main-fund", "TRX", "TOkxFundOne111111111111111111111111"),
}


@pytest.fixture
def both(okx_data: dict[str, Any], bybit_data: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            **okx_data,
            "logins": okx_data["logins"] | bybit_data["logins"],
            "accounts": okx_data["accounts"] + bybit_data["accounts"],
            "routes": [
                {"id": name, "from": source, "to": target, "asset": "USDT", "kind": "onchain",
                 "latency_s": 600}
                for name, (source, target, _, _) in ROUTES.items()
            ],
            "addresses": {
                name: {"network": network, "address": address}
                for name, (_, _, network, address) in ROUTES.items()
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize(("kind", "executed"), [("", True), *EVERY_FAULT])
def test_a_withdrawal_is_under_way_until_the_other_venue_credits_it(
    run: Run, both: Config, emulator: Emulator, route: str, kind: str, executed: bool
) -> None:
    source_name, target_name, _, _ = ROUTES[route]
    intent = transfer(route=route, source=source_name, target=target_name, amount="5000.5")

    async def work(opened: Opened) -> None:
        source, target = opened.venues[source_name], opened.venues[target_name]
        since = ago(1)
        before = (await target.read()).wallets["USDT"]
        assert isinstance(await source.find(intent, since), AbsentNow)
        if kind:
            emulator.fault({"kind": kind, "method": "POST"})
        assert isinstance(await source.submit(intent), Unknown if kind else Ack)
        finding = await found_at_last(source, intent)
        assert isinstance(finding, Found if executed else AbsentNow)
        if not isinstance(finding, Found):
            return
        assert (finding.state, finding.filled) == ("in_transit", 0)
        emulator.admin("POST", "clock", advance_ms=1600)
        finding = await source.find(intent, since)
        assert isinstance(finding, Found)
        assert (finding.state, finding.filled) == ("settled", intent.amount)
        assert (await target.read()).wallets["USDT"] == before + intent.amount

    run(both, work)
    assert effects(emulator, "withdrawals") == ([1] if executed else [])


def test_a_route_takes_fee_minimum_and_step_from_the_venue(run: Run, both: Config) -> None:
    async def work(opened: Opened) -> None:
        route = (await opened.market.gather()).snapshot.route["out"]
        assert (route.fee, route.min, route.step) == (Decimal("1.5"), 2, Decimal("0.000001"))
        assert route.enabled

    run(both, work)


def test_nothing_is_withdrawn_to_an_address_that_is_not_registered(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intent = transfer(source="okx-main-fund", target="bybit-fund", route="out")

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main-fund"].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(okx, work)
    assert effects(emulator, "withdrawals") == []
