"""Withdrawals from Gate, Bitget and KuCoin by payload replay: looked up by our key."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.registry import Opened
from allocator.models.intents import AbsentNow, Found
from tests.adapters.ccxt import withdrawal_payloads as pages
from tests.adapters.ccxt.recorded import KEY
from tests.adapters.ccxt.withdrawing import (
    SINCE,
    Played,
    each_played,
    withdrawal,
    withdrawing,
)

D = Decimal
played = each_played


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


def test_an_equal_deposit_of_another_transaction_settles_nothing(played: Played) -> None:
    words, table, other = played.words, played.venue.table, "f" * 64
    table[words.records] = words.listed(words.record(KEY))
    table |= credited(words, {"txid": other, "tradeId": other, "walletTxId": f"{other}@x"})
    assert played.find(words.venue_id).state == "in_transit"


@pytest.mark.parametrize(
    ("amount", "fee", "finding"),
    [
        ("21", "0", "settled"),
        ("21.5", "0.5", "settled"),
        ("21", "0.000001", "unsure"),
        ("20.9", "-0.1", "unsure"),
        ("21", "-0.1", "settled"),
        ("21", "", "settled"),
        ("21", "much", "in_transit"),
    ],
)
def test_what_kucoin_keeps_of_a_deposit_has_not_arrived(
    monkeypatch: pytest.MonkeyPatch, amount: str, fee: str, finding: str
) -> None:
    with withdrawing("kucoinfutures", monkeypatch) as played:
        words = played.words
        played.venue.table[words.records] = words.listed(words.record(KEY))
        played.venue.table |= credited(words, {"amount": amount, "fee": fee})
        told = played.find(words.venue_id)
        assert getattr(told, "state", told.finding) == finding


@pytest.mark.parametrize("deposits", [1, 2])
def test_of_two_equal_withdrawals_in_one_transaction_each_may_have_arrived_as_any_deposit(
    played: Played, deposits: int
) -> None:
    """Which one settled which is for the record to say, of which nothing is known here."""
    words, table, second = played.words, played.venue.table, "9" * 32
    rows = [{"id": name, "orderId": name} for name in ("d1", "d2")[:deposits]]
    table |= credited(words, *rows)
    own = {"id": "8", "orderId": "8"}
    table[words.records] = words.listed(words.record(KEY), words.record(second, **own))

    async def work(opened: Opened) -> list[Any]:
        venue = opened.venues[words.account]
        intents = [withdrawal(words, client_id=name) for name in (KEY, second, KEY)]
        return [await venue.find(intent, SINCE) for intent in intents]

    first, other, again = played.run(work)
    assert [row.state for row in (first, other, again)] == ["settled"] * 3
    assert first.arrivals == other.arrivals == again.arrivals
    assert len(set(first.arrivals)) == deposits
    if words.account == "spot":
        assert [name.split()[-1] for name in first.arrivals] == [row["id"] for row in rows]


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
    with withdrawing("bitget", monkeypatch) as played:
        words = played.words
        played.venue.table[words.records] = words.listed(words.record(KEY, size="22", fee=fee))
        played.venue.table |= credited(words, {"size": arrived})
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
    with withdrawing(venue, monkeypatch) as played:
        words = played.words
        played.venue.table[words.records] = words.listed(words.record(KEY, **told))
        assert played.find(most_fee=most).finding == finding


def test_two_that_bear_the_key_are_nobodys(played: Played) -> None:
    rows = [played.words.record(KEY, id=name, orderId=name) for name in ("1", "2")]
    played.venue.table[played.words.records] = played.words.listed(*rows)
    assert played.find().finding == "unsure"


def test_a_record_without_the_remark_hides_no_withdrawal(monkeypatch: pytest.MonkeyPatch) -> None:
    with withdrawing("kucoinfutures", monkeypatch) as played:
        words = played.words
        for remark in ("", None):
            played.venue.table[words.records] = words.listed(words.record("", remark=remark))
            assert played.find().finding == "unsure"
            assert isinstance(played.find(words.venue_id), Found)
            small = words.record("", remark=remark, address=pages.ADDRESS.lower())
            played.venue.table[words.records] = words.listed(small)
            assert played.find().finding == "unsure"
            other = words.record("", remark=remark, amount="22")
            played.venue.table[words.records] = words.listed(other)
            assert isinstance(played.find(), AbsentNow)


@pytest.mark.parametrize("venue", ["gate", "bitget"])
@pytest.mark.parametrize("refused", [False, True])
def test_a_record_to_the_same_address_without_our_key_is_no_absence(
    monkeypatch: pytest.MonkeyPatch, venue: str, refused: bool
) -> None:
    """No page says that records bear the key under which they are asked for."""
    with withdrawing(venue, monkeypatch) as played:
        words = played.words
        played.venue.table[words.sent] = words.no(words.refusals[0])
        for key in ("", None):
            for end in (pages.ADDRESS, pages.ADDRESS.lower(), "", None):
                row = words.record(key, address=end, toAddress=end)
                played.venue.table[words.records] = words.listed(row)
                if refused:
                    assert played.send().outcome == "unknown"
                else:
                    assert played.find().finding == "unsure"
                    assert isinstance(played.find(words.venue_id), Found)
        other = words.record("", address="T1", toAddress="T1")
        played.venue.table[words.records] = words.listed(other)
        assert isinstance(played.find(), AbsentNow)


@pytest.mark.parametrize("venue", ["gate", "bitget"])
def test_an_answer_that_may_have_been_cut_off_is_no_absence(
    monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    with withdrawing(venue, monkeypatch) as played:
        words = played.words
        others = [words.record(f"{n:032x}") for n in range(100)]
        played.venue.table[words.records] = words.listed(*others)
        assert played.find().finding == "unsure"
        played.venue.table[words.records] = words.listed(*others, words.record(KEY))
        assert isinstance(played.find(), Found)
        played.venue.table[words.records] = words.listed(*others[:99])
        assert isinstance(played.find(), AbsentNow)
        assert {call.text("limit") for call in played.venue.asked(words.records)} == {"100"}


def test_what_gates_page_nests_and_its_model_does_not_is_read_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with withdrawing("gate", monkeypatch) as played:
        words = played.words
        played.venue.table[words.records] = [[words.record(KEY)]]
        assert isinstance(played.find(), Found)
        played.venue.table[words.records] = ["w1879219868"]
        assert played.find().finding == "unsure"


def test_records_are_asked_for_by_our_key_since_it_was_sent(played: Played) -> None:
    played.find()
    (call,) = played.venue.asked(played.words.records)
    since = call.text("from") or call.text("startTime") or call.text("startAt")
    assert "USDT" in {call.text("currency"), call.text("coin")}
    assert abs(int(since.ljust(13, "0")) - 1_790_000_000_000) <= 5_000
    if played.words.account == "spot":
        assert KEY in {call.text("withdraw_order_id"), call.text("clientOid")}
