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


LONGEST = (
    "tests/execution/test_crashes.py",
    "tests/test_properties.py",
    "tests/minimise/test_conflicts.py",
    "tests/service/test_demo.py",
    "tests/service/monitor/test_resting.py",
    "tests/execution/test_machine.py",
)
"""Files that begin first, the longest before all: begun last, one would end long after the rest.

A file is one piece of work, for what it makes once; xdist's own order, by the number of tests, has
the few that are long at the end.
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files, and leave out what a soak has passed already."""
    rank = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.split("::")[0], len(rank)))
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
