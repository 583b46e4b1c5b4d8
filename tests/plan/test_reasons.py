"""Reasons name the need and the next best way, and every figure is reproduced by the law."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.cost import cost
from allocator.decide import decide
from allocator.margin import margin_shortfalls
from allocator.models.explain import sentence
from allocator.models.plan import Order, Plan
from allocator.models.reasons import Reason
from allocator.models.scenario import Scenario
from allocator.plan.judge import judged
from allocator.plan.reasons import MOST, grouped
from allocator.plan.substitutes import substitutes
from allocator.state import Book, State, effect_of
from allocator.whatif.document import read
from allocator.whatif.reader import load_scenario
from tests.books import random_book
from tests.sizes import sizes_of

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
CLOSE = Decimal("1e-9")


def told(name: str, change: Any = None) -> tuple[Book, Plan]:
    """Decide a scenario, changed as plain data first."""
    path = SCENARIOS / f"{name}.yaml"
    if change is None:
        scenario = load_scenario(path)
    else:
        raw = read(path).data
        change(raw)
        scenario = Scenario.model_validate({k: v for k, v in raw.items() if k != "expect"})
    book = Book.of(scenario.snapshot, scenario.mandate)
    return book, decide(scenario.snapshot, scenario.mandate)


def test_a_transfer_names_the_account_the_requirement_and_the_leg() -> None:
    _, plan = told("margin-rescue-by-transfer")
    (need, *_) = plan.reasons[1].needs
    assert (need.what, need.rule, need.leg) == (
        "margin bybit-a",
        "initial margin",
        "bybit:BTC/USDT:USDT",
    )
    assert (need.missing, need.left) == (Decimal(36000), 0)
    assert need.place == ("snapshot", "accounts", "bybit-a", "positions", "bybit:BTC/USDT:USDT")


def test_stress_that_asks_for_collateral_is_named() -> None:
    _, plan = told("stress-forces-collateral")
    assert plan.reasons[1].needs[0].rule == "maintenance margin in stress crash"
    assert plan.reasons[1].needs[0].missing == Decimal(61120)


def test_a_repair_that_goes_only_so_far_says_what_stays_missing() -> None:
    _, plan = told("infeasible-named-cause")
    (need, *_) = plan.reasons[1].needs
    assert need.missing == 36000
    assert need.left == plan.infeasible[0].missing


def dearer_route(raw: dict[str, Any]) -> None:
    (route,) = [row for row in raw["snapshot"]["routes"] if row["id"] == "bin-byb-usdt"]
    raw["snapshot"]["routes"].append({**route, "id": "slow", "fee": "51"})
    for row in raw["snapshot"]["instruments"]:
        row["status"] = "halted"


def test_the_next_best_route_is_named_with_its_extra_cost() -> None:
    _, plan = told("margin-rescue-by-transfer", dearer_route)
    other = plan.reasons[1].instead
    assert other is not None
    assert other.doing == "sending USDT from binance-main over slow"
    assert other.extra == Decimal(50)
    assert "saves 50.00 USD against sending USDT" in sentence(plan.reasons[1])


def dearer_account(raw: dict[str, Any]) -> None:
    first, *others = raw["snapshot"]["accounts"]
    for number, account in enumerate(others):
        account["fees"] = {**first["fees"], "taker": f"0.001{number}"}


def test_the_next_best_account_is_named_with_its_extra_fees() -> None:
    _, plan = told("owner-cap-beats-splitting", dearer_account)
    other = plan.reasons[1].instead
    assert other is not None
    assert other.doing == "buying binance:BTC/USDT:USDT in binance-sub-2"
    assert other.extra == Decimal(1_000_000) * Decimal("0.0005")


def test_an_order_tells_what_it_does_to_the_gap() -> None:
    _, plan = told("frozen-account")
    gap = plan.reasons[1].gap
    assert gap is not None
    assert (gap.underlying, gap.without, gap.after, gap.band) == ("BTC", -256000, -3200, 3200)
    assert plan.reasons[1].changes["fees"] == Decimal("126.4")


def test_orders_that_offset_each_other_are_told_as_a_set() -> None:
    _, plan = told("two-venue-delta-move")
    for seq, other in ((1, 2), (2, 1)):
        row = plan.reasons[seq].together
        assert row is not None
        assert row.orders == (other,)
        assert row.extra == plan.cost.do_nothing - plan.cost.total
        assert sum(row.changes.values()) == -row.extra


def test_a_move_is_compared_with_the_cut_that_it_spares() -> None:
    _, plan = told("position-move")
    other = plan.reasons[1].instead
    assert other is not None
    assert other.doing == "cutting bybit:BTC/USDT:USDT in bybit-tight"
    assert other.extra is not None
    assert other.extra > 1000


def test_large_plans_are_told_by_groups() -> None:
    book, _ = told("two-venue-delta-move")
    orders = tuple(
        Order.model_validate(
            {
                "seq": seq,
                "account": "bybit-a",
                "instrument": "bybit:BTC/USDT:USDT",
                "side": "buy",
                "quantity": "0.5",
                "limit_price": "64000",
            }
        )
        for seq in range(1, MOST + 2)
    )
    rows = grouped(book, orders)
    assert set(rows) == set(range(1, MOST + 2))
    assert {row.purpose for row in rows.values()} == {
        "one of 41 actions that together: buys 1,312,000 USD of BTC"
    }


FLAVOURS = ("broken", "limits", "stress", "moves", "collateral", "single", "scenario")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("seed", range(40, 44))
def test_every_claimed_figure_is_reproduced_by_the_law(seed: int, flavour: str) -> None:
    scenario = Scenario.model_validate(random_book(seed, flavour))
    book = Book.of(scenario.snapshot, scenario.mandate)
    plan = decide(scenario.snapshot, scenario.mandate)
    for action in plan.actions:
        reason = plan.reasons[action.seq]
        others = [effect_of(book, row) for row in plan.actions if row.seq != action.seq]
        state = State.start(book).after(others)
        extra = cost(book, others, state).total - plan.cost.total
        if reason.left_out is not None and reason.left_out.extra is not None:
            assert abs(reason.left_out.extra - extra) < CLOSE
        if reason.changes:
            assert abs(sum(reason.changes.values()) + extra) < CLOSE
        check_needs(book, state, reason)
        check_instead(book, plan, reason, action)


def check_needs(book: Book, state: State, reason: Reason) -> None:
    """The largest need of an account's margin is its shortfall by the law."""
    for need in reason.needs:
        kind, _, name = need.what.partition(" ")
        if kind == "margin":
            account = name if name in book.accounts else name.rpartition(" ")[0]
            rows = {row.what: row.amount for row in margin_shortfalls(book, state, account)}
            assert need.missing <= rows[need.what] + CLOSE
            largest = max(row.missing for row in reason.needs if row.what == need.what)
            assert largest > 0


def check_instead(book: Book, plan: Plan, reason: Reason, action: Any) -> None:
    """A substitute that is named exists, keeps every rule, and costs what is said."""
    told = reason.instead
    if told is None:
        return
    sizes = sizes_of(plan)
    need = reason.needs[0] if reason.needs else None
    found = {row.doing: row for row in substitutes(book, sizes, action, need)}
    verdict, whole = judged(book, found[told.doing].sizes), judged(book, sizes)
    if told.extra is None:
        assert told.refused
        assert verdict.broken or verdict.shortfall > whole.shortfall
    else:
        assert not verdict.broken
        assert abs(verdict.total - whole.total - told.extra) < CLOSE


def test_what_would_be_without_an_order_is_told_as_such() -> None:
    _, plan = told("frozen-account")
    text = sentence(plan.reasons[1])
    assert "without it BTC would end 256,000.00 USD below its target" in text
    assert "the plan ends 3,200.00 USD below it, inside the band" in text


def expects_of_spot(raw: dict[str, Any]) -> None:
    alpha = {"bybit:BTC/USDT": "0.01", "bybit:BTC/USDT:USDT": "0"}
    raw["mandate"]["policy"]["alpha"] = alpha


def test_a_return_that_is_expected_of_spot_is_said_to_change_nothing() -> None:
    """problem.md section 3: alpha is in carry, and carry is of derivatives."""
    _, bare = told("spot-plus-perpetual")
    _, plan = told("spot-plus-perpetual", expects_of_spot)
    assert plan.cost == bare.cost
    assert not bare.ignored
    (row,) = plan.ignored
    assert row.place == ("mandate", "policy", "alpha", "bybit:BTC/USDT")
    assert "changes nothing: alpha of bybit:BTC/USDT:" in plan.explain()
