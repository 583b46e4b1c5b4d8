"""The endpoint table in the documentation is the one the server works by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_documented_table_is_the_generated_one() -> None:
    command = [sys.executable, "-m", "allocator.adapters.emulator", "--table"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "loopback.md").read_text(encoding="utf-8")
    assert run.stdout.strip() in page
