import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.registry import Opened, open_venues
from allocator.models.config import Config
from tests.adapters.times import HastyClock

BYBIT = ("BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USD:BTC", "BTC/USDT")
Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
GATHERED_S = Decimal(120)
"""Within which a gather ends on the slowest of machines, where no test says another time."""


def patient(config: Config) -> Config:
    if "deadline_s" in config.gather.model_fields_set:
        return config
    gather = config.gather.model_copy(update={"deadline_s": GATHERED_S})
    return config.model_copy(update={"gather": gather})


def run_with(
    config: Config,
    work: Callable[[Opened], Awaitable[Any]],
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> Any:
    async def whole() -> Any:
        opened = open_venues(patient(config), HastyClock())
        try:
            return await work(opened)
        finally:
            await opened.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(whole())


@pytest.fixture
def run() -> Run:
    return run_with


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running_emulator() as running:
        yield running


@pytest.fixture
def bybit_data(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    logins, accounts = dict[str, Any](), list[dict[str, Any]]()
    for name, member in (("main", "10000001"), ("a", "10000002"), ("b", "10000003")):
        monkeypatch.setenv(f"BYBIT_{name.upper()}_KEY", f"bybit-{name}-key")
        monkeypatch.setenv(f"BYBIT_{name.upper()}_SECRET", f"bybit-{name}-secret")
        logins[f"bybit-{name}"] = {
            "venue": "bybit",
            "key": f"env:BYBIT_{name.upper()}_KEY",
            "secret": f"env:BYBIT_{name.upper()}_SECRET",
            "member": member,
            "master": None if name == "main" else "bybit-main",
        }
        accounts.append(
            {
                "id": f"bybit-{name}",
                "login": f"bybit-{name}",
                "wallet": "unified",
                "owner": "fund-one",
                "instruments": BYBIT,
            }
        )
    fund = {
        "id": "bybit-fund",
        "login": "bybit-main",
        "wallet": "funding",
        "owner": "fund-one",
    }
    return {
        "mode": "loopback",
        "loopback_url": emulator.base_url,
        "logins": logins,
        "accounts": [*accounts, fund],
        "assets": {"USDT": {"price": 1, "haircut": 0}},
    }


@pytest.fixture
def bybit(bybit_data: dict[str, Any]) -> Config:
    return Config.model_validate(bybit_data)


BINANCE = {
    "binance-spot": ("main", "spot", ("BTC/USDT",)),
    "binance-usdm": ("main", "usdm", ("BTC/USDT:USDT", "ETH/USDT:USDT")),
    "binance-coinm": ("main", "coinm", ("BTC/USD:BTC",)),
    "sub1-spot": ("sub1", "spot", ("BTC/USDT",)),
    "sub1-usdm": ("sub1", "usdm", ("BTC/USDT:USDT", "ETH/USDT:USDT")),
}


@pytest.fixture
def binance_data(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    logins = dict[str, Any]()
    for name in ("main", "sub1"):
        monkeypatch.setenv(f"BINANCE_{name.upper()}_KEY", f"binance-{name}-key")
        monkeypatch.setenv(f"BINANCE_{name.upper()}_SECRET", f"binance-{name}-secret")
        logins[f"binance-{name}"] = {
            "venue": "binance",
            "key": f"env:BINANCE_{name.upper()}_KEY",
            "secret": f"env:BINANCE_{name.upper()}_SECRET",
            "member": f"binance-{name}@fund-one.example",
            "master": None if name == "main" else "binance-main",
        }
    return {
        "mode": "loopback",
        "loopback_url": emulator.base_url,
        "logins": logins,
        "accounts": [
            {
                "id": account,
                "login": f"binance-{login}",
                "wallet": wallet,
                "owner": "fund-one",
                "instruments": instruments,
            }
            for account, (login, wallet, instruments) in BINANCE.items()
        ],
        "assets": {"USDT": {"price": 1, "haircut": 0}},
    }


@pytest.fixture
def binance(binance_data: dict[str, Any]) -> Config:
    return Config.model_validate(binance_data)


OKX = ("BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USD:BTC", "BTC/USDT")


def okx_config(base_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    logins, accounts = dict[str, Any](), list[dict[str, Any]]()
    for name, member in (("main", None), ("a", "okxa"), ("b", "okxb")):
        told = dict[str, str]()
        for field in ("key", "secret", "passphrase"):
            monkeypatch.setenv(f"OKX_{name}_{field}".upper(), f"okx-{name}-{field}")
            told[field] = "env:" + f"OKX_{name}_{field}".upper()
        logins[f"okx-{name}"] = {
            "venue": "okx",
            **told,
            "member": member or "okxmain",
            "master": None if member is None else "okx-main",
        }
        for wallet, suffix in (("unified", ""), ("funding", "-fund")):
            accounts.append(
                {
                    "id": f"okx-{name}{suffix}",
                    "login": f"okx-{name}",
                    "wallet": wallet,
                    "owner": "fund-one",
                    "instruments": OKX if wallet == "unified" else (),
                }
            )
    return {
        "mode": "loopback",
        "loopback_url": base_url,
        "logins": logins,
        "accounts": accounts,
        "assets": {"USDT": {"price": 1, "haircut": 0}},
    }


@pytest.fixture
def ask() -> Callable[..., Any]:
    """`ask(config, login, endpoint, params)` has a login call an endpoint by ccxt's name."""

    def call(config: Config, login: str, endpoint: str, params: Any) -> Any:
        async def whole() -> Any:
            sessions = Sessions(config, reads_only=False)
            try:
                await sessions.logins[login].prepare()
                return await sessions.logins[login].call(endpoint, params)
            finally:
                await sessions.close()

        return asyncio.run(whole())

    return call


@pytest.fixture
def okx_data(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return okx_config(emulator.base_url, monkeypatch)


@pytest.fixture
def okx(okx_data: dict[str, Any]) -> Config:
    return Config.model_validate(okx_data)


@pytest.fixture
def both_data(bybit_data: dict[str, Any], binance_data: dict[str, Any]) -> dict[str, Any]:
    return {
        **bybit_data,
        "logins": bybit_data["logins"] | binance_data["logins"],
        "accounts": bybit_data["accounts"] + binance_data["accounts"],
    }


DERIBIT = (
    "BTC/USD:BTC",
    "BTC/USDC:USDC",
    "ETH/USD:ETH",
    "BTC/USD:BTC-300628",
    "BTC/USD:BTC-300628-70000-C",
    "BTC/USD:BTC-300628-60000-P",
    "BTC/USDC:USDC-300628-70000-C",
    "BTC/USDC",
)


@pytest.fixture
def deribit_data(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    logins, accounts = dict[str, Any](), list[dict[str, Any]]()
    for name, member in (("main", "5001"), ("a", "5002"), ("b", "5003")):
        monkeypatch.setenv(f"DERIBIT_{name.upper()}_KEY", f"deribit-{name}-key")
        monkeypatch.setenv(f"DERIBIT_{name.upper()}_SECRET", f"deribit-{name}-secret")
        logins[f"deribit-{name}"] = {
            "venue": "deribit",
            "key": f"env:DERIBIT_{name.upper()}_KEY",
            "secret": f"env:DERIBIT_{name.upper()}_SECRET",
            "member": member,
            "master": None if name == "main" else "deribit-main",
        }
        accounts.append(
            {
                "id": f"deribit-{name}",
                "login": f"deribit-{name}",
                "wallet": "unified",
                "owner": "fund-one",
                "instruments": DERIBIT,
            }
        )
    return {
        "mode": "loopback",
        "loopback_url": emulator.base_url,
        "logins": logins,
        "accounts": accounts,
        "assets": {
            **{name: {"haircut": 0} for name in ("BTC", "ETH", "USDC")},
            "USDT": {"price": 1},
        },
    }


@pytest.fixture
def deribit(deribit_data: dict[str, Any]) -> Config:
    return Config.model_validate(deribit_data)


@pytest.fixture
def deribit_out(deribit_data: dict[str, Any], bybit_data: dict[str, Any]) -> Config:
    """Deribit's accounts, and Bybit's funding wallet, where a withdrawal ends."""
    fund = next(row for row in bybit_data["accounts"] if row["id"] == "bybit-fund")
    route = {
        "id": "deribit-main>bybit-fund",
        "from": "deribit-main",
        "to": "bybit-fund",
        "asset": "USDT",
        "kind": "onchain",
        "latency_s": 600,
    }
    return Config.model_validate(
        {
            **deribit_data,
            "logins": deribit_data["logins"] | {"bybit-main": bybit_data["logins"]["bybit-main"]},
            "accounts": [*deribit_data["accounts"], fund],
            "routes": [route],
            "addresses": {
                route["id"]: {
                    "network": "ETH",
                    "address": "TBybitFundOne1111111111111111111111",
                }
            },
        }
    )
