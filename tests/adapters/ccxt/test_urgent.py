"""What acts, and what looks one order up, leaves at once however much is being read.

The clients are ccxt's own with the real budgets, weights are those of the venues' pages, and the
clock jumps over every wait. Nothing is sent.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from allocator.adapters.ccxt.budgets import HEADROOM, KEPT, Budgets
from allocator.adapters.ccxt.clients import CREDENTIALS, ON_CHAIN, new_client, sign_with
from allocator.adapters.ccxt.sessions import Sessions
from allocator.models.config import Config, LoginConfig
from tests.adapters.ccxt.test_budgets import timed

READS = {
    "fapiprivatev3_get_account": 5,
    "fapiprivatev3_get_positionrisk": 5,
    "fapiprivate_get_openalgoorders": 40,
    "fapiprivate_get_openorders": 40,
}
"""What a gather asks about one USD-M account, and what it weighs."""

ONE = {"symbol": "BTCUSDT", "origClientOrderId": "a"}
URGENT: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("fapiprivate_delete_order", ONE, 1),
    ("fapiprivate_get_order", ONE, 1),
    ("fapiprivate_get_usertrades", {"symbol": "BTCUSDT", "orderId": "1"}, 5),
    ("fapiprivate_post_order", {"symbol": "BTCUSDT"}, 0),
    ("fapiprivate_post_countdowncancelall", {"symbol": "BTCUSDT", "countdownTime": 60000}, 10),
    ("dapiprivate_delete_order", ONE, 1),
)


class Line:
    """Clients of one venue at one address, and when each of their requests would leave."""

    def __init__(self, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for word in CREDENTIALS:
            monkeypatch.setenv(f"URGENT_{word.upper()}", "0x" + "1" * 42)
        words = ("key",) if venue in ON_CHAIN else CREDENTIALS
        told = {word: f"env:URGENT_{word.upper()}" for word in (*words, "secret")}
        self.secrets = dict.fromkeys(told, "0x" + "1" * 42)
        self.login = LoginConfig.model_validate({"venue": venue, **told})
        self.budgets = Budgets(venue)
        self.left = list[tuple[float, str]]()

    def client(self, name: str) -> Any:
        client = new_client(self.login.venue, None)
        sign_with(client, self.login.venue, self.secrets)
        self.budgets.bind(client, name, name)
        client.fetch = self.fetch
        return client

    async def fetch(self, url: str, method: str, headers: Any, body: Any) -> Any:
        del headers, body
        self.left.append((asyncio.get_running_loop().time(), f"{method} {urlsplit(url).path}"))
        return {}


async def ask(client: Any, endpoint: str, params: dict[str, Any]) -> float:
    await getattr(client, endpoint)(params)
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(("endpoint", "params"), [row[:2] for row in URGENT])
def test_what_is_urgent_leaves_at_once_while_sixty_accounts_are_read(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, params: dict[str, Any]
) -> None:
    line = Line("binance", monkeypatch)

    async def work() -> tuple[float, float]:
        clients = [line.client(f"account-{number}") for number in range(60)]
        reads = [asyncio.create_task(ask(one, name, {})) for one in clients for name in READS]
        await asyncio.sleep(1)
        urgent = await ask(clients[0], endpoint, params)
        return urgent, max(await asyncio.gather(*reads))

    urgent, read = timed(work)[0]
    assert urgent == 1
    assert read >= 120


def test_no_minute_holds_more_than_the_venue_counts_whatever_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,400 a minute of USD-M and COIN-M together, of which reads take no more than their share."""
    line = Line("binance", monkeypatch)
    left = list[tuple[float, float, bool]]()

    async def one(client: Any, endpoint: str, params: dict[str, Any], weight: float) -> None:
        at = await ask(client, endpoint, params)
        left.append((at, weight, bool(params)))

    async def work() -> None:
        clients = [line.client(f"account-{number}") for number in range(40)]
        jobs = [one(client, name, {}, READS[name]) for client in clients for name in READS]
        jobs += [one(client, *row) for client in clients for row in URGENT for _ in range(6)]
        await asyncio.gather(*jobs)

    timed(work)
    held = [[row for row in left if at <= row[0] < at + 60] for at, _, _ in left]
    assert max(sum(weight for _, weight, _ in rows) for rows in held) <= 2400 * HEADROOM
    reads = (sum(weight for _, weight, urgent in rows if not urgent) for rows in held)
    assert max(reads) <= 2400 * HEADROOM * (1 - KEPT)


def test_the_time_and_the_list_of_markets_are_not_held_up_by_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every action and every look-up waits for them."""
    line = Line("binance", monkeypatch)
    config = Config.model_validate({"logins": {"main": line.login}})
    sessions = Sessions(config, reads_only=True, budgets={"binance": line.budgets})
    main = sessions.logins["main"]

    async def told(url: str, *rest: Any) -> Any:
        await line.fetch(url, *rest)
        return {"serverTime": 1_700_000_000_000, "symbols": [{}]}

    def parsed(row: Any) -> dict[str, Any]:
        del row
        return {"id": "A", "symbol": "A/B", "spot": True}

    main.client.fetch = told
    main.client.parse_market = parsed

    async def work() -> tuple[float, float]:
        clients = [line.client(f"account-{number}") for number in range(60)]
        loads = {**READS, "private_get_account": 20}
        jobs = [(one, name) for one in clients for name in loads for _ in range(10)]
        reads = [asyncio.create_task(ask(*job, {})) for job in jobs]
        await asyncio.sleep(1)
        await main.prepare()
        await main.server_time()
        done = asyncio.get_running_loop().time()
        last = max(await asyncio.gather(*reads))
        await sessions.close()
        return done, last

    done, last = timed(work)[0]
    assert done == 1
    assert last > 60


@pytest.mark.parametrize(
    ("venue", "read", "of", "most", "urgent", "params"),
    [
        ("bybit", "private_get_v5_account_wallet_balance", {}, 600, "private_post_v5_order_cancel",
         {"category": "linear"}),
        ("hyperliquid", "public_post_info", {"type": "userFees"}, 60, "private_post_exchange",
         {"action": {"type": "cancelByCloid"}}),
        ("hyperliquid", "public_post_info", {"type": "userFees"}, 60, "public_post_info",
         {"type": "orderStatus", "oid": "0x1"}),
        ("krakenfutures", "private_get_openpositions", {}, 250, "private_post_cancelorder",
         {"cliOrdId": "a"}),
        ("krakenfutures", "private_get_openpositions", {}, 250, "private_post_orders_status",
         {"orderIds": [], "cliOrdIds": ["a"]}),
    ],
)  # fmt: skip
def test_reads_of_an_address_hold_up_nothing_urgent_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
    venue: str,
    read: str,
    of: dict[str, Any],
    most: int,
    urgent: str,
    params: dict[str, Any],
) -> None:
    """Reads are twice as many as the venue counts in one window."""
    line = Line(venue, monkeypatch)

    async def work() -> tuple[float, float]:
        clients = [line.client(f"account-{number}") for number in range(20)]
        each = range(2 * most // len(clients))
        reads = [asyncio.create_task(ask(one, read, of)) for one in clients for _ in each]
        await asyncio.sleep(0.1)
        done = await ask(line.client("another"), urgent, params)
        return done, max(await asyncio.gather(*reads))

    done, last = timed(work)[0]
    assert done == pytest.approx(0.1)
    assert last > 5
