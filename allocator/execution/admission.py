"""What a plan must be before its first request: fresh, unchanged, released, and possible here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.execution.run import Release, Shell
from allocator.models.canonical import mandate_hash, plan_hash, snapshot_hash
from allocator.models.errors import RefusedError, StaleError
from allocator.models.intents import Capabilities
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Order, Plan, PositionMove, Transfer
from allocator.models.snapshot import Snapshot


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


def admit(shell: Shell, case: Case, release: Release, max_age_s: Decimal) -> None:
    """Let a plan in, or refuse it.

    Raises
    ------
    RefusedError
        With the code of the first check that it fails.
    StaleError
        When its snapshot is too old, or from the future.
    """
    plan, snapshot = case.plan, case.snapshot
    _check_approval(case)
    _check_hashes(plan, snapshot, case.mandate)
    _check_age(shell, snapshot, max_age_s)
    violations = release(snapshot, case.mandate, plan)
    if violations:
        told = "; ".join(f"{row.code}: {row.message}" for row in violations)
        raise RefusedError(f"NOT_RELEASED: {told}")
    frozen = shell.journal.history.frozen()
    for action in plan.actions:
        _check_possible(shell, action, snapshot, frozen)


def _check_approval(case: Case) -> None:
    plan, approver = case.plan, case.approver
    if plan.status == "refused":
        raise RefusedError("PLAN_REFUSED: the verifier did not release it")
    if plan.status == "infeasible" and plan.actions and approver is None:
        raise RefusedError("NOT_APPROVED: a plan that leaves something broken needs an approver")
    if approver is not None and (not approver.strip() or approver == case.proposer):
        raise RefusedError(f"SAME_EYES: proposer={case.proposer} approver={approver}")


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
    if age > max_age_s or age < -shell.clock_skew_s:
        raise StaleError(f"SNAPSHOT_AGE: age_s={age} max_age_s={max_age_s}")


def _check_possible(
    shell: Shell, action: Action, snapshot: Snapshot, frozen: dict[str, str]
) -> None:
    accounts = (action.account,) if isinstance(action, Order) else (action.source, action.target)
    for name in accounts:
        shell.venue(name)
        if name in frozen:
            raise RefusedError(f"FROZEN: account={name} reason={frozen[name]}")
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
