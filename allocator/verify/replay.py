"""Replay a plan from scratch and check every rule of problem.md section 4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocator.exposure import goals, present
from allocator.limits import is_of_plan, meters_of, plan_excess
from allocator.models.errors import AllocatorError
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Plan, Violation
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Snapshot
from allocator.state import Book, Effect, State, effect_of, lawful
from allocator.verify.blocks import blocks_of
from allocator.verify.carriage import move_violations, transfer_violations
from allocator.verify.claims import (
    certificate_violations,
    figure_violations,
    hash_violations,
    status_violations,
    unrepairable_violations,
)
from allocator.verify.faces import NOISE, Rule
from allocator.verify.orders import order_violations, state_violations
from allocator.verify.prefixes import Breach, breach_of
from allocator.verify.rules import account_rules
from allocator.verify.scopes import corridor_rules, limit_rules
from allocator.verify.steps import Index, Timeline, steps_of, topology_violations

UNREPLAYABLE = "unreplayable"


@lawful
def verify(snapshot: Snapshot, mandate: Mandate, plan: Plan) -> tuple[Violation, ...]:
    """Check a plan against its snapshot and mandate, from scratch.

    Returns
    -------
    tuple of Violation
        Every rule that is broken; empty for a plan that may be released. Codes of prefixes
        start with ``step_``. What cannot be replayed is refused with the code ``unreplayable``:
        a book that makes no sensible problem, figures beyond the law's digits.
    """
    out = [Violation(code=UNREPLAYABLE, message=str(p)) for p in book_problems(snapshot, mandate)]
    try:
        book = Book.of(snapshot, mandate)
    except (AllocatorError, ArithmeticError) as error:
        return (*out, Violation(code=UNREPLAYABLE, message=str(error)))
    return (*out, *violations(book, plan))


@lawful
def violations(book: Book, plan: Plan) -> tuple[Violation, ...]:
    """Check a plan as `verify` does, against a book that is known to make a sensible problem.

    The plan's effects, states and figures are worked out anew; what the law says of the book, or
    of one account's holding in it, may be what it said before.
    """
    out = list[Violation]()
    try:
        out += _violations(book, plan)
    except (AllocatorError, ArithmeticError) as error:
        out.append(Violation(code=UNREPLAYABLE, message=str(error)))
    return tuple(out)


def _violations(book: Book, plan: Plan) -> Iterator[Violation]:
    yield from hash_violations(book, plan)
    effects = list[Effect]()
    for action in plan.actions:
        try:
            effects.append(effect_of(book, action))
        except AllocatorError as error:
            yield Violation(code="action", message=f"seq {action.seq}: {error}")
    if len(effects) < len(plan.actions):
        return
    final = State.start(book).after(effects)
    single = [
        *order_violations(book, effects),
        *transfer_violations(book, effects),
        *move_violations(book, effects),
        *state_violations(book, effects, final),
    ]
    yield from single
    tangled = topology_violations(plan.actions)
    yield from tangled
    try:
        yield from _replayed(book, plan, effects, final, ordered=not tangled)
    except AllocatorError as error:
        yield Violation(code=UNREPLAYABLE, message=str(error))


def _replayed(
    book: Book, plan: Plan, effects: Sequence[Effect], final: State, *, ordered: bool
) -> Iterator[Violation]:
    yield from _plan_limits(book, effects)
    index = Index(effects)
    rules = state_rules(book, index)
    broken = [rule for rule in rules if rule.excess(final) > rule.allowed]
    for rule in broken:
        text = f"{rule.name}: exceeded by {rule.excess(final)} after the plan, {rule.before} before"
        yield Violation(code=rule.code, message=text)
    if ordered:
        names = {(rule.code, rule.name) for rule in broken}
        every = [*rules, *corridor_rules(book, present(book), goals(book), index)]
        kept = [rule for rule in every if (rule.code, rule.name) not in names]
        yield from (violation_of(breach) for breach in _breaches(kept, index))
    true = blocks_of(book, effects, final)
    acting = {name for effect in effects for name in effect.accounts}
    yield from figure_violations(plan, true, acting)
    yield from certificate_violations(plan, true)
    yield from status_violations(book, plan, true)
    yield from unrepairable_violations(plan, true.after)


def _plan_limits(book: Book, effects: Sequence[Effect]) -> Iterator[Violation]:
    for limit in book.mandate.limits:
        if is_of_plan(limit):
            excess = plan_excess(book, limit, effects)
            if excess > NOISE:
                text = f"{limit.id}: {limit.measure} exceeded by {excess}"
                yield Violation(code="limit", message=text)


def state_rules(book: Book, index: Index) -> list[Rule]:
    """Make every rule on states that the actions touch."""
    start = State.start(book)
    out = list[Rule]()
    for account, effects in sorted(index.by_account.items()):
        out += account_rules(book, start, account, effects)
    for meter in meters_of(book):
        if any(name in index.by_account for name in meter.accounts):
            out += limit_rules(book, start, meter, index)
    return out


def step_rules(book: Book, index: Index) -> list[Rule]:
    """Make every rule on prefixes: those on states, and the corridor of each exposure."""
    corridors = corridor_rules(book, present(book), goals(book), index)
    return [*state_rules(book, index), *corridors]


def _breaches(rules: Sequence[Rule], index: Index) -> Iterator[Breach]:
    timeline = Timeline(steps_of(index.effects))
    for rule in rules:
        found = breach_of(rule, timeline)
        if found is not None:
            yield found


def violation_of(breach: Breach) -> Violation:
    """Tell a breach as a violation."""
    rule = breach.rule
    code = rule.code if rule.code == "corridor" else f"step_{rule.code}"
    begun = ", ".join(breach.steps)
    how = "with only" if breach.proven else "not excluded by `after` with"
    text = f"{rule.name}: exceeded by {breach.excess} {how} [{begun}]"
    return Violation(code=code, message=text)


@lawful
def final_violations(book: Book, actions: Sequence[Action]) -> tuple[Violation, ...]:
    """Check actions and the state they lead to, whatever the order of steps.

    For a planner that weighs sizes; `verify` replays the finished plan itself.

    Raises
    ------
    InputError
        When an action names what the book does not have.
    """
    effects = [effect_of(book, action) for action in actions]
    return end_violations(book, effects, State.start(book).after(effects))


@lawful
def end_violations(book: Book, effects: Sequence[Effect], final: State) -> tuple[Violation, ...]:
    """Check actions whose effects and end are at hand, whatever the order of steps."""
    out = [
        *order_violations(book, effects),
        *transfer_violations(book, effects),
        *move_violations(book, effects),
        *state_violations(book, effects, final),
        *_plan_limits(book, effects),
    ]
    for rule in state_rules(book, Index(effects)):
        excess = rule.excess(final)
        if excess > rule.allowed:
            out.append(Violation(code=rule.code, message=f"{rule.name}: exceeded by {excess}"))
    return tuple(out)


@lawful
def account_violations(book: Book, actions: Sequence[Action]) -> tuple[Violation, ...]:
    """Check margin, brackets and wallets alone in the state that actions lead to.

    For a planner that asks what one account takes: no other account's actions can break these.

    Raises
    ------
    InputError
        When an action names what the book does not have.
    """
    effects = [effect_of(book, action) for action in actions]
    start = State.start(book)
    final = start.after(effects)
    rules = [
        rule
        for account, own in sorted(Index(effects).by_account.items())
        for rule in account_rules(book, start, account, own)
    ]
    return tuple(
        Violation(code=rule.code, message=f"{rule.name}: exceeded by {excess}")
        for rule in rules
        if (excess := rule.excess(final)) > rule.allowed
    )


@lawful
def broken_prefixes(book: Book, actions: Sequence[Action]) -> tuple[Breach, ...]:
    """Find the rules that some prefix of an ordered list of actions breaks.

    For a planner that looks for a safe order; `verify` replays the finished plan itself.

    Raises
    ------
    InputError
        When an action names what the book does not have.
    ValueError
        When `after` and groups contradict each other.
    """
    return tuple(_all_breaches(book, actions))


@lawful
def first_broken_prefix(book: Book, actions: Sequence[Action]) -> Breach | None:
    """Find the first rule that some prefix breaks; None if the order of steps is safe."""
    return next(_all_breaches(book, actions), None)


def _all_breaches(book: Book, actions: Sequence[Action]) -> Iterator[Breach]:
    index = Index([effect_of(book, action) for action in actions])
    return _breaches(step_rules(book, index), index)
