"""How an action of the plan ended, by its attempts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlmodel import col, select

from allocator.execution.attempts import Attempt
from allocator.execution.entries import Entry, action_rows, attempts_of, keep_figures, step_action
from allocator.execution.recorded import measured_record
from allocator.execution.run import Run
from allocator.execution.shortfall import measured_again, shortfalls
from allocator.execution.transitions import Stage, State
from allocator.models.base import ZERO, plain
from allocator.models.plan import Action, Order, Plan, Transfer
from allocator.models.records import ShortfallRow
from allocator.state import Book


def wanted(action: Action) -> Decimal:
    """Tell what an action is to do: contracts, or asset units."""
    return action.amount if isinstance(action, Transfer) else action.quantity


def ending(action: Action, attempts: Sequence[Attempt]) -> tuple[Stage, str]:
    """Tell the stage that an action has reached, and why; WORKING while something is open."""
    states = {row.state for row in attempts}
    reasons = [row.reason for row in attempts if row.reason]
    why = reasons[-1] if reasons else ""
    if State.MANUAL in states:
        return Stage.MANUAL, why
    if not all(row.final for row in attempts):
        return Stage.WORKING, ""
    if isinstance(action, Order):
        return _of_order(action, sum((row.filled for row in attempts), ZERO), why)
    return (Stage.DONE, "") if State.SETTLED in states else (Stage.FAILED, why or "returned")


def _of_order(action: Order, filled: Decimal, why: str) -> tuple[Stage, str]:
    if filled == action.quantity:
        return Stage.DONE, ""
    rest = f"{plain(action.quantity - filled)} of {plain(action.quantity)} not filled"
    return (Stage.PART_DONE if filled else Stage.FAILED), (f"{rest}: {why}" if why else rest)


def measure_again(entry: Entry, book: Book, plan: Plan, attempts: Sequence[Attempt]) -> None:
    """Measure an action that ended after its plan did; one that did not is measured with it."""
    seqs = {row.seq for row in attempts}
    query = select(ShortfallRow).where(
        ShortfallRow.plan_hash == plan.plan_hash, col(ShortfallRow.seq).in_(seqs)
    )
    before = {row.seq: measured_record(row).figures for row in entry.session.exec(query)}
    if not before:
        # What a figure costs grows with the plan, and most of its actions end before it does.
        return
    for now in shortfalls(book, plan, attempts, {}):
        if now.seq in before:
            again = measured_again(plan, now, before[now.seq])
            keep_figures(entry, plan.plan_hash, [again])


def close(run: Run, action: Action, why: str = "") -> Stage:
    """Write down how an action ended, if it has."""
    stage, _ = ending(action, run.attempts(action.seq))
    if stage is Stage.WORKING or run.stages()[action.seq] is not Stage.WORKING:
        return stage
    # An operator may end an attempt and its action at any time: what both are now is read and
    # stepped in one transaction.
    with run.shell.journal.write() as entry:
        attempts = attempts_of(entry.session, run.plan.plan_hash, action.seq)
        stage, told = ending(action, attempts)
        # What ended the plan may be this very action, and tell the same.
        more = "" if stage is Stage.DONE or (told and told in why) else why
        note = "; ".join(filter(None, (told, more)))
        for row in action_rows(entry.session, run.plan.plan_hash, [action.seq]):
            if row.stage == Stage.WORKING:
                step_action(entry, row, stage, note)
                measure_again(entry, run.book, run.plan, attempts)
    for attempt in attempts:
        run.keep(attempt)
    run.note_stage([action.seq], stage)
    run.tell_stage(action, stage, note)
    return stage
