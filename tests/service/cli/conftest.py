"""A desk for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator.adapters.emulator.testing import running_emulator
from allocator.service.demo import configuration, prepare
from tests.service.cli.shop import Shop


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    with running_emulator() as emulator:
        path = prepare(tmp_path)
        configuration(path, emulator.base_url)
        yield Shop(path, emulator, capsys)
