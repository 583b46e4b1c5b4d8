"""What is told while requests are under way, once nobody hears it any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator

import pytest

from allocator.service.cli.executing import obey
from tests.service.cli.shop import Shop

Leave = Callable[[], None]


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leave]:
    """Make standard error a pipe that whoever read it has left."""
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "wb", buffering=0) as pipe, io.TextIOWrapper(pipe, write_through=True) as end:

        def left() -> None:
            monkeypatch.setattr(sys, "stderr", end)
            with pytest.raises(BrokenPipeError):
                end.write("anybody?")

        yield left


def test_a_plan_is_carried_out_though_nobody_hears_how_it_goes(shop: Shop, leave: Leave) -> None:
    hash_ = shop.approved()
    leave()
    status, told = shop.type("execute", hash_)
    assert (status, "What became of it: done" in told) == (0, True), told


def test_a_stop_is_obeyed_though_nobody_hears_that_it_is(leave: Leave) -> None:
    stopped = list[int]()
    leave()
    obey(lambda: stopped.append(1))
    assert stopped == [1]
