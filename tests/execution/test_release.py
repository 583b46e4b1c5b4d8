from __future__ import annotations

from typing import Any

from allocator.execution.release import ready, units_of
from allocator.execution.transitions import Stage
from allocator.models.plan import Plan
from tests.execution.book import order, plan, transfer


def made() -> Plan:
    return plan(
        order(1, "a", "buy", "0.1"),
        order(2, "b", "sell", "0.1", reduce_only=True),
        transfer(3, "10"),
        order(4, "a", "sell", "0.1", group="g", after=[3]),
        order(5, "b", "buy", "0.1", group="g", after=[1]),
        {"seq": 6, "kind": "move", "from": "a", "to": "b", "instrument": "i", "quantity": "1"},
    )


def seqs(stages: dict[int, Stage] | None = None, **over: Any) -> list[tuple[int, ...]]:
    now = dict.fromkeys(range(1, 7), Stage.CHECKED) | (stages or {})
    return [unit.seqs for unit in ready(made(), now)]


def test_group_is_one_unit_that_waits_for_all_its_members_wait_for() -> None:
    group = next(unit for unit in units_of(made()) if len(unit.actions) == 2)
    assert group.seqs == (4, 5)
    assert group.after == {1, 3}
    assert group.accounts == {"a", "b"}


def test_money_goes_first_then_moves_then_what_reduces_risk() -> None:
    assert seqs() == [(3,), (6,), (2,), (1,)]


def test_group_goes_once_everything_it_waits_for_ended_well() -> None:
    assert (4, 5) not in seqs({3: Stage.DONE})
    assert (4, 5) not in seqs({3: Stage.DONE, 1: Stage.PART_DONE})
    assert (4, 5) in seqs({3: Stage.DONE, 1: Stage.DONE})


def test_what_was_begun_goes_before_all_else() -> None:
    assert seqs({1: Stage.DONE, 3: Stage.DONE, 4: Stage.WORKING})[0] == (4, 5)
    assert seqs({1: Stage.DONE, 3: Stage.DONE, 4: Stage.WORKING, 5: Stage.DONE})[0] == (4, 5)


def test_what_ended_does_not_go_again() -> None:
    for stage in (Stage.PART_DONE, Stage.FAILED, Stage.MANUAL, Stage.SUPERSEDED, Stage.PLANNED):
        assert (4, 5) not in seqs({1: Stage.DONE, 3: Stage.DONE, 4: stage})
        assert (3,) not in seqs({3: stage})
    assert (3,) not in seqs({3: Stage.WORKING})
    assert (4, 5) not in seqs({n: Stage.DONE for n in (1, 3, 4, 5)})


def test_approved_actions_go() -> None:
    assert (3,) in seqs({3: Stage.APPROVED})
