"""Plans that were tampered with, each in one place, given to the verifier: it lets none through."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.decide import decide
from allocator.models.canonical import with_hash
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.verify import verify
from allocator.whatif.reader import load_scenario

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))
OTHER = {"buy": "sell", "sell": "buy"}


def mutants(plan: Plan, scenario: Scenario) -> Iterator[tuple[str, Plan]]:
    """Change one thing of one action, of the list, or of a claim; hashed anew each time."""
    rows = [row.model_dump(by_alias=True) for row in plan.actions]
    for place, row in enumerate(rows):
        for name, change in changes(row, scenario):
            yield name, changed(plan, [*rows[:place], {**row, **change}, *rows[place + 1 :]])
        yield "left out", changed(plan, [*rows[:place], *rows[place + 1 :]])
        twice = {**row, "seq": len(rows) + 1}
        yield "twice", changed(plan, [*rows, twice])
    for name in ("total", "fees", "tracking", "do_nothing"):
        cost = plan.cost.model_copy(update={name: getattr(plan.cost, name) - 1})
        yield f"claims less {name}", plan.model_copy(update={"cost": cost})
    for account, state in plan.accounts.items():
        off = 1 + abs(state.equity_after) / 1000
        better = state.model_copy(update={"equity_after": state.equity_after + off})
        yield (
            "claims more equity",
            plan.model_copy(update={"accounts": {**plan.accounts, account: better}}),
        )
    for underlying, row in plan.exposure.items():
        off = 1 + abs(row.after) / 1000
        nearer = row.model_copy(update={"after": row.after + off})
        yield (
            "claims other exposure",
            plan.model_copy(update={"exposure": {**plan.exposure, underlying: nearer}}),
        )


def changes(row: dict[str, Any], scenario: Scenario) -> Iterator[tuple[str, dict[str, Any]]]:
    accounts = [account.id for account in scenario.snapshot.accounts]
    if row["kind"] == "transfer":
        yield "larger amount", {"amount": row["amount"] * 2}
        yield "smaller amount", {"amount": row["amount"] / 2}
        yield "turned round", {"from": row["to"], "to": row["from"]}
        yield "no such route", {"route": f"{row['route']}-x"}
        yield "no such asset", {"asset": "XXX"}
        return
    yield "larger", {"quantity": row["quantity"] * 3}
    yield "smaller", {"quantity": row["quantity"] / 2}
    yield "dust", {"quantity": row["quantity"] + Decimal("0.000000001")}
    yield "no such instrument", {"instrument": "nowhere:BTC/USDT:USDT"}
    if row["kind"] == "order":
        yield "other side", {"side": OTHER[row["side"]]}
        factor = Decimal(2) if row["side"] == "buy" else Decimal("0.5")
        yield "any price", {"limit_price": row["limit_price"] * factor}
        yield "off the tick", {"limit_price": row["limit_price"] + Decimal("0.000000001")}
        other = next((name for name in accounts if name != row["account"]), None)
        if other is not None:
            yield "other account", {"account": other}
    else:
        yield "turned round", {"from": row["to"], "to": row["from"]}


def changed(plan: Plan, rows: list[dict[str, Any]]) -> Plan:
    data = plan.model_dump(by_alias=True)
    data["actions"] = [{**row, "seq": seq} for seq, row in enumerate(rows, 1)]
    return with_hash(Plan.model_validate(data))


@pytest.mark.parametrize("name", NAMES)
def test_no_tampered_plan_is_let_through(name: str) -> None:
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml")
    plan = decide(scenario.snapshot, scenario.mandate)
    assert verify(scenario.snapshot, scenario.mandate, plan) == ()
    let_through = [
        what
        for what, mutant in mutants(plan, scenario)
        if not verify(scenario.snapshot, scenario.mandate, mutant)
    ]
    assert let_through == []
