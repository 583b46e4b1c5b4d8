"""The verifier and an independent judge of plans agree, where that judge is at hand.

``ALLOCATOR_SHARED`` (default: the folder ``shared`` beside the repository) holds it with its
reference cases; without it these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from allocator.models.canonical import mandate_hash, snapshot_hash, with_hash
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.state import Book, effect_of
from allocator.verify import plan_blocks, verify

HERE = Path(__file__).resolve().parent.parent.parent
SHARED = Path(os.environ.get("ALLOCATOR_SHARED", HERE.parent / "shared"))
CASES = sorted(path.stem for path in (SHARED / "reference").glob("*.yaml"))

pytestmark = pytest.mark.skipif(not CASES, reason="no reference cases at hand")


class _Text(yaml.SafeLoader):
    """Numbers and times stay as they are written."""


for _tag in ("float", "int", "timestamp"):
    _Text.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda _, node: node.value)


@pytest.fixture(scope="module")
def referee() -> ModuleType:
    spec = importlib.util.spec_from_file_location("referee", SHARED / "referee" / "referee.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["referee"] = module
    spec.loader.exec_module(module)
    return module


def scenario_of(name: str) -> Scenario:
    text = (SHARED / "reference" / f"{name}.yaml").read_text()
    data = yaml.load(text, Loader=_Text)
    rows = {row["id"]: row for row in data["snapshot"]["instruments"]}  # the last one stands
    data["snapshot"]["instruments"] = list(rows.values())
    return Scenario.model_validate({**data, "version": 1})


def plan_of(name: str, scenario: Scenario) -> Plan:
    text = (SHARED / "reference" / f"{name}.ref.json").read_text()
    raw: dict[str, Any] = json.loads(text, parse_float=str)["plan"]
    return bound_to(Plan.model_validate(raw), scenario)


def bound_to(plan: Plan, scenario: Scenario) -> Plan:
    hashes = {
        "snapshot_hash": snapshot_hash(scenario.snapshot),
        "mandate_hash": mandate_hash(scenario.mandate),
    }
    return with_hash(plan.model_copy(update=hashes))


def judged(referee: ModuleType, name: str, plan: Plan) -> tuple[set[str], dict[str, Decimal]]:
    book = referee.load_book(str(SHARED / "reference" / f"{name}.yaml"))
    raw = json.loads(json.dumps(plan.to_json()), parse_float=Decimal)
    verdict = referee.judge_plan(book, raw, [])
    costs = {part: Decimal(value) for part, value in verdict["cost"].items()}
    return {row["code"] for row in verdict["violations"]}, costs


def found(scenario: Scenario, plan: Plan) -> set[str]:
    return {row.code for row in verify(scenario.snapshot, scenario.mandate, plan)}


@pytest.mark.parametrize("name", CASES)
def test_reference_plan_is_released(name: str, referee: ModuleType) -> None:
    scenario = scenario_of(name)
    plan = plan_of(name, scenario)
    codes, costs = judged(referee, name, plan)
    assert codes == found(scenario, plan) == set()
    blocks = plan_blocks(Book.of(scenario.snapshot, scenario.mandate), plan.actions)
    for part, value in costs.items():
        assert abs(getattr(blocks.cost, part) - value) < Decimal("0.000001"), part


def mutants(plan: Plan) -> list[Plan]:
    """Plans with one action left out, unordered, doubled or halved, or with no groups."""
    rows = [row.model_dump(by_alias=True) for row in plan.actions]
    variants: list[list[dict[str, Any]]] = []
    for index, row in enumerate(rows):
        size = "amount" if row["kind"] == "transfer" else "quantity"
        rest = [r for r in rows if r is not row]
        keep = {r["seq"] for r in rest}
        variants.append([{**r, "after": [s for s in r["after"] if s in keep]} for r in rest])
        before, following = rows[:index], rows[index + 1 :]
        resized = [{**row, size: row[size] * factor} for factor in (2, Decimal("0.5"))]
        variants += [[*before, other, *following] for other in resized]
    variants.append([{**row, "after": []} for row in rows])
    variants.append([{**r, "group": None} if "group" in r else r for r in rows])
    turned = {"buy": "sell", "sell": "buy"}
    variants.append([{**r, "side": turned[r["side"]]} if "side" in r else r for r in rows])
    return [Plan.model_validate({**plan.to_json(), "actions": v}) for v in variants]


@pytest.mark.parametrize("name", CASES)
def test_same_rules_are_broken_by_mutants_of_the_reference_plan(
    name: str, referee: ModuleType
) -> None:
    scenario = scenario_of(name)
    book = Book.of(scenario.snapshot, scenario.mandate)
    for mutant in mutants(plan_of(name, scenario)):
        blocks = plan_blocks(book, mutant.actions)
        honest = {"cost": blocks.cost, "exposure": blocks.exposure, "accounts": blocks.accounts}
        plan = bound_to(mutant.model_copy(update=honest), scenario)
        theirs, _ = judged(referee, name, plan)
        assert found(scenario, plan) == theirs


def test_effects_carry_every_reference_action() -> None:
    for name in CASES:
        scenario = scenario_of(name)
        book = Book.of(scenario.snapshot, scenario.mandate)
        for action in plan_of(name, scenario).actions:
            assert effect_of(book, action).seq == action.seq
