from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.database import connect
from allocator.execution.journal import Journal
from allocator.execution.leader import FencedError, NotLeaderError, lead
from allocator.service.cli.codes import ExitCode, of_error
from tests.execution.book import START, intend, order_intent, recorded


def test_second_leader_is_refused_while_the_first_lives(engine: Engine) -> None:
    with lead(engine, "desk", "one", START) as first:
        assert first.epoch == 1
        with (
            pytest.raises(NotLeaderError, match="another process leads desk"),
            lead(engine, "desk", "two", START),
        ):
            pass
        with lead(engine, "other-desk", "three", START) as other:
            assert other.epoch == 1
    with lead(engine, "desk", "two", START) as second:
        assert second.epoch == 2


def test_a_link_to_a_database_has_its_lock(lite: Engine, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere.db"
    link.symlink_to(tmp_path / "journal.db")
    other = connect(f"sqlite:///{link}")
    with (
        lead(lite, "desk", "first", START),
        pytest.raises(NotLeaderError),
        lead(other, "desk", "second", START),
    ):
        pass
    other.dispose()


def test_second_leader_ends_a_command_as_refused() -> None:
    assert of_error(NotLeaderError("NOT_LEADER")) is ExitCode.REFUSED


def test_followed_leader_can_write_nothing_more(
    engine: Engine, new_journal: Callable[[Engine], Journal]
) -> None:
    old = new_journal(engine)
    made = recorded(old, {**ORDER})
    new = new_journal(engine)
    with pytest.raises(FencedError, match="epoch=1 latest=2"):
        intend(old, made, order_intent())
    assert new.history.open_attempts() == ()
    intend(new, made, order_intent())
    assert new.history.verify() == ()
    assert {event.epoch for event in new.history.events()} == {1, 2}


ORDER = {
    "seq": 1,
    "kind": "order",
    "account": "a",
    "instrument": "alpha:BTC/USDT:USDT",
    "side": "buy",
    "quantity": "0.5",
    "limit_price": "50250",
}
