"""Where the best plan has no safe order of steps, the next best one follows from the reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.decide import decide
from allocator.minimise import search
from allocator.minimise.choose import choose, wishes
from allocator.minimise.search import Search
from allocator.models.scenario import Scenario
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.lots_search import mended
from allocator.plan.sequence import Ordered, Tangle, sequenced
from allocator.program.crossing import arrays_of
from allocator.state import Book
from allocator.verify import verify
from tests.random_plans import honest
from tests.shifts import shift

SEEDS = (26, 59)
"""Desks whose best plan is tangled."""


def best_ordered(book: Book, found: Search) -> Decimal:
    """Least total of the plans of a search that have a safe order."""
    totals = [judged(book, Sizes()).total]
    for wish in wishes(book, found):
        sizes, verdict = mended(book, *wish)
        if not verdict.broken and isinstance(sequenced(book, sizes), Ordered):
            totals.append(verdict.total)
    return min(totals)


def test_a_cut_of_the_tangle_costs_no_more_than_one_of_everything() -> None:
    better = 0
    for seed in SEEDS:
        book = Book.of(*shift(seed))
        found = search(arrays_of(book))
        sizes, _ = mended(book, *wishes(book, found)[0])
        assert isinstance(sequenced(book, sizes), Tangle)
        chosen = judged(book, choose(book, found).sizes).total
        blanket = best_ordered(book, found.funded_first())
        assert chosen <= blanket + Decimal("0.01")
        better += chosen < blanket - 1
    assert better > 0


def test_capped_orders_stay_below_their_cap() -> None:
    book = Book.of(*shift(26))
    found = search(arrays_of(book))
    free = max(abs(size) for w, _ in wishes(book, found) for size in w.orders.values())
    cap = {pair: free / 4 for pair in book.pairs}
    small = wishes(book, found.funded_first((), (), cap))
    sizes = [abs(size) for w, _ in small for size in w.orders.values()]
    assert sizes
    assert max(sizes) <= free / 4 + Decimal("0.001")


def test_barred_routes_are_not_used() -> None:
    book = Book.of(*shift(26))
    found = search(arrays_of(book))
    assert any(w.transfers for w, _ in wishes(book, found))
    barred = wishes(book, found.funded_first(barred=tuple(book.routes)))
    assert barred
    assert not any(w.transfers for w, _ in barred)


def perpetual(underlying: str, mark: int, spread: int) -> dict[str, Any]:
    tier = {"cap": "50000", "maintenance": "0.005", "max_leverage": "100"}
    wide = {"cap": "5000000", "maintenance": "0.01", "max_leverage": "50", "deduction": "250"}
    row = {"id": f"v:{underlying}", "kind": "perpetual", "underlying": underlying, "settle": "USD"}
    sizes = {"contract_size": "1", "lot": "0.001", "tick": "1", "mark": str(mark)}
    quotes = {"bid": str(mark - spread), "ask": str(mark + spread), "daily_volume": "5000000"}
    rest = {"daily_volatility": "0.03", "funding": {"rate": "0", "interval_h": "8"}}
    return {**row, **sizes, **quotes, **rest, "tiers": [tier, wide]}


def desk(name: str, wallet: str, taker: str, held: dict[str, tuple[str, str]]) -> dict[str, Any]:
    rows = {
        f"v:{name}": {"quantity": size, "unrealised": "0", "leverage": leverage}
        for name, (size, leverage) in held.items()
    }
    money = {"USD": {"wallet": wallet, "withdrawable": wallet}}
    out = {"id": name, "venue": "v", "owner": "fund", "fees": {"taker": taker}}
    return {**out, "balances": money, "positions": rows}


def crossing_moves() -> Scenario:
    """Two accounts whose best plan moves ETH one way and buys BTC the other, each first."""
    a = desk("a", "4990", "0.0004", {"BTC": ("0.160", "3"), "ETH": ("0", "5")})
    b = desk("b", "18980", "0.0006", {"BTC": ("-0.132", "20"), "ETH": ("-28.133", "3")})
    policy = {"max_slice": "20000", "band_penalty": "0.01", "margin_buffer": "0.1"}
    targets = [{"underlying": "BTC", "delta": "57920"}, {"underlying": "ETH", "delta": "0"}]
    mandate = {
        "targets": targets,
        "policy": policy | {"order_cost": "0.2", "move_cost": "0.5"},
    }
    snapshot = {
        "as_of": "2026-11-20T06:30:00Z",
        "assets": {"USD": {"price": "1"}},
        "instruments": [perpetual("BTC", 60000, 10), perpetual("ETH", 3000, 1)],
        "accounts": [a, b],
        "moves": [
            {"from": "b", "to": "a", "instrument": "v:ETH"},
            {"from": "a", "to": "b", "instrument": "v:BTC", "fee": "1"},
        ],
    }
    rest = {"snapshot": snapshot, "mandate": mandate}
    return Scenario.model_validate({"version": 1, "name": "crossing", **rest})


def test_a_move_without_a_safe_order_leaves_orders_that_need_none_whole() -> None:
    case = crossing_moves()
    book = Book.of(case.snapshot, case.mandate)
    plain = Sizes({("b", "v:ETH"): Decimal("28.133"), ("b", "v:BTC"): Decimal("0.937")})
    steps = sequenced(book, plain)
    assert isinstance(steps, Ordered)
    assert verify(case.snapshot, case.mandate, honest(book, steps.actions)) == ()
    plan = decide(case.snapshot, case.mandate)
    assert plan.cost.total <= judged(book, plain).total
    assert verify(case.snapshot, case.mandate, plan) == ()
