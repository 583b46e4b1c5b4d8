"""Kraken Futures by payload replay: money between wallets, found in the account log.

Shapes: the examples and schemas of the pages "Initiate wallet transfer", "Initiate sub account
transfer" and "Get account log" on docs.kraken.com; errors: the page "Transfer" of the help centre.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from allocator.adapters.ccxt.kraken import FACTS, REQUEST_ERRORS
from allocator.adapters.emulator.wire import Call
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import Ack, Found, Rejected, TransferIntent, Unknown, Unsure
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, gathered, playing
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.ccxt.transfers import Played, config, found, sent, venue, with_sub
from tests.adapters.times import ago, now

__all__ = ["config", "venue"]

D = Decimal
OWN, MEMBERS = f"POST {kraken.V3}/transfer", f"POST {kraken.V3}/transfer/subaccount"
LOG = f"GET {kraken.HISTORY}/account-log"
MASTER, SUB = "f92fc7de-2fce-4265-b806-4f3c1efb37ee", "3c90c3cc-0d44-4b50-8888-8dd25736052a"
UID = "86fdc252-1b6e-40ec-ac1d-c7bd46ddeebf"


def intent(source: str = "flex", target: str = "cash", **other: Any) -> TransferIntent:
    return TransferIntent.model_validate(
        {"client_id": KEY, "route": "r", "source": source, "target": target, "asset": "USD",
         "amount": D("0.1"), **other}
    )  # fmt: skip


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """A master and a sub-account, each with both wallets."""
    monkeypatch.setenv("KRAKEN_SUB", "s")
    monkeypatch.setenv("KRAKEN_SECRET", "c2VjcmV0")
    with playing(kraken.RECORDED, monkeypatch) as (venue, emulator, config):
        told = config.model_dump(mode="json", exclude_unset=True)["logins"]["main"]
        logins: dict[str, dict[str, Any]] = {
            "main": {**told, "member": MASTER},
            "sub": {"venue": "krakenfutures", "key": "env:KRAKEN_SUB", "member": SUB,
                    "secret": "env:KRAKEN_SECRET", "master": "main"},
        }  # fmt: skip
        yield venue, emulator, with_sub(config, logins)


def asked(venue: Replay, row: str) -> tuple[dict[str, str], str]:
    """Read what the only call of a row asked, and by whose key."""
    (call,) = venue.asked(row)
    words = {name: values[0] for name, values in parse_qs(call.query).items()}
    return words, str(call.headers["APIKey"])


@pytest.mark.parametrize(
    ("source", "target", "accounts"),
    [("flex", "cash", ("flex", "cash")), ("cash", "flex", ("cash", "flex"))],
)
def test_money_moves_between_the_wallets_of_a_user(
    config: Config, venue: Replay, source: str, target: str, accounts: tuple[str, str]
) -> None:
    one = intent(source, target, asset="BTC", amount=D("0.00000001"))
    assert sent(config, one) == Ack(venue_id=KEY)
    assert asked(venue, OWN) == (
        {"fromAccount": accounts[0], "toAccount": accounts[1], "unit": "xbt",
         "amount": "0.00000001"}, "k",
    )  # fmt: skip
    assert venue.asked(MEMBERS) == []


@pytest.mark.parametrize(
    ("source", "target", "users", "accounts"),
    [
        ("flex", "sub-flex", (MASTER, SUB), ("flex", "flex")),
        ("sub-flex", "cash", (SUB, MASTER), ("flex", "cash")),
        ("sub-cash", "flex", (SUB, MASTER), ("cash", "flex")),
    ],
)
def test_money_moves_between_users_by_the_masters_key(
    config: Config, venue: Replay, source: str, target: str, users: tuple[str, str],
    accounts: tuple[str, str],
) -> None:  # fmt: skip
    assert sent(config, intent(source, target)) == Ack(venue_id=KEY)
    assert asked(venue, MEMBERS) == (
        {"fromUser": users[0], "toUser": users[1], "fromAccount": accounts[0],
         "toAccount": accounts[1], "unit": "usd", "amount": "0.1"}, "k",
    )  # fmt: skip
    assert venue.asked(OWN) == []


def test_what_nobody_could_find_again_or_would_refuse_in_time_never_leaves(
    config: Config, venue: Replay
) -> None:
    assert sent(config, intent("cash", "sub-cash")).code == "NOT_SENT"
    late = intent(stamped_at=ago(5.001))
    assert sent(config, late).code == "NOT_SENT"
    assert (venue.asked(OWN), venue.asked(MEMBERS)) == ([], [])
    assert sent(config, late.model_copy(update={"target": "sub-flex"})).code == "NOT_SENT"
    assert (venue.asked(OWN), venue.asked(MEMBERS)) == ([], [])
    fresh = intent(stamped_at=ago(5))
    assert isinstance(sent(config, fresh), Ack)


@pytest.mark.parametrize(
    ("source", "target", "change", "key"),
    [
        ("flex", "cash", "-0.1", "k"),
        ("cash", "flex", "0.1", "k"),
        ("sub-flex", "flex", "-0.1", "s"),
        ("sub-cash", "flex", "0.1", "k"),
    ],
)
def test_a_transfer_is_found_where_it_leaves_or_reaches_the_multi_collateral_wallet(
    config: Config, venue: Replay, source: str, target: str, change: str, key: str
) -> None:
    kinds = ["transfer", "subaccount transfer"]
    kind, other = reversed(kinds) if "sub" in source else kinds
    venue.table[LOG] = kraken.log(
        kraken.entry("0.1" if change[0] == "-" else "-0.1", info=kind),
        kraken.entry(change, info=kind, asset="eur"),
        kraken.entry(change, info=kind, margin_account="fi_xbtusd"),
        kraken.entry(change, info="cross-exchange transfer"),
        kraken.entry(change, info=other),
        kraken.entry(change, info=kind, date="2020-01-01T00:00:00.000Z"),
        kraken.entry(change, info=kind),
    )
    told = found(config, intent(source, target))
    assert isinstance(told, Found)
    assert (told.venue_id, told.state, told.filled) == (UID, "settled", D("0.1"))
    words, by = asked(venue, LOG)
    assert (words["info"], words["sort"], words["count"], by) == (kind, "asc", "25", key)


def test_two_that_look_the_same_are_told_apart_by_nobody(config: Config, venue: Replay) -> None:
    venue.table[LOG] = kraken.log(kraken.entry("-0.1"), kraken.entry("-0.1", booking_uid="b"))
    assert isinstance(found(config, intent()), Unsure)


def test_one_that_was_found_is_followed_beside_an_equal_one(config: Config, venue: Replay) -> None:
    """Found once, it goes by the log's own name; until the receiver shows it, it is looked up."""
    venue.table[LOG] = kraken.log(kraken.entry("-0.1"), kraken.entry("-0.1", booking_uid="b"))
    told = found(config, intent(), UID)
    assert isinstance(told, Found)
    assert told.venue_id == UID
    assert isinstance(found(config, intent(), KEY), Unsure)
    assert isinstance(found(config, intent(), "c"), Unsure)


def test_the_record_of_one_that_was_found_is_not_taken_for_the_next(
    config: Config, venue: Replay
) -> None:
    at = now()
    first, second = (intent(client_id=letter * 32, stamped_at=at) for letter in "ab")
    venue.table[LOG] = kraken.log(kraken.entry("-0.1"))

    async def work(opened: Opened) -> tuple[Any, ...]:
        account = opened.venues["flex"]
        taken = await account.submit(first)
        known = await account.find(first, at, taken.venue_id)
        later = await account.submit(second)
        return known, await account.find(second, at, later.venue_id)

    known, missing = run_with(config, work)
    assert isinstance(known, Found)
    assert isinstance(missing, Unsure)


def test_of_two_equal_ones_that_were_sent_together_none_is_found_without_its_answer(
    config: Config, venue: Replay
) -> None:
    """The first has its answer, whose id is no record's: the only record may be of either."""
    at = now()
    first, second = (intent(client_id=letter * 32, stamped_at=at) for letter in "ab")
    venue.table[LOG] = kraken.log(kraken.entry("-0.1"))
    answers = iter([kraken.ok(), BROKEN])

    def answer(call: Call) -> Any:
        return next(answers)

    async def work(opened: Opened) -> tuple[Any, ...]:
        account = opened.venues["flex"]
        outcomes = (await account.submit(first), await account.submit(second))
        return *outcomes, await account.find(second, at)

    venue.table[OWN] = answer
    taken, unknown, unsure = run_with(config, work)
    assert (type(taken), type(unknown), type(unsure)) == (Ack, Unknown, Unsure)


def test_what_the_log_does_not_show_may_still_come_and_is_never_absent(
    config: Config, venue: Replay
) -> None:
    for venue_id in (None, KEY):
        told = found(config, intent(), venue_id)
        assert isinstance(told, Unsure)
        assert "may still come" in told.why


@pytest.mark.parametrize(
    "answer",
    [BROKEN, {}, {"logs": [{"id": 1}]}, {"logs": [kraken.entry("-0.2")] * 25}],
)
def test_a_log_that_is_not_whole_is_unsure(config: Config, venue: Replay, answer: Any) -> None:
    venue.table[LOG] = answer
    assert isinstance(found(config, intent()), Unsure)


@pytest.mark.parametrize("error", sorted(REQUEST_ERRORS.split()))
def test_a_documented_refusal_is_a_rejection_where_no_other_copy_was_carried_out(
    config: Config, venue: Replay, error: str
) -> None:
    assert error in FACTS.definitive
    venue.table[OWN] = kraken.no(error)
    assert sent(config, intent()) == Rejected(code=error, message="")
    assert len(venue.asked(OWN)) == 1
    assert bool(venue.asked(LOG)) == (error not in FACTS.formal)


def test_a_refusal_beside_an_equal_record_is_unknown(config: Config, venue: Replay) -> None:
    venue.table |= {OWN: kraken.no("insufficientFunds"), LOG: kraken.log(kraken.entry("-0.1"))}
    assert isinstance(sent(config, intent()), Unknown)


@pytest.mark.parametrize(
    "answer",
    [kraken.no("apiLimitExceeded"), kraken.no("unknownError"), kraken.no("nonceBelowThreshold"),
     kraken.no("insufficientFunds", 500), {"result": "odd"}, [], BROKEN],
)  # fmt: skip
def test_any_other_answer_is_unknown_and_nothing_is_sent_again(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[OWN] = answer
    assert isinstance(sent(config, intent()), Unknown)
    assert len(venue.asked(OWN)) == 1


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "http_500_after", "html", "truncate"]
)
def test_without_an_answer_the_log_tells_or_nobody_does(played: Played, kind: str) -> None:
    venue, emulator, config = played
    emulator.fault({"kind": kind, "path": f"{kraken.V3}/transfer", "method": "POST"})
    assert isinstance(sent(config, intent()), Unknown)
    arrived = kind != "drop_before"
    assert len(venue.asked(OWN)) == arrived
    if arrived:
        venue.table[LOG] = kraken.log(kraken.entry("-0.1"))
    assert isinstance(found(config, intent()), Found if arrived else Unsure)
    assert len(venue.asked(OWN)) == arrived


def test_routes_lead_where_a_transfer_is_found_and_its_asset_is_held(config: Config) -> None:
    """The cash wallet has XRP and BTC; of both the multi-collateral one was read to list BTC."""
    snapshot = gathered(config).snapshot
    routes = {(row.source, row.target, row.asset) for row in snapshot.routes}
    wide = {(a, b) for a, b, _ in routes}
    assert ("cash", "sub-cash") not in wide
    assert ("sub-cash", "cash") not in wide
    assert {("flex", "cash"), ("cash", "flex"), ("flex", "sub-flex"), ("sub-cash", "flex")} <= wide
    assert {name for a, b, name in routes if (a, b) == ("cash", "flex")} == {"BTC"}
    assert {name for a, b, name in routes if (a, b) == ("flex", "cash")} == {"BTC", "USD", "EUR"}
