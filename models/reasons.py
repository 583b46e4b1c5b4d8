"""Why a plan is as it is: facts from which `allocator.models.explain` makes sentences.

None of it is covered by a plan's hash. A place is the path of a declaration in a book, keys and
ids from the root: ``("mandate", "limits", "btc-cap")``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from allocator.models.base import ZERO, Num, Value

Place = tuple[str, ...]
"""Path of a declaration; elements of lists go by their ids."""


class Shortage(Value):
    """One requirement that is not met.

    Attributes
    ----------
    what
        ``margin <account>``, ``limit <id>`` or ``wallet <account>/<asset>``.
    rule
        Which requirement: ``initial margin``, ``maintenance margin with its buffer``,
        ``maintenance margin in stress <id>``, a limit's measure, or ``balance``.
    asked, held, missing
        Numeraire (of quantities contracts, of leverage a ratio); missing is numeraire always.
    left
        What of it is missing even with the plan, numeraire, where it is told of a plan without
        one of its actions.
    leg
        Instrument that requires most of it; None where none does.
    """

    what: str
    rule: str
    asked: Num
    held: Num
    missing: Num
    left: Num = ZERO
    leg: str | None = None
    place: Place = ()


class Instead(Value):
    """What else could have been done, judged by the exact law.

    Attributes
    ----------
    doing
        The alternative in words.
    extra
        By how much its total is higher than the plan's, numeraire; None where it is refused.
    refused
        The rule that it breaks, or what more would be missing.
    """

    doing: str
    extra: Num | None = None
    refused: str = ""


class Gap(Value):
    """What an order does to an exposure; distances to the target, numeraire, positive above it.

    Attributes
    ----------
    without, after
        Without the order, and with the whole plan.
    band
        Half-width around the target.
    """

    underlying: str
    without: Num
    after: Num
    band: Num


class Together(Value):
    """An order's share in a set of orders that offset each other.

    Attributes
    ----------
    orders
        The others, by number.
    extra
        By how much the total would be higher without all of them, numeraire; None where that is
        refused.
    changes
        Cost with them less cost without them, by part, numeraire.
    """

    orders: tuple[int, ...]
    extra: Num | None = None
    changes: Mapping[str, Num] = Field(default_factory=dict[str, Num])


class Reason(Value):
    """Why one action is in a plan, or one of several told together.

    Attributes
    ----------
    purpose
        What it does, in words.
    needs
        What would be missing without it, the largest first.
    gap
        Of an order, what it does to its underlying's exposure.
    changes
        Cost with it less cost without it, by part of the cost law, numeraire; empty where it is
        not told action by action.
    together
        Of an order that others of the plan offset, what they are worth as a set.
    left_out
        What leaving it out would come to.
    instead
        The best action of the same purpose; None if there is none, or it was not looked for.
    """

    purpose: str
    needs: tuple[Shortage, ...] = ()
    gap: Gap | None = None
    together: Together | None = None
    changes: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    left_out: Instead | None = None
    instead: Instead | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_words(cls, value: Any) -> Any:
        """Read a reason that was written in words alone, as plans once had them."""
        return {"purpose": value} if isinstance(value, str) else value


class Obstacle(Value):
    """A rule that stands in the way of an action that would help."""

    rule: str
    place: Place = ()


class Idle(Value):
    """Why nothing is done.

    Attributes
    ----------
    doing
        The best alternative in words; empty if there is none.
    changes
        Its cost less the cost of doing nothing, by part of the cost law, numeraire.
    extra
        The sum of `changes`; None where it is refused.
    refused
        The rule that it breaks.
    obstacles
        Rules that stand in the way of others.
    """

    doing: str = ""
    changes: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    extra: Num | None = None
    refused: str = ""
    obstacles: tuple[Obstacle, ...] = ()


class Binding(Value):
    """A limit that binds, with its shadow price.

    Attributes
    ----------
    limit
        Id of a limit; or ``margin <account>[ <asset>]``, ``withdrawable <account>/<asset>``,
        ``order_budget <account>``.
    price
        What one unit more of room would save, numeraire.
    unit
        The unit: USD, contracts, orders, x equity, or an asset.
    bound, level
        Which bound, and where it stands now, in the unit.
    source
        Where the limit comes from, as the mandate cites it.
    declared
        Where the limit or the account stands in the book.
    leg, bracket
        Of margin: the instrument that requires most of it, and its bracket in words.
    """

    limit: str
    price: Num
    unit: str = "USD"
    bound: Literal["max", "min", ""] = ""
    level: Num | None = None
    source: str = ""
    declared: Place = ()
    leg: str | None = None
    bracket: str = ""


class Relaxation(Value):
    """The smallest change of one rule that mends what is missing, all other rules kept.

    Attributes
    ----------
    rule
        The rule, as `Infeasible.conflicts` names it.
    change
        The change in words; empty where no change of this rule alone is enough.
    amount
        By how much, in `unit`; None for a switch.
    confirmed
        Whether the exact law was seen to agree: of the missing thing's own rule with the plan's
        own actions, else by deciding anew.
    together
        Rules that have to be given up as well, because this one alone is not enough.
    """

    rule: str
    change: str = ""
    amount: Num | None = None
    unit: str = ""
    declared: Place = ()
    confirmed: bool = False
    together: tuple[str, ...] = ()


class Infeasible(Value):
    """Something that stays broken.

    Attributes
    ----------
    what
        ``margin <account>[ <asset>]`` or ``limit <id>``.
    missing
        Numeraire.
    conflicts
        Rules that cannot all be kept while it is mended.
    beside
        Rules that may be given up without its being mended; conflicts hold even so.
    irreducible
        Whether giving up any one of the conflicts, and those beside, would let it be mended.
    smallest_relaxation
        The smallest change of its own rule that mends it, in words.
    shortages
        Every requirement of it that is not met.
    relaxations
        For each of the conflicts the smallest change of it alone.
    note
        Why it is left, where no rule stands in the way.
    """

    what: str
    missing: Num
    conflicts: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    irreducible: bool = False
    smallest_relaxation: str = ""
    declared: Place = ()
    shortages: tuple[Shortage, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    note: str = ""
