"""Write an outcome as a plan: figures, certificate, explanation; release it only if it verifies."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from allocator.margin import Missing
from allocator.models.base import ONE, ZERO
from allocator.models.canonical import with_hash
from allocator.models.plan import Certificate, Plan, PlanStatus
from allocator.models.reasons import Infeasible, Obstacle, Shortage
from allocator.plan.inaction import inaction
from allocator.plan.judge import EXACT
from allocator.plan.needs import largest_first, shortages_of
from allocator.plan.outcome import Conflict, Outcome, Proof
from allocator.plan.reasons import reasons
from allocator.plan.remedies import remedy_of
from allocator.plan.shut import own_rule
from allocator.state import Book, State, effect_of, lawful, published
from allocator.verify import PlanBlocks, plan_blocks, violations

CENT_OF_A_CENT = Decimal("0.0001")


@lawful
def written(book: Book, outcome: Outcome, *, why: bool = True) -> Plan:
    """Write an outcome as a plan with its hash.

    Parameters
    ----------
    why
        Whether actions get reasons and inaction its account of what was not worth it.
    """
    blocks = plan_blocks(book, outcome.actions)
    status = _status(outcome, blocks)
    return with_hash(
        Plan(
            status=status,
            snapshot_hash=book.snapshot_hash,
            mandate_hash=book.mandate_hash,
            actions=outcome.actions,
            cost=blocks.cost,
            exposure=blocks.exposure,
            accounts=blocks.accounts,
            certificate=None if outcome.proof is None else _certificate(outcome.proof, blocks),
            infeasible=_infeasible(book, outcome, blocks) if status == "infeasible" else (),
            unrepairable=blocks.after.unrepairable,
            frozen=_frozen(book, outcome, blocks),
            reasons=reasons(book, outcome) if why else {},
            idle=inaction(book, outcome) if why else None,
            note=outcome.note,
            ignored=_ignored(book),
            preset=outcome.preset,
        )
    )


def _ignored(book: Book) -> tuple[Obstacle, ...]:
    """Name returns that are expected of spot: carry is of derivatives alone."""
    return tuple(
        Obstacle(
            rule=f"alpha of {name}: the cost law counts expected returns of derivatives, "
            "not of spot",
            place=("mandate", "policy", "alpha", name),
        )
        for name, value in book.policy.alpha.items()
        if value and book.instruments[name].is_spot
    )


def _status(outcome: Outcome, blocks: PlanBlocks) -> PlanStatus:
    if blocks.after.total > EXACT:
        return "infeasible"
    return "act" if outcome.actions else "nothing"


def _certificate(proof: Proof, blocks: PlanBlocks) -> Certificate:
    cost = blocks.cost
    bound = min(proof.lower_bound, cost.total).quantize(CENT_OF_A_CENT, ROUND_FLOOR)
    missing = published(blocks.after.total)
    gap = cost.total - bound
    return Certificate(
        lower_bound=bound,
        gap=published(gap),
        gap_relative=published(gap / max(ONE, cost.worked)),
        shortfall=missing,
        shortfall_lower_bound=min(
            max(ZERO, proof.shortfall_lower_bound.quantize(CENT_OF_A_CENT, ROUND_FLOOR)), missing
        ),
        proof="exact" if proof.method == "exact" else "convex_hull_dual",
        binding=proof.binding,
        solver=proof.solver,
    )


def _infeasible(book: Book, outcome: Outcome, blocks: PlanBlocks) -> tuple[Infeasible, ...]:
    """Tell what stays broken, which rules conflict over it, and the smallest ways out."""
    final = State.start(book).after([effect_of(book, action) for action in outcome.actions])
    out = list[Infeasible]()
    for row in blocks.after.parts:
        against = {} if outcome.proof is None else outcome.proof.against
        conflict = against.get(own_rule(row), Conflict())
        rows = largest_first(shortages_of(book, final, row))
        own = [short for short in rows if short.missing > EXACT]
        out.append(
            Infeasible(
                what=row.what,
                missing=published(row.amount),
                conflicts=conflict.rules,
                beside=conflict.beside,
                irreducible=conflict.irreducible,
                smallest_relaxation=_smallest(book, final, row, conflict),
                declared=own[0].place if own else (),
                shortages=tuple(own),
                relaxations=conflict.relaxations,
                note=conflict.note,
            )
        )
    return tuple(out)


def _smallest(book: Book, final: State, row: Missing, conflict: Conflict) -> str:
    """Tell the smallest change of its own rule that was found, else the one of the plan's end."""
    own = [told.change for told in conflict.relaxations if told.rule == row.what]
    return own[0] if own else remedy_of(book, final, row)[0]


def _frozen(book: Book, outcome: Outcome, blocks: PlanBlocks) -> tuple[Shortage, ...]:
    """Tell what is missing that only frozen accounts could mend."""
    final = State.start(book).after([effect_of(book, action) for action in outcome.actions])
    things = {own_rule(row): row for row in blocks.after.frozen}.values()
    rows = (short for row in things for short in shortages_of(book, final, row))
    return tuple(largest_first(rows))


@lawful
def idle(book: Book, why: str) -> Plan:
    """Write the plan that does nothing because no decision could be certified."""
    blocks = plan_blocks(book, ())
    return with_hash(
        Plan(
            status="refused",
            snapshot_hash=book.snapshot_hash,
            mandate_hash=book.mandate_hash,
            cost=blocks.cost,
            exposure=blocks.exposure,
            accounts=blocks.accounts,
            note=f"Nothing is done: {why}",
        )
    )


def released(book: Book, plan: Plan) -> Plan:
    """Return the plan if the exact verifier finds nothing; else an empty one that says why."""
    found = violations(book, plan)
    if not found:
        return plan
    refused = idle(book, "the verifier refused the plan")
    told = {"refusals": found, "preset": plan.preset}
    return with_hash(refused.model_copy(update=told))
