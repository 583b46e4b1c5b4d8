from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from allocator.execution.transitions import (
    FINAL,
    OPEN_STATES,
    IllegalTransitionError,
    Kind,
    Stage,
    State,
    advance,
    advance_stage,
    next_stages,
    of_found,
    of_outcome,
    successors,
)
from allocator.models.errors import JournalError
from allocator.models.intents import Ack, Found, Rejected, Unknown

KINDS: tuple[Kind, ...] = ("order", "transfer", "move")
S = State

LEGAL = {
    ("order", S.CHECKED): {S.SENDING, S.SUPERSEDED},
    ("order", S.SENDING): {S.ACKED, S.REJECTED, S.UNKNOWN},
    ("order", S.ACKED): {S.OPEN, S.PARTIAL, S.FILLED, S.CANCELLED, S.EXPIRED, S.MANUAL},
    ("order", S.OPEN): {S.OPEN, S.PARTIAL, S.FILLED, S.CANCELLED, S.EXPIRED, S.MANUAL},
    ("order", S.PARTIAL): {S.OPEN, S.PARTIAL, S.FILLED, S.CANCELLED, S.EXPIRED, S.MANUAL},
    ("order", S.UNKNOWN): {
        S.ACKED,
        S.OPEN,
        S.PARTIAL,
        S.FILLED,
        S.CANCELLED,
        S.EXPIRED,
        S.NOT_EXECUTED,
        S.MANUAL,
    },
    ("order", S.MANUAL): {S.FILLED, S.CANCELLED, S.EXPIRED, S.NOT_EXECUTED},
    ("transfer", S.CHECKED): {S.SENDING, S.SUPERSEDED},
    ("transfer", S.SENDING): {S.ACKED, S.REJECTED, S.UNKNOWN},
    ("transfer", S.ACKED): {S.IN_TRANSIT, S.SETTLED, S.RETURNED, S.MANUAL},
    ("transfer", S.IN_TRANSIT): {S.IN_TRANSIT, S.SETTLED, S.RETURNED, S.MANUAL},
    ("transfer", S.UNKNOWN): {
        S.ACKED,
        S.IN_TRANSIT,
        S.SETTLED,
        S.RETURNED,
        S.NOT_EXECUTED,
        S.MANUAL,
    },
    ("transfer", S.MANUAL): {S.SETTLED, S.RETURNED, S.NOT_EXECUTED},
    ("move", S.CHECKED): {S.SENDING, S.SUPERSEDED},
    ("move", S.SENDING): {S.ACKED, S.REJECTED, S.UNKNOWN},
    ("move", S.ACKED): {S.SETTLED, S.REJECTED, S.MANUAL},
    ("move", S.UNKNOWN): {S.ACKED, S.SETTLED, S.REJECTED, S.NOT_EXECUTED, S.MANUAL},
    ("move", S.MANUAL): {S.SETTLED, S.NOT_EXECUTED},
}
STAGES = {
    Stage.PLANNED: {Stage.CHECKED, Stage.SUPERSEDED},
    Stage.CHECKED: {Stage.APPROVED, Stage.WORKING, Stage.SUPERSEDED},
    Stage.APPROVED: {Stage.WORKING, Stage.SUPERSEDED},
    Stage.WORKING: {Stage.DONE, Stage.PART_DONE, Stage.FAILED, Stage.MANUAL},
    Stage.MANUAL: {Stage.DONE, Stage.PART_DONE, Stage.FAILED},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_in_the_table_or_refused(kind: Kind) -> None:
    for state, to in itertools.product(State, State):
        if to in LEGAL.get((kind, state), set()):
            assert advance(kind, state, to) is to
        else:
            with pytest.raises(IllegalTransitionError, match=f"from={state} to={to}"):
                advance(kind, state, to)


def test_every_stage_follows_the_table_or_is_refused() -> None:
    for stage, to in itertools.product(Stage, Stage):
        if to in STAGES.get(stage, set()):
            assert advance_stage(stage, to) is to
        else:
            with pytest.raises(IllegalTransitionError, match=f"from={stage} to={to}"):
                advance_stage(stage, to)
        assert next_stages(stage) == STAGES.get(stage, set())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_follows_an_end(kind: Kind) -> None:
    for state in FINAL:
        assert not successors(kind, state)


def test_open_states_are_those_whose_end_is_not_known() -> None:
    assert {S.SENDING, S.ACKED, S.UNKNOWN, S.OPEN, S.PARTIAL, S.IN_TRANSIT} == OPEN_STATES


def test_only_a_definitive_answer_rejects() -> None:
    assert of_outcome(Ack(venue_id="1")) is S.ACKED
    assert of_outcome(Rejected(code="1", message="")) is S.REJECTED
    assert of_outcome(Unknown(why="timeout")) is S.UNKNOWN


ONE, TWO = Decimal(1), Decimal(2)


@pytest.mark.parametrize(
    ("state", "filled", "known", "out"),
    [
        ("open", "0", "0", S.OPEN),
        ("partial", "1", "0", S.PARTIAL),
        ("partial", "1", "1", S.PARTIAL),
        ("filled", "2", "1", S.FILLED),
        ("cancelled", "0", "0", S.CANCELLED),
        ("cancelled", "1.9", "1.9", S.CANCELLED),
    ],
)
def test_order_takes_the_state_that_the_venue_tells(
    state: str, filled: str, known: str, out: State
) -> None:
    found = Found.model_validate({"venue_id": "v", "state": state, "filled": filled})
    assert of_found("order", found, TWO, Decimal(known)) is out


@pytest.mark.parametrize(
    ("state", "filled", "known", "code"),
    [
        ("partial", "2.1", "0", "OVERFILLED"),
        ("cancelled", "0.9", "1", "FILLS_TAKEN_BACK"),
        ("filled", "1.9", "0", "FILLED_IN_PART"),
        ("open", "1", "0", "OPEN_WITH_FILLS"),
    ],
)
def test_fills_that_contradict_the_request_are_refused(
    state: str, filled: str, known: str, code: str
) -> None:
    found = Found.model_validate({"venue_id": "v", "state": state, "filled": filled})
    with pytest.raises(JournalError, match=code):
        of_found("order", found, TWO, Decimal(known))


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("order", "settled"),
        ("order", "in_transit"),
        ("transfer", "filled"),
        ("transfer", "open"),
        ("order", "rejected"),
        ("transfer", "rejected"),
        ("move", "returned"),
        ("move", "in_transit"),
    ],
)
def test_states_of_another_kind_are_refused(kind: Kind, state: str) -> None:
    found = Found.model_validate({"venue_id": "v", "state": state})
    with pytest.raises(IllegalTransitionError, match=f"kind={kind} found={state}"):
        of_found(kind, found, ONE, Decimal(0))


def test_transfer_and_move_take_their_own_states() -> None:
    for state in ("in_transit", "settled", "returned"):
        found = Found.model_validate({"venue_id": "v", "state": state})
        assert of_found("transfer", found, ONE, Decimal(0)) == state
    for state in ("settled", "filled"):
        found = Found.model_validate({"venue_id": "v", "state": state})
        assert of_found("move", found, ONE, Decimal(0)) is S.SETTLED
    found = Found.model_validate({"venue_id": "v", "state": "rejected"})
    assert of_found("move", found, ONE, Decimal(0)) is S.REJECTED


def test_a_move_that_is_told_as_rejected_moved_nothing() -> None:
    found = Found.model_validate({"venue_id": "v", "state": "rejected", "filled": "0.1"})
    with pytest.raises(JournalError, match="REJECTED_WITH_FILLS"):
        of_found("move", found, ONE, Decimal(0))


@given(st.sampled_from(KINDS), st.lists(st.sampled_from(State), max_size=30))
def test_an_end_is_reached_at_most_once(kind: Kind, walk: list[State]) -> None:
    state, ends, sent = S.CHECKED, 0, 0
    for to in walk:
        if to in successors(kind, state):
            state = advance(kind, state, to)
            ends += state in FINAL
            sent += state is S.SENDING
    assert ends <= 1
    assert sent <= 1


class Walk(RuleBasedStateMachine):
    """Any legal walk of an attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.kind: Kind = "order"
        self.trail = [S.CHECKED]

    @rule(kind=st.sampled_from(KINDS))
    def restart(self, kind: Kind) -> None:
        self.kind, self.trail = kind, [S.CHECKED]

    @rule(to=st.sampled_from(State))
    def step(self, to: State) -> None:
        if to in successors(self.kind, self.trail[-1]):
            self.trail.append(advance(self.kind, self.trail[-1], to))

    @invariant()
    def sent_once(self) -> None:
        assert self.trail.count(S.SENDING) <= 1

    @invariant()
    def nothing_is_known_before_it_is_sent(self) -> None:
        if self.trail[-1] not in (S.CHECKED, S.SUPERSEDED):
            assert self.trail[1] is S.SENDING

    @invariant()
    def never_executed_after_it_was_found(self) -> None:
        seen = {S.ACKED, S.OPEN, S.PARTIAL, S.IN_TRANSIT}
        if self.trail[-1] is S.NOT_EXECUTED and S.MANUAL not in self.trail:
            assert not seen & set(self.trail)


TestWalk = Walk.TestCase
