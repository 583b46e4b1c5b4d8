"""What an infeasible plan advises would really mend what is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.decide import decide
from allocator.minimise.conflicts import ORDER
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.plan.relax import Rule
from allocator.plan.remedies import change_of
from allocator.state import Book
from tests.books import random_book

STUCK = "binance:BTC/USDT:USDT"


def snapshot(wallet: str, asset_mode: str = "multi", entry: str = "64000") -> Snapshot:
    return Snapshot.model_validate(
        {
            "as_of": "2026-11-20T08:00:00Z",
            "numeraire": "USD",
            "assets": {"USDT": {"price": "1"}, "BTC": {"price": "64000", "underlying": "BTC"}},
            "instruments": [
                {
                    "id": STUCK,
                    "kind": "perpetual",
                    "underlying": "BTC",
                    "settle": "USDT",
                    "contract_size": "1",
                    "lot": "0.001",
                    "tick": "0.1",
                    "bid": "63999.9",
                    "ask": "64000.1",
                    "mark": "64000",
                    "daily_volume": "9000000000",
                    "daily_volatility": "0.03",
                    "funding": {"rate": "0", "interval_h": 8},
                    "status": "halted",
                    "tiers": [{"cap": "3000000", "maintenance": "0.005", "max_leverage": 100}],
                }
            ],
            "accounts": [
                {
                    "id": "a",
                    "venue": "binance",
                    "owner": "fund",
                    "fees": {"maker": "0", "taker": "0.0005"},
                    "margin": {"model": "tiered", "asset_mode": asset_mode},
                    "balances": {"USDT": {"wallet": wallet}},
                    "positions": {STUCK: {"quantity": "20", "entry_price": entry, "leverage": 10}},
                }
            ],
        }
    )


def stuck(book: Snapshot, **limit: Any) -> Plan:
    rows = [{"id": "rule", "scope": {"venue": "binance"}, **limit}] if limit else []
    mandate = Mandate.model_validate(
        {"targets": [{"underlying": "BTC", "delta": "20", "unit": "base"}], "limits": rows}
    )
    return decide(book, mandate)


CASES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {"measure": "equity", "of": {"any": True}, "min": "390000"},
        "lower the min of rule from 390,000 to 300,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "max": "250000"},
        "raise the max of rule from 250,000 to 300,000",
    ),
    (
        {"measure": "leverage", "of": {"any": True}, "max": "3"},
        "raise the max of rule from 3 to 4.2667",
    ),
    (
        {"measure": "quantity", "of": {"instrument": STUCK}, "max": "15"},
        "raise the max of rule from 15 to 20",
    ),
    (
        {"measure": "long_notional", "of": {"underlying": "BTC"}, "max": "1000000"},
        "raise the max of rule from 1,000,000 to 1,280,000",
    ),
    (
        {"measure": "gross_notional", "of": {"any": True}, "max": "1000000"},
        "raise the max of rule from 1,000,000 to 1,280,000",
    ),
    (
        {"measure": "net_notional", "of": {"asset": "USDT"}, "max": "0"},
        "raise the max of rule from 0 to 1,280,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "min": "390000", "max": "800000"},
        "lower the min of rule from 390,000 to 300,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "min": "-5", "max": "250000"},
        "raise the max of rule from 250,000 to 300,000",
    ),
)


@pytest.mark.parametrize(("limit", "advice"), CASES)
def test_limit_is_relaxed_to_what_the_book_measures(limit: dict[str, Any], advice: str) -> None:
    plan = stuck(snapshot("300000"), **limit)
    (row,) = plan.infeasible
    assert row.smallest_relaxation == advice


@pytest.mark.parametrize(("limit", "advice"), CASES)
def test_limit_relaxed_as_advised_is_kept(limit: dict[str, Any], advice: str) -> None:
    words = advice.replace(",", "").split()
    relaxed = {**limit, words[2]: words[-1]}
    assert stuck(snapshot("300000"), **relaxed).status == "nothing"
    part = Decimal("1.0005") if words[0] == "lower" else Decimal("0.9995")
    tighter = {**limit, words[2]: str(Decimal(words[-1]) * part)}
    assert stuck(snapshot("300000"), **tighter).status == "infeasible"


def test_no_leverage_is_advised_to_a_scope_without_equity() -> None:
    book = snapshot("300000", entry="90000")
    plan = stuck(book, measure="leverage", of={"any": True}, max="4")
    advice = {row.what: row.smallest_relaxation for row in plan.infeasible}
    assert advice["limit rule"] == "add 540,000.00 USD of equity where rule measures"


def test_pool_of_one_asset_wants_that_asset() -> None:
    (row,) = stuck(snapshot("100000", "single")).infeasible
    assert row.missing == Decimal(28000)
    assert row.smallest_relaxation == "add 28,000.00 USD of collateral in USDT to a"


@pytest.mark.parametrize(
    ("measure", "quantity", "lot"),
    [
        ("gross_notional", "1.0005", "0.001"),
        ("net_notional", "10", "3"),
        ("quantity", "1.0005", "0.001"),
    ],
)
def test_what_no_whole_lot_can_close_is_explained(measure: str, quantity: str, lot: str) -> None:
    raw = snapshot("300000").model_dump(mode="json", by_alias=True)
    raw["instruments"][0] |= {"status": "open", "lot": lot}
    raw["accounts"][0]["positions"][STUCK]["quantity"] = quantity
    plan = stuck(Snapshot.model_validate(raw), measure=measure, of={"instrument": STUCK}, max="0")
    assert plan.status == "infeasible"
    (row,) = plan.infeasible
    told = {one.rule: one.change for one in row.relaxations}
    assert told[f"lot {STUCK}"] == f"allow parts of the lot of {STUCK}, which is {lot}"


def test_every_kind_of_rule_has_words_for_giving_it_up() -> None:
    scenario = Scenario.model_validate(random_book(81005, "broken"))
    book = Book.of(scenario.snapshot, scenario.mandate)
    account, name = next(iter(book.accounts)), next(iter(book.instruments))
    about = {
        "route": (next(iter(book.routes)),),
        "limit": (book.mandate.limits[0].id,),
        "move": (account, account, name),
        "no route from": (account, account),
        **dict.fromkeys(("status", "lot", "smallest"), (name,)),
    }
    for kind in ORDER:
        assert change_of(book, Rule(kind, about.get(kind, (account,))), None)
