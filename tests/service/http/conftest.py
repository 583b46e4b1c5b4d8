from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.service.sites import Place


@pytest.fixture
def place(lite: Engine, tmp_path: Path) -> Iterator[Place]:
    """A site with one gathered book and one proposal that waits for one person."""
    made = Place(lite, tmp_path)
    made.gather()
    with made.client:
        yield made
    made.site.jobs.close()
