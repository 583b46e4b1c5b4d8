"""Presets under limits: capped by the exact law, what does not fit goes to the others."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from allocator.decide import decide
from allocator.models.base import ZERO
from allocator.models.errors import SnapshotError
from allocator.models.scenario import Scenario
from allocator.plan.judge import EXACT, broken_account, broken_rules
from allocator.plan.lots import Sizes
from allocator.plan.sequence import Ordered, sequenced
from allocator.presets import Equal, NetLiquidation, Rule, allocate, label, parsed
from allocator.presets.allocate import ordered
from allocator.presets.fill import exposure_of, filled, signed_orders
from allocator.presets.slots import Slot, slots_of
from allocator.state import Book, Pair, State
from allocator.verify import shortfall, verify
from tests.books import FLAVOURS, random_book
from tests.presets.group import XYZ, edited, group, plan_of, share, spread, traded

RICH = 1_000_000


def rules_for(scenario: Scenario) -> list[Rule]:
    names = sorted(row.id for row in scenario.snapshot.accounts)
    ratio = ",".join(f"{name}:{k + 1}" for k, name in enumerate(names))
    lots = ",".join(f"{name}:{20 * (k + 1)}" for k, name in enumerate(names))
    words = ["equal", "net_liq", "available_equity", "pct_change=-40", "pct_change=60"]
    return [parsed(text) for text in (*words, f"ratio={ratio}", f"lots={lots}")]


def scenario_of(seed: int, flavour: str) -> Scenario:
    return Scenario.model_validate(random_book(seed, flavour))


# limits


def test_what_an_account_has_no_margin_for_goes_to_the_others_by_the_same_rule() -> None:
    # a share needs 1 of margin and pays 0.011 in fee and half spread: 10,000 / 1.011 = 9,891.2
    found = spread(group([10_000, RICH, RICH], "60000"), Equal())
    assert found == {"A": 9891, "B": 25_055, "C": 25_054}


def test_a_limit_over_two_accounts_is_shared_by_the_rule() -> None:
    data = group([100_000, 200_000, 300_000], "6000")
    for row in data["snapshot"]["accounts"][:2]:
        row["owner"] = "one client"
    data["mandate"]["limits"] = [
        {"id": "cap", "measure": "long_notional", "max": "15000", "scope": scope}
        for scope in [{"owner": "one client", "venue": "v"}]
    ]
    assert spread(data, NetLiquidation()) == {"A": 500, "B": 1000, "C": 4500}


def test_what_fits_nowhere_stays_untraded_and_is_told() -> None:
    data = group([RICH] * 2, "1000")
    data["mandate"]["limits"] = [
        {"id": "cap", "measure": "gross_notional", "max": "6005", "scope": {"portfolio": True}}
    ]
    plan = plan_of(data, Equal())
    assert traded(plan) == {"A": 300, "B": 300}
    assert "4,000.00 USD of XYZ stay untraded" in plan.note


def test_largest_orders_smallest_orders_states_and_budgets_hold() -> None:
    data = group([RICH] * 8, "1000")
    edits: list[dict[str, Any]] = [{} for _ in range(8)]
    edits[0] = {"state": "frozen"}
    edits[1] = {"state": "reduce_only"}
    edits[2] = {"order_budget": 0}
    edits[3] = {"spot": [], "positions": {}}
    edits[4] = {"positions": {XYZ: {"quantity": "0", "leverage": "10", "tradable": False}}}
    data = edited(data, *edits)
    data["snapshot"]["instruments"] = [share(max_quantity="250", min_quantity="200")]
    plan = plan_of(data, Equal())
    assert traded(plan) == {"F": 250, "G": 250, "H": 250}
    assert "2,500.00 USD of XYZ stay untraded" in plan.note


def test_shares_below_the_smallest_order_go_to_the_others() -> None:
    data = group([10_000, 20_000, 100_000], "1300")
    data["snapshot"]["instruments"] = [share(min_quantity="150")]
    assert spread(data, NetLiquidation()) == {"B": 217, "C": 1083}


def test_reduce_only_accounts_take_part_up_to_their_position() -> None:
    data = edited(group([RICH] * 2, "0", held=[30, 400]), {"state": "reduce_only"})
    assert spread(data, Equal()) == {"A": -30, "B": -400}


def test_inside_the_band_nothing_is_traded_and_outside_it_all_the_way_to_the_target() -> None:
    data = group([RICH] * 2, "1000", held=[0, 900])
    data["mandate"]["targets"][0]["band"] = "100"
    plan = plan_of(data, Equal())
    assert (plan.status, plan.actions) == ("nothing", ())
    assert "inside its band" in plan.note
    data["mandate"]["targets"][0]["band"] = "99"
    assert spread(data, Equal()) == {"A": 50, "B": 50}


def test_a_preset_that_costs_more_than_doing_nothing_does_nothing() -> None:
    plan = plan_of(group([RICH] * 2, "1000", order_cost="100000"), Equal())
    assert (plan.status, plan.actions) == ("nothing", ())
    assert "would cost 200,0" in plan.note
    assert "doing nothing costs 5,000.00" in plan.note


def test_a_preset_mends_nothing_and_says_what_is_missing() -> None:
    data = group([100, RICH], "20000", held=[10_000, 0])
    plan = plan_of(data, Equal())
    assert plan.status == "infeasible"
    assert traded(plan) == {"B": 10_000}
    assert [row.what for row in plan.infeasible] == ["margin A"]
    data["mandate"]["policy"]["infeasible"] = "hold"
    held = plan_of(data, Equal())
    assert (held.status, held.actions) == ("infeasible", ())
    assert "They are held" in held.note


def test_a_plan_says_which_preset_made_it_and_proves_nothing() -> None:
    plan = plan_of(group([RICH] * 2, "100"), Equal())
    assert (plan.preset, plan.certificate) == ("equal", None)
    assert plan.note.startswith("Preset equal: 2 orders to trade +1,000.00 USD of XYZ.")
    assert "Preset equal" in plan.explain()
    assert set(plan.reasons) == {1, 2}


def test_only_a_preset_may_lack_a_certificate_and_none_may_have_one() -> None:
    scenario = Scenario.model_validate({"version": 1, "name": "x", **group([RICH] * 2, "100")})
    book = (scenario.snapshot, scenario.mandate)
    preset, optimal = allocate(*book, Equal()), decide(*book)
    bare = preset.model_copy(update={"preset": ""})
    assert {row.code for row in verify(*book, bare)} == {"certificate"}
    both = optimal.model_copy(update={"preset": "equal"})
    assert {row.code for row in verify(*book, both)} == {"certificate"}


def test_an_order_that_frees_margin_precedes_the_one_that_needs_it() -> None:
    # Margin on the whole position: 1 % up to 1,000, 10 % beyond. Shrinking XYZ from 3,000 to 990
    # frees 290 at its very end, growing ABC from 900 to 1,900 binds 181 near its beginning; half
    # way the two together need more than the 325 that are there.
    tiers = [
        {"cap": "1000", "maintenance": "0.01", "max_leverage": "50"},
        {"cap": "100000", "maintenance": "0.1", "max_leverage": "50"},
    ]
    other = "v:ABC/USD:USD"
    data = group([325], "99", held=[300])
    data["snapshot"]["assets"]["ABC"] = {"price": "10", "underlying": "ABC"}
    data["snapshot"]["instruments"] = [
        share(tiers=tiers),
        share(other, underlying="ABC", tiers=tiers),
    ]
    account = data["snapshot"]["accounts"][0]
    account["margin"] = {"model": "whole_position"}
    account["positions"][XYZ]["leverage"] = "50"
    account["positions"][other] = {"quantity": "90", "entry_price": "10", "leverage": "50"}
    data["mandate"]["targets"].append({"underlying": "ABC", "delta": "190", "unit": "base"})
    plan = plan_of(data, Equal())
    steps = [(a.instrument, a.signed, a.after) for a in plan.actions if a.kind == "order"]
    assert steps == [(XYZ, -201, ()), (other, 100, (1,))]


def test_a_book_that_makes_no_sense_is_refused() -> None:
    data = group([RICH], "1")
    data["mandate"]["targets"][0]["underlying"] = "ABC"
    scenario = Scenario.model_validate({"version": 1, "name": "x", **data})
    with pytest.raises(SnapshotError):
        allocate(scenario.snapshot, scenario.mandate, Equal())


# any book


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_presets_break_no_rule_of_the_verifier(flavour: str) -> None:
    acted = 0
    for seed in range(3):
        scenario = scenario_of(seed, flavour)
        for rule in rules_for(scenario):
            plan = allocate(scenario.snapshot, scenario.mandate, rule)
            assert plan.status != "refused", (seed, label(rule), plan.refusals)
            assert verify(scenario.snapshot, scenario.mandate, plan) == ()
            acted += bool(plan.actions)
    assert acted


def left_behind(book: Book, slots: Sequence[Slot], total: Decimal) -> list[Pair]:
    """Pairs that could take another order's worth of a total after the filling."""

    def fits(orders: Mapping[Pair, Decimal]) -> bool:
        return not broken_rules(book, Sizes(orders))

    def alone(pair: Pair, size: Decimal) -> bool:
        return not broken_account(book, Sizes({pair: size}))

    counts = filled(slots, total, fits, alone)
    assert fits(signed_orders(slots, counts))
    left = total - exposure_of(slots, counts)
    out = list[Pair]()
    for slot in slots:
        lots = counts.get(slot.pair, 0)
        more = lots + 1 if lots else max(1, slot.least)
        barred = slot.most is not None and more > slot.most
        if not barred and (more - lots) * slot.unit <= left:
            out += [slot.pair] * fits(signed_orders(slots, {**counts, slot.pair: more}))
    return out


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_account_that_could_take_another_lot_is_left_behind(flavour: str) -> None:
    for seed in range(3):
        scenario = scenario_of(seed, flavour)
        book = Book.of(scenario.snapshot, scenario.mandate)
        for rule in rules_for(scenario):
            for name in book.underlyings:
                slots = slots_of(book, rule, name, 1)
                assert left_behind(book, slots, Decimal(60000)) == []


@pytest.mark.parametrize("flavour", ["whole_position", "limits", "mixed"])
def test_sizes_that_are_asked_to_be_safe_have_an_order_of_steps(flavour: str) -> None:
    for seed in range(3):
        scenario = scenario_of(seed, flavour)
        book = Book.of(scenario.snapshot, scenario.mandate)
        for rule in rules_for(scenario):
            sizes = ordered(book, rule, safe=True).sizes
            assert isinstance(sequenced(book, sizes), Ordered)
            if isinstance(sequenced(book, ordered(book, rule, safe=False).sizes), Ordered):
                assert sizes.count or not ordered(book, rule, safe=False).sizes.count


def shuffled(raw: dict[str, Any], seed: int) -> dict[str, Any]:
    rng, out = random.Random(seed), json.loads(json.dumps(raw))
    for name in ("accounts", "instruments", "routes"):
        rng.shuffle(out["snapshot"][name])
    for name in ("targets", "limits"):
        rng.shuffle(out["mandate"][name])
    for account in out["snapshot"]["accounts"]:
        rows = list(account["positions"].items())
        rng.shuffle(rows)
        account["positions"] = dict(rows)
    return out


@pytest.mark.parametrize("flavour", ["plain", "limits", "inverse", "flows"])
def test_the_order_of_lists_does_not_change_a_preset(flavour: str) -> None:
    raw = random_book(4, flavour)
    for rule in rules_for(Scenario.model_validate(raw)):
        rows = [Scenario.model_validate(shuffled(raw, seed)) for seed in (1, 2, 3)]
        plans = [allocate(row.snapshot, row.mandate, rule) for row in rows]
        assert len({plan.plan_hash for plan in plans}) == 1
        assert len({plan.note for plan in plans}) == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_decide_costs_no_more_than_any_preset_where_nothing_is_broken(flavour: str) -> None:
    for seed in (5, 6):
        scenario = scenario_of(seed, flavour)
        book = Book.of(scenario.snapshot, scenario.mandate)
        if shortfall(book, State.start(book)).total > EXACT:
            continue
        best = decide(scenario.snapshot, scenario.mandate).cost.total
        for rule in rules_for(scenario):
            plan = allocate(scenario.snapshot, scenario.mandate, rule)
            if plan.status in ("act", "nothing"):
                assert best <= plan.cost.total + Decimal("0.01"), label(rule)


def test_nothing_that_a_preset_orders_overshoots_its_target() -> None:
    for flavour in ("plain", "inverse", "limits", "spot"):
        scenario = scenario_of(7, flavour)
        for rule in rules_for(scenario):
            plan = allocate(scenario.snapshot, scenario.mandate, rule)
            for row in plan.exposure.values():
                way = row.target - row.before
                # fees paid in coin are exposure too
                assert (row.after - row.before) * way >= ZERO or abs(row.after - row.before) < 100
                assert abs(row.after - row.before) <= abs(way) + 100
