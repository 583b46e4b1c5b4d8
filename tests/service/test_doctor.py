"""The doctor names what is wrong with keys, clocks, modes and venues, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.crowd import KINDS, crowd, secrets
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.config import Config
from allocator.models.service import AlertConfig
from allocator.service.doctor import _alerts, _right, examine
from allocator.service.findings import Finding
from bench.gather import configuration

WITHDRAW = {
    "binance": ("Edit restrictions", "Enable Withdrawals"),
    "bybit": ("Profile > API", "below Assets"),
    "okx": ("Profile > API", 'untick "Withdraw"'),
    "deribit": ("API Management", "scope wallet to read"),
}
"""Where each venue's remedy points."""

HOSTS = {
    "binance": "fapi.binance.com",
    "bybit": "api.bybit.com",
    "okx": "www.okx.com",
    "deribit": "www.deribit.com",
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    for venue in KINDS:
        for word, value in secrets(venue, 0).items():
            monkeypatch.setenv(f"CROWD_{venue}_0_{word}".upper(), value)


@pytest.fixture
def emulator(told: None) -> Iterator[Emulator]:
    del told
    with running_emulator(world=crowd(1)) as running:
        yield running


def settings(base_url: str, *venues: str) -> Config:
    data: dict[str, Any] = configuration(1, base_url, 120)
    mine = [f"{venue}-000" for venue in venues or KINDS]
    data["logins"] = {name: row for name, row in data["logins"].items() if name in mine}
    data["accounts"] = [row for row in data["accounts"] if row["id"] in mine]
    return Config.model_validate(data)


def findings(config: Config) -> dict[str, Finding]:
    return {row.check: row for row in examine(config)}


def test_keys_of_the_least_rights_are_well(emulator: Emulator) -> None:
    rows = findings(settings(emulator.base_url))
    for venue in KINDS:
        assert rows[f"account {venue}-000"].state == "ok"
        assert f"position mode of {venue}-000" not in rows
        # The crowd's key at Deribit may transfer, and therefore withdraw, and there is no other
        # account to transfer to.
        told = rows[f"rights of {venue}-000"].state
        assert told == ("wrong" if venue == "deribit" else "ok")


def test_a_key_that_any_address_may_use_is_named(emulator: Emulator) -> None:
    rows = findings(settings(emulator.base_url))
    told = {name: row for name, row in rows.items() if name.startswith("addresses of ")}
    assert told.keys() == {f"addresses of {venue}-000" for venue in ("binance", "bybit", "okx")}
    assert {row.state for row in told.values()} == {"note"}
    assert "bind the key" in told["addresses of binance-000"].remedy
    assert "Edit restrictions" in told["addresses of binance-000"].remedy


@pytest.mark.parametrize(
    ("mode", "to", "state"),
    [("loopback", (), "note"), ("live", (), "wrong"), ("live", ("env:MAIL",), "ok")],
)
def test_that_alerts_reach_nobody_is_named(mode: str, to: tuple[str, ...], state: str) -> None:
    config = settings("http://127.0.0.1:9")
    service = config.service.model_copy(update={"alerts": AlertConfig(to=to)})
    row = _alerts(config.model_copy(update={"mode": mode, "service": service}))
    assert row.state == state
    assert ("only logged" in row.found) == bool(row.remedy) == (state != "ok")


@pytest.mark.parametrize("venue", list(WITHDRAW))
def test_a_key_that_may_withdraw_without_a_route_is_named(told: None, venue: str) -> None:
    from allocator.adapters.emulator.binance.signing import WITHDRAW as BINANCE

    del told
    world = crowd(1)
    right = {"binance": BINANCE, "deribit": "wallet:read_write"}.get(venue, "withdraw")
    keys = tuple(
        replace(row, permissions=(*row.permissions, right))
        if row.key == secrets(venue, 0)["key"] else row
        for row in world.keys
    )  # fmt: skip
    with running_emulator(world=replace(world, keys=keys)) as emulator:
        row = findings(settings(emulator.base_url, venue))[f"rights of {venue}-000"]
    assert row.state == "wrong"
    assert "may withdraw" in row.found
    assert "take the right to withdraw off the key" in row.remedy
    assert all(words in row.remedy for words in WITHDRAW[venue])


def test_a_key_that_may_not_withdraw_while_a_route_does_is_named(emulator: Emulator) -> None:
    route = {
        "id": "out", "from": "bybit-000", "to": "okx-000", "asset": "USDT", "kind": "onchain",
        "latency_s": 600,
    }  # fmt: skip
    data = settings(emulator.base_url, "bybit", "okx").model_dump(mode="json", by_alias=True)
    rows = findings(Config.model_validate(data | {"routes": [route]}))
    row = rows["rights of bybit-000"]
    assert (row.state, row.found) == ("wrong", "may not withdraw, and a route does")
    assert "give the key the right to withdraw" in row.remedy
    assert rows["rights of okx-000"].state == "ok"


def test_the_users_own_key_may_pass_money_between_two_wallets_of_a_login() -> None:
    """At Hyperliquid: no key that passes it lacks the right to withdraw."""
    accounts = [
        {"id": wallet, "login": "main", "owner": "me", "wallet": wallet, "order_budget": 10}
        for wallet in ("unified", "spot")
    ]
    login = {"venue": "hyperliquid", "key": "env:K", "secret": "env:S"}
    for rows, state in ((accounts, "note"), (accounts[:1], "wrong")):
        config = Config.model_validate({"logins": {"main": login}, "accounts": rows})
        assert _right("rights of main", True, config, "main", used=False).state == state


def test_a_key_that_may_not_withdraw_at_deribit_is_well(told: None) -> None:
    del told
    world = crowd(1)
    scopes = ("account:read", "trade:read_write", "wallet:read")
    keys = tuple(
        replace(row, permissions=scopes) if row.key == secrets("deribit", 0)["key"] else row
        for row in world.keys
    )
    with running_emulator(world=replace(world, keys=keys)) as emulator:
        row = findings(settings(emulator.base_url, "deribit"))["rights of deribit-000"]
    assert (row.state, row.found) == ("ok", "may not withdraw")


@pytest.mark.parametrize("venue", list(KINDS))
def test_a_clock_that_is_off_is_named(emulator: Emulator, venue: str) -> None:
    emulator.admin("POST", "clock", advance_ms=30_000)
    row = findings(settings(emulator.base_url, venue))[f"account {venue}-000"]
    assert (row.state, row.remedy) == ("wrong", "set this machine's clock by NTP")
    assert "CLOCK_SKEW" in row.found


@pytest.mark.parametrize("venue", list(KINDS))
def test_a_venue_that_cannot_be_reached_is_named(emulator: Emulator, venue: str) -> None:
    emulator.fault({"kind": "drop_before", "host": HOSTS[venue], "times": 1_000_000})
    row = findings(settings(emulator.base_url, venue))[f"account {venue}-000"]
    assert row.state == "wrong"
    assert "can be reached" in row.remedy
    assert HOSTS[venue] in row.remedy


MODES = {
    "binance": ("fapiprivate_post_positionside_dual", {"dualSidePosition": "true"}),
    "okx": ("private_post_account_set_position_mode", {"posMode": "long_short_mode"}),
}


@pytest.mark.parametrize("venue", list(MODES))
def test_a_wrong_position_mode_is_named(told: None, venue: str) -> None:
    del told

    async def switch(config: Config) -> None:
        sessions = Sessions(config, reads_only=False)
        try:
            await sessions.logins[f"{venue}-000"].prepare()
            await sessions.logins[f"{venue}-000"].call(*MODES[venue])
        finally:
            await sessions.close()

    with running_emulator(world=replace(crowd(1), positions=())) as emulator:
        config = settings(emulator.base_url, venue)
        assert f"position mode of {venue}-000" not in findings(config)
        asyncio.run(switch(config))
        row = findings(config)[f"position mode of {venue}-000"]
    assert row.state == "wrong"
    assert row.remedy.startswith("switch the account to one-way mode: ")
    assert ("dualSidePosition=false" if venue == "binance" else "posMode=net_mode") in row.remedy


def test_every_failure_of_an_account_is_listed_each_with_its_remedy(emulator: Emulator) -> None:
    route = {
        "id": "out", "from": "bybit-000", "to": "okx-000", "asset": "USDT", "kind": "onchain",
        "latency_s": 600,
    }  # fmt: skip
    data = settings(emulator.base_url, "bybit", "okx").model_dump(mode="json", by_alias=True)
    config = Config.model_validate(data | {"routes": [route]})
    emulator.admin("POST", "clock", advance_ms=30_000)
    rows = [row for row in examine(config) if row.check == "account bybit-000"]
    assert {row.state for row in rows} == {"wrong"}
    skewed = next(row for row in rows if "CLOCK_SKEW" in row.found)
    assert skewed.remedy == "set this machine's clock by NTP"
    assert "route out: no address is registered" in {row.found for row in rows}


def test_one_pool_as_two_accounts_is_named(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(emulator.base_url, "bybit")
    login, account = config.logins["bybit-000"], config.accounts[0]
    monkeypatch.setenv("AGAIN", secrets("bybit", 0)["key"])
    again = login.model_copy(update={"key": "env:AGAIN", "member": None})
    twin = account.model_copy(update={"id": "twin", "login": "again"})
    update = {"logins": {**config.logins, "again": again}, "accounts": (account, twin)}
    row = findings(config.model_copy(update=update))["venues"]
    assert row.state == "wrong"
    assert "accounts[1]: wallet unified of login again is in account bybit-000" in row.found
