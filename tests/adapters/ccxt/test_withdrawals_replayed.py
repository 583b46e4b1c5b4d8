"""Withdrawals from Gate, Bitget and KuCoin by payload replay: sent once, looked up by our key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, Rejected, TransferIntent
from tests.adapters.ccxt import bitget_payloads, gateio_payloads, kucoin_payloads
from tests.adapters.ccxt import withdrawal_payloads as pages
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, playing
from tests.adapters.ccxt.replay import Replay

D = Decimal
SINCE = datetime.fromtimestamp(1_790_000_000, UTC)
VENUES: dict[str, Recorded] = {
    "gate": gateio_payloads.RECORDED,
    "bitget": bitget_payloads.RECORDED,
    "kucoinfutures": kucoin_payloads.RECORDED,
}
WORDS = pages.withdrawn(KEY)


@dataclass(frozen=True)
class Played:
    """A venue that answers, and its words."""

    words: pages.Withdrawn
    venue: Replay
    emulator: Emulator
    config: Config

    def send(self, **other: Any) -> Any:
        intent = withdrawal(self.words, **other)
        return self.run(lambda opened: opened.venues[intent.source].submit(intent))

    def find(self, venue_id: str | None = None, **other: Any) -> Any:
        intent = withdrawal(self.words, **other)
        return self.run(lambda opened: opened.venues[intent.source].find(intent, SINCE, venue_id))

    def gather(self) -> Any:
        return self.run(lambda opened: opened.market.gather())

    def run(self, work: Any) -> Any:
        return run_with(self.config, work)

    def times_sent(self) -> int:
        return len(self.venue.asked(self.words.sent))


def withdrawal(words: pages.Withdrawn, **other: Any) -> TransferIntent:
    return TransferIntent.model_validate(
        {"client_id": KEY, "route": "out", "source": words.account, "target": "futures",
         "asset": "USDT", "amount": "21", **other}
    )  # fmt: skip


def configured(config: Config, words: pages.Withdrawn, **address: Any) -> Config:
    """Add a route onto a chain; where it ends is no matter of these tests."""
    route = {"id": "out", "from": words.account, "to": "futures", "asset": "USDT",
             "kind": "onchain", "latency_s": 600}  # fmt: skip
    end = {"network": words.network, "address": pages.ADDRESS, **address}
    whole = config.model_dump(by_alias=True) | {"routes": [route], "addresses": {"out": end}}
    return Config.model_validate(whole)


@pytest.fixture(params=list(VENUES))
def played(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    words = WORDS[request.param]
    with playing(VENUES[request.param], monkeypatch) as (venue, emulator, config):
        yield Played(words, venue, emulator, configured(config, words))


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
    words = WORDS[venue]
    with playing(VENUES[venue], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table |= words.terms(**change)
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
    words = WORDS["gate"]
    with playing(VENUES["gate"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        row = "GET /api/v4/wallet/withdraw_status"
        replay.table[row] = [{**pages.GATE_STATUS, **share}]
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
    words = WORDS["bitget"]
    with playing(VENUES["bitget"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table |= words.terms(fee=fee, withdrawStep="1")
        assert isinstance(played.send(), Ack)
        assert replay.body(words.sent)["size"] == asked
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
    words = WORDS["gate"]
    with playing(VENUES["gate"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table["GET /api/v4/wallet/saved_address"] = saved
        assert getattr(played.send(), "code", "") == "NOT_SENT"
        assert not played.times_sent()


@pytest.mark.parametrize(
    ("venue", "code"), [(name, code) for name, row in WORDS.items() for code in row.refusals]
)
def test_a_documented_refusal_is_a_rejection_once_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, venue: str, code: str
) -> None:
    words = WORDS[venue]
    with playing(VENUES[venue], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table[words.sent] = words.no(code)
        assert played.send() == Rejected(code=code, message="no")
        replay.table[words.records] = words.listed(words.record(KEY))
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


def test_a_withdrawal_is_found_by_its_key_and_is_under_way_until_it_arrives(
    played: Played,
) -> None:
    words, table = played.words, played.venue.table
    assert isinstance(played.find(), AbsentNow)
    table[words.records] = words.listed(words.record("0" * 32))
    assert isinstance(played.find(), AbsentNow)
    table[words.records] = words.listed(words.record("0" * 32, id="8", orderId="8"),
                                        words.record(KEY))  # fmt: skip
    for status in (words.record(KEY)["status"], *words.under_way):
        table[words.records] = words.listed(words.record(KEY, status=status))
        told = played.find(words.venue_id)
        assert isinstance(told, Found)
        assert (told.venue_id, told.state, told.filled) == (words.venue_id, "in_transit", 0)
        assert told.fees == {"USDT": D("1.5")}
        assert told.venue_time == SINCE + timedelta(seconds=1)


def test_a_withdrawal_is_settled_once_its_transaction_is_credited(played: Played) -> None:
    words, table = played.words, played.venue.table
    table |= words.credited
    table[words.records] = words.listed(words.record(KEY))
    told = played.find(words.venue_id)
    assert (told.finding, told.state, told.filled) == ("found", "settled", 21)
    unsent = {"txid": "", "tradeId": None, "walletTxId": ""}
    table[words.records] = words.listed(words.record(KEY, **unsent))
    assert played.find(words.venue_id).state == "in_transit"


def credited(words: pages.Withdrawn, *changes: dict[str, Any]) -> dict[str, Any]:
    """Answer a receiving account with the deposit of the withdrawal, each with a change."""
    ((row, told),) = words.credited.items()
    if isinstance(told, list):
        return {row: [told[0] | change for change in changes]}
    data = told["data"]
    one = (data if isinstance(data, list) else data["items"])[0]
    rows = [one | change for change in changes]
    return {row: {**told, "data": rows if isinstance(data, list) else {**data, "items": rows}}}


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "30", "size": "30"},
        {"amount": "20.999999", "size": "20.999999"},
        {"amount": "21.000001", "size": "21.000001"},
        {"amount": "22.5", "size": "22.5"},
        {"amount": "", "size": ""},
        {"memo": "4711", "tag": "4711"},
        {"address": "T1", "toAddress": "T1"},
        {"chain": "other"},
    ],
)
def test_another_deposit_of_the_same_transaction_settles_nothing(
    played: Played, other: dict[str, str]
) -> None:
    """A venue may put two of our withdrawals into one transaction."""
    words, table = played.words, played.venue.table
    if words.account == "spot" and words.network == "TRX" and "amount" not in other:
        pytest.skip("Gate's pages do not say of whose address and chain a deposit tells")
    table[words.records] = words.listed(words.record(KEY))
    for status in ("", words.failed[0]):
        if status:
            table[words.records] = words.listed(words.record(KEY, status=status))
        table |= credited(words, other)
        told = played.find(words.venue_id)
        assert told.finding == "unsure"
        assert "21 USDT" in told.why
        assert next(iter(other.values())) in told.why
    table[words.records] = words.listed(words.record(KEY))
    table |= credited(words, other, {})
    assert played.find(words.venue_id).state == "settled"


@pytest.mark.parametrize(("deposits", "states"), [(1, "unsure"), (2, "settled")])
def test_of_two_equal_withdrawals_in_one_transaction_each_has_a_deposit_of_its_own(
    played: Played, deposits: int, states: str
) -> None:
    words, table, second = played.words, played.venue.table, "9" * 32
    table |= credited(words, *[{}] * deposits)
    own = {"id": "8", "orderId": "8"}
    table[words.records] = words.listed(words.record(KEY), words.record(second, **own))

    async def work(opened: Opened) -> list[Any]:
        venue = opened.venues[words.account]
        intents = [withdrawal(words, client_id=name) for name in (KEY, second, KEY)]
        return [await venue.find(intent, SINCE) for intent in intents]

    first, other, again = played.run(work)
    assert (first.state, again.state) == ("settled", "settled")
    assert getattr(other, "state", other.finding) == states


@pytest.mark.parametrize(
    ("fee", "arrived", "finding"),
    [
        ("-0.3", "21.7", "found"),
        ("-0.3", "21", "found"),
        ("-0.3", "21.700001", "unsure"),
        ("", "21.7", "unsure"),
        ("", "21", "found"),
    ],
)
def test_what_a_fee_was_rounded_up_by_arrives_too(
    monkeypatch: pytest.MonkeyPatch, fee: str, arrived: str, finding: str
) -> None:
    words = WORDS["bitget"]
    with playing(VENUES["bitget"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table[words.records] = words.listed(words.record(KEY, size="22", fee=fee))
        replay.table |= credited(words, {"size": arrived})
        told = played.find(most_fee="1")
        assert getattr(told, "state", told.finding) == {"found": "settled"}.get(finding, finding)


def test_a_withdrawal_that_failed_is_returned(played: Played) -> None:
    for status in played.words.failed:
        row = played.words.record(KEY, status=status)
        played.venue.table[played.words.records] = played.words.listed(row)
        told = played.find()
        assert (told.finding, told.state, told.filled) == ("found", "returned", 0)


def test_a_withdrawal_that_failed_and_arrived_is_neither(played: Played) -> None:
    played.venue.table |= played.words.credited
    row = played.words.record(KEY, status=played.words.failed[0])
    played.venue.table[played.words.records] = played.words.listed(row)
    assert played.find().finding == "unsure"


@pytest.mark.parametrize("status", ["BRAND_NEW", "INVALID", None])
def test_a_status_that_is_not_known_says_nothing(played: Played, status: str | None) -> None:
    row = played.words.record(KEY, status=status)
    played.venue.table[played.words.records] = played.words.listed(row)
    assert played.find().finding == "unsure"


OTHER = [
    {"coin": "USDC", "currency": "USDC"},
    {"amount": "20.999999", "size": "20.999999"},
    {"amount": "22.499999", "size": "22.499999"},
    {"amount": "45", "size": "45"},
    {"address": "T1", "toAddress": "T1"},
]


@pytest.mark.parametrize("other", OTHER)
def test_a_record_of_something_else_under_our_key_is_neither_ours_nor_an_absence(
    played: Played, other: dict[str, str]
) -> None:
    words, table = played.words, played.venue.table
    table |= words.credited
    table[words.records] = words.listed(words.record(KEY, **other))
    for venue_id in (None, words.venue_id):
        told = played.find(venue_id)
        assert told.finding == "unsure"
        assert next(iter(other.values())) in told.why
        assert f"21 USDT to {pages.ADDRESS} were asked for" in told.why
    table[words.sent] = words.no(words.refusals[0])
    assert played.send().outcome == "unknown"


@pytest.mark.parametrize(
    ("venue", "told", "most", "finding"),
    [
        ("gate", {"amount": "21"}, None, "found"),
        ("gate", {"fee": ""}, "1.5", "found"),
        ("gate", {"fee": ""}, "1.499999", "unsure"),
        ("gate", {"fee": "1.49999999"}, "1.5", "found"),
        ("gate", {"fee": "1.6"}, "1.6", "unsure"),
        ("gate", {"amount": "22.6"}, "1.5", "unsure"),
        ("bitget", {"size": "22", "fee": "-0.3"}, "1", "found"),
        ("bitget", {"size": "22", "fee": "-0.3"}, None, "found"),
        ("kucoinfutures", {"amount": "22.5"}, None, "unsure"),
    ],
)
def test_what_is_asked_for_may_hold_the_fee_and_its_rounding_and_no_more(
    monkeypatch: pytest.MonkeyPatch, venue: str, told: dict[str, str], most: str | None,
    finding: str,
) -> None:  # fmt: skip
    words = WORDS[venue]
    with playing(VENUES[venue], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table[words.records] = words.listed(words.record(KEY, **told))
        assert played.find(most_fee=most).finding == finding


def test_two_that_bear_the_key_are_nobodys(played: Played) -> None:
    rows = [played.words.record(KEY, id=name, orderId=name) for name in ("1", "2")]
    played.venue.table[played.words.records] = played.words.listed(*rows)
    assert played.find().finding == "unsure"


def test_a_record_without_the_remark_hides_no_withdrawal(monkeypatch: pytest.MonkeyPatch) -> None:
    words = WORDS["kucoinfutures"]
    with playing(VENUES["kucoinfutures"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        for remark in ("", None):
            replay.table[words.records] = words.listed(words.record("", remark=remark))
            assert played.find().finding == "unsure"
            assert isinstance(played.find(words.venue_id), Found)
            small = words.record("", remark=remark, address=pages.ADDRESS.lower())
            replay.table[words.records] = words.listed(small)
            assert played.find().finding == "unsure"
            other = words.record("", remark=remark, amount="22")
            replay.table[words.records] = words.listed(other)
            assert isinstance(played.find(), AbsentNow)


@pytest.mark.parametrize("venue", ["gate", "bitget"])
@pytest.mark.parametrize("refused", [False, True])
def test_a_record_to_the_same_address_without_our_key_is_no_absence(
    monkeypatch: pytest.MonkeyPatch, venue: str, refused: bool
) -> None:
    """No page says that records bear the key under which they are asked for."""
    words = WORDS[venue]
    with playing(VENUES[venue], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table[words.sent] = words.no(words.refusals[0])
        for key in ("", None):
            for end in (pages.ADDRESS, pages.ADDRESS.lower(), "", None):
                row = words.record(key, address=end, toAddress=end)
                replay.table[words.records] = words.listed(row)
                if refused:
                    assert played.send().outcome == "unknown"
                else:
                    assert played.find().finding == "unsure"
                    assert isinstance(played.find(words.venue_id), Found)
        other = words.record("", address="T1", toAddress="T1")
        replay.table[words.records] = words.listed(other)
        assert isinstance(played.find(), AbsentNow)


@pytest.mark.parametrize("venue", ["gate", "bitget"])
def test_an_answer_that_may_have_been_cut_off_is_no_absence(
    monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    words = WORDS[venue]
    with playing(VENUES[venue], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        others = [words.record(f"{n:032x}") for n in range(100)]
        replay.table[words.records] = words.listed(*others)
        assert played.find().finding == "unsure"
        replay.table[words.records] = words.listed(*others, words.record(KEY))
        assert isinstance(played.find(), Found)
        replay.table[words.records] = words.listed(*others[:99])
        assert isinstance(played.find(), AbsentNow)
        assert {call.text("limit") for call in replay.asked(words.records)} == {"100"}


def test_what_gates_page_nests_and_its_model_does_not_is_read_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = WORDS["gate"]
    with playing(VENUES["gate"], monkeypatch) as (replay, emulator, config):
        played = Played(words, replay, emulator, configured(config, words))
        replay.table[words.records] = [[words.record(KEY)]]
        assert isinstance(played.find(), Found)
        replay.table[words.records] = ["w1879219868"]
        assert played.find().finding == "unsure"


def test_records_are_asked_for_by_our_key_since_it_was_sent(played: Played) -> None:
    played.find()
    (call,) = played.venue.asked(played.words.records)
    since = call.text("from") or call.text("startTime") or call.text("startAt")
    assert "USDT" in {call.text("currency"), call.text("coin")}
    assert abs(int(since.ljust(13, "0")) - 1_790_000_000_000) <= 5_000
    if played.words.account == "spot":
        assert KEY in {call.text("withdraw_order_id"), call.text("clientOid")}


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
