"""What holds for every test; a soak can be stopped and gone on with: what passed is not rerun.

Generated examples are the same in every run, and none is judged by the time it took.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.execution.databases import unsynced

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
event.listen(Pool, "checkout", unsynced)

PASSED = os.environ.get("ALLOCATOR_SOAK")
"""File of the tests that have passed in this soak; unset: none is kept."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a soak has passed already."""
    if PASSED is None or not Path(PASSED).exists():
        return
    passed = set(Path(PASSED).read_text().splitlines())
    done = [item for item in items if item.nodeid in passed]
    items[:] = [item for item in items if item.nodeid not in passed]
    config.hook.pytest_deselected(items=done)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what has passed, in the process that gathers the reports."""
    whole = report.when == "call" and report.passed
    if PASSED is None or not whole or "PYTEST_XDIST_WORKER" in os.environ:
        return
    Path(PASSED).parent.mkdir(parents=True, exist_ok=True)
    with Path(PASSED).open("a") as file:
        file.write(f"{report.nodeid}\n")
