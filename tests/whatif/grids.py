"""A small book with a grid, for tests of sweeps."""

from __future__ import annotations

from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"
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
