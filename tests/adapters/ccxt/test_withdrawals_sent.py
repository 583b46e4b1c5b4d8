"""Withdrawals from Gate, Bitget and KuCoin by payload replay: sent once, within their terms."""

import json
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import Ack, Rejected
from tests.adapters.ccxt import withdrawal_payloads as pages
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY
from tests.adapters.ccxt.withdrawing import (
    WORDS,
    Played,
    configured,
    each_played,
    withdrawal,
    withdrawing,
)

D = Decimal
played = each_played


def test_what_is_asked_for_lets_the_amount_arrive_and_bears_the_key(played: Played) -> None:
    assert played.send() == Ack(venue_id=played.words.venue_id)
    assert played.venue.body(played.words.sent) == dict(played.words.body)


def test_a_route_takes_fee_minimum_and_step_from_the_sending_venue(played: Played) -> None:
    route = played.gather().snapshot.route["out"]
    assert (route.fee, route.min, route.step) == (D("1.5"), 10, D("0.000001"))


@pytest.mark.parametrize(
    ("venue", "change"),
    [
        ("gate", {"is_withdraw_disabled": 1}),
        ("gate", {"is_disabled": 1}),
        ("gate", {"is_withdraw_disabled": None}),
        ("gate", {"fee": None}),
        ("gate", {"chain": "ETH"}),
        ("bitget", {"withdrawable": "false"}),
        ("bitget", {"withdrawable": None}),
        ("bitget", {"extraWithdrawFee": "0.1"}),
        ("bitget", {"fee": None}),
        ("bitget", {"minWithdrawAmount": None}),
        ("bitget", {"chain": "LIGHTNING"}),
        ("kucoinfutures", {"isWithdrawEnabled": False}),
        ("kucoinfutures", {"isWithdrawEnabled": None}),
        ("kucoinfutures", {"withdrawFeeRate": "0.001"}),
        ("kucoinfutures", {"fee": None}),
        ("kucoinfutures", {"chainId": "eth"}),
    ],
)
def test_a_network_that_is_shut_or_of_unknown_cost_has_no_way_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, venue: str, change: dict[str, Any]
) -> None:
    with withdrawing(venue, monkeypatch) as played:
        words = played.words
        played.venue.table |= words.terms(**change)
        assert not played.gather().snapshot.route["out"].enabled
        assert getattr(played.send(), "code", "") == "NOT_SENT"
        assert not played.times_sent()


@pytest.mark.parametrize(
    "share",
    [
        {"withdraw_percent_on_chains": {"TRX": "0.1%"}},
        {"withdraw_percent": "2%", "withdraw_percent_on_chains": {}},
        {"withdraw_percent": None, "withdraw_percent_on_chains": None},
    ],
)
def test_a_share_that_gate_takes_or_does_not_tell_shuts_the_network(
    monkeypatch: pytest.MonkeyPatch, share: dict[str, Any]
) -> None:
    with withdrawing("gate", monkeypatch) as played:
        row = "GET /api/v4/wallet/withdraw_status"
        played.venue.table[row] = [{**pages.GATE_STATUS, **share}]
        assert getattr(played.send(), "code", "") == "NOT_SENT"
        assert not played.times_sent()


@pytest.mark.parametrize("amount", ["9.99", "21.0000005"])
def test_less_than_the_network_takes_or_finer_is_not_sent(played: Played, amount: str) -> None:
    assert getattr(played.send(amount=amount), "code", "") == "NOT_SENT"
    assert not played.times_sent()


def test_a_fee_that_is_finer_than_the_network_is_rounded_up(played: Played) -> None:
    """Where it is taken out of what is asked for, which goes by the network's step."""
    played.venue.table |= played.words.terms(fee="1.50000001")
    besides = "feeDeductType" in played.words.body
    fee = played.gather().snapshot.route["out"].fee
    assert fee == D("1.50000001" if besides else "1.500001")
    assert isinstance(played.send(), Ack)
    body = played.venue.body(played.words.sent)
    asked = D(str(body.get("amount") or body.get("size")))
    assert asked == 21 + (0 if besides else fee)


@pytest.mark.parametrize(("most", "goes"), [("1.499999", False), ("1.5", True)])
def test_a_fee_above_the_plans_is_not_paid(played: Played, most: str, goes: bool) -> None:
    played.venue.table |= played.words.terms(fee="1.5")
    outcome = played.send(most_fee=most)
    assert isinstance(outcome, Ack if goes else Rejected)
    assert played.times_sent() == goes


@pytest.mark.parametrize(("fee", "asked"), [("0.3", "22"), ("1", "22"), ("1.2", "23"), ("0", "21")])
def test_bitgets_step_is_kept_by_amount_and_fee_together(
    monkeypatch: pytest.MonkeyPatch, fee: str, asked: str
) -> None:
    with withdrawing("bitget", monkeypatch) as played:
        words = played.words
        played.venue.table |= words.terms(fee=fee, withdrawStep="1")
        assert isinstance(played.send(), Ack)
        assert played.venue.body(words.sent)["size"] == asked
        assert getattr(played.send(amount="20.5"), "code", "") == "NOT_SENT"


def test_a_tag_goes_with_the_address(played: Played) -> None:
    tagged = Played(
        played.words, played.venue, played.emulator,
        configured(played.config, played.words, tag="4711"),
    )  # fmt: skip
    played.venue.table["GET /api/v4/wallet/saved_address"] = [{**pages.GATE_SAVED, "tag": "4711"}]
    assert isinstance(tagged.send(), Ack)
    body = played.venue.body(played.words.sent)
    assert (body.get("memo") or body.get("tag")) == "4711"


@pytest.mark.parametrize(
    "saved",
    [
        [],
        [{**pages.GATE_SAVED, "verified": "0"}],
        [{**pages.GATE_SAVED, "chain": "ETH"}],
        [{**pages.GATE_SAVED, "address": pages.ADDRESS.lower()}],
        [{**pages.GATE_SAVED, "tag": "4711"}],
        {"label": "SERVER_ERROR"},
    ],
)
def test_an_address_that_is_not_in_the_address_book_is_not_sent_to(
    monkeypatch: pytest.MonkeyPatch, saved: Any
) -> None:
    with withdrawing("gate", monkeypatch) as played:
        played.venue.table["GET /api/v4/wallet/saved_address"] = saved
        assert getattr(played.send(), "code", "") == "NOT_SENT"
        assert not played.times_sent()


@pytest.mark.parametrize(
    ("venue", "code"), [(name, code) for name, row in WORDS.items() for code in row.refusals]
)
def test_a_documented_refusal_is_a_rejection_once_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, venue: str, code: str
) -> None:
    with withdrawing(venue, monkeypatch) as played:
        words = played.words
        played.venue.table[words.sent] = words.no(code)
        assert played.send() == Rejected(code=code, message="no")
        played.venue.table[words.records] = words.listed(words.record(KEY))
        assert played.send() == Ack(venue_id=words.venue_id)
        assert played.times_sent() == 2


def test_any_other_code_leaves_the_outcome_unknown(played: Played) -> None:
    for code in ("BRAND_NEW_LABEL",) if played.words.network == "TRX" else ("99999", "400100"):
        played.venue.table[played.words.sent] = played.words.no(code)
        assert played.send().outcome == "unknown"


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "http_500_after", "html", "truncate"]
)
def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    played: Played, kind: str
) -> None:
    path = played.words.sent.removeprefix("POST ")
    played.emulator.fault({"kind": kind, "path": path, "method": "POST"})
    assert played.send().outcome == "unknown"
    assert played.times_sent() == (0 if kind == "drop_before" else 1)


def test_only_the_wallet_that_withdraws_says_so(played: Played) -> None:
    async def work(opened: Opened) -> dict[str, bool]:
        return {name: row.capabilities.withdrawals for name, row in opened.venues.items()}

    able = played.run(work)
    assert {name for name, yes in able.items() if yes} == {played.words.account}


def test_a_sub_account_withdraws_nothing(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUB_KEY", "sub-key")
    data = json.loads(played.config.model_dump_json(by_alias=True))
    main = data["logins"]["main"]
    data["logins"]["sub"] = {**main, "key": "env:SUB_KEY", "member": "2", "master": "main"}
    wallet = next(row["wallet"] for row in data["accounts"] if row["id"] == played.words.account)
    own = {**data["accounts"][0], "instruments": []}
    data["accounts"].append({**own, "id": "sub", "login": "sub", "wallet": wallet})
    data["routes"][0]["from"] = "sub"
    config = Config.model_validate(data)
    intent = withdrawal(played.words, source="sub")
    told = run_with(config, lambda opened: opened.venues["sub"].submit(intent))
    assert getattr(told, "code", "") == "NOT_SENT"
    assert not played.times_sent()
