"""What is exactly at its limit is released, and the least beyond it is not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.models.plan import Plan
from allocator.verify import account_violations, broken_prefixes
from allocator.verify.faces import Curve, linear
from allocator.verify.prefixes import Ladder
from tests.law.desk import (
    GOOD,
    Data,
    book_of,
    changed,
    desk,
    judged,
    limited,
    move,
    order,
    pair,
    position,
    transfer,
)


def codes_of(data: Data, rows: list[Data]) -> set[str]:
    actions = Plan.model_validate({"status": "act", "actions": rows}).actions
    return {row.code for row in account_violations(book_of(data), actions)}


@pytest.mark.parametrize(
    ("key", "edge", "beyond", "code"),
    [
        ("min", "2500", "2500.01", "transfer_min"),
        ("max", "2500", "2499.99", "transfer_max"),
        ("step", "0.01", "0.03", "transfer_step"),
    ],
)
def test_transfer_goes_up_to_what_its_route_takes(
    key: str, edge: str, beyond: str, code: str
) -> None:
    rows = [transfer(1, "2500"), order(2, after=[1])]
    assert judged(changed(f"snapshot/routes/0/{key}", edge), rows) == set()
    assert judged(changed(f"snapshot/routes/0/{key}", beyond), rows) == {code}


def test_all_that_may_be_withdrawn_may_leave() -> None:
    rows = [transfer(1, "2500"), order(2, after=[1])]
    where = "snapshot/accounts/0/balances/USDT/withdrawable"
    assert judged(changed(where, "2501"), rows) == set()
    assert judged(changed(where, "2500.99"), rows) == {"withdrawable"}


def test_a_whole_position_may_be_moved() -> None:
    data = changed(position("lead"), pair("100"))
    data["snapshot"]["accounts"][1]["balances"]["USDT"]["wallet"] = "30000"
    row = {"id": "cap", "measure": "gross_notional", "max": "0", "source": "desk"}
    data["mandate"]["limits"] = [{**row, "scope": {"account": "lead"}}]
    assert judged(changed("snapshot/moves/0/max_notional", "40000", data), [move(1)]) == set()
    data = changed("snapshot/moves/0/max_notional", "39999.99", data)
    assert judged(data, [move(1)]) == {"move"}


def test_a_plan_may_leave_a_cent_broken_and_call_it_repaired() -> None:
    assert "not_repaired" not in judged(limited("gross_notional", "39999.99"), GOOD, status="act")
    assert "not_repaired" in judged(limited("gross_notional", "39999.98"), GOOD, status="act")


def test_an_account_takes_what_its_margin_just_covers() -> None:
    assert codes_of(desk(), [transfer(1, "2024"), order(2, after=[1])]) == set()
    assert codes_of(desk(), [transfer(1, "2023.99"), order(2, after=[1])]) == {"margin_initial"}


def test_rounding_of_divisions_is_no_breach_and_no_licence() -> None:
    assert codes_of(desk(), [transfer(1, "2023.999999"), order(2, after=[1])]) == set()
    short = [transfer(1, "2023.9999989"), order(2, after=[1])]
    assert codes_of(desk(), short) == {"margin_initial"}


def test_fees_count_where_equity_has_a_floor_and_not_where_it_has_a_ceiling() -> None:
    """What an order pays is gone below a floor; below a ceiling it may not have been paid yet."""

    def broken(rows: list[Data], **bound: str) -> set[str]:
        limit = {"id": "worth", "measure": "equity", "scope": {"account": "aide"}}
        data = changed("mandate/limits", [{**limit, **bound, "source": "desk"}])
        actions = Plan.model_validate({"status": "act", "actions": rows}).actions
        return {row.rule.name for row in broken_prefixes(book_of(data), actions)}

    # Ten contracts of 400 cost 2 in fees and 0.4 in half-spread.
    assert broken([order(1, "10")], min="1997.6") == set()
    assert broken([order(1, "10")], min="1997.61") == {"worth"}
    assert broken(GOOD, max="5000") == set()
    assert broken(GOOD, max="4999.99") == {"worth"}


def test_part_of_a_group_is_worst_just_before_a_margin_that_jumps_falls() -> None:
    """Of `a` 10 are held, at 2 % above 8 and 1 % up to it; `b` adds 3 % of what comes."""

    def needed(size: Decimal) -> Decimal:
        return size * Decimal("0.02" if size > 8 else "0.01")

    falls, rises = ("contracts", "x", "a"), ("contracts", "x", "b")
    curves = {
        falls: Curve(needed, Decimal(10), (Decimal(8),)),
        rises: linear(Decimal(0), Decimal("0.03")),
    }
    ladder = Ladder(Decimal(0), curves, ())
    # Half way: 0.16 - 0.20 just before the fall, and 0.06 of b; at the end -0.14 and 0.12.
    assert ladder.part({falls: Decimal(-4), rises: Decimal(4)}) == Decimal("0.02")
    assert ladder.part({falls: Decimal(-4)}) == 0
    assert ladder.part({falls: Decimal(4)}) == Decimal("0.08")


def test_a_sale_may_be_priced_down_to_the_collar() -> None:
    """Fifty basis points below a mark of 40,000."""
    for price, refused in (("39800", False), ("39799.5", True)):
        rows = [transfer(1), order(2, side="sell", after=[1], limit_price=price)]
        assert ("limit_price" in judged(desk(), rows)) is refused
