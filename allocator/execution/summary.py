"""The report of a run, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.endings import wanted
from allocator.execution.expectation import Break
from allocator.execution.filling import filled_effects
from allocator.execution.recorded import ActionRecord
from allocator.execution.report import (
    ActionReport,
    BreakReport,
    ExecutionReport,
    ExposureReport,
    RunStatus,
)
from allocator.execution.run import Run
from allocator.execution.shortfall import average_price, fees_of, slippage_of
from allocator.execution.transitions import Stage
from allocator.exposure import exposures, goals
from allocator.models.base import ZERO
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.state import State as BookState
from allocator.state import effect_of, lawful, published


def describe(action: Action) -> str:
    """Say what an action does, in one line."""
    match action:
        case Transfer():
            return f"{action.amount:f} {action.asset} {action.source} -> {action.target}"
        case Order():
            return f"{action.side} {action.quantity:f} {action.instrument} in {action.account}"
        case PositionMove():
            size = f"{action.quantity:f} {action.instrument}"
            return f"{size} {action.source} -> {action.target}"


@dataclass(slots=True)
class Course:
    """How a run went, beside what is in the journal.

    Attributes
    ----------
    why
        What ended it early.
    outside
        Accounts in which a change that is not ours was found.
    reconciled
        Whether every account could be read at the end.
    """

    began_at: datetime
    resumed: bool
    status: RunStatus = "done"
    why: str = ""
    outside: frozenset[str] = frozenset()
    breaks: Sequence[Break] = ()
    reconciled: bool = False


@lawful
def summarise(run: Run, course: Course) -> ExecutionReport:
    """Put together how a plan was carried out."""
    records = run.shell.journal.history.actions(run.plan.plan_hash)
    attempts = run.attempts()
    by_seq = {row.seq: row for row in records}
    rows = tuple(
        _action(run, action, by_seq[action.seq], [a for a in attempts if a.seq == action.seq])
        for action in run.plan.actions
    )
    return ExecutionReport(
        cycle=run.cycle_id,
        plan_hash=run.plan.plan_hash,
        status=course.status,
        replan=course.status in ("superseded", "partial"),
        why=course.why,
        actions=rows,
        exposure=_exposure(run, attempts),
        fees=published(fees_of(run.book, attempts)),
        breaks=tuple(
            BreakReport(
                account=row.account,
                what=row.what,
                expected=published(row.expected),
                tolerance=published(row.tolerance),
                seen=row.seen,
            )
            for row in course.breaks
        ),
        reconciled=course.reconciled,
        frozen=run.shell.journal.history.frozen(),
        resumed=course.resumed,
        began_at=course.began_at,
        ended_at=run.shell.clock.now(),
    )


def _action(
    run: Run, action: Action, record: ActionRecord, attempts: Sequence[Attempt]
) -> ActionReport:
    filled = sum((row.filled for row in attempts), ZERO)
    fees: dict[str, Decimal] = {}
    for row in attempts:
        for asset, fee in row.fees.items():
            fees[asset] = fees.get(asset, ZERO) + fee
    price = average_price(attempts)
    slippage = None
    if isinstance(action, Order) and price is not None:
        slippage = published(slippage_of(run.book, action, filled, price))
    measured = run.shortfalls.get(action.seq)
    return ActionReport(
        seq=action.seq,
        kind=action.kind,
        what=describe(action),
        stage=record.stage,
        state=attempts[-1].state if attempts else None,
        reason=record.reason,
        quantity=wanted(action),
        filled=filled,
        average_price=None if price is None else published(price),
        fees=fees,
        slippage=slippage,
        forecast=None if measured is None else measured.forecast,
        shortfall=None if measured is None else measured.total,
        attempts=len(attempts),
    )


def _exposure(run: Run, attempts: Sequence[Attempt]) -> dict[str, ExposureReport]:
    book = run.book
    start = BookState.start(book)
    after = _reached(run, attempts)
    effects = [effect_of(book, action) for action in run.plan.actions]
    before, now = exposures(book, start), exposures(book, after)
    planned, wanted_ = exposures(book, start.after(effects)), goals(book)
    return {
        name: ExposureReport(
            before=published(before[name]),
            after=published(now[name]),
            planned=published(planned[name]),
            target=published(wanted_[name].target),
            band=published(wanted_[name].band),
        )
        for name in sorted(before)
    }


def _reached(run: Run, attempts: Sequence[Attempt]) -> BookState:
    """Tell where the plan has led, with money under way counted as held."""
    out = BookState.start(run.book)
    for effect in filled_effects(run.book, run.plan, attempts):
        away = isinstance(effect.action, Transfer) and not effect.on_arrival
        whole = effect_of(run.book, effect.action) if away else effect
        out = out.after([whole], arrived=not away)
    return out


def outcome(records: Sequence[ActionRecord], *, gave_up: bool) -> RunStatus:
    """Tell how a plan ended as a whole."""
    if all(row.stage is Stage.DONE for row in records):
        return "done"
    return "superseded" if gave_up else "partial"
