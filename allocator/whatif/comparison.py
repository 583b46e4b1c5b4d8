"""What a change of a book does to its plan: base against shocked, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from allocator.decide import decide
from allocator.models.base import json_value, plain
from allocator.models.explain import describe, sentence
from allocator.models.mandate import Mandate
from allocator.models.plan import COST_PARTS, Action, Plan
from allocator.models.scenario import Expect
from allocator.models.snapshot import Snapshot
from allocator.whatif.difference import key_of
from allocator.whatif.expectations import check_expect
from allocator.whatif.reader import load_recipe
from allocator.whatif.recipe import Book, Recipe
from allocator.whatif.references import ShockFrom, Store
from allocator.whatif.remarks import remarks
from allocator.whatif.resolution import plain_data

Figure = tuple[str, Decimal | str | None, Decimal | str | None]
"""What, base, shocked; None where a plan does not have it."""


@dataclass(frozen=True)
class Side:
    """A book and what `decide` makes of it."""

    snapshot: Snapshot
    mandate: Mandate
    plan: Plan


@dataclass(frozen=True)
class ActionChange:
    """An action that the two plans do not share.

    Attributes
    ----------
    base, shocked
        In words; empty where the plan does not have it.
    why
        Why the shocked plan has it; of one that it has no more, why the base plan had it.
    """

    what: str
    base: str
    shocked: str
    why: str


@dataclass(frozen=True)
class WhatIf:
    """Base against shocked.

    Attributes
    ----------
    notes
        What is done to the book, in the order it is done; empty: nothing.
    base, shocked
        Before and after it; the same value where nothing is done.
    remarks
        What the shocked book has that no plan shows, in words.
    wrong
        What did not come out as the scenario expects of the shocked side.
    """

    name: str
    description: str
    notes: tuple[str, ...]
    base: Side
    shocked: Side
    remarks: tuple[str, ...]
    expect: Expect | None
    wrong: tuple[str, ...]

    def figures(self) -> list[Figure]:
        """Set the plans' figures side by side: outcome, counts, cost, margin, proof."""
        return [
            (what, a, b)
            for (what, a), (_, b) in zip(
                _figures(self.base.plan), _figures(self.shocked.plan), strict=True
            )
        ]

    def changes(self) -> list[ActionChange]:
        """List the actions that differ, with the reason of each."""
        old, new = _by_key(self.base.plan), _by_key(self.shocked.plan)
        out = list[ActionChange]()
        for key in sorted({*old, *new}):
            before, after = old.get(key), new.get(key)
            texts = ["" if row is None else describe(row) for row in (before, after)]
            if texts[0] != texts[1]:
                why = self._why(before, after)
                out.append(ActionChange(" ".join(key), texts[0], texts[1], why))
        return out

    def _why(self, before: Action | None, after: Action | None) -> str:
        side, row = (self.base, before) if after is None else (self.shocked, after)
        reason = None if row is None else side.plan.reasons.get(row.seq)
        if reason is None:
            return ""
        return sentence(reason) if after is not None else f"no more: {sentence(reason)}"

    def to_json(self) -> dict[str, Any]:
        """Turn it into plain JSON data."""
        figures = [{"what": w, "base": _cell(a), "shocked": _cell(b)} for w, a, b in self.figures()]
        return {
            "schema": "allocator.what-if/1",
            "name": self.name,
            "description": self.description,
            "done": list(self.notes),
            "remarks": list(self.remarks),
            "figures": figures,
            "changes": [vars(row) for row in self.changes()],
            "expect": None if self.expect is None else plain_data(self.expect),
            "wrong": list(self.wrong),
            "base": self.base.plan.to_json(),
            "shocked": self.shocked.plan.to_json(),
        }

    def books(self) -> dict[str, Any]:
        """Turn the inputs of both sides into plain JSON data, to make either plan again."""
        sides = {"base": self.base, "shocked": self.shocked}
        return {
            name: {"snapshot": json_value(side.snapshot), "mandate": json_value(side.mandate)}
            for name, side in sides.items()
        }

    def report(self, path: str | Path) -> Path:
        """Write it where the name's ending says how: .html, .md or .json."""
        from allocator.whatif.comparison_page import page
        from allocator.whatif.report import write_page

        return write_page(page(self), self.to_json(), path)


def what_if(
    source: str | Path | Mapping[str, Any] | Book,
    *,
    shock: ShockFrom | Sequence[ShockFrom] = (),
    override: Mapping[str, Any] | None = None,
    store: Store | None = None,
) -> WhatIf:
    """Decide about a book as it is, and as a scenario would have it.

    Parameters
    ----------
    source
        A scenario file or the data of one; or a snapshot and a mandate.
    shock, override
        What more is done, after the scenario's own: data as in a file, or files of shocks.
    store
        Where ``snapshot: {stored: ...}`` is looked up.

    Raises
    ------
    InputError
        With everything that is wrong with the scenario.

    Examples
    --------
    >>> import allocator
    >>> file = "scenarios/two-venue-delta-move.yaml"
    >>> done = allocator.what_if(file, shock={"prices": {"BTC": "-10%"}})  # doctest: +SKIP
    >>> done.shocked.plan.status  # doctest: +SKIP
    'act'
    """
    if isinstance(source, tuple):
        snapshot, mandate = source
        source = {"name": "book", **_halves(snapshot, mandate)}
    more = [shock] if isinstance(shock, Mapping | str | Path) else list(shock)
    return compared(load_recipe(source, shocks=more, override=override, store=store))


def _halves(snapshot: Snapshot, mandate: Mandate) -> dict[str, Any]:
    return {"snapshot": plain_data(snapshot), "mandate": plain_data(mandate)}


def compared(recipe: Recipe) -> WhatIf:
    """Decide about a recipe's base and about its book, and check what it expects."""
    after = Side(*recipe.book, decide(*recipe.book))
    same = not recipe.changes
    base = after if same else Side(*recipe.base, decide(*recipe.base))
    wrong = check_expect(recipe.expect, after.plan) if recipe.expect is not None else []
    return WhatIf(
        name=recipe.name,
        description=recipe.description,
        notes=tuple(recipe.notes()),
        base=base,
        shocked=after,
        remarks=remarks(recipe.base, recipe.book),
        expect=recipe.expect,
        wrong=tuple(wrong),
    )


def _by_key(plan: Plan) -> dict[tuple[str, ...], Action]:
    return {key_of(action): action for action in plan.actions}


def _figures(plan: Plan) -> Iterator[tuple[str, Decimal | str | None]]:
    kinds = [action.kind for action in plan.actions]
    yield "status", plan.status
    yield "actions", Decimal(len(kinds))
    for kind in ("transfer", "move", "order"):
        yield f"{kind}s", Decimal(kinds.count(kind))
    for name in (*COST_PARTS, "total", "do_nothing"):
        yield f"cost {name}", getattr(plan.cost, name)
    yield "saving", plan.cost.do_nothing - plan.cost.total
    for when in ("before", "after"):
        yield (
            f"equity {when}",
            sum((getattr(row, f"equity_{when}") for row in plan.accounts.values()), Decimal(0)),
        )
        yield f"worst margin ratio {when}", worst_ratio(plan, when)
    proof = plan.certificate
    yield "shortfall left", proof.shortfall if proof is not None else None
    yield "gap, relative", proof.gap_relative if proof is not None else None
    limits = sorted(row.limit for row in proof.binding) if proof is not None else []
    yield "binding limits", ", ".join(limits)


def worst_ratio(plan: Plan, when: str = "after") -> Decimal | None:
    """Give the smallest margin ratio before or after a plan; None: no account has one."""
    ratios = [getattr(row, f"margin_ratio_{when}") for row in plan.accounts.values()]
    return min((value for value in ratios if value is not None), default=None)


def _cell(value: Decimal | str | None) -> str | None:
    return plain(value) if isinstance(value, Decimal) else value
