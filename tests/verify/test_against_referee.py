"""The verifier and an independent judge agree on random plans for random books.

The judge is no part of the project; without it (`ALLOCATOR_SHARED`, by default a folder
`shared` beside the checkout) these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.plan.sequence import Ordered, sequenced
from allocator.presets import allocate, parsed
from allocator.state import Book
from allocator.verify import verify
from tests.books import FLAVOURS, random_book
from tests.random_plans import honest, random_plan
from tests.rotations import book_of, rotation

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ALLOCATOR_SHARED", ROOT.parent / "shared"))
SOURCE = SHARED / "referee" / "referee.py"
LONG = 10
"""Steps up to which both look at every prefix; beyond, the verifier's bound may refuse more."""
DUST = Decimal("0.000002")
"""The judge writes six digits behind the point."""

pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="the independent judge is not here")


@pytest.fixture(scope="module")
def referee() -> Any:
    spec = importlib.util.spec_from_file_location("independent_judge", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with localcontext():
        spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def judged(referee: Any, raw: dict[str, Any], plan: Plan, folder: Path) -> dict[str, Any]:
    """Ask the judge, which reads files and counts with 50 digits."""
    scenario, answer = folder / "scenario.json", folder / "plan.json"
    scenario.write_text(json.dumps(raw), encoding="utf-8")
    answer.write_text(json.dumps(plan.to_json()), encoding="utf-8")
    with localcontext(Context(prec=50)):
        out: dict[str, Any] = referee.judge(str(scenario), str(answer))
    return out


def stricter(plan: Plan, message: str, code: str) -> bool:
    """Tell what the verifier refuses and the judge does not look at.

    It wants a moved pair to be tradable on both sides, and where steps are many it refuses
    what its bound cannot exclude.
    """
    bound = len(plan.actions) > LONG and code.startswith(("step_", "corridor"))
    return bound or (code == "tradable" and " move " in message)


@pytest.mark.parametrize("most", [6, 14])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_both_find_the_same_violations_and_costs(
    referee: Any, flavour: str, most: int, tmp_path: Path
) -> None:
    for seed in range(10):
        raw = random_book(seed, flavour)
        scenario = Scenario.model_validate(raw)
        book = Book.of(scenario.snapshot, scenario.mandate)
        if any(book.set_aside.values()):
            continue  # the judge counts isolated wallets as collateral of the whole account
        plan = random_plan(random.Random(f"{flavour} {seed} {most}"), book, most)
        theirs = judged(referee, raw, plan, tmp_path)
        ours = verify(scenario.snapshot, scenario.mandate, plan)
        codes = {row["code"] for row in theirs["violations"]}
        known = {row.code for row in ours}
        assert codes <= known, (seed, theirs["violations"])
        extra = [row for row in ours if row.code not in codes]
        assert all(stricter(plan, row.message, row.code) for row in extra), (seed, extra)
        for part, value in theirs["cost"].items():
            assert abs(Decimal(value) - getattr(plan.cost, part)) <= DUST, (seed, part)
        assert plan.certificate is not None
        assert abs(Decimal(theirs["shortfall"]) - plan.certificate.shortfall) <= DUST, seed


@pytest.mark.parametrize("desk", [(2, 2), (3, 2), (4, 1)], ids=str)
def test_orders_of_steps_that_are_found_pass_the_judge(
    referee: Any, desk: tuple[int, int], tmp_path: Path
) -> None:
    asked = 0
    for seed in range(25):
        data, sizes = rotation(seed, *desk)
        steps = sequenced(book_of(data), sizes)
        if isinstance(steps, Ordered) and any(row.after for row in steps.actions):
            raw = {"version": 1, "name": "rotation", **data}
            theirs = judged(referee, raw, honest(book_of(data), steps.actions), tmp_path)
            codes = {row["code"] for row in theirs["violations"]}
            assert not {code for code in codes if code.startswith(("step_", "corridor", "after"))}
            asked += 1
    assert asked > 3


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_judge_misses_nothing_in_a_presets_plan_but_a_proof(
    referee: Any, flavour: str, tmp_path: Path
) -> None:
    for seed in (11, 12):
        raw = random_book(seed, flavour)
        scenario = Scenario.model_validate(raw)
        if any(Book.of(scenario.snapshot, scenario.mandate).set_aside.values()):
            continue  # as above
        for text in ("equal", "net_liq", "available_equity", "pct_change=-50"):
            plan = allocate(scenario.snapshot, scenario.mandate, parsed(text))
            verdict = judged(referee, raw, plan, tmp_path)
            assert {row["code"] for row in verdict["violations"]} <= {"certificate"}
