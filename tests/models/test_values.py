"""Values refuse what cannot be right, and stay exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from allocator.models.account import Account, Balance, Margin, OpenOrder, Position, SeenOrder
from allocator.models.base import Num, json_value, plain
from allocator.models.canonical import canonical_json, snapshot_data, snapshot_hash
from allocator.models.intents import AccountReading
from allocator.models.mandate import Limit, Scope
from allocator.models.market import Asset, Instrument, Tier, convexity_problems
from allocator.models.snapshot import Snapshot
from tests.execution.book import snapshot

NUMBER = TypeAdapter(Num)


@pytest.mark.parametrize("bad", [0.1, True, None, "NaN", "inf", "-Infinity", "1e999", "1,5", ""])
def test_number_that_is_not_exact_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        NUMBER.validate_python(bad)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=8
    )
)
def test_number_survives_its_own_text(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


def test_a_tenth_is_a_tenth() -> None:
    assert Balance.model_validate_json('{"wallet": "0.1"}').wallet == Decimal("0.1")


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="walet"):
        Balance.model_validate({"wallet": "1", "walet": "1"})


def test_position_that_is_held_needs_its_entry_or_its_profit() -> None:
    with pytest.raises(ValidationError, match="entry_price or unrealised"):
        Position(quantity=Decimal(1), leverage=Decimal(10))
    assert Position(quantity=Decimal(0)).net == 0


def test_position_without_quantity_is_not_flat() -> None:
    with pytest.raises(ValidationError, match="quantity is required"):
        Position(leverage=Decimal(10))


def instrument(**more: object) -> Instrument:
    row: dict[str, object] = {
        "id": "v:BTC/USDT:USDT",
        "kind": "perpetual",
        "underlying": "BTC",
        "settle": "USDT",
        "contract_size": "1",
        "lot": "0.001",
        "tick": "0.1",
        "bid": "99",
        "ask": "101",
        "mark": "100",
        "funding": {"interval_h": 8},
    }
    return Instrument.model_validate(row | more)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ask": "98"}, "below bid"),
        ({"funding": None}, "needs funding"),
        ({"contract_size": None}, "needs contract_size"),
        ({"kind": "option"}, "needs delta"),
        ({"kind": "spot"}, "needs base, quote"),
        ({"lot": "0"}, "greater than 0"),
        ({"mark": "-1"}, "greater than 0"),
    ],
)
def test_instrument_that_makes_no_sense_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        instrument(**change)


def test_collateral_ratio_that_rises_with_size_is_refused() -> None:
    rows = [{"upto": "5", "ratio": "0.8"}, {"upto": None, "ratio": "0.9"}]
    with pytest.raises(ValidationError, match="must not rise"):
        Asset.model_validate({"price": "1", "collateral": rows})


def test_narrow_scope_needs_a_source() -> None:
    row = {"id": "x", "measure": "leverage", "scope": {"account": "a"}, "max": "3"}
    with pytest.raises(ValidationError, match="needs a source"):
        Limit.model_validate(row)
    assert Limit.model_validate(row | {"source": "desk rule"}).scope.account == "a"


@pytest.mark.parametrize("scope", [{}, {"owner": "o"}, {"account": "a", "venue": "v"}])
def test_scope_is_one_of_the_documented_forms(scope: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="a scope is one of"):
        Scope.model_validate(scope)


def test_scenario_model_needs_scenarios() -> None:
    with pytest.raises(ValidationError, match="scenarios"):
        Margin(model="scenario")


def test_deduction_that_jumps_is_told() -> None:
    low = Tier.model_validate({"cap": "300000", "maintenance": "0.004", "max_leverage": "150"})
    good = {"cap": "800000", "maintenance": "0.005", "max_leverage": "100", "deduction": "300"}
    bad = good | {"deduction": "3000"}
    assert convexity_problems([low, Tier.model_validate(good)]) == []
    assert len(convexity_problems([low, Tier.model_validate(bad)])) == 1


def test_canonical_json_sorts_keys() -> None:
    assert canonical_json({"b": "1", "a": ["2"]}) == '{"a":["2"],"b":"1"}'


def test_that_an_account_was_read_leaves_the_hash_of_its_snapshot_as_it_was() -> None:
    """Records of releases that could not say otherwise are bound to it."""
    start = snapshot()
    (told, *_) = snapshot_data(start)["accounts"]
    assert "unread" not in told
    lost = start.accounts[0].model_copy(update={"unread": True})
    other = start.model_copy(update={"accounts": (lost, *start.accounts[1:])})
    assert snapshot_hash(other) != snapshot_hash(start)
    assert Snapshot.model_validate(snapshot_data(other)).account[lost.id].unread


ROW = {"instrument": "x:BTC/USDT:USDT", "side": "buy", "quantity": "0.1", "price": "40000"}


def test_no_account_of_a_snapshot_tells_the_name_of_an_order() -> None:
    """Else two books of which the same plan is right would differ, and by what nobody plans."""
    start = snapshot().accounts[0]
    seen = SeenOrder.model_validate({**ROW, "client_id": "x-web-1"})
    named = Account.model_validate({**dict(start), "open_orders": (seen,)})
    assert named == Account.model_validate({**dict(start), "open_orders": [ROW]})
    assert [type(row) for row in named.open_orders] == [OpenOrder]
    with pytest.raises(ValidationError, match="client_id"):
        Account.model_validate({**dict(start), "open_orders": [{**ROW, "client_id": "x"}]})


@pytest.mark.parametrize("name", [None, "", "x-web-1"])
def test_a_reading_keeps_the_name_of_an_order_and_writes_none_that_is_not_told(
    name: str | None,
) -> None:
    data = {"account": "a", "at": "2026-11-20T08:00:00Z", "complete": True, "open_orders": [ROW]}
    before = json_value(AccountReading.model_validate(data))
    seen = SeenOrder.model_validate({**ROW, "client_id": name})
    reading = AccountReading.model_validate({**data, "open_orders": [seen]})
    told = json_value(reading)
    assert AccountReading.model_validate(told) == reading
    assert (told == before) is (name is None)
    assert set(told["open_orders"][0]) - set(before["open_orders"][0]) == (
        set[str]() if name is None else {"client_id"}
    )
