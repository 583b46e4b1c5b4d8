"""Hyperliquid by payload replay: its documentation's answers, and figures computed by hand."""

import asyncio
import copy
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from allocator.adapters.ccxt import hyperliquid_client, session
from allocator.adapters.ccxt.hyperliquid import FACTS
from allocator.adapters.emulator.wire import Call
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Rejected, TransferIntent
from tests.adapters.ccxt import hyperliquid_payloads as hyper
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, fixtures, gathered, sent
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.times import ago

D = Decimal
BTC, ETH = "hyperliquid:BTC/USDC:USDC", "hyperliquid:ETH/USDC:USDC"
LOOM = "hyperliquid:LOOM/USDC:USDC"
RECORDED = hyper.RECORDED
STATE, SPOT = f"{hyper.INFO}#clearinghouseState", f"{hyper.INFO}#spotClearinghouseState"
STATUS, FILLS = f"{hyper.INFO}#orderStatus", f"{hyper.INFO}#userFillsByTime"
ORDERS, LEVERAGE = f"{hyper.INFO}#frontendOpenOrders", f"{hyper.INFO}#activeAssetData"
MODE = f"{hyper.INFO}#userAbstraction"
SWITCH = f"{hyper.ACT}#scheduleCancel"


played, venue, config = fixtures(RECORDED)


def found(config: Config) -> Any:
    return run_with(config, lambda opened: opened.venues["perps"].find(RECORDED.intent(), ago(60)))


def test_cash_is_value_less_profit_and_an_isolated_position_keeps_its_margin(
    config: Config,
) -> None:
    account = gathered(config).snapshot.account["perps"]
    assert account.balances["USDC"].wallet == D("13109.482328") + D("0.0134")
    assert account.balances["USDC"].withdrawable == D("13104.514502")
    held = account.positions[ETH]
    assert (held.quantity, held.entry_price) == (D("0.0335"), D("2986.3"))
    assert held.isolated is not None
    assert (held.isolated.wallet, held.may_trade) == (D("4.967826") + D("0.0134"), False)
    assert (account.positions[BTC].quantity, account.positions[BTC].may_trade) == (0, True)
    assert (account.fees.maker, account.fees.taker) == (D("0.000105"), D("0.000315"))


def test_a_margin_table_is_one_curve_of_half_the_initial_margin(config: Config) -> None:
    market = gathered(config).snapshot.instrument[BTC]
    assert [(t.cap, t.maintenance, t.deduction, t.max_leverage) for t in market.tiers] == [
        (150_000_000, D("0.0125"), 0, 40),
        (D("1e12"), D("0.025"), 1_875_000, 20),
    ]
    assert (market.lot, market.tick, market.min_notional) == (D("0.00001"), 1, 10)
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("0.0000125"), 1)


def test_a_delisted_market_is_halted(config: Config, venue: Replay) -> None:
    accounts = ({**RECORDED.accounts[0], "instruments": ["BTC/USDC:USDC", "LOOM/USDC:USDC"]},)
    told = config.model_dump(mode="json", exclude_unset=True)
    told["accounts"] = [
        {**row, **accounts[0]} if row["id"] == "perps" else row for row in told["accounts"]
    ]
    snapshot = gathered(Config.model_validate(told)).snapshot
    assert snapshot.instrument[LOOM].status == "halted"
    assert snapshot.instrument[LOOM].tick == D("0.00001")


def test_the_spot_account_holds_whatever_it_has(config: Config) -> None:
    account = gathered(config).snapshot.account["spot"]
    assert {name: row.wallet for name, row in account.balances.items()} == {
        "USDC": D("0.1"), "PURR": D("12345678901234567890.5")
    }  # fmt: skip
    assert not account.positions


def test_orders_of_spot_are_left_out(config: Config, venue: Replay) -> None:
    venue.table[ORDERS] = [
        hyper.order(), hyper.order(coin="@107"), hyper.order(coin="PURR/USDC"),
        hyper.order(coin="ETH", side="B"),
    ]  # fmt: skip
    account = gathered(config).snapshot.account["perps"]
    assert [(row.instrument, row.side, row.quantity) for row in account.open_orders] == [
        (BTC, "sell", D("0.012")), (ETH, "buy", D("0.012"))
    ]  # fmt: skip


def _positions(*rows: Any) -> dict[str, Any]:
    return {**hyper.STATE, "assetPositions": list(rows)}


@pytest.mark.parametrize(
    ("account", "path", "answer", "words"),
    [
        ("perps", STATE, _positions(), "EQUITY_IDENTITY: accountValue=13109.482328"),
        ("perps", STATE, _positions({"position": hyper.POSITION, "type": "hedge"}),
         "position type hedge"),
        ("perps", STATE, _positions({"position": {**hyper.POSITION, "coin": "NEW"},
                                     "type": "oneWay"}), "unknown market: NEW"),
        ("perps", STATE, {}, "no clearinghouse state"),
        ("perps", LEVERAGE, {"leverage": {"type": "portfolio", "value": 3}}, "leverage type"),
        ("perps", ORDERS, [hyper.order(coin="NEW")], "unknown market: NEW"),
        ("perps", ORDERS, {}, "no list"),
        ("spot", SPOT, {"balances": [{"coin": "USDC", "total": "5", "hold": "1.0"}]},
         "USDC is on hold"),
    ],
)  # fmt: skip
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    config: Config, venue: Replay, account: str, path: str, answer: Any, words: str
) -> None:
    venue.table[path] = answer
    book = gathered(config)
    assert book.snapshot.account[account].state == "frozen"
    assert [words in row.what for row in book.missing if row.account == account] == [True]


@pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin", "somethingNew"])
def test_collateral_that_is_shared_with_spot_freezes_both_accounts(
    config: Config, venue: Replay, mode: str
) -> None:
    venue.table[MODE] = mode
    book = gathered(config)
    for account in ("perps", "spot"):
        assert book.snapshot.account[account].state == "frozen"
        (why,) = [row.what for row in book.missing if row.account == account]
        assert f"account mode {mode} is not read" in why


@pytest.mark.parametrize("answer", [{}, "two words", BROKEN])
def test_a_mode_that_is_not_told_freezes(config: Config, venue: Replay, answer: Any) -> None:
    venue.table[MODE] = answer
    assert gathered(config).snapshot.account["perps"].state == "frozen"


def test_a_position_in_a_builder_s_market_freezes_and_is_named(
    config: Config, venue: Replay
) -> None:
    """Every builder on the list is asked by its name; the first place is the venue's own."""
    held = {**hyper.POSITION, "coin": "xyz:GOLD", "szi": "0.0"}
    builders: list[Any] = [None, {"name": "flx", "deployer": hyper.ADDRESS}, {"name": "xyz"}]
    asked = list[str]()

    def states(call: Call) -> Any:
        asked.append(call.text("dex"))
        rows = [{"position": held, "type": "oneWay"}] if call.text("dex") == "xyz" else []
        return hyper.STATE if not call.text("dex") else {**hyper.STATE, "assetPositions": rows}

    venue.table |= {f"{hyper.INFO}#perpDexs": builders, STATE: states}
    assert gathered(config).snapshot.account["perps"].state == "open"
    assert {"", "flx", "xyz"} == set(asked)
    held["szi"] = "0.0335"
    book = gathered(config)
    assert book.snapshot.account["perps"].state == "frozen"
    (why,) = [row.what for row in book.missing if row.account == "perps"]
    assert "UNREAD_WALLET: positions in builders' markets: xyz:GOLD" in why


def test_a_wallet_that_is_not_modelled_is_not_read(config: Config) -> None:
    book = gathered(config)
    (missing,) = [row for row in book.missing if row.account == "coins"]
    assert "wallet coinm of hyperliquid is not read" in missing.what


@pytest.mark.parametrize(("style", "tif"), [("ioc", "Ioc"), ("post_only", "Alo")])
def test_an_order_says_what_was_meant_and_until_when_it_is_good(
    config: Config, venue: Replay, style: str, tif: str
) -> None:
    at = datetime(2024, 2, 22, 17, 59, 58, 623000, tzinfo=UTC)
    intent = RECORDED.intent(style=style, reduce_only=True, stamped_at=at)
    assert sent(config, intent) == Ack(venue_id="77738308")
    body = venue.body(RECORDED.order)
    assert abs(body["expiresAfter"] - at.timestamp() * 1000 - 5000) < 1000
    assert body["action"] == {
        "type": "order",
        "orders": [
            {"a": 0, "b": False, "p": "63999", "s": "0.012", "r": True,
             "t": {"limit": {"tif": tif}}, "c": hyper.NAME}
        ],
        "grouping": "na",
    }  # fmt: skip
    assert body.keys() == {"action", "nonce", "signature", "expiresAfter"}
    assert body["signature"].keys() == {"r", "s", "v"}


def test_every_action_has_a_number_of_its_own_that_rises(config: Config, venue: Replay) -> None:
    async def thrice(opened: Any) -> None:
        for _ in range(3):
            await opened.venues["perps"].cancel(RECORDED.intent())

    run_with(config, thrice)
    numbers = [json.loads(call.body)["nonce"] for call in venue.asked(RECORDED.cancel)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3


def test_two_logins_that_sign_with_one_key_never_use_a_number_twice(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue counts numbers by what signs: a second login's would be taken for a repetition."""
    monkeypatch.setenv("HYPERLIQUID_SECRET", "0x" + "22" * 32)
    monkeypatch.setattr(hyperliquid_client, "time_ns", lambda: 4_102_444_800_000_000_000)
    monkeypatch.setenv("SUB", "0x" + "1d9470d4b963f552e6f671a81619d395877bf409")
    sub = {"key": "env:SUB", "master": "main"}
    other = config.accounts[0].model_copy(update={"id": "twin", "login": "twin"})
    twins = config.model_copy(
        update={
            "logins": {**config.logins, "twin": config.logins["main"].model_copy(update=sub)},
            "accounts": (*config.accounts, other),
        }
    )
    intents = [RECORDED.intent(), RECORDED.intent(account="twin", client_id="f" * 32)] * 10

    async def all_at_once(opened: Any) -> Any:
        await asyncio.gather(*(opened.venues[row.account].submit(row) for row in intents))

    run_with(twins, all_at_once)
    numbers = [json.loads(call.body)["nonce"] for call in venue.asked(RECORDED.order)]
    assert len(set(numbers)) == len(intents)


def test_a_sub_account_is_read_by_its_address_and_signed_for_by_its_master(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = "0x" + "1d9470d4b963f552e6f671a81619d395877bf409"
    told = config.model_dump(mode="json", exclude_unset=True)
    told["logins"]["sub"] = told["logins"]["main"] | {"key": "env:SUB", "master": "main"}
    monkeypatch.setenv("SUB", sub)
    told["accounts"] = [
        {**row, "login": "sub"} if row["id"] == "perps" else row for row in told["accounts"]
    ]
    changed = Config.model_validate(told)
    assert sent(changed, RECORDED.intent()) == Ack(venue_id="77738308")
    assert venue.body(RECORDED.order)["vaultAddress"] == sub
    gathered(changed)
    assert {json.loads(call.body)["user"] for call in venue.asked(STATE)} == {sub}


@pytest.mark.parametrize("words", sorted(FACTS.definitive))
def test_a_documented_refusal_is_a_rejection(config: Config, venue: Replay, words: str) -> None:
    venue.table[RECORDED.order] = hyper.no(f"{words}. asset=0")
    outcome = sent(config, RECORDED.intent())
    assert isinstance(outcome, Rejected)
    assert outcome.code == words
    assert len(venue.asked(RECORDED.order)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        BROKEN, hyper.no("Something new happened"), hyper.acted("order", {"unheard": {}}),
        {"status": "ok"}, {"status": "ok", "response": {"data": {"statuses": []}}},
        {"status": "err", "response": "Too many cumulative requests sent"},
    ],
)  # fmt: skip
def test_any_other_answer_leaves_the_outcome_unknown(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[RECORDED.order] = answer
    assert sent(config, RECORDED.intent()).outcome == "unknown"
    assert len(venue.asked(RECORDED.order)) == 1


@pytest.mark.parametrize(
    ("state", "left", "fills", "told"),
    [
        ("open", "0.012", (), ("open", "0")),
        ("open", "0.007", ("0.005",), ("partial", "0.005")),
        ("filled", "0.0", ("0.012",), ("filled", "0.012")),
        ("canceled", "0.007", ("0.005",), ("cancelled", "0.005")),
        ("marginCanceled", "0.012", (), ("cancelled", "0")),
        ("scheduledCancel", "0.012", (), ("cancelled", "0")),
        ("iocCancelRejected", "0.012", (), ("cancelled", "0")),
    ],
)
def test_an_order_is_found_with_its_fills(
    config: Config, venue: Replay, state: str, left: str, fills: Any, told: Any
) -> None:
    venue.table[STATUS] = hyper.status(state, sz=left)
    venue.table[FILLS] = [hyper.fill(size, "63999.0", "0.1") for size in fills]
    order = found(config)
    assert (order.state, order.filled) == (told[0], D(told[1]))


@pytest.mark.parametrize(
    ("status", "fills"),
    [
        (hyper.status("filled", sz="0.0"), []),
        (hyper.status("canceled", sz="0.007"), []),
        (hyper.status("triggered"), []),
        (hyper.status("open", cloid="0x" + "1" * 32), []),
        ({"status": "order"}, []),
        (hyper.status("filled", sz="0.0"), [hyper.fill("0.012", "1.0", "0")] * 2000),
    ],
)
def test_a_look_up_that_does_not_add_up_is_no_absence(
    config: Config, venue: Replay, status: Any, fills: Any
) -> None:
    venue.table |= {STATUS: status, FILLS: fills}
    assert found(config).finding == "unsure"


def test_an_order_nobody_knows_is_absent(config: Config) -> None:
    assert isinstance(found(config), AbsentNow)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (hyper.no("Order was never placed, already canceled, or filled. asset=0"), "rejected"),
        (hyper.acted("cancel", {"error": "Something new"}), "unknown"),
        (hyper.acted("cancel", "something"), "unknown"),
    ],
)
def test_a_cancel_that_came_too_late_is_told_from_one_nobody_answered(
    config: Config, venue: Replay, answer: Any, outcome: str
) -> None:
    venue.table[RECORDED.cancel] = answer
    told = run_with(config, lambda opened: opened.venues["perps"].cancel(RECORDED.intent()))
    assert told.outcome == outcome


def test_the_dead_mans_switch_names_a_time_and_is_taken_back(config: Config, venue: Replay) -> None:
    async def both(opened: Any) -> Any:
        return [await opened.venues["perps"].cancel_after(seconds) for seconds in (60, 0)]

    told = run_with(config, both)
    assert [row.outcome for row in told] == ["ack", "ack"]
    first, second = [json.loads(call.body)["action"] for call in venue.asked(SWITCH)]
    assert first["time"] == int(told[0].venue_id)
    assert second == {"type": "scheduleCancel"}


def test_an_account_that_traded_too_little_has_no_dead_mans_switch(
    config: Config, venue: Replay
) -> None:
    words = "Cannot set scheduled cancel time until enough volume traded"
    venue.table[SWITCH] = {
        "status": "err", "response": f"{words}. Required: $1000000. Traded: $1."
    }  # fmt: skip
    told = run_with(config, lambda opened: opened.venues["perps"].cancel_after(60))
    assert (told.outcome, told.code) == ("rejected", words)


def test_no_transfer_leaves_and_no_route_is_offered(config: Config) -> None:
    intent = TransferIntent(
        client_id=KEY, route="r", source="perps", target="spot", asset="USDC", amount=D(1)
    )
    assert sent(config, intent).code == "NOT_SENT"
    assert not gathered(config).snapshot.routes


def test_a_market_that_was_shut_is_not_open_until_the_list_is_read_again(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Any) -> list[str]:
        told = [(await opened.market.gather()).snapshot.instrument[BTC].status]
        row = f"{hyper.INFO}#metaAndAssetCtxs"
        venue.table[row] = copy.deepcopy(venue.table[row])
        venue.table[row][0]["universe"][0]["isDelisted"] = True
        jumped = SimpleNamespace(monotonic=lambda: time.monotonic() + 60)
        monkeypatch.setattr(session, "time", jumped)
        return [*told, (await opened.market.gather()).snapshot.instrument[BTC].status]

    assert run_with(config, work) == ["open", "halted"]
