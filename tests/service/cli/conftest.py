"""A desk for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator.adapters.emulator.testing import running_emulator
from allocator.service.demo import configuration, prepare
from tests.service.cli.shop import Shop

PATIENT = {"deadline_s: 20}": "deadline_s: 120}", "reference_age_s: 5\n": "reference_age_s: 60\n"}
"""What a loaded machine may take to gather, and from a price to the order that was held to it."""


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    with running_emulator() as emulator:
        path = prepare(tmp_path)
        configuration(path, emulator.base_url)
        text = path.read_text()
        for told, patient in PATIENT.items():
            assert told in text
            text = text.replace(told, patient)
        path.write_text(text)
        yield Shop(path, emulator, capsys)
