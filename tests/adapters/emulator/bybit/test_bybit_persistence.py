"""What was acknowledged outlives the process, and nothing is done twice."""

import http.client
import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.testing import PATIENCE_S, Emulator
from tests.adapters.emulator.bybit.conftest import call_on

Raw = Callable[..., dict[str, Any]]
TOO_MANY = 10006
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "price": "64100",
    "timeInForce": "IOC",
}
TRANSFER = {
    "coin": "USDT",
    "amount": "10",
    "fromMemberId": "10000001",
    "toMemberId": "10000002",
    "fromAccountType": "UNIFIED",
    "toAccountType": "UNIFIED",
}


@pytest.fixture
def standing_time() -> None:
    """Let time go on: the server is a process of its own, which keeps the machine's."""


def caller(port: int) -> Raw:
    """Ask with a window in which a request arrives however loaded the machine is."""
    return partial(call_on(port), window_ms=PATIENCE_S * 1000)


@contextmanager
def server(state: Path) -> Iterator[tuple[Emulator, "subprocess.Popen[str]"]]:
    """Run the real server process; end it with SIGKILL."""
    command = [sys.executable, "-m", "allocator.adapters.emulator", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["pid"] == process.pid
            yield Emulator(ready["port"]), process
        finally:
            process.kill()


def test_state_outlives_sigkill_and_ids_stay_used(tmp_path: Path) -> None:
    move = str(uuid.UUID(int=3))
    with server(tmp_path) as (emulator, _):
        raw = caller(emulator.port)
        for number in range(5):
            assert (
                raw("POST", "/v5/order/create", **ORDER, orderLinkId=f"k{number}")["retCode"] == 0
            )
        path = "/v5/asset/transfer/universal-transfer"
        assert raw("POST", path, **TRANSFER, transferId=move)["retCode"] == 0
        before = emulator.admin("GET", "state")
    with server(tmp_path) as (emulator, _):
        raw = caller(emulator.port)
        assert emulator.admin("GET", "state") == before
        again = raw("POST", "/v5/order/create", **ORDER, orderLinkId="k3")
        assert again["retCode"] == 110072
        assert raw("POST", path, **TRANSFER, transferId=move)["retCode"] == 131214
        effects: Any = emulator.admin("GET", "effects")
    assert {o["client_id"]: o["count"] for o in effects["orders"]} == {
        f"k{number}": 1 for number in range(5)
    }


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_server_killed_amid_a_burst_keeps_each_acknowledged_order_once(
    after: int, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()

    def burst(raw: Raw) -> None:
        for number in range(200):
            try:
                reply = raw("POST", "/v5/order/create", **ORDER, orderLinkId=f"b{number}")
            except (OSError, http.client.HTTPException):
                return
            if reply["retCode"] == TOO_MANY and len(acknowledged) >= after:
                return  # whoever kills the server was late
            assert reply["retCode"] == 0
            acknowledged.append(f"b{number}")
            if len(acknowledged) == after:
                enough.set()

    with server(tmp_path) as (emulator, process):
        sender = threading.Thread(target=burst, args=(caller(emulator.port),))
        sender.start()
        assert enough.wait(timeout=PATIENCE_S)
        process.kill()
        sender.join(timeout=PATIENCE_S)
    with server(tmp_path) as (emulator, _):
        effects: Any = emulator.admin("GET", "effects")
        state: Any = emulator.admin("GET", "state")
    counts = {o["client_id"]: o["count"] for o in effects["orders"]}
    assert set(acknowledged) <= set(counts)
    assert set(counts.values()) == {1}
    assert len(counts) <= len(acknowledged) + 1, "more than the one under way"
    assert sum(e["kind"] == "trade" for e in state["execution"]) == len(counts)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_lost_reply_is_settled_by_asking_for_the_link_id(kind: str, tmp_path: Path) -> None:
    with server(tmp_path) as (emulator, _):
        raw = caller(emulator.port)
        emulator.fault({"kind": kind, "path": "/v5/order/create"})
        with pytest.raises(ConnectionError):
            raw("POST", "/v5/order/create", **ORDER, orderLinkId="lost")
    with server(tmp_path) as (emulator, _):
        asked = {"category": "linear", "orderLinkId": "lost"}
        found = caller(emulator.port)("GET", "/v5/order/realtime", **asked)["result"]["list"]
        assert [o["orderStatus"] for o in found] == (["Filled"] if kind == "drop_after" else [])


def test_sigterm_ends_the_server_gracefully(tmp_path: Path) -> None:
    with server(tmp_path) as (emulator, process):
        assert emulator.admin("GET", "health")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
