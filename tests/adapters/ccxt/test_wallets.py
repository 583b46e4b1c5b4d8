"""A wallet that a venue does not have is refused, and no pool is read as two accounts."""

from __future__ import annotations

from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.errors import ConfigError
from allocator.models.intents import TransferIntent
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY

NONE_SUCH = [
    ("bybit", "bybit-a", "spot", "unified, funding"),
    ("bybit", "bybit-a", "usdm", "unified, funding"),
    ("okx", "okx-a", "spot", "unified, funding"),
    ("deribit", "deribit-a", "funding", "unified"),
    ("deribit", "deribit-a", "spot", "unified"),
    ("binance", "binance-usdm", "funding", "spot, usdm, coinm, unified"),
]


def with_twin(data: dict[str, Any], account: str, **changes: Any) -> dict[str, Any]:
    mine = next(row for row in data["accounts"] if row["id"] == account)
    return {**data, "accounts": [*data["accounts"], {**mine, "id": "twin", **changes}]}


@pytest.mark.parametrize(("venue", "account", "wallet", "known"), NONE_SUCH)
def test_a_wallet_the_venue_does_not_have_is_refused_with_those_it_has(
    request: pytest.FixtureRequest, venue: str, account: str, wallet: str, known: str
) -> None:
    data = request.getfixturevalue(f"{venue}_data")
    config = Config.model_validate(with_twin(data, account, wallet=wallet))

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        twin = book.snapshot.account["twin"]
        assert (twin.state, twin.unread, dict(twin.balances)) == ("frozen", True, {})
        told = [row.what for row in book.missing if row.account == "twin"]
        assert f"VenueError: wallet {wallet} of {venue} is not read: choose one of {known}" in told
        assert not [row for row in book.snapshot.routes if "twin" in (row.source, row.target)]
        reading = await opened.venues["twin"].read()
        assert (reading.complete, reading.wallets, reading.positions) == (False, {}, {})
        able = opened.venues["twin"].capabilities
        assert not any((able.orders, able.transfers, able.withdrawals, able.moves))

    run_with(config, work)


def test_one_key_under_two_references_is_one_account(
    bybit_data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the references lead to shows that they are one."""
    monkeypatch.setenv("BYBIT_AGAIN", "bybit-a-key")
    again = {**bybit_data["logins"]["bybit-a"], "key": "env:BYBIT_AGAIN", "member": None}
    data = with_twin(bybit_data, "bybit-a", login="again")
    config = Config.model_validate({**data, "logins": {**data["logins"], "again": again}})

    async def work(opened: Opened) -> None:
        del opened

    with pytest.raises(ConfigError, match="login again is in account bybit-a already") as caught:
        run_with(config, work)
    assert "bybit-a-key" not in str(caught.value)


def test_what_has_no_word_at_the_venue_never_leaves(
    binance_data: dict[str, Any], emulator: Emulator
) -> None:
    config = Config.model_validate(with_twin(binance_data, "binance-spot", wallet="funding"))
    sent = TransferIntent.model_validate(
        {"client_id": KEY, "route": "internal:binance-spot>twin:USDT", "source": "binance-spot",
         "target": "twin", "asset": "USDT", "amount": "1"}
    )  # fmt: skip
    away = sent.model_copy(update={"target": "sub1-usdm", "source": "binance-usdm"})

    async def work(opened: Opened) -> None:
        for intent in (sent, away):
            outcome = await opened.venues[intent.source].submit(intent)
            assert (outcome.outcome, getattr(outcome, "code", "")) == ("rejected", "NOT_SENT")

    run_with(config, work)
    assert not emulator.admin("GET", "effects")["transfers"]
