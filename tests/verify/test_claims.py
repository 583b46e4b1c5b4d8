"""What a plan claims of itself: wrong figures, certificates, status and hashes are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.canonical import with_hash
from allocator.models.mandate import Mandate
from allocator.models.plan import COST_PARTS, Infeasible, Plan
from allocator.models.snapshot import Snapshot
from allocator.verify import plan_blocks, verify
from allocator.verify.claims import RELATIVE_GAP, REPAIRED, _certificate, status_violations
from tests.law.desk import (
    GOOD,
    Data,
    book_of,
    changed,
    codes,
    desk,
    honest,
    judged,
    pair,
    position,
    transfer,
)

Edit = Callable[[Plan], dict[str, Any]]


def certificate(plan: Plan, **changes: Any) -> dict[str, Any]:
    assert plan.certificate is not None
    return {"certificate": plan.certificate.model_copy(update=changes)}


def account(plan: Plan, **changes: Any) -> dict[str, Any]:
    aide = plan.accounts["aide"].model_copy(update=changes)
    return {"accounts": {**plan.accounts, "aide": aide}}


@pytest.mark.parametrize("part", [*COST_PARTS, "total", "do_nothing"])
def test_each_part_of_the_cost_is_checked(part: str) -> None:
    plan = honest(desk(), GOOD)
    off = getattr(plan.cost, part) + Decimal("0.02")
    cost = plan.cost.model_copy(update={part: off})
    assert codes(desk(), plan.model_copy(update={"cost": cost})) == {"cost"}


EDITS: dict[str, tuple[str, Edit]] = {
    "a wrong exposure": (
        "exposure",
        lambda p: {"exposure": {"BTC": p.exposure["BTC"].model_copy(update={"after": Decimal(1)})}},
    ),
    "a missing exposure": ("exposure", lambda _: {"exposure": {}}),
    "an exposure to nothing": (
        "exposure",
        lambda p: {"exposure": {**p.exposure, "X": p.exposure["BTC"]}},
    ),
    "a missing account": (
        "accounts",
        lambda p: {"accounts": {k: v for k, v in p.accounts.items() if k != "aide"}},
    ),
    "an unknown account": (
        "accounts",
        lambda p: {"accounts": {**p.accounts, "nobody": p.accounts["aide"]}},
    ),
    "a wrong equity": ("accounts", lambda p: account(p, equity_after=Decimal(5000))),
    "a wrong initial margin": ("accounts", lambda p: account(p, initial_margin_after=Decimal(1))),
    "a wrong maintenance margin": (
        "accounts",
        lambda p: account(p, maintenance_margin_after=Decimal(1)),
    ),
    "a missing margin ratio": ("accounts", lambda p: account(p, margin_ratio_after=None)),
    "a wrong margin before": (
        "accounts",
        lambda p: account(p, maintenance_margin_before=Decimal(1)),
    ),
    "a wrong liquidation distance": (
        "accounts",
        lambda p: account(p, liquidation_distance_after={"BTC": Decimal("-0.5")}),
    ),
    "an invented liquidation distance": (
        "accounts",
        lambda p: account(p, liquidation_distance_after={"BTC": None}),
    ),
    "no certificate": ("certificate", lambda _: {"certificate": None}),
    "a bound above the total": (
        "certificate",
        lambda p: certificate(p, lower_bound=p.cost.total + 1, gap=Decimal(-1)),
    ),
    "a wrong gap": ("certificate", lambda p: certificate(p, gap=Decimal(1))),
    "a wrong relative gap": ("certificate", lambda p: certificate(p, gap_relative=Decimal("0.5"))),
    "a wrong shortfall": ("certificate", lambda p: certificate(p, shortfall=Decimal(2))),
    "a bound of the shortfall above it": (
        "certificate",
        lambda p: certificate(p, shortfall_lower_bound=Decimal(2)),
    ),
    "another snapshot": ("snapshot_hash", lambda _: {"snapshot_hash": "0" * 64}),
    "no snapshot": ("snapshot_hash", lambda _: {"snapshot_hash": ""}),
    "another mandate": ("mandate_hash", lambda _: {"mandate_hash": "0" * 64}),
}


@pytest.mark.parametrize("case", EDITS)
def test_plan_is_refused_for(case: str) -> None:
    code, edit = EDITS[case]
    plan = honest(desk(), GOOD)
    assert codes(desk(), with_hash(plan.model_copy(update=edit(plan)))) == {code}


def test_plan_is_refused_if_an_action_changed_after_it_was_hashed() -> None:
    plan = honest(desk(), GOOD)
    first = plan.actions[0].model_copy(update={"after": ()})
    second = plan.actions[1].model_copy(update={"limit_price": Decimal("40004.5")})
    assert codes(desk(), plan.model_copy(update={"actions": (first, second)})) == {"plan_hash"}


def test_plan_is_refused_for_a_snapshot_that_has_moved_on() -> None:
    plan = honest(desk(), GOOD)
    later = changed("snapshot/as_of", "2026-11-20T08:00:01Z")
    assert codes(later, plan) == {"snapshot_hash"}


def broken() -> Data:
    """`aide` holds what it cannot carry, in a market that is halted; `lead` may fund it."""
    data = changed(position("aide"), pair("100"))
    data["snapshot"]["instruments"][0]["status"] = "halted"
    return data


@pytest.mark.parametrize(
    ("data", "actions", "status"),
    [
        (desk(), GOOD, "nothing"),
        (desk(), GOOD, "refused"),
        (desk(), [], "act"),
        (desk(), GOOD, "infeasible"),
    ],
)
def test_status_fits_the_actions(data: Data, actions: list[Data], status: str) -> None:
    assert "status" in judged(data, actions, status)


def test_plan_that_costs_more_than_nothing_is_refused_unless_it_repairs() -> None:
    dear = changed("mandate/policy/order_cost", "1000")
    assert judged(dear, GOOD) == {"not_worth_it"}
    assert judged(broken(), [transfer(1, "2000")]) == set()


def test_breach_must_be_repaired_or_explained() -> None:
    assert judged(broken(), [], status="nothing") == {"not_repaired"}
    assert judged(broken(), [transfer(1, "1000")], status="act") == {"not_repaired"}
    assert judged(broken(), [transfer(1, "1000")]) == set()
    plan = honest(broken(), [transfer(1, "1000")])
    assert codes(broken(), plan.model_copy(update={"infeasible": ()})) == {"status"}


def test_hold_does_not_act_on_what_it_cannot_repair() -> None:
    data = changed("mandate/policy/infeasible", "hold", broken())
    assert judged(data, [transfer(1, "1000")]) == {"status"}
    assert judged(data, []) == set()


def test_infeasible_without_anything_missing_is_refused() -> None:
    plan = honest(desk(), GOOD, "infeasible")
    named = (Infeasible(what="margin aide", missing=Decimal(1)),)
    assert codes(desk(), plan.model_copy(update={"infeasible": named})) == {"status"}


def test_broken_frozen_account_is_listed() -> None:
    data = changed("snapshot/accounts/1/state", "frozen", broken())
    plan = honest(data, [])
    assert plan.status == "nothing"
    assert plan.unrepairable == ("margin aide",)
    assert codes(data, plan) == set()
    assert codes(data, plan.model_copy(update={"unrepairable": ()})) == {"unrepairable"}


def test_broken_limit_of_frozen_accounts_is_listed_and_outside_s() -> None:
    data = changed(position("far", "south:BTC/USDT:USDT"), pair("10"))
    data["snapshot"]["accounts"][2]["state"] = "frozen"
    scope = {"scope": {"venue": "south"}}
    data["mandate"]["limits"] = [{"id": "cap", "measure": "quantity", "max": "5", **scope}]
    plan = honest(data, [])
    assert plan.unrepairable == ("limit cap",)
    assert plan_blocks(book_of(data), ()).after.total == 0


def test_refused_plan_needs_no_certificate() -> None:
    plan = honest(desk(), [], "refused").model_copy(update={"certificate": None})
    assert codes(desk(), with_hash(plan)) == set()


def test_shortfall_by_hand() -> None:
    # initial margin 4,000 against 2,000, with arrivals as collateral
    def s(data: Data) -> Decimal:
        return plan_blocks(book_of(data), ()).before.total

    assert s(broken()) == 2000
    flying = changed(
        "snapshot/accounts/1/in_flight",
        [{"asset": "USDT", "amount": "1500", "direction": "in"}],
        broken(),
    )
    assert s(flying) == 500
    row = {"id": "cap", "measure": "quantity", "max": "90", "scope": {"venue": "north"}}
    assert s(changed("mandate/limits", [row], flying)) == 500 + 10 * 400
    stress = [{"id": "crash", "prices": {"BTC": "-0.2"}}]
    # 2,000 - 8,000 against 320
    assert s(changed("mandate/policy/stress", stress, broken())) == 6320


def test_untraded_book_without_volume_is_refused_not_raised() -> None:
    plan = honest(desk(), GOOD)
    data = changed("snapshot/instruments/0/daily_volume", None)
    assert "unreplayable" in codes(data, plan)
    unpriced = desk()
    del unpriced["snapshot"]["assets"]["USDT"]
    snapshot = Snapshot.model_validate(unpriced["snapshot"])
    mandate = Mandate.model_validate(unpriced["mandate"])
    assert {row.code for row in verify(snapshot, mandate, plan)} == {"unreplayable"}


def claimed(plan: Plan, cost: dict[str, Any], **claims: Any) -> list[str]:
    """Tell what is said of a certificate beside a cost."""
    assert plan.certificate is not None
    certificate = plan.certificate.model_copy(update=claims)
    return list(_certificate(certificate, plan.cost.model_copy(update=cost), claims["shortfall"]))


def test_a_certificate_is_held_to_the_last_digit_of_each_tolerance() -> None:
    plan = honest(desk(), GOOD)
    total = Decimal(5)
    exact = {"lower_bound": total, "gap": Decimal(0), "shortfall": Decimal(0)}
    edge = RELATIVE_GAP
    assert claimed(plan, {"total": total}, **exact, gap_relative=edge) == []
    beyond = claimed(plan, {"total": total}, **exact, gap_relative=edge + Decimal("1e-12"))
    assert [row.split(":")[0] for row in beyond] == ["gap_relative"]


@pytest.mark.parametrize(("total", "over"), [("1000000", "0.9"), ("1", "0.009")])
def test_a_bound_may_be_above_the_total_by_the_larger_tolerance(total: str, over: str) -> None:
    plan, amount = honest(desk(), GOOD), Decimal(total)
    for times, refused in ((1, False), (10, True)):
        bound = amount + times * Decimal(over)
        told = claimed(plan, {"total": amount}, lower_bound=bound, shortfall=Decimal(0))
        assert any("is above the total" in row for row in told) is refused


def test_a_plan_as_dear_as_nothing_is_not_worth_it_and_a_cent_missing_is_repaired() -> None:
    plan = honest(desk(), GOOD)
    book = book_of(desk())
    true = plan_blocks(book, plan.actions)
    dear = true.cost.model_copy(update={"total": true.cost.do_nothing})
    rows = status_violations(book, plan, replace(true, cost=dear))
    assert [row.code for row in rows] == ["not_worth_it"]
    cheaper = dear.model_copy(update={"total": dear.total - Decimal("0.01")})
    assert list(status_violations(book, plan, replace(true, cost=cheaper))) == []
    left = true.after.parts[:0]
    cent = replace(true.after, total=REPAIRED, parts=left)
    starved = plan.model_copy(update={"status": "infeasible"})
    told = [row.message for row in status_violations(book, starved, replace(true, after=cent))]
    assert "infeasible, but nothing is broken after the plan" in told
    more = replace(cent, total=REPAIRED + Decimal("0.000001"))
    told = [row.message for row in status_violations(book, starved, replace(true, after=more))]
    assert "infeasible, but nothing is broken after the plan" not in told
