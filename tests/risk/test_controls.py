"""Every control at its limit, a little on either side of it, and without a figure or a limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.models.controls import ControlsConfig
from allocator.risk import table
from allocator.risk.breaker import Breaker
from allocator.risk.control import Control, Reading, check, judge, limit_of
from allocator.risk.table import CONTROLS

E = Decimal("1e-9")
LIMIT = Decimal(7)
BY_ID = {row.id: row for row in CONTROLS}
CONFIGURED = [row for row in CONTROLS if row.key in ControlsConfig.model_fields and not row.fixed]
CONFIGURED = [row for row in CONFIGURED if row.fixed is None]
FIXED = [row for row in CONTROLS if row.fixed is not None]


def config(control: Control, limit: Decimal) -> ControlsConfig:
    value: Any = {"BTC": limit} if control is table.ORDER_UNITS else limit
    return ControlsConfig.model_validate({control.key: value})


def passes(control: Control, value: Decimal | None, limits: ControlsConfig) -> bool:
    found = judge([Reading(control, value, "BTC")], limits)
    assert all(row.control is control and str(row).startswith(f"{control.code}: ") for row in found)
    return not found


def ids(control: Control) -> str:
    return control.id


@pytest.mark.parametrize("control", CONFIGURED, ids=ids)
def test_a_limit_lets_itself_and_its_good_side_through_and_nothing_beyond(control: Control) -> None:
    limits = config(control, LIMIT)
    good, bad = (LIMIT + E, LIMIT - E) if control.at_least else (LIMIT - E, LIMIT + E)
    assert passes(control, good, limits)
    assert passes(control, LIMIT, limits)
    assert not passes(control, bad, limits)


@pytest.mark.parametrize("control", FIXED, ids=ids)
def test_a_condition_holds_at_none_and_is_broken_by_any(control: Control) -> None:
    assert control.fixed == 0
    assert passes(control, -E, ControlsConfig())
    assert passes(control, Decimal(0), ControlsConfig())
    assert not passes(control, E, ControlsConfig())


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("control", CONFIGURED + FIXED, ids=ids)
def test_what_is_not_a_number_is_refused_before_any_comparison(
    control: Control, value: str
) -> None:
    limits = config(control, LIMIT) if control.fixed is None else ControlsConfig()
    assert not passes(control, Decimal(value), limits)


@pytest.mark.parametrize("control", CONFIGURED + FIXED, ids=ids)
def test_what_is_not_known_is_refused(control: Control) -> None:
    limits = config(control, LIMIT) if control.fixed is None else ControlsConfig()
    assert not passes(control, None, limits)


@pytest.mark.parametrize("control", [row for row in CONFIGURED if row.key not in
                                     ("missing_accounts", "clock_skew_s")], ids=ids)  # fmt: skip
@pytest.mark.parametrize("value", [Decimal(0), Decimal(10) ** 12])
def test_an_unset_limit_blocks_whatever_the_figure(control: Control, value: Decimal) -> None:
    assert limit_of(ControlsConfig(), Reading(control, value, "BTC")) is None
    assert not passes(control, value, ControlsConfig())


def test_an_unset_limit_blocks_even_what_makes_nothing_worse() -> None:
    reading = Reading(table.LEVERAGE, Decimal(1), "a", Decimal(2))
    assert judge([reading], ControlsConfig())


@pytest.mark.parametrize("limit", ["NaN", "Infinity", -1])
@pytest.mark.parametrize("control", CONFIGURED, ids=ids)
def test_a_limit_that_is_no_number_cannot_be_configured(control: Control, limit: Any) -> None:
    with pytest.raises(ValueError, match=control.key):
        config(control, limit)


@pytest.mark.parametrize("control", CONFIGURED, ids=ids)
def test_a_limit_that_is_no_number_blocks_even_where_one_came_by_it(control: Control) -> None:
    assert check(Reading(control, Decimal(0)), Decimal("NaN")) is not None


def test_the_units_of_an_underlying_that_nobody_named_block() -> None:
    limits = config(table.ORDER_UNITS, LIMIT)
    assert judge([Reading(table.ORDER_UNITS, Decimal(1), "ETH")], limits)


@pytest.mark.parametrize(
    ("control", "value", "before", "good"),
    [
        (table.LEVERAGE, 9, 10, True),
        (table.LEVERAGE, 10, 10, True),
        (table.LEVERAGE, 11, 10, False),
        (table.LIQUIDATION, 3, 2, True),
        (table.LIQUIDATION, 1, 2, False),
    ],
)
def test_what_makes_a_broken_limit_no_worse_passes(
    control: Control, value: int, before: int, good: bool
) -> None:
    reading = Reading(control, Decimal(value), "a", Decimal(before))
    assert (judge([reading], config(control, LIMIT)) == ()) is good


def test_a_figure_before_that_is_no_number_excuses_nothing() -> None:
    reading = Reading(table.LEVERAGE, Decimal(9), "a", Decimal("NaN"))
    assert judge([reading], config(table.LEVERAGE, LIMIT))


def test_every_control_has_an_id_a_key_a_code_and_words_of_its_own() -> None:
    assert len(CONTROLS) == len(BY_ID) == len({row.code for row in CONTROLS}) > 50
    assert all(row.key and row.what and row.code.isupper() for row in CONTROLS)
    assert [row.id for row in CONTROLS] == sorted(
        BY_ID, key=lambda id_: (["ORD", "EXP", "TRF", "DAT", "SYS"].index(id_[:3]), id_)
    )


def test_every_limit_of_the_configuration_belongs_to_a_control() -> None:
    parts = {"window_s", "repeat_window_s", "message_window_s"}
    keys = {row.key for row in CONTROLS} | parts
    assert set(ControlsConfig.model_fields) <= keys


def test_two_controls_latch_until_somebody_resumes() -> None:
    latching = {row.id: row.latches for row in CONTROLS if row.latches}
    assert latching == {
        "ORD-07": ("account", Breaker.HALTED),
        "EXP-18": ("global", Breaker.REDUCING),
    }
