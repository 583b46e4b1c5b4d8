"""Every control refuses and lets through from the command line."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.controls import ControlsConfig
from allocator.risk.table import CONTROLS
from allocator.service.cli.main import run
from tests.service.cli.shop import Shop, flat

BLOCKING = {
    row.key: Decimal("1e12") if row.at_least else Decimal(0)
    for row in CONTROLS
    if row.fixed is None and row.key in ControlsConfig.model_fields
}
OF_THEIR_OWN = {"move_value", "daily_loss", "duplicate_window_s", "missing_accounts"}
"""Keys that one run of the demo as it stands does not come near; each has its test below."""
NEVER_WORSE = {
    "net_owner",  # the demo's plan only brings the book's exposure down
    "net_portfolio",
    "clock_skew_s",  # its exchanges' clock is ours
}
"""Keys whose limit of nothing the demo meets; unset, they block it all the same."""

CODES = {row.key: row.code for row in CONTROLS}
MINUTE_S = 61
QUICK = ("order_value", "gross_portfolio", "transfer_value")


def blocked(shop: Shop, key: str, value: Any) -> None:
    """See a plan refused by one control, with its code, and nothing sent that it measures."""
    shop.set(controls={key: value})
    hash_ = shop.approved()
    status, told = shop.type("execute", hash_)
    assert status in (6, 7), told
    assert f"{CODES[key]}: control=" in told


@pytest.mark.parametrize("key", QUICK)
def test_a_control_refuses_from_the_command_line(shop: Shop, key: str) -> None:
    blocked(shop, key, str(BLOCKING[key]))
    blocked(shop, key, None)


@pytest.mark.soak
@pytest.mark.parametrize("key", sorted(BLOCKING.keys() - OF_THEIR_OWN - set(QUICK)))
def test_every_control_refuses_from_the_command_line(shop: Shop, key: str) -> None:
    value: Any = {"BTC": "1e-9", "ETH": "1e-9"} if key == "order_units" else str(BLOCKING[key])
    if key == "margin_ratio":
        value = "100000"
    if key not in NEVER_WORSE:
        blocked(shop, key, value)
    blocked(shop, key, {} if key == "order_units" else None)


def aim(shop: Shop, delta: str) -> str:
    """Want another exposure; tell the hash of the plan that somebody has approved."""
    targets = [
        {"underlying": "BTC", "delta": delta, "unit": "base", "band": "0.01"},
        {"underlying": "ETH", "delta": "0", "unit": "base", "band": "2"},
    ]
    shop.set(mandate={"targets": targets})
    return shop.approved()


@pytest.mark.soak
def test_a_days_loss_refuses_increases_until_it_is_explained(shop: Shop) -> None:
    status, told = shop.type("paid", "5", "--as", "ann", "--reason", "wire")
    assert (status, "today's first plan" in flat(told)) == (0, True)
    assert shop.type("execute", shop.approved())[0] == 0
    shop.emulator.admin("POST", "price", coin="BTC", usd="63000")
    shop.set(controls={"daily_loss": "100"})
    status, told = shop.type("execute", aim(shop, "0.6"))
    assert status == 7, told
    assert "BREAKER: scope=global state=reducing why=DAILY_LOSS: control=EXP-18" in flat(told)
    why = ("--as", "ann", "--reason", "a withdrawal")
    assert shop.type("resume", *why)[0] == 0
    status, told = shop.type("paid", *why, "--", "-10")
    assert (status, "--confirm" in told) == (0, False)
    status, told = shop.type("paid", *why, "--", "-1000000")
    assert (status, "with --confirm 1" in told) == (0, True)
    assert shop.type("paid", *why, "--confirm", "1", "--", "-1000000")[0] == 6
    ben = ("--as", "ben", "--reason", "seen")
    assert shop.type("paid", *ben, "--confirm", "1", "--", "-1000000")[0] == 0
    status, told = shop.type("execute", aim(shop, "0.6"))
    assert status == 0, told
    assert run(["history", "-c", str(shop.path), "verify"]) == 0


@pytest.mark.soak
def test_an_equal_order_within_the_window_is_refused(shop: Shop) -> None:
    """Each command reads all, and the exchange counts what a minute asks: the last one waits."""
    for delta in ("4.2", "4.3"):
        assert shop.type("execute", aim(shop, delta))[0] == 0
    hash_ = aim(shop, "4.4")
    shop.set(controls={"duplicate_window_s": "600"})
    time.sleep(MINUTE_S)
    status, told = shop.type("execute", hash_)
    assert status == 7, told
    assert "DUPLICATE: control=ORD-06" in told


@pytest.mark.soak
def test_without_a_window_for_equal_orders_none_goes(shop: Shop) -> None:
    blocked(shop, "duplicate_window_s", None)


@pytest.mark.soak
def test_an_account_that_does_not_answer_stops_the_plan(shop: Shop) -> None:
    rule = {"kind": "drop_before", "key": "binance-sub1-key", "times": 10_000}
    shop.emulator.admin("POST", "faults", rules=[rule])
    status, told = shop.type("execute", shop.approved())
    assert (status, shop.sent()) == (6, 0)
    assert "MISSING_ACCOUNTS: control=DAT-02" in told
    assert "only plans that reduce go until it is" in flat(told)


@pytest.mark.soak
def test_a_kind_of_route_that_is_not_enabled_is_refused(shop: Shop) -> None:
    shop.set(controls={"route_kinds": ["onchain"]})
    status, told = shop.type("execute", shop.approved())
    assert (status, shop.sent()) == (7, 0)
    assert "ROUTE_KIND: control=TRF-02" in flat(told)


@pytest.mark.soak
def test_a_position_move_is_held_against_its_limit(shop: Shop) -> None:
    """A limit of one account leaves a move to another one as the cheapest way."""
    moves = [{"from": "bybit-main", "to": "bybit-a", "instrument": "bybit:BTC/USDT:USDT"}]
    shop.set(moves=moves)
    limit = {"id": "move-it", "measure": "gross_notional", "of": {"underlying": "BTC"},
             "scope": {"account": "bybit-main"}, "max": "1000", "source": "test"}  # fmt: skip
    shop.set(mandate={"limits": [limit]})
    for value in ("0", None):
        hash_ = shop.approved()
        shop.set(controls={"move_value": value})
        status, told = shop.type("execute", hash_)
        assert (status, shop.moved()) == (7, 0)
        assert "MOVE_VALUE: control=TRF-07" in flat(told)
    hash_ = shop.approved()
    shop.set(controls={"move_value": "500000", "leverage": "30"})
    status, told = shop.type("execute", hash_)
    assert (status, shop.moved()) == (0, 1), told


@pytest.mark.soak
def test_every_control_passes_the_demo_from_the_command_line(shop: Shop) -> None:
    assert shop.type("execute", shop.approved())[0] == 0
