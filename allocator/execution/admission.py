"""What a plan must be before its first request: fresh, unchanged, released, and possible here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from allocator.execution.release import accounts_of, units_of
from allocator.execution.run import Abort, Release, Shell
from allocator.execution.slices import least_requests, leg_of, pace_of
from allocator.execution.transitions import State
from allocator.execution.whereabouts import exposed
from allocator.models.base import ZERO, plain
from allocator.models.canonical import mandate_hash, plan_hash, snapshot_hash
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import RefusedError, StaleError
from allocator.models.intents import Capabilities
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Order, Plan, PositionMove, Transfer
from allocator.models.snapshot import Snapshot
from allocator.risk import table
from allocator.risk.approvals import Standing, Verdict, person, standing, turnover_of
from allocator.risk.breaker import reduces
from allocator.risk.control import Reading, Refusal, check, judge
from allocator.risk.volume import missing_reading, worth
from allocator.state import Book, published


@dataclass(frozen=True, slots=True)
class Case:
    """A plan that asks to be let in.

    Attributes
    ----------
    proposer, approver
        Who made it, and who lets it go; None: nobody was asked.
    """

    plan: Plan
    snapshot: Snapshot
    mandate: Mandate
    proposer: str = ""
    approver: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan is let in by.

    Attributes
    ----------
    release
        Checks it independently.
    max_age_s
        Seconds its snapshot may be old where nobody had to look at it.
    """

    release: Release
    approval: ApprovalConfig
    max_age_s: Decimal


def admit(shell: Shell, case: Case, rules: Rules) -> Standing:
    """Let a plan in, or refuse it.

    Raises
    ------
    RefusedError
        With the code of the first check that it fails.
    StaleError
        When its snapshot is too old, or from the future.
    """
    plan, snapshot = case.plan, case.snapshot
    if plan.status == "refused":
        raise RefusedError("PLAN_REFUSED: the verifier did not release it")
    _check_hashes(plan, snapshot, case.mandate)
    approval = _standing(shell, case, rules.approval)
    unseen = rules.max_age_s if not approval.approvers else rules.approval.max_age_s
    _check_age(shell, snapshot, unseen)
    _check_approval(plan, approval)
    violations = rules.release(snapshot, case.mandate, plan)
    if violations:
        told = "; ".join(f"{row.code}: {row.message}" for row in violations)
        raise RefusedError(f"NOT_RELEASED: {told}")
    frozen = shell.journal.history.frozen()
    for action in plan.actions:
        _check_possible(shell, action, snapshot, frozen)
    if plan.actions:
        _check_money(shell, case)
        _check_limits(shell, case)
    return approval


def _check_money(shell: Shell, case: Case) -> None:
    """Refuse to plan an exposure of which part waits for an operator: it may be anywhere."""
    waiting = shell.journal.history.with_state(State.MANUAL)
    told = exposed(case.snapshot.assets, waiting)
    if told and not only_reduces(Book.of(case.snapshot, case.mandate), case.plan):
        raise RefusedError(f"UNCLEAR_MONEY: {told}; only plans that reduce go until it is known")


def _check_limits(shell: Shell, case: Case) -> None:
    """Hold a whole plan against the controls; requests are held against them once more."""
    plan, book = case.plan, Book.of(case.snapshot, case.mandate)
    traded = turnover_of(book, [row for row in plan.actions if not isinstance(row, Transfer)])
    missing = missing_reading(case.snapshot)
    # Without an account's equity nobody can say: as an opening it would hide a loss.
    lost = None if missing.value else _lost(shell, book)
    readings = (
        missing,
        Reading(table.TURNOVER_CYCLE, traded),
        Reading(table.ACTIONS_CYCLE, Decimal(_requests(plan, book))),
        Reading(table.DAILY_LOSS, lost, missing.subject),
    )
    refusals = judge(readings, shell.controls)
    excused = [row for row in refusals if _excused(row)] if only_reduces(book, plan) else []
    held = [row for row in refusals if row not in excused]
    shell.journal.refuse_plan(plan.plan_hash, held)
    # A loss does not end the day: it latches, and the breaker lets reductions through.
    blocking = [row for row in held if not row.control.latches or None in (row.value, row.limit)]
    if blocking:
        advice = _advice(blocking, missing.subject, book.policy.max_slice)
        raise RefusedError("; ".join((*map(str, blocking), *advice)))
    if excused:
        shell.journal.note(
            f"plan:{plan.plan_hash}",
            "let_through",
            controls=[row.control.id for row in excused],
            why=[str(row) for row in excused],
            unread=missing.subject,
        )


def only_reduces(book: Book, plan: Plan) -> bool:
    """Whether a breaker of reductions would let all of a plan go, in accounts that were read."""
    return all(
        reduces(book, row) and not any(book.accounts[name].unread for name in accounts_of(row))
        for row in plan.actions
    )


def _excused(refusal: Refusal) -> bool:
    """Whether plans that only reduce go all the same: held up they would leave more at risk.

    Of a loss that is known its breaker decides, and a limit that nobody set excuses nothing.
    """
    unknown = refusal.control is table.DAILY_LOSS and refusal.value is None
    excusable = unknown or refusal.control in (table.MISSING, table.ACTIONS_CYCLE)
    return excusable and refusal.limit is not None


def _advice(blocking: Iterable[Refusal], unread: str, max_slice: Decimal) -> Iterator[str]:
    """Tell what to do about what stands in a plan's way."""
    found = {row.control: row for row in blocking}
    if unread and found.keys() & {table.MISSING, table.DAILY_LOSS}:
        yield (
            f"not read: {unread}; only plans that reduce go until it is: see why with `allocator "
            "doctor`, or take the account out of the configuration and tell what left with it "
            "with `allocator paid`"
        )
    row = found.get(table.ACTIONS_CYCLE)
    if row is not None and None not in (row.value, row.limit):
        yield (
            f"the plan needs {plain(row.value or ZERO)} requests in slices of "
            f"max_slice={plain(max_slice)}; raise it or actions_cycle={plain(row.limit or ZERO)}"
        )


def _requests(plan: Plan, book: Book) -> int:
    """Count the least requests that a plan takes: as many as it has slices, transfers and moves."""
    count = 0
    for unit in units_of(plan):
        count += len(unit.actions) - len(unit.orders)
        legs = [leg_of(book, order) for order in unit.orders]
        if legs:
            held = {leg.order.seq: _held(book, leg.order) for leg in legs}
            count += least_requests(pace_of(legs, book.policy.max_slice), held)
    return count


def _held(book: Book, order: Order) -> Decimal:
    row = book.accounts[order.account].positions.get(order.instrument)
    return ZERO if row is None else row.net


def _lost(shell: Shell, book: Book) -> Decimal:
    """Tell what the book has lost since the day's first plan, numeraire; this may be the first."""
    equity, today = published(worth(book)), f"{shell.clock.now():%Y-%m-%d}"
    return shell.journal.opening(shell.journal.lease.name, today, equity) - equity


def _standing(shell: Shell, case: Case, config: ApprovalConfig) -> Standing:
    """Put stored verdicts and whoever lets the plan go here and now together."""
    plan, who, now = case.plan, case.approver, shell.clock.now()
    verdicts = list(shell.journal.history.verdicts(plan.plan_hash))
    if who is not None:
        if not person(who) or person(who) == person(case.proposer):
            raise RefusedError(f"SAME_EYES: proposer={case.proposer} approver={who}")
        if person(who) not in {person(row.who) for row in verdicts if row.verdict != "retracted"}:
            verdicts.append(Verdict(plan.plan_hash, who, "approved", "", now))
    return standing(Book.of(case.snapshot, case.mandate), plan, verdicts, config, now)


def still_approved(shell: Shell, case: Case, rules: Rules) -> Standing:
    """Check that nobody has taken an approval back or rejected the plan since it was let in.

    Ask once the plan is on record: from then on nobody can.

    Raises
    ------
    Abort
        When somebody has.
    """
    now = _standing(shell, case, rules.approval)
    if case.plan.actions and (now.rejected_by or len(now.approvers) < now.needed):
        people = ", ".join(now.approvers) or "nobody"
        rejected = ", ".join(now.rejected_by) or "nobody"
        raise Abort(
            f"NOT_APPROVED: needed={now.needed} approved_by={people} rejected_by={rejected}, "
            "before it began"
        )
    return now


def _check_approval(plan: Plan, approval: Standing) -> None:
    if plan.actions and not approval.may_go:
        people = ", ".join(approval.approvers) or "nobody"
        raise RefusedError(
            f"NOT_APPROVED: status={approval.status} needed={approval.needed} "
            f"turnover={plain(approval.turnover)} approved_by={people}"
        )


def _check_hashes(plan: Plan, snapshot: Snapshot, mandate: Mandate) -> None:
    for what, told, found in (
        ("plan", plan.plan_hash, plan_hash(plan)),
        ("snapshot", plan.snapshot_hash, snapshot_hash(snapshot)),
        ("mandate", plan.mandate_hash, mandate_hash(mandate)),
    ):
        if told != found:
            raise RefusedError(f"HASH_DIFFERS: what={what} told={told} found={found}")


def _check_age(shell: Shell, snapshot: Snapshot, max_age_s: Decimal) -> None:
    age = Decimal(str((shell.clock.now() - snapshot.as_of).total_seconds()))
    refusal = check(Reading(table.SNAPSHOT_AGE, age), max_age_s)
    if refusal is not None or age < -shell.clock_skew_s:
        raise StaleError(str(refusal or f"SNAPSHOT_AGE: from the future, age_s={age}"))


def _check_possible(
    shell: Shell, action: Action, snapshot: Snapshot, frozen: dict[str, str]
) -> None:
    accounts = (action.account,) if isinstance(action, Order) else (action.source, action.target)
    for name in accounts:
        shell.venue(name)
        if name in frozen:
            raise RefusedError(
                f"FROZEN: account={name} reason={frozen[name]}; "
                "`allocator resolve` lists what is to be resolved"
            )
    if not _can(shell.venue(accounts[0]).capabilities, action, snapshot):
        raise RefusedError(f"NOT_SUPPORTED: seq={action.seq} kind={action.kind}")


def _can(able: Capabilities, action: Action, snapshot: Snapshot) -> bool:
    match action:
        case Order():
            return able.orders
        case PositionMove():
            return able.moves
        case Transfer():
            internal = snapshot.route[action.route].kind == "internal"
            return able.transfers if internal else able.withdrawals
