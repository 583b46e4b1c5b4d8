"""Steps of a plan: what is released together, and what each waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from allocator.models.plan import Action, Order, Violation
from allocator.state import Effect, Pair


@dataclass(frozen=True, slots=True)
class Step:
    """One transfer, one move, one lone order or one group of orders.

    Attributes
    ----------
    name
        The group's name or the action's number.
    effects
        What is released together.
    needs
        Names of the steps that come before it, directly or not.
    """

    name: str
    effects: tuple[Effect, ...]
    needs: frozenset[str]

    @property
    def is_transfer(self) -> bool:
        """Whether it leaves and arrives at different times."""
        return self.effects[0].action.kind == "transfer"

    @property
    def is_order(self) -> bool:
        """Whether it may be done in part."""
        return self.effects[0].action.kind == "order"

    @property
    def label(self) -> str:
        """The actions' numbers, for messages."""
        return "+".join(str(effect.seq) for effect in self.effects)


class Index:
    """The actions of a plan by what they touch.

    Attributes
    ----------
    effects
        The plan's actions.
    by_account, by_pair
        Actions by account, and by (account, instrument) whose contracts they change.
    ordered
        Instruments that the plan orders.
    """

    def __init__(self, effects: Sequence[Effect]) -> None:
        self.effects = tuple(effects)
        self.by_account: dict[str, list[Effect]] = {}
        self.by_pair: dict[Pair, list[Effect]] = {}
        self.ordered: set[str] = set()
        for effect in effects:
            for account in dict.fromkeys(effect.accounts):
                self.by_account.setdefault(account, []).append(effect)
            for pair in effect.contracts:
                self.by_pair.setdefault(pair, []).append(effect)
            if isinstance(effect.action, Order):
                self.ordered.add(effect.action.instrument)

    def of_accounts(self, accounts: Iterable[str]) -> list[Effect]:
        """List the actions of some accounts, each once."""
        found = [e for name in accounts for e in self.by_account.get(name, ())]
        return list({id(effect): effect for effect in found}.values())

    def of_pairs(self, pairs: Iterable[Pair]) -> list[Effect]:
        """List the actions that change the contracts of some pairs, each once."""
        found = [e for pair in pairs for e in self.by_pair.get(pair, ())]
        return list({id(effect): effect for effect in found}.values())


class Timeline:
    """The steps of a plan, ready to be asked to which of them some actions belong.

    Parameters
    ----------
    steps
        The steps, each after what it needs.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self.place = {
            id(effect): index for index, step in enumerate(self.steps) for effect in step.effects
        }

    def touching(self, effects: Iterable[Effect]) -> list[tuple[Step, list[Effect]]]:
        """List the steps of some actions in order, each with those actions."""
        out: dict[int, list[Effect]] = {}
        for effect in effects:
            out.setdefault(self.place[id(effect)], []).append(effect)
        return [(self.steps[index], out[index]) for index in sorted(out)]


def group_of(action: Action) -> str | None:
    """Name the group of an order; None for a lone order and for everything else."""
    return action.group if isinstance(action, Order) else None


def step_name(action: Action) -> str:
    """Name the step that an action belongs to."""
    group = group_of(action)
    return f"action {action.seq}" if group is None else f"group {group}"


def topology_violations(actions: Sequence[Action]) -> tuple[Violation, ...]:
    """Check that `after` names earlier actions, and none of the action's own group."""
    seen: dict[int, Action] = {}
    out = list[Violation]()
    for action in actions:
        if action.seq in seen:
            out.append(Violation(code="after", message=f"seq {action.seq} appears twice"))
        for needed in action.after:
            if needed not in seen:
                text = f"seq {action.seq} waits for {needed}, which is not listed before it"
                out.append(Violation(code="after", message=text))
            elif step_name(seen[needed]) == step_name(action):
                text = f"seq {action.seq} waits for {needed} of its own group"
                out.append(Violation(code="group", message=text))
        seen[action.seq] = action
    if not out and _ordered(_direct_needs(actions)) is None:
        out.append(Violation(code="group", message="a group waits for itself"))
    return tuple(out)


def steps_of(effects: Sequence[Effect]) -> tuple[Step, ...]:
    """Put the steps in an order in which each comes after what it needs.

    Raises
    ------
    ValueError
        When a group waits for itself, which `topology_violations` reports.
    """
    members: dict[str, list[Effect]] = {}
    for effect in effects:
        members.setdefault(step_name(effect.action), []).append(effect)
    direct = _direct_needs([effect.action for effect in effects])
    order = _ordered(direct)
    if order is None:
        raise ValueError("a group waits for itself")
    needs: dict[str, frozenset[str]] = {}
    for name in order:
        needs[name] = direct[name].union(*(needs[other] for other in direct[name]))
    return tuple(Step(name, tuple(members[name]), needs[name]) for name in order)


def _direct_needs(actions: Sequence[Action]) -> dict[str, frozenset[str]]:
    owner = {action.seq: step_name(action) for action in actions}
    needs: dict[str, set[str]] = {}
    for action in actions:
        mine = needs.setdefault(step_name(action), set())
        mine |= {owner[seq] for seq in action.after if seq in owner} - {step_name(action)}
    return {name: frozenset(others) for name, others in needs.items()}


def _ordered(needs: Mapping[str, frozenset[str]]) -> list[str] | None:
    """Sort names so that each follows what it needs; None if that is impossible."""
    left = {name: len(others) for name, others in needs.items()}
    waiting: dict[str, list[str]] = {}
    for name, others in needs.items():
        for other in others:
            waiting.setdefault(other, []).append(name)
    out = [name for name, count in left.items() if not count]
    for name in out:
        for follower in waiting.get(name, ()):
            left[follower] -= 1
            if not left[follower]:
                out.append(follower)
    return out if len(out) == len(needs) else None
