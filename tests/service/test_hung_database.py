"""A database that cannot be reached must not silence the instance: what hangs is its own affair."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tests.service.record import ROOT
from tests.service.sites import config

NAME = "database.test"
PASSWORD = "canary-of-the-database"
LIVE_S = 1.0
"""Within which liveness is told, whatever the database does."""

READY_S = 5.0
"""Within which readiness is told; stated in `deploy/README.md`."""

PATIENCE_S = 120
"""Within which a loaded machine does what it has to do."""

RESOLVER = f"""
import os, socket, threading

system, never = socket.getaddrinfo, threading.Event()


def getaddrinfo(host, *args, **kwargs):
    if host == "{NAME}":
        while os.path.exists(os.environ["HANGS"]):
            never.wait(0.05)
        host = "127.0.0.1"
    return system(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""
"""The system's resolver, in a process of which it is a part: it hangs while a file is there."""


class Road:
    """The way to a server, by TCP, which can be cut."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open = list[socket.socket]()
        self._threads = list[threading.Thread]()
        self.port = 0
        self.open()

    def open(self) -> None:
        """Take what is asked from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(self._path)
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=_carry, args=pair, daemon=True))
                    self._threads[-1].start()

    def cut(self) -> None:
        """Break what is open; what is asked anew goes through."""
        for row in self._open:
            with suppress(OSError):
                row.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for row in self._open:
            row.close()
        self._open.clear()
        self._threads.clear()

    def close(self) -> None:
        # A listener that is only closed goes on waiting in its thread.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for row in (source, target):
        with suppress(OSError):
            row.shutdown(socket.SHUT_RDWR)


class Instance:
    """The service in a process of its own, whose resolver can be made to hang."""

    def __init__(self, folder: Path, url: str) -> None:
        self.hangs = folder / "hangs"
        (folder / "sitecustomize.py").write_text(RESOLVER)
        made = config(folder, database=url)
        data = json.loads(made.model_dump_json())
        data["service"]["http"] = {"port": 0}
        data["service"] |= {"poll_s": "0", "retry_s": "1"}
        path = folder / "config.yaml"
        path.write_text(json.dumps({key: row for key, row in data.items() if row is not None}))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "allocator", "run", "-c", str(path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "HANGS": str(self.hangs)},
            stderr=subprocess.PIPE,
        )
        self.told = list[str]()
        self.address = self._address()
        self._reading = threading.Thread(target=self._read_on, daemon=True)
        self._reading.start()

    def _address(self) -> str:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            self.told.append(raw.decode())
            found = re.search(r'"address": "(http[^"]+)"', self.told[-1])
            if found:
                return found[1]
        raise AssertionError("".join(self.told))

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            self.told.append(raw.decode())

    def ask(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=PATIENCE_S) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def is_ready(self) -> bool:
        """Wait until the instance is of use."""
        end = time.monotonic() + PATIENCE_S
        while self.ask("/readyz")[0] != 200:
            if time.monotonic() > end:
                return False
        return True

    def tells(self, words: str, before: int) -> bool:
        """Wait until a line after the first ones bears the words."""
        end = time.monotonic() + PATIENCE_S
        while not any(words in row for row in self.told[before:]):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def visit(self) -> None:
        """Ask for what only the database knows, however long that hangs."""
        asked = urllib.request.Request(
            f"{self.address}/v1/book", headers={"Authorization": "Bearer somebody"}
        )
        with suppress(OSError), urllib.request.urlopen(asked, timeout=PATIENCE_S) as response:
            response.read()

    def close(self) -> None:
        self.hangs.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self._reading.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        assert status == 0, "".join(self.told)


@pytest.fixture
def road(postgres_url: str) -> Iterator[Road]:
    folder = make_url(postgres_url).query["host"]
    made = Road(str(next(Path(str(folder)).glob(".s.PGSQL.*[0-9]"))))
    yield made
    made.close()


@pytest.fixture
def instance(tmp_path: Path, postgres_url: str, road: Road) -> Iterator[Instance]:
    named = make_url(postgres_url).set(host=NAME, port=road.port, password=PASSWORD, query={})
    made = Instance(tmp_path, named.render_as_string(hide_password=False))
    yield made
    made.close()


class Watch:
    """Times questions; a machine that stalls may be late with some of them, never with most."""

    def __init__(self) -> None:
        self._took_s = list[float]()

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._took_s.append(time.monotonic() - began)

    @property
    def asked(self) -> int:
        return len(self._took_s)

    @property
    def mostly_s(self) -> float:
        return median(self._took_s)


def test_a_look_up_that_hangs_silences_neither_liveness_nor_readiness(
    instance: Instance, road: Road
) -> None:
    assert instance.is_ready()
    instance.hangs.touch()
    road.cut()
    # More visitors than the instance has threads for; they hang for as long as they like.
    visitors = [threading.Thread(target=instance.visit, daemon=True) for _ in range(60)]
    for row in visitors:
        row.start()
    # Long enough for every timer and retry to run into it.
    live, ready, end = Watch(), Watch(), time.monotonic() + 12
    while time.monotonic() < end or live.asked < 3:
        with live.timed():
            assert instance.ask("/healthz")[0] == 200
        with ready.timed():
            status, told = instance.ask("/readyz")
        assert status == 503, told
        assert told["faults"] == ["the database does not answer"]
    assert live.mostly_s < LIVE_S
    assert ready.mostly_s < READY_S
    instance.hangs.unlink()
    assert instance.is_ready()
    for row in visitors:
        row.join(PATIENCE_S)


def test_an_outage_is_told_in_one_line_without_statement_or_password(
    instance: Instance, road: Road
) -> None:
    assert instance.is_ready()
    before = len(instance.told)
    road.close()
    assert instance.tells("cannot be used since", before)
    instance.ask("/readyz")
    for timer in ('"tick"', '"ticks cannot be read"'):
        assert instance.tells(timer, before)
    lines = [json.loads(row) for row in instance.told[before:]]
    road.open()
    assert instance.tells("is back; it was away since", before)
    away = [row["event"] for row in lines if "cannot be used since" in row["event"]]
    (told,) = away
    assert re.search(r"database postgresql://\S*\*\*\*@\S+ cannot be used since 20\S+Z", told), told
    assert "sends nothing, until it can, and tries again every 1 s" in told
    assert "mend `database` in the configuration" in told
    for row in lines:
        # An alert may have several lines of its own.
        words = "" if row["logger"].endswith("notify") else json.dumps(row)
        for sign in ("Traceback", "[SQL", "parameters:", "SELECT ", "INSERT ", PASSWORD, "\\n"):
            assert sign not in words, words
