"""The loopback exchanges are started once, found again, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from allocator.models.errors import StaleError
from allocator.service import loopback


def test_exchanges_are_found_again_and_stop_when_told(tmp_path: Path) -> None:
    first = loopback.start(tmp_path)
    try:
        assert loopback.start(tmp_path) == first
        assert first.url.startswith("http://127.0.0.1:")
    finally:
        loopback.stop(first)
    assert loopback.running(tmp_path) is None
    with pytest.raises(StaleError, match="do not answer"):
        first.ask("health")


def test_exchanges_that_were_killed_start_anew_on_their_state(tmp_path: Path) -> None:
    first = loopback.start(tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    loopback.stop(first)
    second = loopback.start(tmp_path)
    try:
        assert second.pid != first.pid
    finally:
        loopback.stop(second)


def test_a_second_server_on_one_state_is_refused(tmp_path: Path) -> None:
    first = loopback.start(tmp_path)
    try:
        command = [sys.executable, "-m", "allocator.adapters.emulator", "--state", str(tmp_path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode != 0
        assert "holds" in run.stderr
    finally:
        loopback.stop(first)
