"""A login whose secrets cannot be read costs its own accounts, and nobody else anything."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, Rejected, Unknown, Unsure
from tests.adapters.ccxt.conftest import Run

MAIN = ("bybit-main", "bybit-fund", "binance-spot", "binance-usdm", "binance-coinm")
"""The accounts of the main logins, of which the venues' public data is read first."""


@pytest.fixture
def both(both_data: dict[str, Any]) -> Config:
    return Config.model_validate(both_data)


def told(book: Any) -> dict[str, str]:
    return {row.account: row.what for row in book.missing}


def signers(emulator: Emulator) -> set[str]:
    requests: Any = emulator.admin("GET", "requests")
    return {row["signed_by"] for row in requests if row["signed_by"]}


def test_all_other_accounts_are_read_and_its_own_is_named_with_what_to_do(
    run: Run, both: Config, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.delenv("BYBIT_A_SECRET")

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert told(book).keys() == {"bybit-a"}
        what = told(book)["bybit-a"]
        assert "no secret can be read at env:BYBIT_A_SECRET: it is not set" in what
        assert "mend logins.bybit-a.secret" in what
        for row in book.snapshot.accounts:
            assert row.unread == (row.id == "bybit-a"), row.id
        assert book.snapshot.account["bybit-a"].state == "frozen"
        assert not book.snapshot.account["bybit-a"].balances

    run(both, work)
    assert "bybit-a-key" not in signers(emulator)


def test_a_venue_is_read_through_logins_that_can_sign(
    run: Run, both: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYBIT_MAIN_KEY")
    monkeypatch.delenv("BINANCE_MAIN_SECRET")

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert told(book).keys() == set(MAIN)
        assert not book.snapshot.account["sub1-usdm"].unread
        assert book.snapshot.instrument["binance:BTC/USDT:USDT"].tiers

    run(both, work)


def test_an_account_is_read_once_its_secret_is_there(
    run: Run, bybit: Config, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.delenv("BYBIT_A_SECRET")

    async def work(opened: Opened) -> None:
        assert told(await opened.market.gather()).keys() == {"bybit-a"}
        monkeypatch.setenv("BYBIT_A_SECRET", "bybit-a-secret")
        book = await opened.market.gather()
        assert told(book) == {}
        assert book.snapshot.account["bybit-a"].balances
        assert (await opened.venues["bybit-a"].read()).complete

    run(bybit, work)
    assert "bybit-a-key" in signers(emulator)


def test_a_key_that_turns_out_to_be_anothers_is_counted_once(
    run: Run, bybit: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYBIT_A_KEY")

    async def work(opened: Opened) -> None:
        assert told(await opened.market.gather()).keys() == {"bybit-a"}
        monkeypatch.setenv("BYBIT_A_KEY", "bybit-b-key")
        what = told(await opened.market.gather())
        assert what.keys() == {"bybit-a"}
        assert "has the same key: it would be counted twice" in what["bybit-a"]
        monkeypatch.setenv("BYBIT_A_KEY", "bybit-a-key")
        assert told(await opened.market.gather()) == {}

    run(bybit, work)


def test_nothing_leaves_an_account_without_its_secret(
    run: Run, bybit: Config, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.delenv("BYBIT_A_SECRET")
    now = datetime.now(UTC)
    order = OrderIntent(
        client_id="alc-1", account="bybit-a", instrument="bybit:BTC/USDT:USDT", side="buy",
        quantity=Decimal("0.01"), limit_price=Decimal(50000),
    )  # fmt: skip

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-a"]
        sent = await venue.submit(order)
        assert isinstance(sent, Rejected)
        assert sent.code == "NOT_SENT"
        assert "NO_SECRET: login bybit-a" in sent.message
        found = await venue.find(order, now)
        assert isinstance(found, Unsure)
        assert "NO_SECRET" in found.why
        assert isinstance(await venue.cancel(order), Unknown)
        reading = await venue.read()
        assert not reading.complete
        assert "NO_SECRET" in reading.missing[0]

    run(bybit, work)
    assert signers(emulator) == set()


def test_money_goes_between_members_only_where_their_master_signs(
    run: Run, bybit: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYBIT_MAIN_SECRET")

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert told(book).keys() == {"bybit-main", "bybit-fund"}
        ways = {(row.source, row.target) for row in book.snapshot.routes}
        assert ("bybit-a", "bybit-b") not in ways
        notes = {row.account: row.what for row in book.notes}
        for name in ("bybit-a", "bybit-b"):
            assert "NO_SECRET: login bybit-main" in notes[name]
            assert "no money goes to or from other logins" in notes[name]
        monkeypatch.setenv("BYBIT_MAIN_SECRET", "bybit-main-secret")
        book = await opened.market.gather()
        assert ("bybit-a", "bybit-b") in {(row.source, row.target) for row in book.snapshot.routes}
        assert not book.notes

    run(bybit, work)


def test_a_login_of_a_chain_without_its_address_is_not_taken_for_an_empty_one(
    run: Run, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_SECRET", "0x" + "1" * 64)
    config = Config.model_validate(
        {
            "mode": "loopback",
            "loopback_url": emulator.base_url,
            "logins": {
                "hl": {
                    "venue": "hyperliquid",
                    "key": f"file:{tmp_path / 'address'}",
                    "secret": "env:HL_SECRET",
                }
            },
            "accounts": [{"id": "hl", "login": "hl", "wallet": "unified", "owner": "fund-one"}],
        }
    )

    async def work(opened: Opened) -> None:
        missing = (await opened.market.gather()).missing
        assert any("NO_SECRET: login hl" in row.what for row in missing)
        reading = await opened.venues["hl"].read()
        assert not reading.complete
        assert "NO_SECRET: login hl" in reading.missing[0]

    run(config, work)
