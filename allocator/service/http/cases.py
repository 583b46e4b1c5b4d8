"""What-if cases: what somebody would have otherwise, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allocator.models.base import json_value
from allocator.models.bodies import Case
from allocator.models.errors import AllocatorError, InputError, Problem
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.models.what_if import Decided
from allocator.whatif.recipe import Recipe

PARTS = ("version", "name", "description", "override", "shock", "expect")
"""Parts of a scenario file that a case has."""

MOST_PARTS = 10_000
"""Most values of a case's text: a form takes no larger one, and aliases write much with little."""

ELSEWHERE = {
    "snapshot": "a case is about the book as it is; leave this out",
    "mandate": "a case is about the published mandate; change it with override",
    "grid": "is for sweeps; a case has one value of each",
}


def decided_case(snapshot: Snapshot, mandate: Mandate, case: Case) -> Decided:
    """Decide a case; one that makes no sensible book tells why."""
    from allocator.whatif.expectations import check_expect
    from allocator.whatif.remarks import remarks

    try:
        recipe = recipe_of(snapshot, mandate, case)
        found = decided(case.name, *recipe.book)
    except InputError as error:
        return Decided(name=case.name, error=_plainly(error))
    except AllocatorError as error:
        return Decided(name=case.name, error=str(error))
    wrong: tuple[str, ...] = ()
    if recipe.expect is not None and found.plan is not None:
        wrong = tuple(check_expect(recipe.expect, found.plan))
    told = {"done": tuple(recipe.notes()), "remarks": remarks(recipe.base, recipe.book)}
    return found.model_copy(update={**told, "wrong": wrong})


def decided(name: str, snapshot: Snapshot, mandate: Mandate) -> Decided:
    """Decide about a book."""
    from allocator.decide import decide
    from allocator.whatif.comparison import worst_ratio

    plan = decide(snapshot, mandate)
    return Decided(
        name=name,
        status=plan.status,
        actions=len(plan.actions),
        total=plan.cost.total,
        do_nothing=plan.cost.do_nothing,
        shortfall=None if plan.certificate is None else plan.certificate.shortfall,
        worst_ratio=worst_ratio(plan),
        plan=plan,
    )


def recipe_of(snapshot: Snapshot, mandate: Mandate, case: Case) -> Recipe:
    """Put a case on the book, as a scenario file does: overrides, then shocks in their order.

    Raises
    ------
    InputError
        With every problem that was found.
    """
    from allocator.whatif.reader import load_recipe

    parts = {"shock": case.shock, "override": case.override, "expect": case.expect}
    return load_recipe(source_of(snapshot, mandate, case.name, parts))


def source_of(
    snapshot: Snapshot, mandate: Mandate, name: str, parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the data of a scenario; parts that are empty are left out."""
    told = {key: _plain(value) for key, value in parts.items() if value}
    book = {"snapshot": json_value(snapshot), "mandate": json_value(mandate)}
    return {"version": 1, "name": name, **book, **told}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def case_of(text: str) -> dict[str, Any]:
    """Read the parts of a case from YAML or JSON text.

    Raises
    ------
    InputError
        When the text is neither, or has parts that a case does not have.
    """
    from allocator.whatif.document import FileError, parse, suggest

    document = parse(text, "scenario", MOST_PARTS)
    if document.problems:
        raise FileError(document.problems)
    data: Any = document.data
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError("a mapping is wanted, such as shock: {prices: {BTC: -20%}}")
    wrong = [
        Problem((key,), ELSEWHERE.get(key, f"unknown key {key!r}{suggest(key, PARTS)}"))
        for key in data
        if key not in PARTS
    ]
    if wrong:
        raise InputError(wrong)
    return data


def _plainly(error: InputError) -> str:
    """Tell problems by their paths: a request has no lines."""
    return "; ".join(str(Problem(row.path, row.message)) for row in error.problems) or str(error)
