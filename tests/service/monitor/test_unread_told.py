"""An account that cannot be read is watched by no trigger: people hear of it."""

from __future__ import annotations

from tests.service.monitor.watched import Watched


def told(watched: Watched) -> list[tuple[str, str]]:
    return [row for row in watched.told if row[0] == "accounts_unread"]


def test_people_hear_once_of_an_account_that_was_not_read_for_some_looks(watched: Watched) -> None:
    for minute in range(6):
        watched.look(minute, missing=("b",))
        assert told(watched) == ([("accounts_unread", "b: gone")] if minute >= 2 else [])
    watched.look(6)
    for minute in range(7, 10):
        watched.look(minute, missing=("b",))
    assert told(watched) == [("accounts_unread", "b: gone")] * 2


def test_an_account_that_is_read_now_and_then_is_not_told(watched: Watched) -> None:
    for minute in range(9):
        watched.look(minute, missing=("b",) if minute % 3 else ())
    assert told(watched) == []
