"""What the search decided, before it is written as a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.plan import Action, Binding
from allocator.plan.lots import Sizes


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
        Rules that stand against a full repair.
    """

    lower_bound: Decimal
    shortfall_lower_bound: Decimal
    method: str
    solver: str
    binding: tuple[Binding, ...] = ()
    against: tuple[str, ...] = ()


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
    preset
        The rule that made it; empty: the optimiser did.
    """

    sizes: Sizes
    actions: tuple[Action, ...]
    proof: Proof | None
    note: str = ""
    tried: tuple[str, ...] = field(default=())
    preset: str = ""
