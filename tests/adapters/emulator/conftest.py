"""A running emulator."""

from collections.abc import Iterator

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running_emulator() as running:
        yield running
