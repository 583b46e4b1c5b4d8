"""A plan told in plain words, from the plan alone."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from allocator.models.base import plain
from allocator.models.plan import Action, Order, Plan, PositionMove, Transfer


def explain(plan: Plan) -> str:
    """Tell what the plan does, why, what it costs and what stays broken.

    Parameters
    ----------
    plan
        Any plan.

    Returns
    -------
    Lines of text without a final newline.
    """
    return "\n".join(
        [*_headline(plan), *_actions(plan), *_exposure(plan), *_binding(plan), *_broken(plan)]
    )


def money(value: Decimal) -> str:
    """Write numeraire with separators and cents."""
    return f"{value:,.2f}"


def describe(action: Action) -> str:
    """Tell one action without its reason."""
    match action:
        case Transfer():
            return (
                f"send {plain(action.amount)} {action.asset} from {action.source} "
                f"to {action.target} over {action.route}"
            )
        case Order():
            only = " (reduce only)" if action.reduce_only else ""
            return (
                f"{action.side} {plain(action.quantity)} {action.instrument} in {action.account}, "
                f"no worse than {plain(action.limit_price)}{only}"
            )
        case PositionMove():
            return (
                f"move {plain(action.quantity)} {action.instrument} "
                f"from {action.source} to {action.target}"
            )
        case _:
            assert_never(action)


def _headline(plan: Plan) -> list[str]:
    head = {
        "act": f"Act: {_counted(plan)} {money(plan.cost.total)} in all, {_compared(plan)}.",
        "nothing": f"Do nothing: it costs {money(plan.cost.do_nothing)} over the horizon.",
        "infeasible": "Infeasible: not everything that is broken can be repaired.",
        "refused": "Refused: the plan did not pass the verifier; nothing may be sent.",
    }[plan.status]
    lines = [head, *([plan.note] if plan.note else [])]
    proof = plan.certificate
    if proof is not None:
        lines.append(
            f"Proven: no plan costs less than {money(proof.lower_bound)}; "
            f"this one is at most {money(proof.gap)} away."
        )
    return lines


def _counted(plan: Plan) -> str:
    return "1 action costs" if len(plan.actions) == 1 else f"{len(plan.actions)} actions cost"


def _compared(plan: Plan) -> str:
    saved = plan.cost.do_nothing - plan.cost.total
    idle = f"doing nothing ({money(plan.cost.do_nothing)})"
    if saved > 0:
        return f"{money(saved)} better than {idle}"
    return f"{money(-saved)} more than {idle}: it repairs what is broken"


def _actions(plan: Plan) -> list[str]:
    out = list[str]()
    for action in plan.actions:
        wait = f" after {', '.join(map(str, action.after))}" if action.after else ""
        why = plan.reasons.get(action.seq)
        out.append(f"  {action.seq}. {describe(action)}{wait}" + (f": {why}" if why else ""))
    return out


def _exposure(plan: Plan) -> list[str]:
    return [
        f"  {name}: exposure {money(row.before)} -> {money(row.after)}, "
        f"target {money(row.target)} +- {money(row.band)}"
        for name, row in sorted(plan.exposure.items())
    ]


def _binding(plan: Plan) -> list[str]:
    if plan.certificate is None:
        return []
    return [
        f"  binds: {row.limit}, one unit more would save {plain(row.price)}"
        for row in plan.certificate.binding
    ]


def _broken(plan: Plan) -> list[str]:
    out = [f"  refused: {row.code}: {row.message}" for row in plan.refusals]
    for row in plan.infeasible:
        against = f"; against it: {', '.join(row.conflicts)}" if row.conflicts else ""
        remedy = f"; {row.smallest_relaxation}" if row.smallest_relaxation else ""
        out.append(f"  missing: {row.what}: {money(row.missing)}{against}{remedy}")
    out += [f"  cannot be repaired while frozen: {name}" for name in plan.unrepairable]
    return out
