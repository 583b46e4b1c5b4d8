from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from allocator.decide import decide
from allocator.execution.journal import Journal
from allocator.execution.replay import replay_cycle, replay_plan
from allocator.models.errors import JournalError
from allocator.presets import allocate, parsed
from allocator.whatif.reader import load_scenario

ROOT = Path(__file__).resolve().parents[2]
BOOK = load_scenario(ROOT / "scenarios" / "two-venue-delta-move.yaml")


def recorded(journal: Journal, preset: str = "") -> int:
    book = (BOOK.snapshot, BOOK.mandate)
    made = allocate(*book, parsed(preset)) if preset else decide(*book)
    cycle = journal.open_cycle("desk", "slot")
    assert cycle is not None
    journal.record_plan(cycle, made, *book)
    return cycle


@pytest.mark.parametrize("preset", ["", "net_liq"])
def test_replay_makes_the_plan_again_byte_for_byte(journal: Journal, preset: str) -> None:
    again = replay_cycle(journal.history, recorded(journal, preset))
    assert again.made.actions
    assert again.same_hash
    assert again.same_bytes


def test_a_proposed_plan_is_replayed_by_its_hash(journal: Journal) -> None:
    made = decide(BOOK.snapshot, BOOK.mandate)
    journal.propose(made, BOOK.snapshot, BOOK.mandate, "engine")
    assert replay_plan(journal.history, made.plan_hash).same_bytes


def test_replay_tells_a_mandate_that_was_changed(
    lite: Engine, new_journal: Callable[[Engine], Journal]
) -> None:
    journal = new_journal(lite)
    cycle = recorded(journal)
    with Session(lite) as session, session.begin():
        statement = "UPDATE plan SET mandate_json = replace(mandate_json, :old, :new)"
        session.execute(text(statement), {"old": '"horizon_h":"24"', "new": '"horizon_h":"25"'})
    assert not replay_cycle(journal.history, cycle).same_hash


def test_a_cycle_without_a_plan_cannot_be_replayed(journal: Journal) -> None:
    cycle = journal.open_cycle("desk", "slot")
    assert cycle is not None
    with pytest.raises(JournalError, match="NO_PLAN"):
        replay_cycle(journal.history, cycle)
    with pytest.raises(JournalError, match="NO_PLAN"):
        replay_plan(journal.history, "0" * 64)
