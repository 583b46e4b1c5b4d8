"""Gate by payload replay: its documentation's answers, and figures computed by hand from them."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import clients
from allocator.adapters.ccxt.gateio import FACTS, text_id
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.emulator.wire import Call, Reply
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, OrderIntent, Rejected, TransferIntent
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt.replay import Replay, credited, replaying

D = Decimal
Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
BTC, ETH, ZTX = (f"gate:{coin}/USDT:USDT" for coin in ("BTC", "ETH", "ZTX"))
KEY = "0123456789abcdef0123456789abcdef"
ORDERS = f"POST {gate.FUTURES}/orders"


@pytest.fixture
def venue() -> Replay:
    return Replay(gate.HOST, gate.table())


@pytest.fixture
def emulator(venue: Replay) -> Iterator[Emulator]:
    with replaying(venue) as running:
        yield running


@pytest.fixture
def config(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setitem(clients.BURST, "gate", 1000)
    monkeypatch.setenv("GATE_KEY", "gate-key")
    monkeypatch.setenv("GATE_SECRET", "gate-secret")
    login = {"venue": "gate", "key": "env:GATE_KEY", "secret": "env:GATE_SECRET"}
    own = {"login": "main", "owner": "fund-one"}
    return Config.model_validate(
        {
            "mode": "loopback",
            "loopback_url": emulator.base_url,
            "logins": {
                "main": {**login, "member": "1666"},
                "sub": {**login, "member": "10002", "master": "main"},
            },
            "accounts": [
                {**own, "id": "futures", "wallet": "usdm",
                 "instruments": ["BTC/USDT:USDT", "ZTX/USDT:USDT"]},
                {**own, "id": "spot", "wallet": "spot"},
                {**own, "id": "sub-spot", "wallet": "spot", "login": "sub"},
            ],
            "assets": {"USDT": {"price": 1, "haircut": 0}, "PEPE": {"price": "0.00001"}},
        }
    )  # fmt: skip


def order(**other: Any) -> OrderIntent:
    return OrderIntent.model_validate(
        {"client_id": KEY, "account": "futures", "instrument": BTC, "side": "sell",
         "quantity": "12", "limit_price": "3780.1", **other}
    )  # fmt: skip


def transfer(source: str, target: str, amount: str = "0.1") -> TransferIntent:
    return TransferIntent(
        client_id=KEY, route="r", source=source, target=target, asset="USDT", amount=D(amount)
    )


def gathered(run: Run, config: Config) -> Any:
    return run(config, lambda opened: opened.market.gather())


def sent(run: Run, config: Config, intent: Any, account: str = "futures") -> Any:
    return run(config, lambda opened: opened.venues[account].submit(intent))


def found(run: Run, config: Config, intent: Any, account: str, venue_id: str | None = None) -> Any:
    since = datetime.fromtimestamp(1_790_000_000, UTC)
    return run(config, lambda opened: opened.venues[account].find(intent, since, venue_id))


def test_the_documented_account_is_read_to_the_last_digit(run: Run, config: Config) -> None:
    book = gathered(run, config)
    assert book.missing == ()
    account = book.snapshot.account["futures"]
    assert account.state == "open"
    assert account.balances["USDT"].wallet == D("9707.803567115145")
    assert account.balances["USDT"].withdrawable == D("9669.091377934145")
    assert account.margin.asset_mode == "single"
    short, alone = account.positions[BTC], account.positions[ETH]
    assert (short.quantity, short.entry_price, short.leverage) == (D(-9440), D("3779.55"), 20)
    assert short.may_trade
    assert alone.isolated is not None
    assert (alone.isolated.wallet, alone.leverage) == (D("38.712189181"), 10)
    assert not alone.may_trade
    assert set(account.positions) == {BTC, ETH, ZTX}
    assert account.positions[ZTX].quantity == 0


def test_equity_by_hand_is_wallet_and_contracts_at_mark(run: Run, config: Config) -> None:
    snapshot = gathered(run, config).snapshot
    row, market = snapshot.account["futures"].positions[BTC], snapshot.instrument[BTC]
    assert row.quantity is not None
    assert row.entry_price is not None
    assert market.contract_size == D("0.0001")
    profit = row.quantity * market.contract_size * (market.mark - row.entry_price)
    assert profit == D("-0.72688") == D(gate.SHORT["unrealised_pnl"])


def test_a_contract_is_read_with_its_brackets_and_funding(run: Run, config: Config) -> None:
    market = gathered(run, config).snapshot.instrument[BTC]
    assert (market.bid, market.ask, market.mark) == (D("3780.2"), D("3780.4"), D("3780.32"))
    assert (market.lot, market.tick, market.max_quantity) == (1, D("0.1"), 1_000_000)
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("0.0001"), 8)
    assert [(t.cap, t.maintenance, t.deduction, t.max_leverage) for t in market.tiers] == [
        (20000, D("0.01"), 0, 50),
        (30000, D("0.013"), 60, 40),
    ]
    assert 20000 * D("0.01") == 20000 * D("0.013") - 60


def test_a_contract_that_is_being_delisted_only_reduces(run: Run, config: Config) -> None:
    assert gathered(run, config).snapshot.instrument[ZTX].status == "reduce_only"


def test_fees_are_read_by_contract_and_the_dearest_stands_for_the_rest(
    run: Run, config: Config
) -> None:
    fees = gathered(run, config).snapshot.account["futures"].fees
    assert fees.taker == D("0.00075")
    assert (fees.by[BTC].maker, fees.by[BTC].taker) == (D("-0.0001"), D("0.0005"))


def test_a_tenth_and_twenty_digits_arrive_exact_and_nothing_is_left_out(
    run: Run, config: Config
) -> None:
    spot = gathered(run, config).snapshot.account["spot"]
    assert {name: row.wallet for name, row in spot.balances.items()} == {
        "USDT": D("0.1"),
        "PEPE": D("12345678901234567890.5"),
    }
    assert spot.balances["USDT"].withdrawable == D("0.1")


def test_the_legs_of_hedge_mode_are_both_there(run: Run, config: Config, venue: Replay) -> None:
    legs = [
        {**gate.SHORT, "mode": "dual_short", "size": "-40", "unrealised_pnl": "-0.2"},
        {**gate.SHORT, "mode": "dual_long", "size": "100", "unrealised_pnl": "0.5"},
    ]
    account = {**gate.ACCOUNT, "unrealised_pnl": "0.3", "in_dual_mode": True,
               "position_mode": "dual"}  # fmt: skip
    venue.table |= {
        f"GET {gate.FUTURES}/positions": legs,
        f"GET {gate.FUTURES}/accounts": account,
    }
    row = gathered(run, config).snapshot.account["futures"].positions[BTC]
    assert row.legs is not None
    assert (row.legs.long, row.legs.short, row.net, row.unrealised) == (100, 40, 60, D("0.3"))
    assert not row.may_trade


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("accounts", {**gate.ACCOUNT, "total": "9707.9"}, "EQUITY_IDENTITY: USDT total=9707.9"),
        ("accounts", {**gate.ACCOUNT, "unrealised_pnl": "3371.248828"}, "EQUITY_IDENTITY"),
        ("accounts", {**gate.ACCOUNT, "bonus": "10"}, "a bonus of 10 USDT"),
        ("accounts", {**gate.ACCOUNT, "margin_mode": 1}, "unified account"),
        ("accounts", {**gate.ACCOUNT, "enable_credit": True}, "unified account"),
        ("accounts", {**gate.ACCOUNT, "enable_tiered_mm": False}, "not tiered"),
        ("accounts", {k: v for k, v in gate.ACCOUNT.items() if k != "total"}, "no total"),
        ("positions", [], "position margin, and no position"),
        ("positions", [{**gate.SHORT, "unrealised_pnl": "-726.88"}], "positions=-726.88"),
        ("positions", [{**gate.SHORT, "contract": "NEW_USDT"}, gate.ALONE], "unknown market"),
        ("positions", Reply({"label": "INTERNAL", "message": "?"}, 500), "INTERNAL"),
        ("orders", [gate.order(left="0")], "without a size"),
        ("fee", {}, "no fee rates"),
    ],
)
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    run: Run, config: Config, venue: Replay, path: str, answer: Any, words: str
) -> None:
    venue.table[f"GET {gate.FUTURES}/{path}"] = answer
    book = gathered(run, config)
    assert book.snapshot.account["futures"].state == "frozen"
    assert [words in row.what for row in book.missing if row.account == "futures"] == [True]
    assert book.snapshot.account["spot"].state == "open"


def test_a_unified_account_is_refused_by_its_own_word(
    run: Run, config: Config, venue: Replay
) -> None:
    venue.table["GET /api/v4/account/detail"] = {**gate.DETAIL, "key": {"mode": 2}}
    book = gathered(run, config)
    assert all(row.state == "frozen" for row in book.snapshot.accounts)


def test_locked_spot_money_freezes_the_wallet(run: Run, config: Config, venue: Replay) -> None:
    row = {"currency": "USDT", "available": "1", "locked": "0.5"}
    venue.table["GET /api/v4/spot/accounts"] = [row]
    assert gathered(run, config).snapshot.account["spot"].state == "frozen"


def test_open_orders_keep_their_side_and_what_is_left(
    run: Run, config: Config, venue: Replay
) -> None:
    rows = [gate.order(left="24"), gate.order(size="-7", left="-7", is_reduce_only=True)]
    venue.table[f"GET {gate.FUTURES}/orders"] = rows
    orders = gathered(run, config).snapshot.account["futures"].open_orders
    assert [(row.side, row.quantity, row.price, row.reduce_only) for row in orders] == [
        ("buy", 24, 3765, False),
        ("sell", 7, 3765, True),
    ]


def test_every_page_is_read(run: Run, config: Config, venue: Replay) -> None:
    def page(call: Call) -> Any:
        return [gate.order(left="1")] * (100 if call.text("offset") == "0" else 3)

    venue.table[f"GET {gate.FUTURES}/orders"] = page
    assert len(gathered(run, config).snapshot.account["futures"].open_orders) == 103


@pytest.mark.parametrize(("style", "tif"), [("ioc", "ioc"), ("post_only", "poc")])
def test_an_order_says_what_was_meant_and_until_when_it_holds(
    run: Run, config: Config, venue: Replay, style: str, tif: str
) -> None:
    at = datetime.now(UTC)
    intent = order(style=style, reduce_only=True, stamped_at=at)
    assert sent(run, config, intent) == Ack(venue_id="15675394")
    assert venue.body(ORDERS) == {
        "contract": "BTC_USDT",
        "size": -12,
        "price": "3780.1",
        "tif": tif,
        "text": text_id(KEY),
        "reduce_only": True,
    }
    (call,) = venue.asked(ORDERS)
    expiry, stamp = int(call.headers["x-gate-exptime"]), int(call.headers["Timestamp"])
    assert 54_000 <= expiry - stamp * 1000 <= 61_000
    assert stamp * 1000 + 60_000 <= expiry


def test_a_client_id_fits_the_venue() -> None:
    ids = {text_id(f"{n:032x}") for n in range(500)} | {text_id("by hand")}
    assert len(ids) == 501
    assert all(len(name) <= 30 and name.startswith("t-") for name in ids)
    assert all(c.isalnum() for name in ids for c in name[2:])


@pytest.mark.parametrize("label", sorted(FACTS.definitive | FACTS.stale))
def test_a_documented_refusal_is_a_rejection(
    run: Run, config: Config, venue: Replay, label: str
) -> None:
    venue.table[ORDERS] = Reply({"label": label, "message": "no"}, 400)
    assert sent(run, config, order()) == Rejected(code=label, message="no")
    assert len(venue.asked(ORDERS)) == 1


@pytest.mark.parametrize(
    ("label", "status"),
    [("INTERNAL", 500), ("SERVER_ERROR", 500), ("TOO_BUSY", 503), ("INTERNAL_SERVER_ERROR", 500),
     ("TOO_MANY_REQUESTS", 429), ("SUB_ACCOUNT_TRANSFER_FAILED", 400), ("BRAND_NEW_LABEL", 400)],
)  # fmt: skip
def test_any_other_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, label: str, status: int
) -> None:
    venue.table[ORDERS] = Reply({"label": label, "message": "?"}, status)
    assert sent(run, config, order()).outcome == "unknown"
    assert len(venue.asked(ORDERS)) == 1


@pytest.mark.parametrize("kind", ["drop_after", "http_500_after", "html", "truncate"])
@pytest.mark.parametrize("path", [f"{gate.FUTURES}/orders", "/api/v4/wallet/transfers"])
def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, emulator: Emulator, kind: str, path: str
) -> None:
    emulator.fault({"kind": kind, "path": path, "method": "POST"})
    intent = order() if path.endswith("orders") else transfer("futures", "spot")
    assert sent(run, config, intent).outcome == "unknown"
    assert len(venue.asked(f"POST {path}")) == 1


def test_an_order_is_found_by_its_text_with_fills_and_fees(
    run: Run, config: Config, venue: Replay
) -> None:
    row = gate.order(id=7, text=text_id(KEY), size="-12", left="-2", status="finished",
                     finish_as="ioc", finish_time=1790000001, fill_price="3780.2")  # fmt: skip
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = row
    venue.table[f"GET {gate.FUTURES}/my_trades"] = [{"fee": "0.0012"}, {"fee": "0.0007"}]
    told = found(run, config, order(), "futures")
    assert isinstance(told, Found)
    assert (told.venue_id, told.state, told.filled) == ("7", "cancelled", 10)
    assert (told.average_price, told.fees) == (D("3780.2"), {"USDT": D("0.0019")})


def test_an_order_that_ended_long_ago_is_found_in_the_history(
    run: Run, config: Config, venue: Replay
) -> None:
    lost = Reply({"label": "ORDER_NOT_FOUND", "message": "Order not found"}, 400)
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = lost
    assert isinstance(found(run, config, order(), "futures"), AbsentNow)
    old = gate.order(text=text_id(KEY), left="6024", status="finished", finish_as="cancelled")
    venue.table[f"GET {gate.FUTURES}/orders_timerange"] = [gate.order(), old]
    told = found(run, config, order(), "futures")
    assert (told.finding, told.state, told.filled) == ("found", "cancelled", 0)


def test_an_error_is_never_an_absence(run: Run, config: Config, venue: Replay) -> None:
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = Reply({"label": "INTERNAL"}, 500)
    assert found(run, config, order(), "futures").finding == "unsure"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (gate.order(), "ack"),
        (Reply({"label": "ORDER_FINISHED", "message": "over"}, 400), "rejected"),
        (Reply({"label": "ORDER_NOT_FOUND", "message": "none"}, 400), "rejected"),
        (Reply({"label": "INTERNAL", "message": "?"}, 500), "unknown"),
    ],
)
def test_a_cancel_is_by_text(
    run: Run, config: Config, venue: Replay, answer: Any, outcome: str
) -> None:
    venue.table[f"DELETE {gate.FUTURES}/orders/{text_id(KEY)}"] = answer
    told = run(config, lambda opened: opened.venues["futures"].cancel(order()))
    assert told.outcome == outcome


def test_money_moves_inside_a_user_by_the_wallets_names(
    run: Run, config: Config, venue: Replay
) -> None:
    assert sent(run, config, transfer("futures", "spot")) == Ack(venue_id="59636381286")
    assert venue.body("POST /api/v4/wallet/transfers") == {
        "currency": "USDT", "from": "futures", "to": "spot", "amount": "0.1", "settle": "usdt",
    }  # fmt: skip


def test_money_moves_from_a_sub_account_signed_by_the_master_and_keyed(
    run: Run, config: Config, venue: Replay
) -> None:
    assert sent(run, config, transfer("sub-spot", "spot"), "sub-spot") == Ack(
        venue_id="59636381287"
    )
    assert venue.body("POST /api/v4/wallet/sub_account_transfers") == {
        "sub_account": "10002", "sub_account_type": "spot", "currency": "USDT", "amount": "0.1",
        "direction": "from", "client_order_id": KEY,
    }  # fmt: skip


def test_what_the_venue_cannot_take_never_leaves(run: Run, config: Config, venue: Replay) -> None:
    told = sent(run, config, transfer("futures", "spot", "0.123456789"))
    assert told.code == "NOT_SENT"
    assert venue.asked("POST /api/v4/wallet/transfers") == []


@pytest.mark.parametrize(
    ("status", "state", "filled"),
    [("SUCCESS", "settled", "0.1"), ("PENDING", "in_transit", "0"), ("FAIL", "returned", "0")],
)
def test_a_transfer_is_found_by_the_venues_id(
    run: Run, config: Config, venue: Replay, status: str, state: str, filled: str
) -> None:
    venue.table["GET /api/v4/wallet/order_status"] = {"tx_id": "5", "status": status}
    told = found(run, config, transfer("futures", "spot"), "futures", "5")
    assert (told.state, told.filled) == (state, D(filled))


def test_a_transfer_without_an_answer_is_found_in_the_wallets_book(
    run: Run, config: Config, venue: Replay
) -> None:
    book = f"GET {gate.FUTURES}/account_book"
    assert isinstance(found(run, config, transfer("futures", "spot"), "futures"), AbsentNow)
    row = {"time": 1790000002.5, "change": "-0.1", "balance": "9.9", "type": "dnw", "id": "9"}
    venue.table[book] = [row, {**row, "change": "0.1", "id": "8"}]
    told = found(run, config, transfer("futures", "spot"), "futures")
    assert (told.venue_id, told.state, told.filled) == ("9", "settled", D("0.1"))
    venue.table[book] = [row, row]
    assert found(run, config, transfer("futures", "spot"), "futures").finding == "unsure"


def test_a_transfer_between_logins_is_found_by_its_key(
    run: Run, config: Config, venue: Replay
) -> None:
    intent = transfer("spot", "sub-spot")
    assert isinstance(found(run, config, intent, "spot"), AbsentNow)
    row = {"client_order_id": KEY, "status": "success", "amount": "0.1", "currency": "USDT"}
    venue.table["GET /api/v4/wallet/sub_account_transfers"] = [row]
    assert found(run, config, intent, "spot").state == "settled"


def test_routes_are_those_that_can_be_sent(run: Run, config: Config) -> None:
    routes = {(row.source, row.target) for row in gathered(run, config).snapshot.routes}
    assert routes == {
        ("futures", "spot"), ("spot", "futures"), ("spot", "sub-spot"), ("sub-spot", "spot"),
    }  # fmt: skip


def test_the_capability_table_says_what_it_cannot(run: Run, config: Config) -> None:
    async def read(opened: Opened) -> Any:
        await opened.market.gather()
        return {name: row.capabilities for name, row in opened.venues.items()}

    caps = run(config, read)
    assert caps["futures"].orders
    assert not caps["spot"].orders
    assert not any(row.withdrawals or row.moves or row.transfer_key for row in caps.values())
    assert (caps["futures"].dead_man_s, caps["spot"].dead_man_s) == (5, None)


def test_the_dead_mans_switch_tells_when_it_strikes(
    run: Run, config: Config, venue: Replay
) -> None:
    told = run(config, lambda opened: opened.venues["futures"].cancel_after(5))
    assert told == Ack(venue_id="1790000005000")
    assert venue.body(f"POST {gate.FUTURES}/countdown_cancel_all") == {"timeout": 5}


def test_a_reading_names_the_part_that_failed(run: Run, config: Config, venue: Replay) -> None:
    venue.table[f"GET {gate.FUTURES}/orders"] = Reply({"label": "INTERNAL"}, 500)
    told = run(config, lambda opened: opened.venues["futures"].read())
    assert (told.complete, len(told.missing)) == (False, 1)
    assert told.wallets == {"USDT": D("9707.803567115145")}
    assert told.positions == {BTC: -9440, ETH: 300}


def test_a_deposit_is_credited_once_it_is_done(config: Config, venue: Replay) -> None:
    row = {"id": "d1", "currency": "USDT", "txid": "0xabc", "amount": "10"}
    venue.table["GET /api/v4/wallet/deposits"] = lambda call: [
        {**row, "status": "PEND" if call.text("currency") == "ETH" else "DONE"}
    ]
    asked = [("USDT", "0xabc"), ("USDT", "0xdef"), ("ETH", "0xabc")]
    assert credited(config, "spot", asked) == [True, False, False]


def test_the_wallet_settled_in_bitcoin_is_read_by_its_own_rules(
    run: Run, config: Config, venue: Replay
) -> None:
    coin = {"id": "coins", "login": "main", "owner": "fund-one", "wallet": "coinm",
            "instruments": ["BTC/USD:BTC"]}  # fmt: skip
    both = {**config.model_dump(mode="json", by_alias=True), "accounts": [coin]}
    history = {"dnw": "1.2", "pnl": "0.1", "fee": "-0.0001", "refr": "0", "fund": "0.0001"}
    whole = {**gate.ACCOUNT, "currency": "BTC", "total": "1.3", "available": "1.25",
             "unrealised_pnl": "0.005", "history": history}  # fmt: skip
    held = gate.position("BTC_USD", "-1000", "50000", "0.005", "0.025")
    tiers = [{**gate.TIERS[0], "risk_limit": "100"}, {**gate.TIERS[1], "risk_limit": "200",
             "deduction": "0.3"}]  # fmt: skip
    venue.table |= {
        "GET /api/v4/futures/btc/accounts": whole,
        "GET /api/v4/futures/btc/positions": [held],
        "GET /api/v4/futures/btc/orders": [],
        "GET /api/v4/futures/btc/fee": {"BTC_USD": {"taker_fee": "0.0005", "maker_fee": "0.0001"}},
        "GET /api/v4/futures/btc/tickers": [gate.ticker("BTC_USD", "40000", "39999.9", "40000.1")],
        "GET /api/v4/futures/btc/contracts/BTC_USD": gate.INVERSE[0],
        "GET /api/v4/futures/btc/risk_limit_tiers": tiers,
    }
    book = gathered(run, Config.model_validate(both))
    assert book.missing == ()
    account, market = book.snapshot.account["coins"], book.snapshot.instrument["gate:BTC/USD:BTC"]
    assert (market.payoff, market.settle, market.contract_size) == ("inverse", "BTC", 1)
    row = account.positions["gate:BTC/USD:BTC"]
    assert row.quantity is not None
    assert row.entry_price is not None
    profit = row.quantity * market.contract_size * (1 / row.entry_price - 1 / market.mark)
    assert profit == D("0.005")
    assert account.balances["BTC"].wallet + profit == D("1.305")
    assert [(tier.cap, tier.deduction) for tier in market.tiers] == [
        (4_000_000, 0),
        (8_000_000, 12_000),
    ]
