"""What is named as a conflict is one, and what is said to mend it does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from allocator.decide import decide
from allocator.minimise.least import NOTHING, least_of
from allocator.models.mandate import Limit
from allocator.models.plan import Plan
from allocator.models.reasons import Infeasible
from allocator.models.scenario import Scenario
from allocator.plan.relax import Rule, relaxed
from allocator.state import Book, State, effect_of
from allocator.verify import shortfall
from allocator.whatif.reader import load_scenario
from tests.books import random_book

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
KINDS = (
    "no route to", "withdrawable", "ring_fenced", "order_budget", "tradable", "status", "policy",
    "margin", "limit", "route", "state", "move",
)  # fmt: skip


def rule_named(text: str) -> Rule | None:
    """Read a rule's name; None for what is no rule of its own."""
    for kind in KINDS:
        if text.startswith(f"{kind} ") and "infeasible:" not in text:
            about = text.removeprefix(f"{kind} ")
            if kind == "margin":
                return Rule(kind, tuple(about.split(" ")))
            if kind in ("withdrawable", "ring_fenced", "tradable"):
                return Rule(kind, tuple(about.split("/", 1)))
            return Rule(kind, tuple(about.split("/", 2)) if kind == "move" else (about,))
    return None


def decided(book: Book) -> Plan:
    return decide(book.snapshot, book.mandate)


def missing(plan: Plan, what: str) -> Decimal:
    return sum((row.missing for row in plan.infeasible if row.what == what), Decimal(0))


def infeasible_books(flavour: str, seeds: range) -> list[tuple[Book, Plan]]:
    out = list[tuple[Book, Plan]]()
    for seed in seeds:
        scenario = Scenario.model_validate(random_book(seed, flavour))
        book = Book.of(scenario.snapshot, scenario.mandate)
        plan = decided(book)
        if plan.status == "infeasible":
            out.append((book, plan))
    return out


def test_the_halted_market_and_the_narrow_route_conflict_with_the_margin() -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    (row,) = decide(scenario.snapshot, scenario.mandate).infeasible
    assert row.irreducible
    assert row.conflicts == (
        "margin bybit-a",
        "status bybit:BTC/USDT:USDT",
        "route bin-byb-usdt",
    )
    own, status, route = row.relaxations
    assert (own.amount, own.unit) == (row.missing, "USD")
    assert (status.amount, status.change) == (
        None,
        "open bybit:BTC/USDT:USDT, which is halted",
    )
    assert (route.amount, route.unit) == (Decimal(26000), "USDT")
    assert all(relaxation.confirmed for relaxation in row.relaxations)
    (short,) = row.shortages
    assert (short.rule, short.asked, short.missing) == ("initial margin", 96000, row.missing)


def test_a_limit_on_orders_is_relaxed_by_whole_orders() -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    rows = [row.model_copy(update={"status": "open"}) for row in scenario.snapshot.instruments]
    snapshot = scenario.snapshot.model_copy(update={"instruments": tuple(rows)})
    none = Limit.model_validate(
        {
            "id": "none",
            "measure": "orders",
            "of": {"any": True},
            "scope": {"portfolio": True},
            "max": "0",
        }
    )
    mandate = scenario.mandate.model_copy(update={"limits": (*scenario.mandate.limits, none)})
    (row,) = decide(snapshot, mandate).infeasible
    told = {relaxation.rule: relaxation for relaxation in row.relaxations}["limit none"]
    assert (told.amount, told.unit) == (Decimal(1), "orders")
    assert told.change == "raise the max of none from 0 to 1"
    assert told.confirmed


def test_an_account_without_a_way_in_lacks_a_route() -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    alone = scenario.snapshot.model_copy(update={"routes": ()})
    (row,) = decide(alone, scenario.mandate).infeasible
    assert "no route to bybit-a" in row.conflicts
    told = {relaxation.rule: relaxation for relaxation in row.relaxations}
    assert told["no route to bybit-a"].confirmed
    assert told["no route to bybit-a"].amount == Decimal(36000)


@pytest.mark.parametrize("flavour", ["broken", "limits", "mixed"])
def test_conflicts_hold_and_relaxations_mend(flavour: str) -> None:
    books = infeasible_books(flavour, range(10, 26))
    assert books
    for book, plan in books:
        for row in plan.infeasible:
            check_conflict(book, plan, row)


def check_conflict(book: Book, plan: Plan, row: Infeasible) -> None:
    total = sum((other.missing for other in plan.infeasible), Decimal(0))
    caps = {other.what: other.missing for other in plan.infeasible}
    beside = [rule for rule in map(rule_named, row.beside) if rule is not None]
    opened = relaxed(book, dict.fromkeys(beside))
    assert opened is not None
    assert missing(decided(opened), row.what) > 0
    for name in row.conflicts[1:] if row.irreducible else ():
        rule = rule_named(name)
        assert rule is not None
        free = relaxed(book, dict.fromkeys([*beside, rule]))
        assert free is not None
        assert least_of(free, row.what, caps).missing <= NOTHING
    for relaxation in row.relaxations:
        if not relaxation.confirmed:
            continue
        rule = rule_named(relaxation.rule)
        assert rule is not None
        other = relaxed(book, {rule: relaxation.amount})
        assert other is not None
        if relaxation.rule == row.what:  # the plan's own actions are enough then
            final = State.start(other).after(effect_of(other, a) for a in plan.actions)
            left = shortfall(other, final).total
        else:
            left = sum((r.missing for r in decided(other).infeasible), Decimal(0))
        assert left <= total - row.missing + 1


@pytest.mark.parametrize("flavour", ["broken", "limits"])
def test_less_than_the_smallest_relaxation_does_not_mend(flavour: str) -> None:
    seen = 0
    for book, plan in infeasible_books(flavour, range(10, 26)):
        caps = {other.what: other.missing for other in plan.infeasible}
        for row in plan.infeasible:
            for relaxation in row.relaxations[1:]:
                if relaxation.amount is None or relaxation.unit == "orders":
                    continue
                rule = rule_named(relaxation.rule)
                assert rule is not None
                less = relaxed(book, {rule: relaxation.amount * Decimal("0.99")})
                assert less is not None
                assert least_of(less, row.what, caps).missing > NOTHING
                seen += 1
    assert seen or flavour == "broken"
