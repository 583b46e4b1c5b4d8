"""A bench with a clock that is set by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.execution.book import JumpingClock
from tests.service.scheduler.bench import Bench


@pytest.fixture
def bench(lite: Engine) -> Bench:
    return Bench(lite, JumpingClock())
