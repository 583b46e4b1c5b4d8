"""Everything that makes a snapshot and a mandate no sensible problem is told, all at once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.errors import SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.parts import Parts
from allocator.models.refusals import book_problems, problems
from allocator.models.refusals_mandate import is_semidefinite
from allocator.models.snapshot import Snapshot

TIERS = [
    {"cap": "300000", "maintenance": "0.004", "max_leverage": "150"},
    {"cap": "800000", "maintenance": "0.005", "max_leverage": "100", "deduction": "300"},
]
PERP = "binance:BTC/USDT:USDT"
SPOT = "binance:BTC/USDT"


def quotes(mark: str) -> dict[str, str]:
    return {
        "lot": "0.001",
        "tick": "0.1",
        "bid": mark,
        "ask": mark,
        "mark": mark,
        "daily_volume": "1000000",
        "daily_volatility": "0.03",
    }


BOOK: dict[str, Any] = {
    "snapshot": {
        "as_of": "2026-11-20T08:00:00Z",
        "assets": {
            "USDT": {"price": "1"},
            "BTC": {"price": "64000", "underlying": "BTC"},
            "ETH": {"price": "3100", "underlying": "ETH"},
        },
        "instruments": [
            {
                "id": PERP,
                "kind": "perpetual",
                "underlying": "BTC",
                "settle": "USDT",
                "contract_size": "1",
                "funding": {"interval_h": "8"},
                "tiers": TIERS,
                **quotes("64000"),
            },
            {"id": SPOT, "kind": "spot", "base": "BTC", "quote": "USDT", **quotes("64000")},
        ],
        "accounts": [
            {
                "id": name,
                "venue": "binance",
                "owner": "fund",
                "fees": {"taker": "0.0005"},
                "balances": {"USDT": {"wallet": "1000"}},
                "positions": {PERP: {"quantity": "1", "entry_price": "1", "leverage": "10"}},
                "spot": [SPOT],
            }
            for name in ("a", "b")
        ],
        "routes": [{"id": "r", "from": "a", "to": "b", "asset": "USDT"}],
        "moves": [{"from": "a", "to": "b", "instrument": PERP}],
    },
    "mandate": {
        "targets": [{"underlying": "BTC", "delta": "1", "unit": "base"}],
        "limits": [
            {
                "id": "l",
                "measure": "gross_notional",
                "scope": {"owner": "fund", "venue": "binance"},
                "max": "1",
            }
        ],
        "policy": {
            "risk": {
                "daily_volatility": {"BTC": "0.03"},
                "correlation": [["BTC", "ETH", "0.8"]],
            },
            "stress": [{"id": "s", "prices": {"BTC": "-0.2"}}],
            "alpha": {PERP: "0.001"},
            "venue_risk": {"binance": "0.01"},
        },
    },
}


def good() -> dict[str, Any]:
    return deepcopy(BOOK)


def told(data: dict[str, Any]) -> list[str]:
    """Problems of valid values; the tolerant way must find the very same ones."""
    snapshot = Snapshot.model_validate(data["snapshot"])
    mandate = Mandate.model_validate(data["mandate"])
    rows = [str(row) for row in book_problems(snapshot, mandate)]
    tolerant = [str(row) for row in problems(Parts.read(data["snapshot"], data["mandate"]))]
    assert tolerant == [row for row in rows if "a second instrument" not in row]
    return rows


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        node: Any = data
        for part in path[:-1]:
            node = node[part]
        if value is DELETE:
            del node[path[-1]]
        elif isinstance(node, list) and path[-1] == len(node):
            node.append(value)
        else:
            node[path[-1]] = value

    return change


DELETE = object()
S, M = "snapshot", "mandate"
INST = (S, "instruments", 0)
ACC = (S, "accounts", 0)
POLICY = (M, "policy")
OPTION = {
    "id": "binance:O",
    "kind": "option",
    "underlying": "BTC",
    "settle": "USDT",
    "contract_size": "1",
    "delta": "0.5",
    **quotes("100"),
}

CASES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (put(*INST, "settle", value="USDC"), "instruments[0].settle: unknown asset 'USDC'"),
    (put(S, "instruments", 1, "base", value="XRP"), "instruments[1].base: unknown asset 'XRP'"),
    (put(S, "instruments", 2, value={**OPTION, "underlying": "XRP"}),
     "instruments[2].underlying: no single asset gives the price of XRP: none carries it"),
    (put(S, "instruments", 2, value=OPTION | {"id": PERP}), f"a second instrument '{PERP}'"),
    (put(S, "accounts", 1, "id", value="a"), "accounts[1]: a second account 'a'"),
    (put(S, "routes", 1, value={"id": "r", "from": "b", "to": "a", "asset": "USDT"}),
     "routes[1]: a second route 'r'"),
    (put(S, "moves", 1, value={"from": "a", "to": "b", "instrument": PERP}),
     f"moves[1]: a second move of {PERP} from a to b"),
    (put(*ACC, "balances", "USDTT", value={"wallet": "1"}),
     "balances.USDTT: unknown asset 'USDTT' - did you mean 'USDT'?"),
    (put(*ACC, "ring_fenced", value={"X": "1"}), "ring_fenced.X: unknown asset 'X'"),
    (put(*ACC, "collateral", value={"X": [{"upto": None, "ratio": "1"}]}),
     "collateral.X: unknown asset 'X'"),
    (put(*ACC, "in_flight", value=[{"asset": "X", "amount": "1", "direction": "in"}]),
     "in_flight[0].asset: unknown asset 'X'"),
    (put(*ACC, "open_orders", value=[{"instrument": "X", "side": "buy", "quantity": "1"}]),
     "open_orders[0].instrument: unknown instrument 'X'"),
    (put(*ACC, "fees", value={"taker": "0", "by": {"perp": {}}}),
     "fees.by.perp: unknown instrument 'perp'"),
    (put(*ACC, "positions", "X", value={"quantity": "0"}), "positions.X: unknown instrument 'X'"),
    (put(*ACC, "positions", SPOT, value={"quantity": "0"}), f"positions.{SPOT}: is spot"),
    (put(*ACC, "spot", value=[PERP]), f"spot[0]: {PERP} is not spot but a perpetual"),
    (put(*ACC, "spot", value=["X"]), "spot[0]: unknown instrument 'X'"),
    (put(*ACC, "venue", value="bybit"), f"positions.{PERP}: {PERP} is not traded at bybit"),
    (put(*INST, "bid", value=DELETE), "instruments[0]: has no bid, but a, b may trade it"),
    (put(*INST, "ask", value=DELETE), "instruments[0]: has no ask, but a, b may trade it"),
    (put(*INST, "bid", value="0"), "instruments[0]: has no bid above 0, but a, b may trade it"),
    (put(*INST, "daily_volume", value="0"), "instruments[0]: has no daily_volume above 0, but a"),
    (put(*INST, "daily_volatility", value=DELETE), "instruments[0]: has no daily_volatility, but"),
    (put(S, "instruments", 1, "daily_volume", value=DELETE), "instruments[1]: has no daily"),
    (put(*ACC, "positions", PERP, "leverage", value=DELETE), "leverage is required"),
    (put(*INST, "tiers", value=[]), "instruments[0]: has no tiers, which the margin of a, b needs"),
    (put(*INST, "tiers", 1, "maintenance", value="0.003"),
     "instruments[0].tiers: not convex, which margin model tiered needs: maintenance rates fall"),
    (put(*ACC, "positions", PERP, "tiers", value=[TIERS[0], {**TIERS[1], "deduction": "200"}]),
     f"positions.{PERP}.tiers: not convex, which margin model tiered needs: deductions jump"),
    (put(*ACC, "margin", value={"model": "scenario", "scenarios": [{"pnl": {}}]}),
     "margin.scenarios[0] of a has no pnl for it"),
    (put(*ACC, "margin", value={"model": "scenario", "scenarios": [{"pnl": {PERP: 1, "X": 1}}]}),
     "margin.scenarios[0].pnl.X: unknown instrument 'X'"),
    (put(S, "routes", 0, "from", value="c"), "routes[0].from: unknown account 'c'"),
    (put(S, "routes", 0, "to", value="a"), "routes[0].to: leads from a to itself"),
    (put(S, "routes", 0, "asset", value="X"), "routes[0].asset: unknown asset 'X'"),
    (put(S, "routes", 0, value={"id": "r", "from": "a", "to": "b", "asset": "USDT",
                                "min": "2", "max": "1"}), "routes[0].min: min 2 is above max 1"),
    (put(S, "moves", 0, "instrument", value="X"), "moves[0].instrument: unknown instrument 'X'"),
    (put(S, "moves", 0, "instrument", value=SPOT), "moves[0].instrument: spot is not moved"),
    (put(S, "moves", 0, "to", value="a"), "moves[0].to: leads from a to itself"),
    (put(S, "accounts", 1, "owner", value="other"), "moves[0]: moves between owners fund and othe"),
    (put(S, "accounts", 1, "venue", value="bybit"), "moves[0]: moves between venues binance and b"),
    (put(M, "targets", 0, "underlying", value="BTCC"),
     "targets[0].underlying: unknown underlying 'BTCC' - did you mean 'BTC'?"),
    (put(M, "targets", 1, value={"underlying": "BTC", "delta": "1"}),
     "targets[1]: a second target for 'BTC'"),
    (put(M, "limits", 0, "scope", value={"owner": "fond", "venue": "binance"}),
     "limits[0].scope.owner: unknown owner 'fond' - did you mean 'fund'?"),
    (put(M, "limits", 0, "scope", value={"control_group": "g"}),
     "limits[0].scope.control_group: unknown control group 'g'"),
    (put(M, "limits", 0, "of", value={"underlying": "X"}), "of.underlying: unknown underlying 'X'"),
    (put(M, "limits", 0, "of", value={"instrument": "X"}), "of.instrument: unknown instrument 'X'"),
    (put(M, "limits", 0, "of", value={"asset": "X"}), "of.asset: unknown asset 'X'"),
    (put(M, "limits", 1, value={"id": "l", "measure": "orders", "scope": {"portfolio": True},
                                "max": "1"}), "limits[1]: a second limit 'l'"),
    (put(M, "limits", 0, value={"id": "e", "measure": "equity", "scope": {"portfolio": True},
                                "max": "1", "min": "2"}), "limits[0].min: min 2 is above max 1"),
    (put(*POLICY, "alpha", value={"X": "1"}), "policy.alpha.X: unknown instrument 'X'"),
    (put(*POLICY, "venue_risk", value={"okx": "0"}), "policy.venue_risk.okx: unknown venue 'okx'"),
    (put(*POLICY, "stress", 0, "prices", value={"X": "-0.1"}),
     "policy.stress[0].prices.X: unknown underlying 'X'"),
    (put(*POLICY, "stress", 1, value={"id": "s", "prices": {}}), "stress[1]: a second stress 's'"),
    (put(*POLICY, "risk", "daily_volatility", value={"X": "1"}),
     "policy.risk.daily_volatility.X: unknown underlying 'X'"),
    (put(*POLICY, "risk", "correlation", 0, value=["BTC", "BTC", "0.5"]),
     "correlation[0]: the correlation of BTC with itself is one"),
    (put(*POLICY, "risk", "correlation", 1, value=["ETH", "BTC", "0.5"]),
     "correlation[1]: a second correlation of ETH and BTC"),
    (put(*POLICY, "risk", "correlation", 0, value=["BTC", "ETH", "1.5"]),
     "policy.risk: the covariance is not positive semidefinite"),
    (put(S, "assets", "SOL", value={"price": "1", "underlying": "SOL"}),
     "correlation: given for some pairs only; missing: BTC and SOL, ETH and SOL"),
]  # fmt: skip


def test_the_good_book_has_no_problem() -> None:
    assert told(good()) == []


@pytest.mark.parametrize(("change", "message"), CASES, ids=[row[1][:60] for row in CASES])
def test_refusal(change: Callable[[dict[str, Any]], None], message: str) -> None:
    data = good()
    change(data)
    assert any(message in row for row in told(data)), told(data)


def test_all_refusals_of_a_book_are_told_together() -> None:
    data = good()
    chosen = [CASES[i] for i in (0, 7, 13, 24, 30, 40, 47, 49)]
    for change, _ in chosen:
        change(data)
    rows = told(data)
    for _, message in chosen:
        assert any(message in row for row in rows), (message, rows)


def test_an_account_that_cannot_be_read_hides_no_other_mistake() -> None:
    data = good()
    data["snapshot"]["accounts"][0]["fees"] = {"taker": "-1"}
    data["snapshot"]["accounts"][0]["positions"]["X"] = {"quantity": "0"}
    data["snapshot"]["accounts"][1]["spot"] = ["Y"]
    rows = [str(row) for row in problems(Parts.read(data["snapshot"], data["mandate"]))]
    assert [row.split(": ")[1] for row in rows] == [
        "unknown instrument 'X'",
        "unknown instrument 'Y'",
    ]


def test_a_field_that_cannot_be_read_hides_no_mistake_of_the_whole() -> None:
    data = good()
    data["snapshot"]["instruments"][0] |= {"lot": "x", "bid": "2", "ask": "1"}
    data["mandate"]["limits"][0] |= {"counts": ["x"], "scope": {"account": "a"}}
    rows = [str(row) for row in problems(Parts.read(data["snapshot"], data["mandate"]))]
    assert rows == [
        "snapshot.instruments[0]: ask 1 is below bid 2",
        "mandate.limits[0]: a limit of the narrow scope of one account needs a source",
    ]


def test_what_an_unread_field_explains_is_no_mistake_of_the_whole() -> None:
    data = good()
    data["snapshot"]["instruments"][0]["funding"] = "x"
    data["mandate"]["limits"][0]["max"] = "x"
    assert list(problems(Parts.read(data["snapshot"], data["mandate"]))) == []


def test_a_part_that_cannot_be_read_is_still_known_by_its_id() -> None:
    data = good()
    data["snapshot"]["instruments"][0]["mark"] = "x"
    data["snapshot"]["accounts"][0]["margin"] = {"model": "tired"}
    assert list(problems(Parts.read(data["snapshot"], data["mandate"]))) == []


@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, [None], [[]], {"accounts": {}}])
def test_junk_is_no_reason_to_stumble(junk: Any) -> None:
    list(problems(Parts.read(junk, junk)))
    data = good()
    for key in data["snapshot"]:
        list(problems(Parts.read({**deepcopy(data["snapshot"]), key: junk}, data["mandate"])))
    for key in data["mandate"]:
        list(problems(Parts.read(data["snapshot"], {**data["mandate"], key: junk})))


def test_under_scenario_margin_a_pair_needs_caps_or_a_quantity_limit() -> None:
    data = good()
    account = data["snapshot"]["accounts"][0]
    account["margin"] = {"model": "scenario", "scenarios": [{"pnl": {PERP: "-5000"}}]}
    assert told(data) == []
    data["snapshot"]["instruments"][0]["tiers"] = []
    data["snapshot"]["accounts"][1]["positions"] = {}
    (row,) = told(data)
    assert "is unbounded" in row
    limit = {
        "id": "q",
        "measure": "quantity",
        "scope": {"account": "a"},
        "source": "x",
        "max": "5",
        "of": {"instrument": PERP},
    }
    data["mandate"]["limits"].append(limit)
    assert told(data) == []
    limit["scope"] = {"account": "b"}
    assert len(told(data)) == 1


def test_a_halted_pair_that_is_not_tradable_needs_no_quotes() -> None:
    data = good()
    del data["snapshot"]["instruments"][0]["bid"]
    for account in data["snapshot"]["accounts"]:
        account["positions"][PERP]["tradable"] = False
        account["spot"] = []
        del account["positions"][PERP]["leverage"]
    assert told(data) == []


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([["1", "0.5"], ["0.5", "1"]], True),
        ([["1", "1"], ["1", "1"]], True),
        ([["1", "1.1"], ["1.1", "1"]], False),
        ([["0", "0.1"], ["0.1", "1"]], False),
        ([["0", "0"], ["0", "0"]], True),
        ([["1", "0.9", "-0.9"], ["0.9", "1", "0.9"], ["-0.9", "0.9", "1"]], False),
    ],
)
def test_semidefiniteness_is_exact(rows: list[list[str]], answer: bool) -> None:
    assert is_semidefinite([[Decimal(x) for x in row] for row in rows]) is answer


def test_decide_refuses_a_senseless_book_with_every_problem() -> None:
    from allocator.decide import decide

    data = good()
    data["snapshot"]["routes"][0]["from"] = "c"
    data["mandate"]["targets"][0]["underlying"] = "BTCC"
    snapshot = Snapshot.model_validate(data["snapshot"])
    mandate = Mandate.model_validate(data["mandate"])
    with pytest.raises(SnapshotError) as caught:
        decide(snapshot, mandate)
    assert [str(row) for row in caught.value.problems] == [
        "snapshot.routes[0].from: unknown account 'c'",
        "mandate.targets[0].underlying: unknown underlying 'BTCC' - did you mean 'BTC'?",
    ]
