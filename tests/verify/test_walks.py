"""The check of prefixes against prefixes replayed by the law, on books of every kind."""

from __future__ import annotations

import random

import pytest

from allocator.models.plan import Action
from allocator.models.scenario import Scenario
from allocator.state import Book
from allocator.verify import broken_prefixes, prefixes
from allocator.verify.steps import topology_violations
from tests.books import FLAVOURS, random_book
from tests.plan.walks import Law, prefix_states
from tests.random_plans import random_actions


def plans(flavour: str) -> list[tuple[Book, list[Action]]]:
    out = list[tuple[Book, list[Action]]]()
    for seed in range(8):
        scenario = Scenario.model_validate(random_book(seed, flavour))
        book = Book.of(scenario.snapshot, scenario.mandate)
        actions = random_actions(random.Random(f"walk {flavour} {seed}"), book, 5)
        if actions and not topology_violations(actions):
            out.append((book, actions))
    return out


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_prefix_breaks_what_is_not_reported(flavour: str) -> None:
    for book, actions in plans(flavour):
        found = {f"{row.rule.code} {row.rule.name}" for row in broken_prefixes(book, actions)}
        law = Law(book, actions)
        found |= set(law.broken(law.start.after(law.effects)))  # the end is judged by itself
        for state in prefix_states(law, actions):
            assert set(law.broken(state)) <= found


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_bound_reports_all_that_enumeration_does(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for book, actions in plans(flavour):
        exact = {(row.rule.code, row.rule.name) for row in broken_prefixes(book, actions)}
        with monkeypatch.context() as patch:
            patch.setattr(prefixes, "MOST_STEPS", 0)
            bounded = {(row.rule.code, row.rule.name) for row in broken_prefixes(book, actions)}
        assert exact <= bounded
