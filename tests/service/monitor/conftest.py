"""A monitor that stands ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.service.monitor.watched import Watched


@pytest.fixture
def watched(lite: Engine, tmp_path: Path) -> Watched:
    return Watched(lite, tmp_path / "history")
