"""How venues say that they stand: what their pages show is read, and what becomes of accounts.

Answers: the examples of Binance, Wallet, "System Status"; Bybit, v5/system-status, with the words
of v5/enum (state, serviceTypes, product, env); OKX, docs-v5, "Status", GET / Status; Deribit,
api-reference/supporting/public-status; KuCoin, Futures Trading, "Get Service Status".
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allocator.adapters.ccxt import statuses
from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.registry import Opened
from allocator.adapters.statuses import Statuses
from allocator.models.config import Config
from allocator.models.errors import VenueError
from allocator.models.status import Told, VenueState, VenueStatus
from docs.write_contract import main_account
from tests.adapters.ccxt.recorded import gathered, playing
from tests.adapters.test_contract_payload import RECORDED

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
BEGIN, END = 1751596902000, 1751597011000
TOLD_AT, LATER = datetime(2025, 7, 1, tzinfo=UTC), timedelta(minutes=1)
UNTIL = datetime(2025, 7, 4, 2, 43, 31, tzinfo=UTC)


def bybit(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "", "result": {"list": list(rows)}, "retExtInfo": {},
            "time": 1751858399649}  # fmt: skip


def window(state: str, **other: Any) -> dict[str, Any]:
    return {
        "id": "4d95b2a0-587f-11f0-bcc9-56f28c94d6ea", "title": "t06", "state": state,
        "begin": str(BEGIN), "end": str(END), "href": "", "serviceTypes": [2, 3, 4, 5],
        "product": [1, 2], "uidSuffix": [], "maintainType": 1, "env": 1, **other,
    }  # fmt: skip


def okx(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}


def event(state: str, service: str = "5", **other: Any) -> dict[str, Any]:
    return {
        "begin": str(BEGIN), "end": str(END), "href": "", "preOpenBegin": "", "scheDesc": "",
        "serviceType": service, "state": state, "system": "unified", "maintType": "1",
        "env": "1", "title": "Trading account system upgrade", **other,
    }  # fmt: skip


def deribit(locked: object, **other: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 55, "result": {"locked": locked, **other}}


def kucoin(word: str) -> dict[str, Any]:
    return {"code": "200000", "data": {"status": word, "msg": "upgrade match engine"}}


ANSWERS: tuple[tuple[str, Any, str], ...] = (
    ("binance", {"status": 0, "msg": "normal"}, "open"),
    ("binance", {"status": 1, "msg": "system_maintenance"}, "maintenance: system_maintenance"),
    ("bybit", bybit(), "open"),
    ("bybit", bybit(window("completed"), window("canceled")), "open"),
    ("bybit", bybit(window("ongoing")), "maintenance until 2025-07-04T02:43:31Z: t06"),
    ("bybit", bybit(window("ongoing", serviceTypes=["1"])),
     "maintenance until 2025-07-04T02:43:31Z: t06"),
    ("bybit", bybit(window("ongoing", end="")), "maintenance: t06"),
    ("bybit", bybit(window("ongoing", serviceTypes=[5])),
     "limited until 2025-07-04T02:43:31Z: t06"),
    ("bybit", bybit(window("ongoing", uidSuffix=[3])), "limited until 2025-07-04T02:43:31Z: t06"),
    ("bybit", bybit(window("ongoing", serviceTypes=[3, 4])), "open"),
    ("bybit", bybit(window("ongoing", product=[3, 4])), "open"),
    ("bybit", bybit(window("ongoing", env=2)), "open"),
    ("bybit", bybit(window("scheduled")),
     "open: planned from 2025-07-04T02:41:42Z to 2025-07-04T02:43:31Z: t06"),
    ("okx", okx(), "open"),
    ("okx", okx(event("ongoing")),
     "maintenance until 2025-07-04T02:43:31Z: Trading account system upgrade"),
    ("okx", okx(event("pre_open", preOpenBegin=str(BEGIN))),
     "limited until 2025-07-04T02:43:31Z: Trading account system upgrade"),
    *(("okx", okx(event("ongoing", service)),
       "limited until 2025-07-04T02:43:31Z: Trading account system upgrade")
      for service in ("8", "9", "99", "")),
    *(("okx", okx(event("ongoing", service)), "open") for service in ("0", "6", "7", "10", "11")),
    ("okx", okx(event("ongoing", env="2")), "open"),
    ("okx", okx(event("completed")), "open"),
    ("deribit", deribit("false", locked_indices=[]), "open"),
    ("deribit", deribit(False), "open"),
    ("deribit", deribit("partial", locked_indices=["sol", "xrp"]), "limited: locked: sol, xrp"),
    ("deribit", deribit(True, locked_currencies=["BTC", "ETH"]),
     "maintenance: locked: BTC, ETH"),
    ("deribit", deribit("true"), "maintenance"),
    ("kucoinfutures", kucoin("open"), "open"),
    ("kucoinfutures", kucoin("close"), "maintenance: upgrade match engine"),
    ("kucoinfutures", kucoin("cancelonly"), "cancel only: upgrade match engine"),
)  # fmt: skip


@pytest.mark.parametrize(("venue", "answer", "words"), ANSWERS)
def test_what_the_venue_s_page_shows_is_read(venue: str, answer: Any, words: str) -> None:
    assert statuses.SOURCES[venue].read(answer).words == words


def test_a_planned_window_does_not_hide_one_under_way() -> None:
    later = event("scheduled", begin=str(END + 1), end=str(END + 2))
    for rows in ([event("ongoing"), later], [later, event("ongoing")]):
        assert statuses.okx(okx(*rows)).state == "maintenance"


def test_the_gravest_window_counts_and_its_end_is_that_of_the_last_of_its_kind() -> None:
    longer = event("ongoing", end=str(END + 60_000), title="another")
    told = statuses.okx(okx(event("ongoing"), longer, event("pre_open", end=str(END * 2))))
    assert (told.state, told.until) == ("maintenance", UNTIL + timedelta(minutes=1))
    assert statuses.okx(okx(event("ongoing"), event("ongoing", end=""))).until is None


@pytest.mark.parametrize(
    ("venue", "answer"),
    [
        ("binance", {"status": 2, "msg": "?"}),
        ("binance", {"msg": "normal"}),
        ("bybit", {"retCode": 0, "result": {}}),
        ("bybit", bybit(window("paused"))),
        ("bybit", bybit(window("ongoing", serviceTypes=["all"]))),
        ("okx", {"code": "0", "data": {}}),
        ("okx", okx(event("halted"))),
        ("okx", okx({"title": "no state"})),
        ("deribit", deribit("maybe")),
        ("deribit", {"jsonrpc": "2.0"}),
        ("kucoinfutures", kucoin("paused")),
        ("kucoinfutures", {"code": "200000"}),
    ],
)
def test_an_answer_that_is_not_understood_is_never_open(venue: str, answer: Any) -> None:
    with pytest.raises(VenueError):
        statuses.SOURCES[venue].read(answer)


@pytest.mark.parametrize("venue", sorted(DIALECTS))
def test_the_capability_table_says_which_venues_publish_one(venue: str) -> None:
    told = {
        DIALECTS[venue].capabilities(main_account(wallet)).tells_status
        for wallet in DIALECTS[venue].wallets
    }
    assert told == {venue in statuses.SOURCES}


@pytest.fixture
def config(request: pytest.FixtureRequest, venue: str) -> Config:
    found: Config = request.getfixturevalue(venue)
    return found


VENUES = ("binance", "bybit", "deribit", "okx")
NOTICE = {"title": "upgrade", "begin_ms": BEGIN, "end_ms": END}
ENDS = {"bybit": UNTIL, "okx": UNTIL}
"""Venues that tell an end."""


@pytest.mark.parametrize("venue", VENUES)
def test_accounts_of_a_venue_in_maintenance_are_frozen_and_say_why(
    run: Run, emulator: Emulator, config: Config, venue: str
) -> None:
    emulator.admin("POST", "notice", venue=venue, state="maintenance", **NOTICE)
    book = run(config, lambda opened: opened.market.gather())
    told = book.statuses[venue]
    assert (told.state, told.until) == ("maintenance", ENDS.get(venue))
    mine = [row for row in book.snapshot.accounts if row.venue == venue]
    assert {row.state for row in mine} == {"frozen"}
    assert not any(row.unread for row in mine), "what they hold is known"
    why = f"frozen: {venue} says maintenance"
    assert {row.account for row in book.notes if row.what.startswith(why)} == {r.id for r in mine}
    assert book.missing == ()


@pytest.mark.parametrize("venue", ["bybit", "deribit", "okx"])
def test_accounts_of_a_venue_that_is_limited_only_reduce(
    run: Run, emulator: Emulator, config: Config, venue: str
) -> None:
    emulator.admin("POST", "notice", venue=venue, state="limited", of=["sol"], **NOTICE)
    book = run(config, lambda opened: opened.market.gather())
    assert book.statuses[venue].state == "limited"
    assert {r.state for r in book.snapshot.accounts if r.venue == venue} == {"reduce_only"}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("state", ["open", "scheduled"])
def test_what_is_only_planned_changes_nothing(
    run: Run, emulator: Emulator, config: Config, venue: str, state: str
) -> None:
    emulator.admin("POST", "notice", venue=venue, state=state, **NOTICE)
    book = run(config, lambda opened: opened.market.gather())
    assert book.statuses[venue].state == "open"
    assert {row.state for row in book.snapshot.accounts} == {"open"}
    planned = "planned from 2025-07-04T02:41:42Z to 2025-07-04T02:43:31Z: upgrade"
    wanted = planned if state == "scheduled" and venue in ENDS else ""
    assert book.statuses[venue].note == wanted


PATHS = {
    "binance": "/sapi/v1/system/status", "bybit": "/v5/system/status",
    "deribit": "/api/v2/public/status", "okx": "/api/v5/system/status",
}  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_it_is_asked_once_for_all_logins_and_unsigned(
    run: Run, emulator: Emulator, config: Config, venue: str
) -> None:
    run(config, lambda opened: opened.market.gather())
    requests: Any = emulator.admin("GET", "requests")
    asked = [row for row in requests if row["path"] == PATHS[venue]]
    assert [(row["signed_by"], row["status"]) for row in asked] == [("", 200)]


FAULTS = ("drop_before", "http_500_after", "truncate", "html", "429", "403")


BANS = {("bybit", "403")}
"""What bans the address: nothing else of the venue is asked then either."""


@pytest.mark.parametrize(
    ("venue", "fault"),
    [pair for pair in itertools.product(VENUES, FAULTS) if pair not in BANS],
)
def test_a_status_that_cannot_be_read_is_unknown_and_costs_no_account(
    run: Run, emulator: Emulator, config: Config, venue: str, fault: str
) -> None:
    emulator.fault({"kind": fault, "path": PATHS[venue], "times": 9})
    book = run(config, lambda opened: opened.market.gather())
    assert book.statuses[venue].state == "unknown"
    assert book.statuses[venue].note
    assert book.missing == ()
    assert {row.state for row in book.snapshot.accounts} == {"open"}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_venue_is_asked_as_its_capability_table_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = RECORDED[name]
    with playing(recorded, monkeypatch) as (_, emulator, config):
        book = gathered(config)
        requests: Any = emulator.admin("GET", "requests")
    told = {venue: row.state for venue, row in book.statuses.items()}
    assert told == ({recorded.venue: "open"} if recorded.venue in statuses.SOURCES else {})
    asked = [row for row in requests if row["path"].endswith("status")]
    assert len(asked) == len(told)


def test_kucoin_s_cancel_only_freezes_what_could_send_no_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with playing(RECORDED["kucoinfutures"], monkeypatch) as (replay, _, config):
        replay.table["GET /api/v1/status"] = kucoin("cancelonly")
        book = gathered(config)
    assert book.statuses["kucoinfutures"].state == "cancel_only"
    assert {row.state for row in book.snapshot.accounts} == {"frozen"}


def test_okx_is_asked_within_its_limit_of_one_request_in_five_seconds(
    run: Run, okx_data: dict[str, Any]
) -> None:
    with running_emulator(limit_scale=1) as emulator:
        config = Config.model_validate({**okx_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            for _ in range(2):
                assert (await opened.market.gather()).statuses["okx"].state == "open"

        run(config, work)
        requests: Any = emulator.admin("GET", "requests")
    asked = [row["code"] for row in requests if row["path"] == PATHS["okx"]]
    assert asked == ["0"], "the second gather was answered by what the first had read"


SHUT = VenueStatus(state="maintenance", until=UNTIL, note="upgrade")


def test_what_was_told_last_stands_while_the_venue_cannot_be_asked() -> None:
    kept = Statuses()
    kept.take({"okx": SHUT}, TOLD_AT)
    told = kept.take({"okx": "HTTP 503"}, TOLD_AT + LATER)["okx"]
    assert (told.state, told.barred, told.accounts) == ("unknown", True, "frozen")
    assert told.words == (
        "unknown, last told maintenance at 2025-07-01T00:00:00Z "
        "until 2025-07-04T02:43:31Z: HTTP 503"
    )


@pytest.mark.parametrize("until", [None, UNTIL])
def test_it_stands_until_the_venue_says_otherwise_past_the_end_that_it_expected(
    until: datetime | None,
) -> None:
    kept = Statuses()
    kept.take({"okx": SHUT.model_copy(update={"until": until})}, TOLD_AT)
    for _ in range(3):
        told = kept.take({"okx": "HTTP 503"}, TOLD_AT + LATER)["okx"]
        assert (told.accounts, told.barred, told.gravity) == ("frozen", True, 3)
    assert kept.take({"okx": VenueStatus(state="open")}, TOLD_AT + LATER)["okx"].accounts == "open"
    told = kept.take({"okx": "HTTP 503"}, TOLD_AT + LATER)["okx"]
    assert (told.accounts, told.barred, told.gravity) == ("open", None, None)


@pytest.mark.parametrize("state", ["limited", "cancel_only", "maintenance"])
def test_what_an_earlier_process_was_told_stands_and_tells_its_age(state: VenueState) -> None:
    last = VenueStatus(state=state, until=UNTIL, note="an upgrade")
    kept = Statuses({"okx": Told(status=last, at=TOLD_AT)})
    told = kept.take({"okx": "HTTP 503"}, TOLD_AT + timedelta(days=3))["okx"]
    assert (told.state, told.accounts, told.gravity) == ("unknown", last.accounts, last.gravity)
    name = state.replace("_", " ")
    assert told.words == (
        f"unknown, last told {name} at 2025-07-01T00:00:00Z until 2025-07-04T02:43:31Z: HTTP 503"
    )
    assert kept.take({"okx": VenueStatus(state="open")}, TOLD_AT)["okx"].accounts == "open"
    assert kept.take({"okx": "HTTP 503"}, TOLD_AT)["okx"].barred is None


def test_a_venue_s_words_are_one_line_of_bounded_length() -> None:
    told = VenueStatus(state="maintenance", note="a\nb\x00\x1b[31m  " + "c" * 500)
    assert told.note.startswith("a b [31m ccc")
    assert len(told.note) == 140
