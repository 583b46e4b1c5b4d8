"""What the search decided, before it is written as a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.plan import Action
from allocator.models.reasons import Binding, Relaxation
from allocator.plan.lots import Sizes
from allocator.plan.relax import Rule


@dataclass(frozen=True)
class Conflict:
    """Rules that cannot all be kept while something missing is mended.

    Attributes
    ----------
    rules
        Their names.
    beside
        Rules that were given up as well in finding them, and did not help.
    irreducible
        Whether leaving any one of them out would let it be mended.
    relaxations
        For each rule the smallest change of it alone.
    note
        Why it is left, where no rule stands in the way.
    """

    rules: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    irreducible: bool = False
    relaxations: tuple[Relaxation, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Proof:
    """What is proven about every plan.

    Attributes
    ----------
    lower_bound, shortfall_lower_bound
        Of total and of S, numeraire.
    method
        ``exact`` or ``convex_hull_dual``.
    solver
        Whose answer was certified.
    binding
        Rules that bind, with prices.
    against
        What stands against mending each missing thing, by the rule that it breaks.
    """

    lower_bound: Decimal
    shortfall_lower_bound: Decimal
    method: str
    solver: str
    binding: tuple[Binding, ...] = ()
    against: Mapping[Rule, Conflict] = field(default_factory=dict[Rule, "Conflict"])


@dataclass(frozen=True)
class Outcome:
    """Actions in a safe order, or none, with what is known about the choice.

    Attributes
    ----------
    sizes, actions
        What is done.
    proof
        What is proven; None: nothing is.
    note
        Why nothing is done, or what the best alternative would have cost.
    rejected
        Where nothing is done, the best sizes that were found.
    barred
        The rule that these sizes would break.
    preset
        The rule that made it; empty: the optimiser did.
    """

    sizes: Sizes
    actions: tuple[Action, ...]
    proof: Proof | None
    note: str = ""
    rejected: Sizes | None = None
    barred: str = ""
    preset: str = ""
