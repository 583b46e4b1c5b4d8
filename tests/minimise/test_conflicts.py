"""What is named as a conflict is one, and what is said to mend it does."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from allocator.decide import decide
from allocator.minimise.choose import choose
from allocator.minimise.least import NOTHING, least_of
from allocator.minimise.search import search
from allocator.models.mandate import Limit
from allocator.models.plan import Plan
from allocator.models.reasons import Infeasible, Relaxation
from allocator.models.scenario import Scenario
from allocator.plan.judge import EXACT, judged
from allocator.plan.needs import CENT
from allocator.plan.relax import Rule, relaxed
from allocator.plan.shut import shut_rules
from allocator.program.crossing import arrays_of
from allocator.state import Book
from allocator.whatif.reader import load_scenario
from tests.books import random_book

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
KINDS = (
    "no route to", "no route from", "withdrawable", "ring_fenced", "order_budget", "tradable",
    "status", "policy", "margin", "limit", "route", "state", "move", "lot", "smallest", "one side",
)  # fmt: skip


def rule_named(text: str) -> Rule | None:
    """Read a rule's name; None for what is no rule of its own."""
    for kind in KINDS:
        if text.startswith(f"{kind} ") and "infeasible:" not in text:
            about = text.removeprefix(f"{kind} ")
            if kind == "margin":
                return Rule(kind, tuple(about.split(" ")))
            if kind == "no route from":
                return Rule(kind, tuple(about.split(" to ")))
            if kind in ("withdrawable", "ring_fenced", "tradable", "one side"):
                return Rule(kind, tuple(about.split("/", 1)))
            return Rule(kind, tuple(about.split("/", 2)) if kind == "move" else (about,))
    return None


def own_rule(row: Infeasible) -> Rule:
    rule = rule_named(row.what)
    assert rule is not None
    return rule


def decided(book: Book) -> Plan:
    return decide(book.snapshot, book.mandate)


def missing(plan: Plan, what: str) -> Decimal:
    return sum((row.missing for row in plan.infeasible if row.what == what), Decimal(0))


@cache
def decided_random(seed: int, flavour: str) -> tuple[Book, Plan]:
    scenario = Scenario.model_validate(random_book(seed, flavour))
    book = Book.of(scenario.snapshot, scenario.mandate)
    return book, decided(book)


def infeasible_books(flavour: str, seeds: range) -> list[tuple[Book, Plan]]:
    books = (decided_random(seed, flavour) for seed in seeds)
    return [(book, plan) for book, plan in books if plan.status == "infeasible"]


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
    books = infeasible_books(flavour, range(14, 27))
    assert books
    for book, plan in books:
        for row in plan.infeasible:
            check_conflict(book, plan, row)


def check_conflict(book: Book, plan: Plan, row: Infeasible) -> None:
    total = sum((other.missing for other in plan.infeasible), Decimal(0))
    caps = {own_rule(other): other.missing for other in plan.infeasible}
    beside = [rule for rule in map(rule_named, row.beside) if rule is not None]
    opened = relaxed(book, dict.fromkeys(beside))
    assert opened is not None
    assert missing(decided(opened), row.what) > 0
    for name in row.conflicts[1:] if row.irreducible else ():
        rule = rule_named(name)
        assert rule is not None
        free = relaxed(book, dict.fromkeys([*beside, rule]))
        assert free is not None
        assert least_of(free, own_rule(row), caps).missing <= NOTHING
    for relaxation in row.relaxations:
        if relaxation.confirmed:
            assert mended(book, row, relaxation, total)


def mended(
    book: Book, row: Infeasible, told: Relaxation, total: Decimal, part: Decimal = Decimal(1)
) -> bool:
    """Decide the book relaxed as told, or by a part of it, and tell whether the thing is mended."""
    rules = [rule_named(name) for name in (told.rule, *told.together)]
    amounts = {rule: None for rule in rules[1:] if rule is not None}
    assert rules[0] is not None
    other = relaxed(book, {**amounts, rules[0]: told.amount and told.amount * part})
    assert other is not None
    policy = other.policy.model_copy(update={"infeasible": "repair_only"})
    mandate = other.mandate.model_copy(update={"policy": policy})
    outcome = choose(other, search(arrays_of(Book.of(other.snapshot, mandate))))
    left, rest = judged(other, outcome.sizes).shortfall, total - row.missing
    return left <= (rest + 1 if rest > EXACT else EXACT)


@pytest.mark.parametrize("flavour", ["broken", "limits"])
def test_less_than_the_smallest_relaxation_does_not_mend(flavour: str) -> None:
    """Deciding anew says so, of a thing's own rule and of every other."""
    seen = 0
    for book, plan in infeasible_books(flavour, range(17, 27)):
        total = sum((other.missing for other in plan.infeasible), Decimal(0))
        for row in plan.infeasible:
            for told in row.relaxations:
                if told.amount and told.unit != "orders":
                    assert not mended(book, row, told, total, Decimal("0.99"))
                    seen += 1
    assert seen


@pytest.mark.parametrize(
    ("measure", "unit"), [("orders", Decimal(1)), ("turnover", CENT), ("transfer_out", CENT)]
)
def test_a_limit_on_plans_is_relaxed_by_no_more_than_is_needed(measure: str, unit: Decimal) -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    rows = [row.model_copy(update={"status": "open"}) for row in scenario.snapshot.instruments]
    ways = [row.model_copy(update={"max": None}) for row in scenario.snapshot.routes]
    shut = {"instruments": tuple(rows), "routes": () if measure == "turnover" else tuple(ways)}
    if measure == "transfer_out":
        shut["instruments"] = scenario.snapshot.instruments
    snapshot = scenario.snapshot.model_copy(update=shut)
    scope = {"portfolio": True}
    if measure == "orders":
        snapshot = snapshot.model_copy(update={"routes": ()})
    raw = {"id": "cap", "measure": measure, "of": {"any": True}, "scope": scope, "max": "0"}
    mandate = scenario.mandate.model_copy(update={"limits": (Limit.model_validate(raw),)})
    (row,) = decide(snapshot, mandate).infeasible
    told = {relaxation.rule: relaxation for relaxation in row.relaxations}["limit cap"]
    assert told.amount is not None
    assert told.confirmed
    for less, status in ((Decimal(0), False), (max(unit, told.amount / 200), True)):
        limit = Limit.model_validate({**raw, "max": str(told.amount - less)})
        anew = decide(snapshot, mandate.model_copy(update={"limits": (limit,)}))
        assert (anew.status == "infeasible") is status


def test_a_mandate_that_holds_repairs_back_is_told_what_stays_missing_with_them() -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    policy = scenario.mandate.policy.model_copy(update={"infeasible": "hold"})
    mandate = scenario.mandate.model_copy(update={"policy": policy})
    plan = decide(scenario.snapshot, mandate)
    (row,) = plan.infeasible
    assert not plan.actions
    assert row.missing == 36000
    own = row.relaxations[0]
    assert own.amount is not None
    assert Decimal(26000) <= own.amount <= Decimal(26001)
    assert row.smallest_relaxation == own.change


def test_a_scope_with_too_much_equity_lacks_a_way_out() -> None:
    scenario = load_scenario(SCENARIOS / "infeasible-named-cause.yaml")
    rows = [row.model_copy(update={"status": "open"}) for row in scenario.snapshot.instruments]
    shut = {"instruments": tuple(rows), "routes": ()}
    raw = {"id": "most", "measure": "equity", "scope": {"venue": "binance"}, "max": "950000"}
    limit = Limit.model_validate({**raw, "of": {"any": True}})
    mandate = scenario.mandate.model_copy(update={"limits": (limit,)})
    plan = decide(scenario.snapshot.model_copy(update=shut), mandate)
    row = next(row for row in plan.infeasible if row.what == "limit most")
    told = {one.rule: one for one in row.relaxations}["no route from binance-main to bybit-a"]
    assert told.amount == Decimal(40000)
    assert told.confirmed


def test_one_side_of_an_instrument_is_named_with_its_owner() -> None:
    ((_, plan),) = infeasible_books("limits", range(17, 18))
    (row,) = plan.infeasible
    assert row.conflicts[1:] == ("one side house/north:SOL/USDT:USDT",)
    assert "which no mandate can allow" in plan.explain()


def test_rules_that_help_only_together_are_told_together() -> None:
    ((book, plan),) = infeasible_books("limits", range(25, 26))
    (row,) = plan.infeasible
    joint = [one for one in row.relaxations if one.together]
    assert joint
    for one in joint:
        assert mended(book, row, one, row.missing)
        for name in one.together:
            fewer = tuple(other for other in one.together if other != name)
            alone = one.model_copy(update={"together": fewer})
            assert not mended(book, row, alone, row.missing)


@pytest.mark.parametrize("flavour", ["broken", "mixed"])
def test_every_shut_way_that_mends_by_itself_is_named(flavour: str) -> None:
    for book, plan in infeasible_books(flavour, range(14, 24)):
        total = sum((other.missing for other in plan.infeasible), Decimal(0))
        for row in plan.infeasible:
            for rule in dict.fromkeys(shut_rules(book, own_rule(row))):
                told = Relaxation(rule=rule.name)
                if rule.name not in row.conflicts and relaxed(book, {rule: None}) is not None:
                    assert not mended(book, row, told, total)


def desk(name: str, **rest: Any) -> dict[str, Any]:
    return {"id": name, "venue": "v", "owner": "fund", "fees": {"taker": "0.0002"}, **rest}


def halted(name: str, other: str, **rest: Any) -> Scenario:
    """Write a book of two accounts: the other may send the first less than it lacks."""
    held = {"v:BTC": {"quantity": "1", "leverage": "10", "entry_price": "50000"}}
    perpetual = {
        "id": "v:BTC", "kind": "perpetual", "underlying": "BTC", "settle": "USD",
        "contract_size": "1", "lot": "0.001", "tick": "1", "mark": "50000", "bid": "49999",
        "ask": "50001", "daily_volume": "1000000000", "daily_volatility": "0.03",
        "funding": {"rate": "0", "interval_h": "8"}, "status": "halted",
        "tiers": [{"cap": "100000000", "maintenance": "0.02", "max_leverage": "20"}],
    }  # fmt: skip
    money = {"USD": {"wallet": "500", "withdrawable": "500"}}
    snapshot = {
        "as_of": "2026-11-20T06:30:00Z",
        "assets": {"USD": {"price": "1"}},
        "instruments": [perpetual],
        "accounts": [desk(name, positions=held, **rest), desk(other, balances=money)],
        "routes": [{"id": "r", "from": other, "to": name, "asset": "USD", "kind": "internal"}],
    }
    mandate = {"targets": [{"underlying": "BTC", "delta": "0"}]}
    both = {"snapshot": snapshot, "mandate": mandate}
    return Scenario.model_validate({"version": 1, "name": "halted", **both})


@pytest.mark.parametrize(
    ("name", "other"), [("main desk", "main"), ("a USD", "a"), ("a/b", "a/b/USD")]
)
def test_ids_of_accounts_are_free_text(name: str, other: str) -> None:
    case = halted(name, other)
    plan = decide(case.snapshot, case.mandate)
    (row,) = plan.infeasible
    assert row.what == f"margin {name}"
    assert 4500 <= row.missing <= 4501
    assert row.smallest_relaxation.endswith(f" to {name}")
    assert row.conflicts == (f"margin {name}", "status v:BTC", f"margin {other}")
    told = row.relaxations[-1]
    assert told.together == (f"withdrawable {other}/USD",)
    assert told.declared == ("snapshot", "accounts", other)
    assert told.confirmed


def test_two_things_of_one_name_are_told_apart() -> None:
    single = {"model": "tiered", "asset_mode": "single"}
    case = halted("a", "a USD", margin=single)
    (a, b) = case.snapshot.accounts
    b = b.model_copy(update={"positions": a.positions})
    plan = decide(case.snapshot.model_copy(update={"accounts": (a, b)}), case.mandate)
    assert [row.what for row in plan.infeasible] == ["margin a USD", "margin a USD"]
    advised = {row.smallest_relaxation for row in plan.infeasible}
    assert advised == {
        "add 5,000.00 USD of collateral in USD to a",
        "add 4,500.00 USD of collateral to a USD",
    }
    assert {row.declared[2] for row in plan.infeasible} == {"a", "a USD"}
    assert all(
        len(row.shortages) == len({one.rule for one in row.shortages}) for row in plan.infeasible
    )
