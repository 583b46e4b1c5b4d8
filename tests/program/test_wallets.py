"""Wallets of a program on books whose best plan is known by hand."""

from __future__ import annotations

from decimal import Decimal

from allocator.plan.lots import Sizes
from tests.by_hand import COIN, SPOT, account, held, no_worse, perpetual, scenario, spot

MOVE = {"from": "a", "to": "b", "instrument": "v:BTC"}
MOVED = {("a", "b", "v:BTC"): Decimal(1)}


def test_profit_that_a_move_settles_pays_for_spot() -> None:
    a = account("a", "1000", positions=held("1", "50000"), spot=["v:BTC/USD"])
    b = account("b", "100000", positions=held("0"))
    rows = [perpetual(max_quantity="0.001"), spot(50_000)]
    case = scenario("98000", [a, b], assets={"BTC": COIN}, instruments=rows, moves=[MOVE])
    no_worse(case, Sizes({SPOT: Decimal("0.96")}, {}, MOVED))


def test_a_loss_that_a_move_settles_may_overdraw_a_wallet_that_nothing_else_touches() -> None:
    a = account("a", "2000", positions=held("1", "-30000"), spot=["v:BTC/USD"])
    a["balances"]["BTC"] = {"wallet": "1"}
    b = account("b", "100000", positions=held("0"))
    limit = {"id": "g", "measure": "gross_notional", "scope": {"account": "a"}, "max": "0"}
    case = scenario(
        "100000",
        [a, b],
        assets={"BTC": COIN},
        instruments=[perpetual(max_quantity="0.001"), spot(50_000)],
        moves=[MOVE],
        limits=[{**limit, "source": "the desk"}],
    )
    plan = no_worse(case, Sizes({}, {}, MOVED))
    assert plan.certificate is not None
    assert plan.certificate.shortfall == 0


def test_what_a_move_loses_is_not_there_for_spot() -> None:
    a = account("a", "50000", positions=held("1", "-30000"), spot=["v:BTC/USD"])
    a["balances"]["BTC"] = {"wallet": "1"}
    b = account("b", "100000", positions=held("0"))
    rows = [perpetual(max_quantity="0.001"), spot(50_000)]
    case = scenario("120000", [a, b], assets={"BTC": COIN}, instruments=rows, moves=[MOVE])
    no_worse(case, Sizes({SPOT: Decimal("0.399")}, {}, MOVED))
    no_worse(case, Sizes({SPOT: Decimal("0.4")}))
