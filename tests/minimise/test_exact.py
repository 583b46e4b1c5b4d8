"""Small books against every combination of whole lots."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from allocator.decide import decide
from allocator.minimise.exact import exact
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.state import Book
from tests.program.programs import program_of, scenario_of

PRICE = 50_000
LOT = Decimal("0.1")


def book_of(seed: int) -> tuple[Snapshot, Mandate]:
    """Make two accounts at two venues with two pairs each and lots of 5,000 USD."""
    rng = random.Random(seed)
    tiers = [{"cap": "10000000", "maintenance": "0.02", "max_leverage": "20"}]
    instruments: list[dict[str, Any]] = []
    accounts: list[dict[str, Any]] = []
    for venue in ("one", "two"):
        names = [f"{venue}:BTC{number}" for number in (1, 2)]
        for name in names:
            half = rng.choice([1, 5, 20])
            instruments.append(
                {
                    "id": name,
                    "kind": "perpetual",
                    "underlying": "BTC",
                    "settle": "USDT",
                    "contract_size": "1",
                    "lot": str(LOT),
                    "tick": "1",
                    "mark": str(PRICE),
                    "bid": str(PRICE - half),
                    "ask": str(PRICE + half),
                    "daily_volume": str(rng.choice([3, 30, 300]) * 10**6),
                    "daily_volatility": "0.03",
                    "funding": {"rate": f"{rng.uniform(-1e-4, 1e-4):.7f}", "interval_h": "8"},
                    "tiers": tiers,
                }
            )
        held = {
            name: {"quantity": str(LOT * rng.randint(-2, 2)), "unrealised": "0", "leverage": "10"}
            for name in names
        }
        accounts.append(
            {
                "id": f"a-{venue}",
                "venue": venue,
                "owner": "fund",
                "fees": {"taker": "0.0005"},
                "balances": {"USDT": {"wallet": str(rng.choice([1500, 3000, 20000]))}},
                "positions": held,
            }
        )
    snapshot = {
        "as_of": "2026-11-20T08:00:00Z",
        "assets": {"USDT": {"price": "1"}, "BTC": {"price": str(PRICE), "underlying": "BTC"}},
        "instruments": instruments,
        "accounts": accounts,
    }
    mandate = {
        "targets": [{"underlying": "BTC", "delta": str(rng.randint(-30, 30) * 1000)}],
        "policy": {
            "risk_aversion": "0.00001",
            "order_cost": str(rng.choice([0, 1, 10])),
            "margin_buffer": "0.2",
            "max_slice": "50000",
        },
    }
    return Snapshot.model_validate(snapshot), Mandate.model_validate(mandate)


def best_of_all(book: Book) -> tuple[Decimal, Decimal]:
    """Judge every combination of up to three lots either way; least S, then least total."""
    keys = book.pairs
    found = list[tuple[Decimal, Decimal]]()
    for lots in itertools.product(range(-3, 4), repeat=len(keys)):
        sizes = {key: n * LOT for key, n in zip(keys, lots, strict=True) if n}
        verdict = judged(book, Sizes(orders=sizes))
        if not verdict.broken:
            found.append((verdict.shortfall, verdict.total))
    return min(found)


@pytest.mark.parametrize("seed", range(4))
def test_no_combination_of_lots_beats_the_plan(seed: int) -> None:
    snapshot, mandate = book_of(seed)
    book = Book.of(snapshot, mandate)
    short, total = best_of_all(book)
    plan = decide(snapshot, mandate)
    assert plan.certificate is not None
    assert plan.certificate.shortfall <= short + Decimal("0.000001")
    assert plan.cost.total <= total + Decimal("0.02")
    assert plan.certificate.lower_bound <= total


def test_the_first_side_only_is_tried_where_owners_share_an_instrument() -> None:
    snapshot, mandate = book_of(1)
    plan = decide(snapshot, mandate)
    sides = {(row.instrument, row.side) for row in plan.actions if row.kind == "order"}
    assert len(sides) == len({name for name, _ in sides})


def test_tight_cap_on_what_is_missing_is_not_taken_for_out_of_reach() -> None:
    """HiGHS' presolve finds no room in a numeraire of it; the search by itself does."""
    scenario = scenario_of(108, "limits")
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    assert plan.certificate.shortfall - plan.certificate.shortfall_lower_bound < 1


def test_a_curve_of_absurd_steepness_is_not_searched() -> None:
    """Over tangents of 1e12 and more the solver took minutes for three nodes."""
    form = program_of(*book_of(1)).form.capped(0.0)
    start = np.zeros(form.low.size)
    steep = replace(form, p=np.where(form.k > 0, 3e12, form.p))
    assert exact(form, start, ()) is not None
    assert exact(steep, start, ()) is None
