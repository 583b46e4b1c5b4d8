"""The states of an attempt and of an action, and every legal way between them. Pure.

An *attempt* is one request to a venue: a whole transfer or move, or one slice of an order. An
*action* is one line of the plan; an order that is sliced has many attempts.

::

    attempt        CHECKED -> SENDING -> ACKED | REJECTED | UNKNOWN
    order          ACKED -> OPEN <-> PARTIAL -> FILLED | CANCELLED | EXPIRED
    transfer       ACKED -> IN_TRANSIT -> SETTLED | RETURNED
    position move  ACKED -> SETTLED | REJECTED
    UNKNOWN -> ACKED and what follows it | NOT_EXECUTED | MANUAL
    MANUAL  -> an end, by an operator

    action         PLANNED -> CHECKED -> (APPROVED) -> WORKING -> DONE | PART_DONE | FAILED | MANUAL
                   anything before WORKING -> SUPERSEDED

Something that was seen and whose end cannot be learned in time goes to MANUAL as well: it is
never taken for ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Literal, assert_never

from allocator.models.errors import JournalError
from allocator.models.intents import Ack, Found, FoundState, Outcome, Rejected, Unknown

Kind = Literal["order", "transfer", "move"]


class State(StrEnum):
    """Where an attempt stands."""

    CHECKED = "checked"
    SENDING = "sending"
    ACKED = "acked"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    IN_TRANSIT = "in_transit"
    SETTLED = "settled"
    RETURNED = "returned"
    NOT_EXECUTED = "not_executed"
    MANUAL = "manual"
    SUPERSEDED = "superseded"


class Stage(StrEnum):
    """Where an action of the plan stands."""

    PLANNED = "planned"
    CHECKED = "checked"
    APPROVED = "approved"
    WORKING = "working"
    DONE = "done"
    PART_DONE = "part_done"
    FAILED = "failed"
    MANUAL = "manual"
    SUPERSEDED = "superseded"


class IllegalTransitionError(JournalError):
    """A step that the state machine does not have."""

    code = "ILLEGAL_TRANSITION"


S = State

_ENDS: Mapping[Kind, frozenset[State]] = {
    "order": frozenset({S.FILLED, S.CANCELLED, S.EXPIRED}),
    "transfer": frozenset({S.SETTLED, S.RETURNED}),
    "move": frozenset({S.SETTLED, S.REJECTED}),
}
_UNDER_WAY: Mapping[Kind, frozenset[State]] = {
    "order": frozenset({S.OPEN, S.PARTIAL}),
    "transfer": frozenset({S.IN_TRANSIT}),
    "move": frozenset(),
}

FINAL = frozenset(
    {
        S.REJECTED,
        S.FILLED,
        S.CANCELLED,
        S.EXPIRED,
        S.SETTLED,
        S.RETURNED,
        S.NOT_EXECUTED,
        S.SUPERSEDED,
    }
)
"""Nothing follows these."""

OPEN_STATES = frozenset(State) - FINAL - {S.CHECKED, S.MANUAL}
"""Something was or may have been sent, and its end is not known yet."""

_STAGE_ENDS = frozenset({Stage.DONE, Stage.PART_DONE, Stage.FAILED})


def _table(kind: Kind) -> Mapping[State, frozenset[State]]:
    ends, under_way = _ENDS[kind], _UNDER_WAY[kind]
    seen = under_way | ends | {S.MANUAL}
    table = {
        S.CHECKED: frozenset({S.SENDING, S.SUPERSEDED}),
        S.SENDING: frozenset({S.ACKED, S.REJECTED, S.UNKNOWN}),
        S.ACKED: seen,
        S.UNKNOWN: seen | {S.ACKED, S.NOT_EXECUTED},
        # To a person, what a venue rejected is what was never made.
        S.MANUAL: ends - {S.REJECTED} | {S.NOT_EXECUTED},
    }
    return table | dict.fromkeys(under_way, seen)


_ATTEMPT: Mapping[Kind, Mapping[State, frozenset[State]]] = {
    "order": _table("order"),
    "transfer": _table("transfer"),
    "move": _table("move"),
}
_STAGE: Mapping[Stage, frozenset[Stage]] = {
    Stage.PLANNED: frozenset({Stage.CHECKED, Stage.SUPERSEDED}),
    Stage.CHECKED: frozenset({Stage.APPROVED, Stage.WORKING, Stage.SUPERSEDED}),
    Stage.APPROVED: frozenset({Stage.WORKING, Stage.SUPERSEDED}),
    Stage.WORKING: _STAGE_ENDS | {Stage.MANUAL},
    Stage.MANUAL: _STAGE_ENDS,
}


def successors(kind: Kind, state: State) -> frozenset[State]:
    """Tell which states may follow; a state under way may be confirmed again."""
    return _ATTEMPT[kind].get(state, frozenset())


def next_stages(stage: Stage) -> frozenset[Stage]:
    """Tell which stages of an action may follow."""
    return _STAGE.get(stage, frozenset())


def advance(kind: Kind, state: State, to: State) -> State:
    """Step an attempt.

    Raises
    ------
    IllegalTransitionError
        If the step is not in the table.
    """
    if to not in successors(kind, state):
        raise IllegalTransitionError(f"ILLEGAL_TRANSITION: kind={kind} from={state} to={to}")
    return to


def advance_stage(stage: Stage, to: Stage) -> Stage:
    """Step an action of the plan.

    Raises
    ------
    IllegalTransitionError
        If the step is not in the table.
    """
    if to not in next_stages(stage):
        raise IllegalTransitionError(f"ILLEGAL_TRANSITION: action from={stage} to={to}")
    return to


def of_outcome(outcome: Outcome) -> State:
    """Translate what a venue answered to a request."""
    match outcome:
        case Ack():
            return S.ACKED
        case Rejected():
            return S.REJECTED
        case Unknown():
            return S.UNKNOWN
        case _:
            assert_never(outcome)


_OF_FOUND: Mapping[FoundState, State] = {
    "open": S.OPEN,
    "partial": S.PARTIAL,
    "filled": S.FILLED,
    "cancelled": S.CANCELLED,
    "in_transit": S.IN_TRANSIT,
    "settled": S.SETTLED,
    "returned": S.RETURNED,
    "rejected": S.REJECTED,
}


def of_found(kind: Kind, found: Found, quantity: Decimal, known: Decimal) -> State:
    """Translate what a venue says of an attempt, and refuse what cannot be.

    Parameters
    ----------
    quantity
        What was asked for, contracts or asset units.
    known
        What was known to be filled before; fills are never taken back.

    Raises
    ------
    IllegalTransitionError
        For a state that this kind of action does not have.
    JournalError
        For fills beyond the request, fewer than before, or at odds with the state.
    """
    state = _OF_FOUND[found.state]
    if kind == "move" and found.state == "filled":
        state = S.SETTLED
    if state not in _ENDS[kind] | _UNDER_WAY[kind]:
        raise IllegalTransitionError(f"ILLEGAL_TRANSITION: kind={kind} found={found.state}")
    if kind == "order":
        _check_fills(state, found.filled, quantity, known)
    if state is S.REJECTED and found.filled:
        raise JournalError(f"REJECTED_WITH_FILLS: filled={found.filled}")
    return state


def _check_fills(state: State, filled: Decimal, quantity: Decimal, known: Decimal) -> None:
    if filled > quantity:
        raise JournalError(f"OVERFILLED: filled={filled} quantity={quantity}")
    if filled < known:
        raise JournalError(f"FILLS_TAKEN_BACK: filled={filled} known={known}")
    if state is S.FILLED and filled != quantity:
        raise JournalError(f"FILLED_IN_PART: filled={filled} quantity={quantity}")
    if state is S.OPEN and filled:
        raise JournalError(f"OPEN_WITH_FILLS: filled={filled}")
