"""What a failure says, and which answers leave open what happened."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.binance import FACTS
from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.failures import Answer, RefusalError, UnansweredError, failure
from allocator.adapters.ccxt.keyring import Signs
from allocator.adapters.ccxt.money import Directory
from allocator.adapters.ccxt.secrets import secret
from allocator.adapters.ccxt.sessions import Sessions
from allocator.models.config import Config
from allocator.models.errors import ConfigError
from allocator.models.intents import (
    Ack,
    Capabilities,
    Found,
    OrderIntent,
    Outcome,
    Rejected,
    Unknown,
)

NOW = datetime(2026, 9, 28, tzinfo=UTC)
ADDRESS = "https://api.example/v5/position/list?api_key=key-1&signature=abc"


def test_failure_is_short_and_names_endpoint_not_address() -> None:
    error = RuntimeError(f"bybit GET {ADDRESS} " + "x" * 500)
    told = failure(error, Answer(503), ("key-1",), "bybit privateGetV5PositionList")
    assert isinstance(told, UnansweredError)
    assert str(told).startswith("bybit privateGetV5PositionList: RuntimeError (HTTP 503): ")
    assert len(f"{type(told).__name__}: {told}") <= 160
    assert "https" not in str(told)
    assert "signature" not in str(told)


@pytest.mark.parametrize("code", ["-1000", "-1001", "-1006", "-1007", "-1008"])
def test_binance_status_unknown_is_no_refusal(code: str) -> None:
    body = f'{{"code":{code},"msg":"Execution status unknown."}}'
    told = failure(RuntimeError("x"), Answer(408, body))
    assert isinstance(told, RefusalError)
    assert told.code not in FACTS.definitive | FACTS.stale | FACTS.gone | FACTS.duplicate


def test_secret_that_is_not_text_is_named_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"abc\xff\xfe")
    with pytest.raises(ConfigError, match=f"file:{path}") as caught:
        secret(f"file:{path}")
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(("content", "told"), [(None, "No such file"), ("", "is empty")])
def test_a_missing_secret_is_told_of_its_login_alone(
    tmp_path: Path, content: str | None, told: str
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("word")
    if content is not None:
        bad.write_text(content)
    login = {"venue": "bybit", "key": f"file:{good}", "secret": f"file:{good}"}
    data = {"logins": {"a": login, "b": login | {"secret": f"file:{bad}"}}}

    async def opening() -> dict[str, str]:
        opened = Sessions(Config.model_validate(data), reads_only=True)
        try:
            return {name: row.signs.lacking for name, row in opened.logins.items()}
        finally:
            await opened.close()

    lacking = asyncio.run(opening())
    assert lacking["a"] == ""
    assert f"file:{bad}" in lacking["b"]
    assert told in lacking["b"]
    assert lacking["b"].endswith(": put it there, or mend logins.b.secret")


def test_code_and_reason_of_a_json_rpc_error_are_read() -> None:
    body = (
        '{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params",'
        '"data":{"reason":"wrong format","param":"amount"}},"usIn":1}'
    )
    told = failure(RuntimeError("x"), Answer(400, body))
    assert isinstance(told, RefusalError)
    assert (told.code, told.message) == ("-32602", "Invalid params: wrong format")


def test_a_json_rpc_result_is_no_refusal() -> None:
    body = '{"jsonrpc":"2.0","result":{"code":7},"usIn":1}'
    assert isinstance(failure(RuntimeError("x"), Answer(200, body)), UnansweredError)


REFUSALS = {
    "binance": '{"code":-1102,"msg":"Mandatory parameter was not sent"}',
    "bybit": '{"retCode":10001,"retMsg":"upstream request failed"}',
    "okx": '{"code":"51008","msg":"Insufficient balance"}',
    "gate": '{"label":"BALANCE_NOT_ENOUGH","message":"no upstream"}',
}


class HastyClock:
    """A clock whose waits take no time, and are counted."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def submitted(venue: str, status: int, *, shown_after_s: float | None = None) -> Outcome:
    """Submit an order that a venue refuses with this status.

    It has carried an equal request out, and shows that after a while; None: it has not.
    """
    clock = HastyClock()

    class Refusing:
        facts = DIALECTS[venue].facts
        wallets = ("unified",)

        def capabilities(self, place: Any) -> Capabilities:
            return Capabilities(orders=True, read_lag_s=Decimal(2))

        async def send_order(self, place: Any, intent: Any) -> str:
            body = REFUSALS[venue]
            raise failure(RuntimeError("x"), Answer(status, body), (), f"{venue} order")

        async def find_order(self, place: Any, intent: Any, trace: Any) -> Found | None:
            if shown_after_s is None or clock.slept_s < shown_after_s:
                return None
            return Found(venue_id="1", state="filled", filled=Decimal(1))

    async def nothing() -> None:
        return None

    async def now() -> datetime:
        return NOW

    login = SimpleNamespace(
        prepare=nothing,
        ready=nothing,
        server_time=now,
        synchronise=nothing,
        signs=Signs(),
        venue_ms=lambda at: 0,
        venue=venue,
    )
    config = SimpleNamespace(wallet="unified")
    place = SimpleNamespace(login=login, master=login, venue=venue, account="a", config=config)
    directory = Directory({}, {venue: cast(Any, Refusing())}, {})
    intent = OrderIntent(
        client_id="0" * 32,
        account="a",
        instrument="i",
        side="buy",
        quantity=Decimal(1),
        limit_price=Decimal(1),
    )
    return asyncio.run(CcxtVenue(cast(Any, place), directory, clock).submit(intent))


@pytest.mark.parametrize("venue", REFUSALS)
@pytest.mark.parametrize("status", [418, 429, 500, 502, 503, 504])
def test_a_servers_error_leaves_open_what_happened_whatever_code_it_bears(
    venue: str, status: int
) -> None:
    outcome = submitted(venue, status)
    assert isinstance(outcome, Unknown)
    assert f"HTTP {status}" in outcome.why


@pytest.mark.parametrize("venue", REFUSALS)
@pytest.mark.parametrize("status", [200, 400])
def test_the_same_code_with_the_venues_own_status_is_a_rejection(venue: str, status: int) -> None:
    assert isinstance(submitted(venue, status), Rejected)


@pytest.mark.parametrize("venue", ["bybit", "okx", "gate"])
@pytest.mark.parametrize("shown_after_s", [0, 2])
def test_a_refusal_of_what_the_venue_shows_later_is_no_rejection(
    venue: str, shown_after_s: float
) -> None:
    """A network that doubles a request gets the second one refused, while the first is booked."""
    outcome = submitted(venue, 200, shown_after_s=shown_after_s)
    assert outcome == Ack(venue_id="1")
