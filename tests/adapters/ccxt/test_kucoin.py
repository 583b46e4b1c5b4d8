"""KuCoin Futures by payload replay: its documentation's answers, and figures computed by hand."""

from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.kucoin import FACTS, REQUEST_CODES
from allocator.adapters.emulator.wire import Call
from allocator.models.config import Config
from allocator.models.intents import Ack, Rejected, TransferIntent
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, fixtures, gathered, sent
from tests.adapters.ccxt.replay import Replay, credited
from tests.adapters.times import ago

D = Decimal
BTC, ETH = "kucoinfutures:BTC/USDT:USDT", "kucoinfutures:ETH/USDT:USDT"
RECORDED = kucoin.RECORDED
MOVED = RECORDED.moved


played, venue, config = fixtures(RECORDED)


def test_the_wallet_is_equity_without_unrealised_profit(config: Config) -> None:
    account = gathered(config).snapshot.account["futures"]
    assert account.balances["USDT"].wallet == D("387.216058816")
    assert account.balances["USDT"].withdrawable == D("382.366778816")
    held = account.positions[BTC]
    assert (held.quantity, held.entry_price, held.leverage) == (1, D("96976.8"), 20)
    assert (account.margin.model, account.margin.asset_mode) == ("whole_position", "single")
    assert account.positions[ETH].quantity == 0


def test_a_contract_is_read_with_its_rates_and_funding(config: Config) -> None:
    snapshot = gathered(config).snapshot
    market = snapshot.instrument[BTC]
    assert (market.bid, market.ask, market.mark) == (D("96985.5"), D("96985.7"), D("96985.6"))
    assert (market.contract_size, market.lot, market.tick) == (D("0.001"), 1, D("0.1"))
    assert market.max_quantity == 1000000
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("0.000175"), 8)
    assert [(t.cap, t.maintenance, t.max_leverage) for t in market.tiers] == [
        (100000, D("0.0046"), 125),
        (1000000, D("0.0068"), 80),
        (5000000, D("0.0256"), 20),
    ]
    assert snapshot.instrument[ETH].status == "halted"


def test_the_rate_of_a_position_is_a_read_by_post(config: Config) -> None:
    dry = config.model_copy(update={"mode": "dry"})
    book = run_with(dry, lambda opened: opened.market.gather())
    assert book.snapshot.instrument[BTC].tiers


def test_fees_are_read_by_pair(config: Config) -> None:
    fees = gathered(config).snapshot.account["futures"].fees
    assert (fees.taker, fees.by[BTC].maker) == (D("0.0006"), D("0.0002"))


def test_the_legs_of_hedge_mode_are_both_there(config: Config, venue: Replay) -> None:
    long = {**kucoin.POSITION, "positionSide": "LONG"}
    short = {**long, "positionSide": "SHORT", "currentQty": -3, "unrealisedPnl": -0.0264}
    venue.table[RECORDED.reads] = kucoin.ok([long, short])
    told = {**kucoin.ACCOUNT, "unrealisedPNL": -0.0176, "accountEquity": 387.198458816}
    venue.table["GET /api/v1/account-overview"] = kucoin.ok(told)
    row = gathered(config).snapshot.account["futures"].positions[BTC]
    assert row.legs is not None
    assert (row.legs.long, row.legs.short) == (1, 3)
    assert (row.net, row.unrealised, row.may_trade) == (-2, D("-0.0176"), False)


def test_an_isolated_pair_has_its_own_margin(config: Config, venue: Replay) -> None:
    row = {**kucoin.POSITION, "marginMode": "ISOLATED", "crossMode": False, "posMargin": 22.13}
    venue.table[RECORDED.reads] = kucoin.ok([row])
    held = gathered(config).snapshot.account["futures"].positions[BTC]
    assert held.isolated is not None
    assert (held.isolated.wallet, held.may_trade) == (D("22.13"), False)


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (RECORDED.reads, kucoin.ok([]), None),
        (RECORDED.reads, kucoin.ok([{**kucoin.POSITION, "symbol": "NEWUSDTM"}]), "unknown market"),
        (RECORDED.reads, kucoin.ok([{**kucoin.POSITION, "positionSide": "?"}]), "position side ?"),
        (RECORDED.reads, kucoin.ok([{**kucoin.POSITION, "marginMode": "?"}]), "margin mode ?"),
        (
            RECORDED.reads,
            kucoin.ok(
                [
                    {
                        **kucoin.POSITION,
                        "marginMode": "ISOLATED",
                        "crossMode": False,
                        "posMargin": None,
                    }
                ]
            ),
            "no posMargin",
        ),
        (RECORDED.reads, kucoin.ok(None), "no data"),
        ("GET /api/v1/account-overview", kucoin.ok({**kucoin.ACCOUNT, "currency": "XBT"}), "XBT"),
        ("GET /api/v1/account-overview", kucoin.no("400007", "Access denied"), "400007"),
        ("GET /api/v1/orders", kucoin.ok({"totalPage": 1}), "no items"),
    ],
)
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    config: Config, venue: Replay, path: str, answer: Any, words: str | None
) -> None:
    venue.table[path] = answer
    book = gathered(config)
    state = book.snapshot.account["futures"].state
    told = [row.what for row in book.missing if row.account == "futures"]
    if words is None:
        assert "EQUITY_IDENTITY: USDT unrealised=0.0088 positions=0" in told[0]
    else:
        assert [words in what for what in told] == [True]
    assert state == "frozen"
    assert book.snapshot.account["main"].state == "open"


def test_wallets_that_hold_are_read_and_one_that_is_not_is_named(config: Config) -> None:
    book = gathered(config)
    held = {
        name: {coin: row.wallet for coin, row in book.snapshot.account[name].balances.items()}
        for name in ("main", "spot")
    }
    assert held["main"] == {"USDT": D("0.1"), "PEPE": D("12345678901234567890.5")}
    assert held["spot"] == held["main"]
    assert [row.account for row in book.missing] == ["coins"]
    assert "coinm of kucoinfutures is not read" in book.missing[0].what


def test_money_that_is_held_back_freezes_its_wallet(config: Config, venue: Replay) -> None:
    row = {"id": "1", "currency": "USDT", "type": "trade", "balance": "2", "available": "1",
           "holds": "1"}  # fmt: skip
    venue.table["GET /api/v1/accounts"] = kucoin.ok([row])
    assert gathered(config).snapshot.account["spot"].state == "frozen"


def test_what_a_withdrawal_holds_back_has_left_the_main_wallet(
    config: Config, venue: Replay
) -> None:
    """No order holds anything there: what is held back waits to leave, or comes back."""
    row = {"id": "1", "currency": "USDT", "type": "main", "balance": "2", "available": "0.5",
           "holds": "1.5"}  # fmt: skip
    venue.table["GET /api/v1/accounts"] = kucoin.ok([row])
    account = gathered(config).snapshot.account["main"]
    told = run_with(config, lambda opened: opened.venues["main"].read())
    assert account.state == "open"
    assert account.balances["USDT"].wallet == account.balances["USDT"].withdrawable == D("0.5")
    assert told.complete
    assert told.wallets == {"USDT": D("0.5")}


def test_every_page_of_open_orders_is_read(config: Config, venue: Replay) -> None:
    def page(call: Call) -> Any:
        names = (f"{call.text('currentPage')}-{number}" for number in range(2))
        rows = [kucoin.order(id=name, filledSize=2) for name in names]
        found = kucoin.listed(*rows)
        return {**found, "data": {**found["data"], "totalPage": 2}}

    venue.table["GET /api/v1/orders"] = page
    orders = gathered(config).snapshot.account["futures"].open_orders
    assert [(row.side, row.quantity, row.price) for row in orders] == [("sell", 10, 96980)] * 4


@pytest.mark.parametrize(
    ("style", "force", "maker"), [("ioc", "IOC", False), ("post_only", "GTC", True)]
)
def test_an_order_says_what_was_meant(
    config: Config, venue: Replay, style: str, force: str, *, maker: bool
) -> None:
    intent = RECORDED.intent(style=style, reduce_only=True)
    assert sent(config, intent) == Ack(venue_id="234125150956625920")
    assert venue.body(RECORDED.order) == {
        "clientOid": KEY,
        "symbol": "XBTUSDTM",
        "side": "sell",
        "type": "limit",
        "price": "96980",
        "size": 12,
        "leverage": "20",
        "marginMode": "CROSS",
        "reduceOnly": True,
        "timeInForce": force,
        "postOnly": maker,
    }
    assert "KC-API-PARTNER" not in venue.asked(RECORDED.order)[0].headers


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("GET /api/v2/position/getPositionMode", kucoin.ok({"positionMode": 1})),
        ("GET /api/v2/position/getMarginMode",
         kucoin.ok({"symbol": "XBTUSDTM", "marginMode": "ISOLATED"})),
        ("GET /api/v2/getCrossUserLeverage", kucoin.no("429000", "Too many requests", 429)),
    ],
)  # fmt: skip
def test_in_any_other_mode_no_order_leaves(
    config: Config, venue: Replay, path: str, answer: Any
) -> None:
    venue.table[path] = answer
    assert sent(config, RECORDED.intent()).code == "NOT_SENT"
    assert venue.asked(RECORDED.order) == []


@pytest.mark.parametrize("code", sorted(FACTS.definitive | FACTS.stale))
def test_a_documented_refusal_is_a_rejection(config: Config, venue: Replay, code: str) -> None:
    status = 401 if code in REQUEST_CODES else 200
    venue.table[RECORDED.order] = kucoin.no(code, "no", status)
    assert sent(config, RECORDED.intent()) == Rejected(code=code, message="no")
    assert len(venue.asked(RECORDED.order)) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("300002", 200), ("400100", 400), ("429000", 429), ("500000", 500)]
)
def test_any_other_answer_leaves_the_outcome_unknown(
    config: Config, venue: Replay, code: str, status: int
) -> None:
    venue.table[RECORDED.order] = kucoin.no(code, "?", status)
    assert sent(config, RECORDED.intent()).outcome == "unknown"
    assert len(venue.asked(RECORDED.order)) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "open"}, "open"),
        ({"status": "open", "filledSize": 3}, "partial"),
        ({"status": "done", "cancelExist": True, "filledSize": 3}, "cancelled"),
        ({"status": "done", "filledSize": 12}, "filled"),
    ],
)
def test_an_order_is_found_among_open_and_past_ones(
    config: Config, venue: Replay, changes: dict[str, Any], state: str
) -> None:
    wanted = "active" if changes["status"] == "open" else "done"
    row = kucoin.order(clientOid=KEY, **changes)

    def listed(call: Call) -> Any:
        return kucoin.listed(*([row] if call.text("status") == wanted else []))

    filled = [{**kucoin.FILL, "size": row["filledSize"]}] if row["filledSize"] else []
    venue.table |= {"GET /api/v1/orders": listed, "GET /api/v1/fills": kucoin.listed(*filled)}
    found = run_with(config, lambda opened: opened.venues["futures"].find(
        RECORDED.intent(), ago(60)
    ))  # fmt: skip
    assert found.state == state


def test_a_transfer_between_wallets_of_a_user_says_so(config: Config, venue: Replay) -> None:
    assert sent(config, RECORDED.transfer()) == Ack(venue_id="6705f7248c6954000733ecac")
    assert venue.body(MOVED) == {
        "clientOid": KEY, "currency": "USDT", "amount": "0.1", "type": "INTERNAL",
        "fromAccountType": "CONTRACT", "toAccountType": "MAIN",
    }  # fmt: skip


def _with_sub(config: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("KUCOIN_SUB_KEY", "kucoin-sub-key")
    own, member = config.logins["main"], "633559791e1cbc0001f319bc"
    other = {"key": "env:KUCOIN_SUB_KEY", "member": member, "master": "main"}
    sub = own.model_copy(update=other)
    mine = config.accounts[0].model_copy(update={"id": "sub", "login": "sub"})
    return config.model_copy(
        update={"logins": {"main": own, "sub": sub}, "accounts": (*config.accounts, mine)}
    )


@pytest.mark.parametrize(
    ("ends", "kind", "member"),
    [(("futures", "sub"), "PARENT_TO_SUB", "toUserId"),
     (("sub", "futures"), "SUB_TO_PARENT", "fromUserId")],
)  # fmt: skip
def test_between_users_the_master_signs_and_the_sub_account_is_named(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch,
    ends: tuple[str, str], kind: str, member: str,
) -> None:  # fmt: skip
    source, target = ends
    intent = TransferIntent(
        client_id=KEY, route="r", source=source, target=target, asset="USDT", amount=D(5)
    )
    assert isinstance(sent(_with_sub(config, monkeypatch), intent), Ack)
    body = venue.body(MOVED)
    assert (body["type"], body[member]) == (kind, "633559791e1cbc0001f319bc")
    assert (body["fromAccountType"], body["toAccountType"]) == ("CONTRACT", "CONTRACT")


def test_routes_lead_through_the_futures_wallet_and_to_the_master(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = gathered(_with_sub(config, monkeypatch))
    ways = {(row.source, row.target) for row in book.snapshot.routes if row.asset == "USDT"}
    inside = {("futures", "main"), ("main", "futures"), ("futures", "spot"), ("spot", "futures")}
    assert ways == inside | {("futures", "sub"), ("sub", "futures")}


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        ((kucoin.booked("TransferOut", "-0.1"),), ("found", "settled")),
        ((kucoin.booked("TransferOut", "0.1", "Pending"),), ("found", "in_transit")),
        ((kucoin.booked("TransferOut", "0.2"),), ("absent", None)),
        ((kucoin.booked("TransferOut", "0.1"), kucoin.booked("TransferOut", "0.1")),
         ("unsure", None)),
    ],
)  # fmt: skip
def test_a_transfer_is_found_by_its_amount_alone(
    config: Config, venue: Replay, rows: tuple[Any, ...], finding: tuple[str, str | None]
) -> None:
    venue.table["GET /api/v1/transaction-history"] = kucoin.ledger(*rows)
    told = run_with(
        config, lambda opened: opened.venues["futures"].find(RECORDED.transfer(), ago(60))
    )
    assert (told.finding, getattr(told, "state", None)) == finding


def test_a_deposit_is_credited_once_it_succeeded(config: Config, venue: Replay) -> None:
    row = {"currency": "USDT", "status": "SUCCESS", "amount": "1", "walletTxId": "0xabc@0x1"}
    venue.table["GET /api/v1/deposits"] = kucoin.listed(row)
    asked = [("USDT", "0xabc"), ("USDT", "0xdef")]
    assert credited(config, "main", asked) == [True, False]


def test_a_contract_that_contradicts_itself_is_not_read(config: Config, venue: Replay) -> None:
    """An inverse contract settles in its base: one that settles in USDT is of no kind at all."""
    row = "GET /api/v1/contracts/active"
    first, *others = venue.table[row]["data"]
    venue.table[row] = kucoin.ok([{**first, "isInverse": True}, *others])
    book = gathered(config)
    assert BTC not in book.snapshot.instrument
    assert any("inverse, and settled in USDT" in note.what for note in book.notes)
