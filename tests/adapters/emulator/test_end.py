"""The end of a loopback exchange, with clients at the door."""

from __future__ import annotations

import gc
import socket
import sys
import threading
from contextlib import suppress

import pytest

from allocator.adapters.emulator.testing import running_emulator

ROUNDS = 5
QUESTION = b"GET /fapi/v1/time HTTP/1.1\r\nHost: fapi.binance.com\r\n\r\n"


class Door:
    """Clients that connect again and again; made once a first connection stands."""

    def __init__(self, port: int) -> None:
        self._port, self._over, self._stood = port, threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._knock) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        assert self._stood.wait(60)

    def _knock(self) -> None:
        while not self._over.is_set():
            address = ("127.0.0.1", self._port)
            with suppress(OSError), socket.create_connection(address, 1) as client:
                client.sendall(QUESTION)
                self._stood.set()

    def leave(self) -> None:
        """Stop and wait for the clients."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)


def test_connections_at_the_end_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []

    def note(told: sys.UnraisableHookArgs) -> None:
        left.append(str(told.exc_value))

    gc.collect()
    monkeypatch.setattr(sys, "unraisablehook", note)
    for _ in range(ROUNDS):
        with running_emulator() as emulator:
            door = Door(emulator.port)
        door.leave()
    gc.collect()
    assert left == []
