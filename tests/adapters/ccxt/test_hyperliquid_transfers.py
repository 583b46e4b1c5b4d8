"""Hyperliquid by payload replay: USDC between accounts, under a number of ours.

Shapes: the page "Exchange endpoint" (Invalidate pending nonce) on hyperliquid.gitbook.io; the
examples of the pages "sendAsset" (dwellir.com/docs/hyperliquid) and "userNonFundingLedgerUpdates"
(docs.chainstack.com). The record of a send, with the number that its action bore, and the words of
refusals are those that were seen on the test network (riftresearch, hypercore-simulator).
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from allocator.adapters.ccxt import hyperliquid_client, hyperliquid_funds
from allocator.adapters.ccxt.hyperliquid_funds import MONEY, TOKEN, WORDS, number_of
from allocator.adapters.emulator.wire import Call
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt import hyperliquid_payloads as hyper
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, gathered, playing
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.ccxt.transfers import Played, config, found, sent, venue, with_sub
from tests.adapters.ccxt.wording import is_sent_by
from tests.adapters.times import ago

__all__ = ["config", "venue"]

D = Decimal
SECRET, AGENT = "0x" + "11" * 32, "0x" + "22" * 32
OWN = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
SUB = "0x" + "77" * 20
SEND, NOOP = f"{hyper.ACT}#sendAsset", f"{hyper.ACT}#noop"
LEDGER = f"{hyper.INFO}#userNonFundingLedgerUpdates"
OK = {"status": "ok", "response": {"type": "default"}}
STAMP = datetime(2026, 10, 6, 8, 0, 0, 123456, UTC)


def intent(source: str = "perps", target: str = "spot", **other: Any) -> TransferIntent:
    return TransferIntent.model_validate(
        {"client_id": KEY, "route": "r", "source": source, "target": target, "asset": "USDC",
         "amount": D("12.000001"), "stamped_at": STAMP, **other}
    )  # fmt: skip


def err(words: str) -> dict[str, Any]:
    return {"status": "err", "response": words}


def record(one: TransferIntent, destination: str = OWN, **other: Any) -> dict[str, Any]:
    delta = {
        "type": "send", "user": OWN, "destination": destination, "sourceDex": "",
        "destinationDex": "spot", "token": "USDC", "amount": "12.000001", "usdcValue": "12.000001",
        "fee": "0.0", "nativeTokenFee": "0.0", "nonce": number_of(one), "feeToken": "", **other,
    }  # fmt: skip
    return {"time": 1791273611000, "hash": "0x" + "e3" * 32, "delta": delta}


@pytest.fixture(autouse=True)
def _numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperliquid_client, "_kept", {})


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """Two logins of one user and one of its sub-account; a key of an API wallet signs for two."""
    for name, value in (("OWN", OWN), ("SUB", SUB), ("SECRET", SECRET), ("AGENT", AGENT)):
        monkeypatch.setenv(f"HL_{name}", value)
    with playing(hyper.RECORDED, monkeypatch) as (venue, emulator, config):
        venue.table |= {SEND: OK, NOOP: OK, LEDGER: []}
        one = {"venue": "hyperliquid", "key": "env:HL_OWN", "member": OWN}
        logins: dict[str, dict[str, Any]] = {
            "cold": {**one, "secret": "env:HL_SECRET"},
            "main": {**one, "secret": "env:HL_AGENT", "master": "cold"},
            "sub": {"venue": "hyperliquid", "key": "env:HL_SUB", "secret": "env:HL_AGENT",
                    "member": SUB, "master": "cold"},
        }  # fmt: skip
        yield venue, emulator, with_sub(config, logins)


@pytest.mark.parametrize(
    ("source", "target", "ways", "destination", "giver"),
    [
        ("perps", "spot", ("", "spot"), OWN, ""),
        ("spot", "perps", ("spot", ""), OWN, ""),
        ("perps", "sub-perps", ("", ""), SUB, ""),
        ("sub-perps", "perps", ("", ""), OWN, SUB),
        ("sub-spot", "sub-perps", ("spot", ""), SUB, SUB),
    ],
)
def test_a_transfer_says_what_was_meant_and_is_signed_by_the_users_own_key(
    config: Config, venue: Replay, source: str, target: str, ways: tuple[str, str],
    destination: str, giver: str,
) -> None:  # fmt: skip
    one = intent(source, target)
    assert sent(config, one) == Ack(venue_id=str(number_of(one)))
    body = venue.body(SEND)
    assert body["nonce"] == number_of(one)
    assert body["action"] == {
        "type": "sendAsset", "hyperliquidChain": "Mainnet", "signatureChainId": "0x66eee",
        "destination": destination, "sourceDex": ways[0], "destinationDex": ways[1],
        "token": TOKEN, "amount": "12.000001", "fromSubAccount": giver, "nonce": number_of(one),
    }  # fmt: skip
    assert "vaultAddress" not in body
    assert is_sent_by(body, SECRET)
    assert not is_sent_by(body, AGENT)
    assert venue.asked(NOOP) == []


def test_a_number_is_told_by_id_and_stamp_and_lies_a_little_ahead() -> None:
    numbers = {number_of(intent(client_id=f"{n:032x}")) for n in range(200)}
    at = int(STAMP.timestamp() * 1000)
    assert len(numbers) > 190
    assert all(10_000 <= number - at < 60_000 for number in numbers)
    again = TransferIntent.model_validate_json(intent().model_dump_json())
    assert number_of(again) == number_of(intent())


def test_no_other_action_is_given_a_transfers_number() -> None:
    client = ccxt.hyperliquid({"walletAddress": OWN, "privateKey": "0x" + "33" * 32})
    hyperliquid_client.prepare(client)
    hyperliquid_client.know_keys(client)
    first = client.next_number()
    taken = [first + 60_000 + n for n in range(3)]
    for number in taken:
        hyperliquid_client.keep(client, number, KEY)
    hyperliquid_client._last[next(iter(hyperliquid_client._kept))] = taken[0] - 1
    assert client.next_number() == taken[-1] + 1
    with pytest.raises(Exception, match="is another action's"):
        hyperliquid_client.keep(client, taken[0], "b" * 32)


@pytest.mark.parametrize(
    "other",
    [{"asset": "PURR"}, {"amount": D("0.0000001")}, {"stamped_at": None}],
)
def test_what_the_venue_cannot_take_or_tell_again_never_leaves(
    config: Config, venue: Replay, other: dict[str, Any]
) -> None:
    assert sent(config, intent(**other)).code == "NOT_SENT"
    assert venue.asked(SEND) == []


def test_a_transfer_is_found_by_its_number_and_its_fee_is_told(
    config: Config, venue: Replay
) -> None:
    one = intent("perps", "sub-perps")
    venue.table[LEDGER] = [
        record(one, nonce=1), record(one, user="0x" + "99" * 20, destination=OWN),
        record(one, SUB, fee="1.0", feeToken="USDC"),
        {"time": 1, "hash": "0x1", "delta": {"type": "deposit", "usdc": "5.0"}},
    ]  # fmt: skip
    told = found(config, one)
    assert isinstance(told, Found)
    assert (told.venue_id, told.state) == (str(number_of(one)), "settled")
    assert (told.filled, told.fees) == (D("12.000001"), {"USDC": D(1)})
    assert venue.asked(NOOP) == []
    (asked,) = venue.asked(LEDGER)
    assert json.loads(asked.body)["user"] == OWN


def test_of_two_equal_transfers_each_is_found_by_its_own(config: Config, venue: Replay) -> None:
    first, second = intent(), intent(client_id="b" * 32)
    venue.table[LEDGER] = [record(second)]

    async def work(opened: Opened) -> tuple[Any, ...]:
        account = opened.venues["perps"]
        outcomes = (await account.submit(first), await account.submit(second))
        return *outcomes, await account.find(first, ago(60)), await account.find(second, ago(60))

    one, two, absent, known = run_with(config, work)
    assert isinstance(one, Ack)
    assert isinstance(two, Ack)
    assert isinstance(absent, AbsentNow)
    assert isinstance(known, Found)
    assert known.venue_id == str(number_of(second))


@pytest.mark.parametrize(
    "other", [{"amount": "13.0"}, {"token": "HYPE"}, {"destination": "0x" + "99" * 20}]
)
def test_another_transfer_under_the_same_number_is_no_answer(
    config: Config, venue: Replay, other: dict[str, Any]
) -> None:
    venue.table[LEDGER] = [record(intent(), **other)]
    told = found(config, intent())
    assert isinstance(told, Unsure)
    assert "another transfer" in told.why


@pytest.mark.parametrize(
    "delta",
    [
        record(intent(), nonce=None)["delta"],
        {"type": "accountClassTransfer", "usdc": "12.000001", "toPerp": False},
        {"type": "subAccountTransfer", "usdc": "12.000001", "user": OWN, "destination": SUB},
        {"type": "internalTransfer", "usdc": "12.000001", "user": OWN, "destination": SUB},
        {
            "type": "spotTransfer",
            "token": "USDC",
            "amount": "12.000001",
            "user": OWN,
            "destination": SUB,
        },
    ],
)
def test_a_record_without_a_number_that_may_be_of_it_is_no_absence(
    config: Config, venue: Replay, delta: dict[str, Any]
) -> None:
    venue.table[LEDGER] = [{"time": 1791273611000, "hash": "0x1", "delta": delta}]
    told = found(config, intent())
    assert isinstance(told, Unsure)
    assert "without a number" in told.why
    assert venue.asked(NOOP) == []
    venue.table[LEDGER][0]["delta"] = {**delta, "usdc": "1.0", "amount": "1.0"}
    assert isinstance(found(config, intent()), AbsentNow)


def test_what_is_not_in_the_ledger_is_absent_once_its_number_is_used_up(
    config: Config, venue: Replay
) -> None:
    async def work(opened: Opened) -> list[Any]:
        return [await opened.venues["perps"].find(intent(), ago(60)) for _ in range(3)]

    assert [type(row) for row in run_with(config, work)] == [AbsentNow] * 3
    body = venue.body(NOOP)
    assert (body["action"], body["nonce"]) == ({"type": "noop"}, number_of(intent()))
    assert "vaultAddress" not in body
    assert "expiresAfter" not in body


@pytest.mark.parametrize(
    "answer", [err("Invalid nonce: duplicate nonce 1791273611000"), BROKEN, {"status": "odd"}]
)
def test_a_number_that_was_used_by_what_is_not_known_is_no_absence(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[NOOP] = answer
    assert isinstance(found(config, intent()), Unsure)


def test_a_number_that_was_used_tells_an_absence_once_the_ledger_had_time_to_show_it(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first action that does nothing may have been taken, and its answer lost."""
    venue.table[NOOP] = err("Invalid nonce: duplicate nonce 1791273611000")
    later = [0.0]
    clock = SimpleNamespace(monotonic=lambda: later[0])
    monkeypatch.setattr(hyperliquid_funds, "time", clock)

    async def work(opened: Opened) -> list[Any]:
        account, told = opened.venues["perps"], list[Any]()
        for later[0] in (0.0, 9.9, 10.0):
            told.append(await account.find(intent(), ago(60)))
        venue.table[LEDGER] = [record(intent())]
        return [*told, await account.find(intent(), ago(60))]

    assert [type(row) for row in run_with(config, work)] == [Unsure, Unsure, AbsentNow, Found]
    assert len(venue.asked(NOOP)) == 1


def test_a_transfer_that_was_taken_is_never_told_as_absent(config: Config, venue: Replay) -> None:
    assert isinstance(found(config, intent(), str(number_of(intent()))), Unsure)
    assert venue.asked(NOOP) == []


@pytest.mark.parametrize("answer", [{}, ["row"], [{"time": 1}], [{"delta": {}}] * 400, BROKEN])
def test_a_ledger_that_is_not_whole_is_no_absence(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[LEDGER] = answer
    assert isinstance(found(config, intent()), Unsure)
    assert venue.asked(NOOP) == []


ENDINGS = {
    "Insufficient quote token (e.g.": ", 1 USDC or USDT) balance for token transfer gas.",
    "Must deposit before performing actions": f". User: {OWN}",
}


@pytest.mark.parametrize("words", sorted(WORDS))
def test_a_refusal_in_known_words_is_a_rejection_and_uses_nothing_up(
    config: Config, venue: Replay, words: str
) -> None:
    venue.table[SEND] = err(words + ENDINGS.get(words, ""))
    assert isinstance(sent(config, intent()), Rejected)
    assert len(venue.asked(SEND)) == 1
    assert venue.asked(NOOP) == []
    assert bool(venue.asked(LEDGER)) == (words in MONEY)


@pytest.mark.parametrize("words", sorted(MONEY))
def test_money_that_lacks_since_another_copy_took_it_is_no_rejection(
    config: Config, venue: Replay, words: str
) -> None:
    """The network delivered the request twice: the first copy left nothing for the second."""
    venue.table[SEND] = err(words + ENDINGS.get(words, ""))
    venue.table[LEDGER] = [record(intent())]
    assert sent(config, intent()) == Ack(venue_id=str(number_of(intent())))
    venue.table[LEDGER] = BROKEN
    assert isinstance(sent(config, intent()), Unknown)
    assert venue.asked(NOOP) == []


@pytest.mark.parametrize(
    "answer",
    [err("Something nobody knows"), err("Invalid nonce: nonce too low 1 < 2"), {"status": "odd"},
     {}, BROKEN],
)  # fmt: skip
def test_any_other_answer_is_unknown_and_nothing_is_sent_again(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[SEND] = answer
    assert isinstance(sent(config, intent()), Unknown)
    assert len(venue.asked(SEND)) == 1


def test_a_number_that_is_refused_as_used_is_looked_up(config: Config, venue: Replay) -> None:
    venue.table[SEND] = venue.table[NOOP] = err("Invalid nonce: duplicate nonce 1791273611000")
    assert isinstance(sent(config, intent()), Unknown)
    venue.table[LEDGER] = [record(intent())]
    assert sent(config, intent()) == Ack(venue_id=str(number_of(intent())))


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "http_500_after", "html", "truncate"]
)
def test_without_an_answer_a_look_up_tells(played: Played, kind: str) -> None:
    venue, emulator, config = played
    emulator.fault({"kind": kind, "path": "/exchange", "method": "POST"})
    assert isinstance(sent(config, intent()), Unknown)
    arrived = kind != "drop_before"
    assert len(venue.asked(SEND)) == arrived
    if arrived:
        venue.table |= {LEDGER: [record(intent())]}
    assert isinstance(found(config, intent()), Found if arrived else AbsentNow)
    assert len(venue.asked(SEND)) == arrived


def test_routes_are_of_usdc_by_six_places_between_all_accounts(config: Config) -> None:
    routes = gathered(config).snapshot.routes
    assert {row.asset for row in routes} == {"USDC"}
    assert {row.step for row in routes} == {D("1e-6")}
    names = ("perps", "spot", "sub-perps", "sub-spot")
    assert {(row.source, row.target) for row in routes} == {
        (a, b) for a in names for b in names if a != b
    }


def test_nothing_goes_to_a_user_of_another_master(config: Config, venue: Replay) -> None:
    """The venue sends to whatever address it is told: nobody but us keeps to a user's own."""
    told = config.model_dump(mode="json", exclude_unset=True)
    told["logins"] = {**told["logins"], "sub": {**told["logins"]["sub"], "master": None}}
    apart = Config.model_validate(told)
    assert sent(apart, intent("perps", "sub-perps")).code == "NOT_SENT"
    assert venue.asked(SEND) == []


def _without_master(told: dict[str, Any]) -> None:
    told["logins"] = {**told["logins"], "main": {**told["logins"]["main"], "master": None}}


def _an_agent_for_a_master(told: dict[str, Any]) -> None:
    cold = {**told["logins"]["cold"], "secret": "env:HL_AGENT"}
    told["logins"] = {**told["logins"], "cold": cold}


@pytest.mark.parametrize("change", [_without_master, _an_agent_for_a_master])
def test_the_key_of_an_api_wallet_sends_nothing_and_has_no_route(
    config: Config, venue: Replay, change: Callable[[dict[str, Any]], None]
) -> None:
    told = config.model_dump(mode="json", exclude_unset=True)
    change(told)
    changed = Config.model_validate(told)
    assert sent(changed, intent()).code == "NOT_SENT"
    assert isinstance(found(changed, intent()), Unsure)
    assert (venue.asked(SEND), venue.asked(NOOP)) == ([], [])
    routes = gathered(changed).snapshot.routes
    assert not [row for row in routes if row.source == "perps" and row.enabled]


def test_an_order_of_an_api_wallet_is_for_no_sub_account_of_the_user(
    config: Config, venue: Replay
) -> None:
    def order(call: Call) -> Any:
        return hyper.acted("order", {"resting": {"oid": 1, "cloid": hyper.NAME}})

    venue.table[f"{hyper.ACT}#order"] = order
    for account in ("perps", "sub-perps"):
        one = hyper.RECORDED.intent(account=account, stamped_at=ago(1))
        told = run_with(config, lambda opened, one=one: opened.venues[one.account].submit(one))
        assert isinstance(told, Ack)
    mine, subs = (json.loads(call.body) for call in venue.asked(f"{hyper.ACT}#order"))
    assert "vaultAddress" not in mine
    assert subs["vaultAddress"] == SUB
