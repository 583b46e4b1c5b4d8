"""A plan told in plain words, from the plan alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import assert_never

from allocator.models.base import ZERO, plain
from allocator.models.plan import Action, Order, Plan, PositionMove, Transfer
from allocator.models.reasons import (
    Binding,
    Gap,
    Idle,
    Infeasible,
    Place,
    Reason,
    Relaxation,
    Shortage,
)

Where = Callable[[Place], str]
"""Tells a declaration's place in the reader's terms, such as ``book.yaml:41:5``."""

CENT = Decimal("0.01")
UNITLESS = ("quantity", "leverage")
"""Measures of limits that are no numeraire."""


def path_of(place: Place) -> str:
    """Write the path of a declaration with dots."""
    return ".".join(place)


def explain(plan: Plan, where: Where = path_of) -> str:
    """Tell what the plan does, why, what it costs and what stays broken.

    Parameters
    ----------
    plan
        Any plan.
    where
        How places of declarations are told.

    Returns
    -------
    Lines of text without a final newline.
    """
    return "\n".join(
        [
            *headline(plan),
            *_idle(plan, where),
            *_actions(plan),
            *_exposure(plan),
            *_binding(plan, where),
            *_broken(plan, where),
            *(f"  changes nothing: {row.rule}{_at(row.place, where)}" for row in plan.ignored),
        ]
    )


def money(value: Decimal) -> str:
    """Write numeraire with separators and cents."""
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def amount(value: Decimal) -> str:
    """Write a quantity with separators and no idle digits."""
    text = plain(value)
    whole, dot, rest = text.partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole not in ("-0", "") else text


def describe(action: Action) -> str:
    """Tell one action without its reason."""
    match action:
        case Transfer():
            return (
                f"send {amount(action.amount)} {action.asset} from {action.source} "
                f"to {action.target} over {action.route}"
            )
        case Order():
            only = " (reduce only)" if action.reduce_only else ""
            return (
                f"{action.side} {amount(action.quantity)} {action.instrument} in "
                f"{action.account}, no worse than {plain(action.limit_price)}{only}"
            )
        case PositionMove():
            return (
                f"move {amount(action.quantity)} {action.instrument} "
                f"from {action.source} to {action.target}"
            )
        case _:
            assert_never(action)


def headline(plan: Plan) -> list[str]:
    """Say what the plan comes to, and what is proven of it."""
    head = {
        "act": f"Act: {_counted(plan)} {money(plan.cost.total)} USD in all, {_compared(plan)}.",
        "nothing": f"Do nothing: it costs {money(plan.cost.do_nothing)} USD over the horizon.",
        "infeasible": _headline_of_broken(plan),
        "refused": "Refused: the plan did not pass the verifier; nothing may be sent.",
    }[plan.status]
    lines = [head, *([plan.note] if plan.note else [])]
    proof = plan.certificate
    if proof is not None:
        which = "no plan that leaves as little missing" if plan.infeasible else "no plan"
        lines.append(
            f"Proven: {which} costs less than {money(proof.lower_bound)} USD; "
            f"this one is at most {money(proof.gap)} USD away."
        )
    return lines


def _headline_of_broken(plan: Plan) -> str:
    missing = sum((row.missing for row in plan.infeasible), ZERO)
    least = ""
    if plan.certificate is not None:
        least = f" (no plan leaves less than {money(plan.certificate.shortfall_lower_bound)} USD)"
    done = f"; what can be repaired is: {_counted(plan)} {money(plan.cost.total)} USD in all"
    return f"Infeasible: {money(missing)} USD stay missing{least}{done if plan.actions else ''}."


def _counted(plan: Plan) -> str:
    return "1 action costs" if len(plan.actions) == 1 else f"{len(plan.actions):,} actions cost"


def _compared(plan: Plan) -> str:
    saved = plan.cost.do_nothing - plan.cost.total
    idle = f"doing nothing ({money(plan.cost.do_nothing)} USD)"
    if saved > 0:
        return f"{money(saved)} USD better than {idle}"
    return f"{money(-saved)} USD more than {idle}: it repairs what is broken"


def _idle(plan: Plan, where: Where) -> list[str]:
    return [] if plan.idle is None else [f"  {line}" for line in why_idle(plan.idle, where)]


def why_idle(idle: Idle, where: Where = path_of) -> Iterator[str]:
    """Tell why nothing is done."""
    if idle.doing:
        yield f"the best alternative: {idle.doing}"
        if idle.refused:
            yield f"  it is ruled out: {idle.refused}"
        if idle.extra is not None:
            parts = f" ({parts_of(idle.changes)})" if idle.changes else ""
            more = "more" if idle.extra >= 0 else "less"
            yield f"  it would cost {money(abs(idle.extra))} USD {more} than doing nothing{parts}"
    for row in idle.obstacles:
        yield f"because {row.rule}{_at(row.place, where)}"


def _at(place: Place, where: Where) -> str:
    return f" [{where(place)}]" if place else ""


def parts_of(changes: Mapping[str, Decimal]) -> str:
    """Tell by how much parts of the cost change, the largest first."""
    rows = sorted(changes.items(), key=lambda row: (-abs(row[1]), row[0]))
    told = [f"{name} {value:+,.2f}" for name, value in rows if abs(value) >= CENT / 2]
    return ", ".join(told) or "nothing changes by a cent"


def _actions(plan: Plan) -> list[str]:
    out = list[str]()
    for action in plan.actions:
        wait = f" after {', '.join(map(str, action.after))}" if action.after else ""
        out.append(f"  {action.seq}. {describe(action)}{wait}")
        if action.seq in plan.reasons:
            out += [f"     - {clause}" for clause in clauses(plan.reasons[action.seq])]
    return out


def sentence(reason: Reason) -> str:
    """Tell why an action is there in one sentence."""
    return "; ".join(clauses(reason))


def clauses(reason: Reason) -> list[str]:
    """Tell why an action is there: what it is for, what needs it, what else was worse."""
    out = [reason.purpose]
    if reason.needs:
        out[0] += f", because without it {lacks(reason.needs[0])}"
        others = [f"{money(row.missing)} USD of {_of_what(row)}" for row in reason.needs[1:]]
        if others:
            out[0] += f" (and {', '.join(others)})"
    if reason.gap is not None:
        out.append(closes(reason.gap))
    return [*out, *_left_out(reason), *_together(reason), *_instead(reason)]


def lacks(row: Shortage) -> str:
    """Tell what is missing of one requirement."""
    left = f" ({money(row.left)} USD stay missing even so)" if row.left > CENT else ""
    if row.what.startswith("limit "):
        return f"{row.what} is broken by {money(row.missing)} USD{left}"
    if row.what.startswith("wallet "):
        account, asset = _named(row.what, "wallet", "/", row.place)
        return f"{account} lacks {money(row.missing)} USD of {asset}{left}"
    leg = f" for the {row.leg} leg" if row.leg is not None else ""
    pool = _pool(row.what, row.place)
    return f"{pool} misses {money(row.missing)} USD of {row.rule}{leg}{left}"


def _pool(what: str, place: Place) -> str:
    account, asset = _named(what, "margin", " ", place)
    return f"the {asset} pool of {account}" if asset else account


def _named(what: str, kind: str, between: str, place: Place) -> tuple[str, str]:
    """Tell the account and the asset of a name; ids are free text, so the place tells them apart.

    Without a place the whole name stands for the account.
    """
    name = what.removeprefix(f"{kind} ")
    account = place[2] if len(place) > OF_ACCOUNT else name
    return account, name.removeprefix(account).removeprefix(between)


OF_ACCOUNT = 2
"""Where a place names the account that it is in."""


def _of_what(row: Shortage) -> str:
    return row.rule if row.what.startswith("margin") else row.what


def closes(gap: Gap) -> str:
    """Tell where an exposure ends without an order, and where with it."""
    end = _distance(gap.after, "it")
    if abs(gap.after) >= CENT:
        end += f", {'inside' if abs(gap.after) <= gap.band else 'outside'} the band"
    left = _distance(gap.without, "its target")
    return f"without it {gap.underlying} would end {left}; the plan ends {end}"


def _distance(gap: Decimal, target: str) -> str:
    if abs(gap) < CENT:
        return f"at {target}"
    return f"{money(abs(gap))} USD {'above' if gap > 0 else 'below'} {target}"


def _left_out(reason: Reason) -> Iterator[str]:
    left = reason.left_out
    if left is None:
        return
    if left.extra is not None:
        parts = f" ({parts_of(reason.changes)})" if reason.changes else ""
        yield f"{_saves(left.extra)} {left.doing}{parts}"
    elif not reason.needs:
        yield f"{left.doing} is ruled out: {left.refused}"


def _together(reason: Reason) -> Iterator[str]:
    if reason.together is not None and reason.together.extra is not None:
        row = reason.together
        others = ", ".join(map(str, row.orders))
        yield (
            f"together with {others} it {_saves(row.extra or ZERO)} none of them "
            f"({parts_of(row.changes)})"
        )


def _instead(reason: Reason) -> Iterator[str]:
    other = reason.instead
    if other is None:
        return
    if other.extra is None:
        yield f"{other.doing} is ruled out: {other.refused}"
    else:
        yield f"{_saves(other.extra)} {other.doing}"


def _saves(extra: Decimal) -> str:
    """Compare with an alternative that costs so much more."""
    if abs(extra) < CENT / 2:
        return "costs the same as"
    if extra > 0:
        return f"saves {money(extra)} USD against"
    return f"costs {money(-extra)} USD more than"


def _exposure(plan: Plan) -> list[str]:
    return [
        f"  {name}: exposure {money(row.before)} -> {money(row.after)} USD, "
        f"target {money(row.target)} +- {money(row.band)}"
        for name, row in sorted(plan.exposure.items())
    ]


def _binding(plan: Plan, where: Where) -> list[str]:
    rows = plan.certificate.binding if plan.certificate is not None else ()
    return [f"  binds: {binds(row, where)}" for row in rows]


def binds(row: Binding, where: Where = path_of) -> str:
    """Tell what a limit that binds is worth and where it stands."""
    units = readable(row)
    unit = row.unit
    more = f"{units:,} {unit.removesuffix('s') if units == 1 else unit}"
    kind, _, name = row.limit.partition(" ")
    if row.declared[:2] == ("mandate", "limits"):  # whose id may begin as other rules do
        kind = "limit"
    if kind == "margin" and name:
        pool = _pool(row.limit, row.declared)
        told = f"{more} more collateral in {pool} would save {_sum(units * row.price)}"
        told += f" (most of its margin is for {row.leg}" if row.leg else ""
        told += f": {row.bracket})" if row.leg and row.bracket else ")" if row.leg else ""
    elif kind == "withdrawable" and name:
        told = f"{more} more that may leave {name} would save {_sum(units * row.price)}"
    elif kind == "order_budget" and name:
        told = f"{units:,} more in the order budget of {name} would save "
        told += _sum(units * row.price)
    else:
        step = "less" if row.bound == "min" else "more"
        at = "" if row.level is None else f" ({row.bound} {amount(row.level)} {unit})"
        told = f"limit {row.limit}{at}: {more} {step} would save {_sum(units * row.price)}"
    source = f", source: {row.source}" if row.source else ""
    return f"{told}{source}{_at(row.declared, where)}"


def readable(row: Binding) -> int:
    """Choose for how many units together a price is told: one, or a thousand of a cheap one."""
    return 1 if row.price >= (1 if row.unit == "USD" else CENT) else 1_000


def _sum(value: Decimal) -> str:
    """Write a sum with at least two digits that say something."""
    digits = 2 if abs(value) >= 1 or not value else max(2, 1 - value.adjusted())
    return f"{value:,.{digits}f} USD"


def _broken(plan: Plan, where: Where) -> list[str]:
    out = [f"  refused: {row.code}: {row.message}" for row in plan.refusals]
    for row in plan.infeasible:
        out += [f"  {line}" for line in why_broken(row, where)]
    for name in plan.unrepairable:
        out.append(f"  cannot be repaired while frozen: {name}")
        for short in plan.frozen:
            if short.what == name:
                out.append(f"    {asked(short)}{_at(short.place, where)}")
    return out


def why_broken(row: Infeasible, where: Where = path_of) -> Iterator[str]:
    """Tell what is missing, requirement by requirement, what conflicts, and what mends it."""
    yield f"missing: {row.what}: {money(row.missing)} USD{_at(row.declared, where)}"
    for short in row.shortages:
        yield f"  {asked(short)}"
    if row.note:
        yield f"  {row.note}"
    elif row.conflicts:
        each = len(row.relaxations) == len(row.conflicts) and all(
            relaxation.change and not relaxation.together for relaxation in row.relaxations
        )
        one = "; any one of these changes repairs it" if each else ""
        alone = len(row.conflicts) == 1
        yield "  no other rule can give way for it:" if alone else f"  in conflict{one}:"
        told = {relaxation.rule: relaxation for relaxation in row.relaxations}
        for name in row.conflicts:
            yield f"    {_given_up(name, told.get(name), where)}"
        yield from _no_help(row)
    elif row.smallest_relaxation:
        yield f"  the smallest way out: {row.smallest_relaxation}"


def _no_help(row: Infeasible) -> Iterator[str]:
    """Name what may be given up in vain; the first few of many."""
    needed = {name for relaxation in row.relaxations for name in relaxation.together}
    names = [name for name in row.beside if name not in needed]
    if len(names) == 1:
        yield f"  changing {names[0]} does not help"
    elif names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield f"  changing all of these does not help: {', '.join(names[:MOST_NAMED])}{more}"


MOST_NAMED = 6
"""Rules given up in vain that are told by name."""


def asked(row: Shortage) -> str:
    """Tell what a requirement asks and what is held against it."""
    if row.what.startswith("limit"):
        write = amount if row.rule in UNITLESS else money
        return f"{row.rule}: {write(row.asked)} against {write(row.held)}"
    leg = f", most of it for {row.leg}" if row.leg is not None else ""
    return f"{row.rule}: {money(row.asked)} asked{leg}, {money(row.held)} held"


def _given_up(name: str, relaxation: Relaxation | None, where: Where) -> str:
    if relaxation is None:
        return name
    place = _at(relaxation.declared, where)
    if not relaxation.change:
        return f"{name}{place}: no change of it alone is enough"
    joint = f", only together with {', '.join(relaxation.together)}" if relaxation.together else ""
    sure = "" if relaxation.confirmed else " (by the program alone; fine lots may want more)"
    if name.startswith("one side "):
        sure = ", which no mandate can allow"
    return f"{name}{place}: {relaxation.change}{joint}{sure}"
