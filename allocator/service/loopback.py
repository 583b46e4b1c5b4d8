"""Start, find and stop the bundled loopback exchanges, a process of their own.

Their state outlives them, and they outlive the process that started them: a run that was killed
half way finds the same exchanges, or starts them anew on the same state.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from allocator.models.errors import StaleError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Running loopback exchanges."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where they listen."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str) -> object:
        """Read from the admin surface, e.g. ``ask("requests")``.

        Raises
        ------
        StaleError
            When they do not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/__emulator__/{path}")
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise StaleError(f"the loopback exchanges at {self.url} do not answer") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise StaleError(f"the loopback exchanges answer {response.status} to {path}")
        return json.loads(text)


def running(state: Path) -> Exchanges | None:
    """Find exchanges that run on a state folder; None when none do."""
    try:
        row = json.loads((state / "server.json").read_text())
        found = Exchanges(int(row["port"]), int(row["pid"]))
        answer = found.ask("health")
    except (OSError, ValueError, KeyError, TypeError, StaleError):
        return None
    same = isinstance(answer, dict) and answer.get("pid") == found.pid
    return found if same else None


def start(state: Path, *, seed: int = 7) -> Exchanges:
    """Find or start the exchanges on a state folder.

    Raises
    ------
    StaleError
        When they do not come up; the log's place is in the message.
    """
    found = running(state)
    if found is not None:
        return found
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "allocator.adapters.emulator"]
    command += ["--state", str(state), "--seed", str(seed)]
    log = state / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        found = running(state)
        if found is not None:
            _children[process.pid] = process
            return found
        if process.poll() is not None:
            raise StaleError(f"the loopback exchanges ended with {process.returncode}: see {log}")
        time.sleep(POLL_S)
    process.kill()
    process.wait()
    raise StaleError(f"the loopback exchanges did not start in {START_TIMEOUT_S:.0f} s: see {log}")


def stop(exchanges: Exchanges) -> None:
    """Ask the exchanges to end, and wait until they have."""
    child = _children.pop(exchanges.pid, None)
    if child is not None:
        child.terminate()
        child.wait(STOP_TIMEOUT_S)
        return
    deadline = time.monotonic() + STOP_TIMEOUT_S
    try:
        os.kill(exchanges.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(POLL_S)
            os.kill(exchanges.pid, 0)
    except ProcessLookupError:
        return
