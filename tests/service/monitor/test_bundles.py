from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from allocator.service.monitor import bundles
from allocator.service.monitor.bundles import Bundles
from allocator.service.monitor.history import MarkStore
from tests.service.monitor.test_history import START, marks

SPAN = START - timedelta(1), START + timedelta(1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MarkStore:
    """Ten marks of one day, of which four become one file."""
    monkeypatch.setattr(bundles, "BUNDLE", 4)
    out = MarkStore(tmp_path)
    for i in range(10):
        out.write(marks(START + timedelta(seconds=30 * i)), {})
    return out


def files(store: MarkStore) -> list[str]:
    return store._files("accounts", *SPAN)


def test_files_that_are_complete_are_read_as_few(store: MarkStore) -> None:
    kept = Bundles()
    first = kept.few(files(store))
    assert len(first) == 1 + 2, "eight as one"
    assert kept.few(files(store)) == first, "what was read once is not read again"
    store.write(marks(START + timedelta(hours=1)), {})
    assert kept.few(files(store))[:1] == first[:1]
    assert kept.few(files(store)[:3]) == files(store)[:3]


def test_answers_are_those_of_the_files(store: MarkStore) -> None:
    plain = MarkStore(store.folder)
    plain._bundles.few = list  # type: ignore[method-assign,assignment]
    for more in range(2):
        assert store.equity("account", *SPAN) == plain.equity("account", *SPAN)
        assert store.profit("venue", *SPAN) == plain.profit("venue", *SPAN)
        since = START + timedelta(seconds=100)
        assert len(store.equity("book", since, SPAN[1])) == 6 + more
        store.write(marks(START + timedelta(minutes=30)), {})


def test_file_that_was_written_anew_is_read_anew(store: MarkStore) -> None:
    before, path = store.equity("book", *SPAN), Path(files(store)[1])
    changed = marks(START + timedelta(seconds=30))
    other = changed.accounts[0].model_copy(update={"equity": changed.accounts[0].equity + 1000})
    path.unlink()
    store.write(changed.model_copy(update={"accounts": (other, *changed.accounts[1:])}), {})
    os.utime(path, ns=(1, 1))
    after = store.equity("book", *SPAN)
    assert after[1]["equity"] == before[1]["equity"] + 1000
    assert len(after) == len(before)


def test_day_that_was_joined_leaves_no_bundle_behind(store: MarkStore) -> None:
    before = store.equity("book", *SPAN)
    folder = store._bundles._folder
    assert folder is not None
    assert list(folder.iterdir())
    store.tidy(START + timedelta(days=1), 30)
    assert store.equity("book", *SPAN) == before
    assert list(folder.iterdir()) == []


def test_file_that_cannot_be_read_is_told_as_it_was_given(store: MarkStore) -> None:
    Path(files(store)[5]).write_bytes(b"torn")
    out = Bundles().few(files(store))
    assert len(out) == 1 + 4 + 2, "whoever reads it tells what is wrong with it"
    assert out[1:5] == files(store)[4:8]


@pytest.mark.parametrize("gone", ["folder", "files"])
def test_bundle_that_somebody_cleared_away_is_made_anew(store: MarkStore, gone: str) -> None:
    before = store.equity("book", *SPAN)
    folder = store._bundles._folder
    assert folder is not None
    for path in folder.iterdir():
        path.unlink()
    if gone == "folder":
        folder.rmdir()
    assert store.equity("book", *SPAN) == before
    assert len(store._bundles.few(files(store))) == 1 + 2


def test_bundle_that_goes_as_it_is_read_is_not_missed(
    store: MarkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, few = store.equity("book", *SPAN), store._bundles.few

    def dropped(asked: list[str]) -> list[str]:
        out = few(asked)
        for path in set(out) - set(asked):
            Path(path).unlink()
        return out

    monkeypatch.setattr(store._bundles, "few", dropped)
    assert store.equity("book", *SPAN) == before


def test_bundle_that_takes_long_keeps_nobody_else_waiting(store: MarkStore, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    for number, path in enumerate(files(store)[:3]):
        shutil.copy(path, slow / f"{number}.parquet")
    os.mkfifo(slow / "9.parquet")
    stuck = sorted(map(str, slow.iterdir()))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(store._bundles.few, stuck)
        try:
            while not store._bundles._making:
                assert not held.done()
            assert len(store._bundles.few(files(store))) == 1 + 2
            assert store._bundles.few(stuck) == stuck, "who asks for the same reads the files"
        finally:
            while not held.done():
                with suppress(OSError):
                    os.close(os.open(stuck[-1], os.O_WRONLY | os.O_NONBLOCK))
    assert held.result() == stuck
