"""A `member` or `master` that the venue contradicts is named before a transfer is refused."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from allocator.adapters.ccxt.keys import keys
from allocator.adapters.ccxt.users import User
from allocator.models.config import Config
from allocator.service.doctor import examine
from allocator.service.findings import Finding

WORDS = ("key", "secret", "passphrase")


@pytest.fixture
def standing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look find time a millisecond on: sessions of one key take their nonces from it."""
    monkeypatch.setattr(time, "time_ns", itertools.count(time.time_ns(), 1_000_000).__next__)


def changed(data: dict[str, Any], login: str, **fields: Any) -> dict[str, Any]:
    return {**data, "logins": {**data["logins"], login: {**data["logins"][login], **fields}}}


def swapped(data: dict[str, Any], one: str, other: str) -> dict[str, Any]:
    """Put the keys of two logins into each other's place."""
    logins = data["logins"]
    mine = {word: logins[one][word] for word in WORDS if word in logins[one]}
    theirs = {word: logins[other][word] for word in WORDS if word in logins[other]}
    return changed(changed(data, one, **theirs), other, **mine)


def told(data: dict[str, Any]) -> list[Finding]:
    rows = list(examine(Config.model_validate(data)))
    assert {row.state for row in rows if row.check.startswith("account ")} == {"ok"}
    return [row for row in rows if row.check.startswith("member of ")]


@pytest.fixture
def data(request: pytest.FixtureRequest, venue: str) -> dict[str, Any]:
    return dict(request.getfixturevalue(f"{venue}_data"))


@pytest.mark.parametrize("venue", ["bybit", "okx", "deribit"])
def test_whom_a_key_belongs_to_is_well_where_the_configuration_says_so(
    venue: str, data: dict[str, Any]
) -> None:
    found = told(data)
    assert {row.state for row in found} == {"ok"}
    assert {f"member of {venue}-{name}" for name in ("a", "b")} <= {row.check for row in found}


@pytest.mark.parametrize("venue", ["bybit", "okx", "deribit"])
def test_a_wrong_member_is_named(venue: str, data: dict[str, Any]) -> None:
    right = data["logins"][f"{venue}-a"]["member"]
    (row,) = (row for row in told(changed(data, f"{venue}-a", member="999")) if row.state != "ok")
    assert (row.check, row.state) == (f"member of {venue}-a", "wrong")
    assert row.found == f"member is 999, and the key is of {right}"
    assert "set `member` of the login" in row.remedy


@pytest.mark.parametrize("venue", ["bybit", "okx", "deribit"])
def test_a_master_in_the_place_of_its_sub_account_is_named(
    venue: str, data: dict[str, Any]
) -> None:
    found = told(swapped(data, f"{venue}-main", f"{venue}-a"))
    why = {(row.check, row.found) for row in found if row.state == "wrong"}
    main, sub = f"member of {venue}-main", f"member of {venue}-a"
    assert (main, f"is the master of {venue}-a, {venue}-b, and the key is of a sub-account") in why
    assert (sub, f"master is {venue}-main, and the key is of a main account") in why
    assert any("be the `master` of" in row.remedy for row in found)


@pytest.mark.parametrize("venue", ["bybit", "deribit"])
def test_a_missing_member_that_costs_routes_is_a_note(venue: str, data: dict[str, Any]) -> None:
    right = data["logins"][f"{venue}-a"]["member"]
    (row,) = (row for row in told(changed(data, f"{venue}-a", member=None)) if row.state != "ok")
    assert (row.check, row.state) == (f"member of {venue}-a", "note")
    assert f"no money goes to or from {venue}-b, {venue}-main; the key is of {right}" in row.found
    assert row.remedy == "set `member` of the login"


def test_a_missing_member_that_costs_no_route_is_well(bybit_data: dict[str, Any]) -> None:
    accounts = [row for row in bybit_data["accounts"] if row["login"] == "bybit-a"]
    data = changed({**bybit_data, "accounts": accounts}, "bybit-a", member=None)
    assert not [row for row in told(data) if row.check == "member of bybit-a"]


def test_a_sub_account_of_another_main_account_is_named(okx: Config) -> None:
    """The master's own key tells whom it is of."""
    from allocator.service.belonging import belonging

    users = dict(asyncio.run(keys(okx)).users)
    users["okx-main"] = User("7", main=True)
    (row, *_) = (row for row in belonging(okx, users) if row.check == "member of okx-b")
    assert row.state == "wrong"
    assert row.found.endswith("and the key of master okx-main is of 7")
