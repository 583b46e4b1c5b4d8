"""What a plan claims, against what it is: figures, certificate, status, hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from allocator.models.base import ONE
from allocator.models.canonical import plan_hash
from allocator.models.plan import (
    COST_PARTS,
    AccountState,
    Certificate,
    Cost,
    Exposure,
    Plan,
    Violation,
)
from allocator.state import Book
from allocator.verify.blocks import PlanBlocks, Shortfall
from allocator.verify.faces import NOISE

ABSOLUTE = Decimal("0.01")
RELATIVE = Decimal("0.000001")
RELATIVE_GAP = Decimal("0.00001")
REPAIRED = Decimal("0.01")
"""S up to which nothing counts as missing, numeraire."""
CLAIMED_S = ONE
"""By how much a claimed S may be off, numeraire."""


def near(claimed: Decimal | None, true: Decimal | None) -> bool:
    """Tell whether a claim is within a cent or a millionth; None is near None alone."""
    if claimed is None or true is None:
        return claimed is true
    return abs(claimed - true) <= max(ABSOLUTE, RELATIVE * abs(true))


def hash_violations(book: Book, plan: Plan) -> Iterator[Violation]:
    """Check that the plan was made for this snapshot and mandate, and hashes to what it says."""
    true = {
        "snapshot_hash": book.snapshot_hash,
        "mandate_hash": book.mandate_hash,
        "plan_hash": plan_hash(plan),
    }
    for name, value in true.items():
        claimed = getattr(plan, name)
        if claimed != value:
            text = f"plan says {claimed or 'nothing'}, it is {value}"
            yield Violation(code=name, message=text)


def figure_violations(plan: Plan, true: PlanBlocks, acting: set[str]) -> Iterator[Violation]:
    """Check the cost, exposure and accounts blocks."""
    for name in (*COST_PARTS, "total", "do_nothing"):
        yield from _differ("cost", name, getattr(plan.cost, name), getattr(true.cost, name))
    yield from _exposures(plan.exposure, true.exposure)
    for name in sorted(acting - set(plan.accounts)):
        yield Violation(code="accounts", message=f"{name} is missing")
    for name, claims in plan.accounts.items():
        if name not in true.accounts:
            yield Violation(code="accounts", message=f"{name} is not in the snapshot")
        else:
            yield from _account(name, claims, true.accounts[name])


def _exposures(claims: Mapping[str, Exposure], true: Mapping[str, Exposure]) -> Iterator[Violation]:
    for name in sorted(set(claims) - set(true)):
        yield Violation(code="exposure", message=f"{name} is no underlying of the book")
    for name, row in true.items():
        if name not in claims:
            yield Violation(code="exposure", message=f"{name} is missing")
            continue
        for key in ("before", "after", "target", "band"):
            claimed = getattr(claims[name], key)
            yield from _differ("exposure", f"{name} {key}", claimed, getattr(row, key))


REQUIRED = (
    "equity_before",
    "equity_after",
    "initial_margin_after",
    "maintenance_margin_after",
    "margin_ratio_after",
)
OPTIONAL = ("initial_margin_before", "maintenance_margin_before", "margin_ratio_before")


def _account(name: str, claims: AccountState, true: AccountState) -> Iterator[Violation]:
    for key in REQUIRED:
        yield from _differ("accounts", f"{name} {key}", getattr(claims, key), getattr(true, key))
    for key in OPTIONAL:
        if getattr(claims, key) is not None:
            claimed, value = getattr(claims, key), getattr(true, key)
            yield from _differ("accounts", f"{name} {key}", claimed, value)
    distances: Mapping[str, Decimal | None] = true.liquidation_distance_after
    for underlying, claimed in claims.liquidation_distance_after.items():
        value = distances.get(underlying)
        apart = claimed is not value and (
            claimed is None or value is None or abs(claimed - value) > RELATIVE
        )
        if apart:
            text = f"{name} liquidation distance {underlying}: plan says {claimed}, it is {value}"
            yield Violation(code="accounts", message=text)


def _differ(
    code: str, what: str, claimed: Decimal | None, true: Decimal | None
) -> Iterator[Violation]:
    if not near(claimed, true):
        yield Violation(code=code, message=f"{what}: plan says {claimed}, it is {true}")


def certificate_violations(plan: Plan, true: PlanBlocks) -> Iterator[Violation]:
    """Check that bound, gap and shortfall fit the recomputed cost; a preset proves nothing."""
    certificate = plan.certificate
    if certificate is None:
        if plan.status != "refused" and not plan.preset:
            yield Violation(code="certificate", message="there is none")
        return
    if plan.preset:
        yield Violation(code="certificate", message=f"the preset {plan.preset} cannot have one")
    for text in _certificate(certificate, true.cost, true.after.total):
        yield Violation(code="certificate", message=text)


def _certificate(claims: Certificate, cost: Cost, missing: Decimal) -> Iterator[str]:
    gap = cost.total - claims.lower_bound
    if gap < -max(ABSOLUTE, RELATIVE * abs(cost.total)):
        yield f"lower_bound {claims.lower_bound} is above the total {cost.total}"
    if not near(claims.gap, gap):
        yield f"gap: plan says {claims.gap}, it is {gap}"
    relative = gap / max(ONE, cost.worked)
    if abs(claims.gap_relative - relative) > RELATIVE_GAP:
        yield f"gap_relative: plan says {claims.gap_relative}, it is {relative}"
    if abs(claims.shortfall - missing) > CLAIMED_S:
        yield f"shortfall: plan says {claims.shortfall}, it is {missing}"
    if claims.shortfall_lower_bound > missing + CLAIMED_S:
        yield f"shortfall_lower_bound {claims.shortfall_lower_bound} is above S {missing}"


def status_violations(book: Book, plan: Plan, true: PlanBlocks) -> Iterator[Violation]:
    """Check that the status is the one that actions, costs and S call for."""
    left, status = true.after.total, plan.status
    fits = bool(plan.actions) == (status == "act") or status == "infeasible"
    if not fits:
        text = f"{status} with {len(plan.actions)} actions"
        yield Violation(code="status", message=text)
    repairs = left < true.before.total - NOISE
    if status == "act" and not repairs and true.cost.total >= true.cost.do_nothing:
        text = f"total {true.cost.total} >= do_nothing {true.cost.do_nothing}"
        yield Violation(code="not_worth_it", message=text)
    if status in ("act", "nothing") and left > REPAIRED:
        names = ", ".join(row.what for row in true.after.parts)
        yield Violation(code="not_repaired", message=f"{status}, but broken: {names}")
    if status == "infeasible":
        yield from _infeasible(book, plan, left)


def _infeasible(book: Book, plan: Plan, left: Decimal) -> Iterator[Violation]:
    if left <= REPAIRED:
        yield Violation(code="status", message="infeasible, but nothing is broken after the plan")
    if plan.actions and book.policy.infeasible == "hold":
        yield Violation(code="status", message="infeasible under hold, but the plan acts")
    if not plan.infeasible:
        yield Violation(code="status", message="infeasible without an explanation")


def unrepairable_violations(plan: Plan, after: Shortfall) -> Iterator[Violation]:
    """Check that what only frozen accounts could mend is listed."""
    if plan.status == "refused":
        return
    for name in after.unrepairable:
        if name not in plan.unrepairable:
            yield Violation(code="unrepairable", message=f"{name} is broken and not listed")
