"""A small book with a grid, and a process to sweep it in, for tests of sweeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
CRASH = SCENARIOS / "crash-with-withdrawals-halted.yaml"
GRID = """
grid:
  shock.prices.BTC: [-5%, -15%, -25%]
  mandate.policy.margin_buffer: [0, 0.4]
"""


def with_grid(folder: Path, grid: str = GRID) -> Path:
    """Write a scenario with a grid of six points; four come out otherwise than it expects."""
    path = folder / "crash-grid.yaml"
    path.write_text(CRASH.read_text() + grid)
    return path


def python(*args: str, alone: bool = False) -> subprocess.CompletedProcess[str]:
    """Run Python with this tree on its path, as the leader of its own group if it stands alone."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        start_new_session=alone,
    )
