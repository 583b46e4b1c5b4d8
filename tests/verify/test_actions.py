"""Single actions: for each rule of section 4 a plan that breaks it and nothing more is refused."""

from __future__ import annotations

import pytest

from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.verify import price_range, verify
from tests.law.desk import (
    COIN,
    GOOD,
    SOUTH,
    Data,
    book_of,
    changed,
    codes,
    desk,
    honest,
    judged,
    move,
    order,
    pair,
    position,
    transfer,
)


def test_plan_by_hand_is_released() -> None:
    assert judged(desk(), GOOD) == set()


def test_doing_nothing_is_released_where_nothing_is_broken() -> None:
    assert judged(desk(), []) == set()


def sent(**more: object) -> list[Data]:
    return [transfer(1), order(2, after=[1], **more)]


ORDERS: dict[str, tuple[str, Data, list[Data]]] = {
    "no multiple of the lot": ("lot", desk(), sent(quantity="99.5")),
    "below the minimum notional": (
        "min_notional",
        changed("snapshot/instruments/0/min_notional", "50000"),
        GOOD,
    ),
    "below the minimum quantity": (
        "min_quantity",
        changed("snapshot/instruments/0/min_quantity", "101"),
        GOOD,
    ),
    "above the maximum quantity": (
        "max_quantity",
        changed("snapshot/instruments/0/max_quantity", "99"),
        GOOD,
    ),
    "a price between two ticks": ("limit_price", desk(), sent(limit_price="40004.2")),
    "a price better than the quote": ("limit_price", desk(), sent(limit_price="40003.5")),
    "a price beyond the collar": ("limit_price", desk(), sent(limit_price="40200.5")),
    "no quotes": ("limit_price", changed("snapshot/instruments/0/bid", None), GOOD),
    "two orders for one pair": (
        "one_order",
        desk(),
        [transfer(1), order(2, "50", after=[1]), order(3, "50", after=[2])],
    ),
    "one owner buys and sells": (
        "one_direction",
        desk(),
        [*GOOD, order(3, "10", "sell", account="lead", after=[2])],
    ),
    "more orders than the budget": (
        "order_budget",
        changed("snapshot/accounts/1/order_budget", 0),
        GOOD,
    ),
    "an account that is frozen": ("frozen", changed("snapshot/accounts/1/state", "frozen"), GOOD),
    "a market that is halted": (
        "halted",
        changed("snapshot/instruments/0/status", "halted"),
        GOOD,
    ),
    "growth in an account that may only reduce": (
        "reduce_only",
        changed("snapshot/accounts/1/state", "reduce_only"),
        GOOD,
    ),
    "growth in a market that may only be reduced": (
        "reduce_only",
        changed("snapshot/instruments/0/status", "reduce_only"),
        GOOD,
    ),
    "growth in a contract that expires within the horizon": (
        "reduce_only",
        changed("snapshot/instruments/0/expiry", "2026-11-20T16:00:00Z"),
        GOOD,
    ),
    "a reduce-only order that does not reduce": ("reduce_only", desk(), sent(reduce_only=True)),
    "a spot purchase by an account that may only reduce": (
        "reduce_only",
        changed("snapshot/accounts/0/state", "reduce_only"),
        [order(1, "1", account="lead", instrument=COIN)],
    ),
    "a pair that is not tradable": (
        "tradable",
        changed(position("aide"), pair(tradable=False)),
        GOOD,
    ),
    "an isolated pair": (
        "tradable",
        changed(position("aide"), pair(isolated={"wallet": "0"})),
        GOOD,
    ),
    "spot that the account does not list": (
        "tradable",
        changed("snapshot/accounts/0/spot", []),
        [order(1, "1", account="lead", instrument=COIN)],
    ),
    "a market of another venue": (
        "venue",
        changed(position("aide", SOUTH), pair()),
        sent(instrument=SOUTH),
    ),
}


@pytest.mark.parametrize("case", ORDERS)
def test_order_is_refused_for(case: str) -> None:
    code, data, actions = ORDERS[case]
    assert code in judged(data, actions)


def test_limit_price_may_stand_at_the_collar_or_a_tick_beyond_the_quote() -> None:
    assert judged(desk(), sent(limit_price="40200")) == set()
    narrow = changed("mandate/policy/collar_bps", "0.1")
    assert judged(narrow, sent(limit_price="40004.5")) == set()
    assert judged(narrow, sent(limit_price="40005")) == {"limit_price"}


def test_contract_that_expires_after_the_horizon_may_grow() -> None:
    assert judged(changed("snapshot/instruments/0/expiry", "2026-11-20T16:00:01Z"), GOOD) == set()


def closing(quantity: str, *, flagged: bool) -> set[str]:
    data = changed(position("aide"), pair("1"))
    data["mandate"]["targets"] = [{"underlying": "BTC", "delta": "0"}]
    data["mandate"]["policy"]["order_cost"] = "0"
    return judged(data, [order(1, quantity, "sell", reduce_only=flagged)])


def test_closing_whole_is_free_of_minima_if_it_says_so() -> None:
    assert closing("1", flagged=True) == set()
    assert closing("1", flagged=False) == {"min_notional", "min_quantity"}


TRANSFERS: dict[str, tuple[str, Data, list[Data]]] = {
    "less than the route takes": ("transfer_min", desk(), [transfer(1, "9")]),
    "more than the route takes": ("transfer_max", desk(), [transfer(1, "20000.01")]),
    "no multiple of the step": ("transfer_step", desk(), [transfer(1, "3000.001")]),
    "charges beyond what may leave": (
        "withdrawable",
        changed("snapshot/accounts/0/balances/USDT/withdrawable", "3000"),
        GOOD,
    ),
    "nothing known to be withdrawable": (
        "withdrawable",
        changed("snapshot/accounts/0/balances/USDT", {"wallet": "100000"}),
        GOOD,
    ),
    "what is ring-fenced": (
        "balance",
        changed("snapshot/accounts/0/ring_fenced", {"USDT": "98000"}),
        GOOD,
    ),
    "more than the wallet holds": (
        "balance",
        changed("snapshot/accounts/0/balances/USDT/wallet", "2500"),
        GOOD,
    ),
    "a route used twice": (
        "one_transfer",
        desk(),
        [transfer(1, "1500"), transfer(2, "1500"), order(3, after=[1, 2])],
    ),
    "a route that is closed": (
        "route_disabled",
        changed("snapshot/routes/0/enabled", False),
        GOOD,
    ),
    "a policy without transfers": (
        "transfers_off",
        changed("mandate/policy/transfers", False),
        GOOD,
    ),
    "a sender that is frozen": ("frozen", changed("snapshot/accounts/0/state", "frozen"), GOOD),
}


@pytest.mark.parametrize("case", TRANSFERS)
def test_transfer_is_refused_for(case: str) -> None:
    code, data, actions = TRANSFERS[case]
    assert code in judged(data, actions)


def test_spot_orders_need_the_coin_and_the_money() -> None:
    sale = [order(1, "0.01", "sell", account="lead", instrument=COIN)]
    assert judged(desk(), sale) >= {"balance"}
    poor = changed("snapshot/accounts/0/balances/USDT", {"wallet": "39000", "withdrawable": "0"})
    purchase = [order(1, "1", account="lead", instrument=COIN)]
    assert judged(poor, purchase) == {"balance"}
    assert judged(desk(), purchase) == set()


def test_fees_of_derivatives_may_take_a_wallet_below_what_is_ring_fenced() -> None:
    data = changed("snapshot/accounts/0/ring_fenced", {"USDT": "100000"})
    data["snapshot"]["accounts"][0]["balances"]["BTC"] = {"wallet": "1"}
    data["mandate"]["targets"][0]["delta"] = "1.5"
    assert judged(data, [order(1, "50", account="lead")]) == set()


def test_spot_orders_leave_a_wallet_that_is_too_low_no_lower_with_all_fees_of_the_plan() -> None:
    data = changed("snapshot/accounts/0/ring_fenced", {"USDT": "120000"})
    data["snapshot"]["accounts"][0]["balances"]["BTC"] = {"wallet": "3"}
    sold = {"side": "sell", "account": "lead", "instrument": COIN}
    fee = order(2, "400", account="lead")
    assert "balance" in judged(data, [order(1, "0.001", **sold), fee])
    assert "balance" not in judged(data, [order(1, "0.01", **sold), fee])


def holding(quantity: str = "100") -> Data:
    """`lead` holds more than its limit, `aide` could carry it."""
    data = changed(position("lead"), pair(quantity))
    data["snapshot"]["accounts"][1]["balances"]["USDT"]["wallet"] = "30000"
    row = {"id": "cap", "measure": "gross_notional", "max": "20000", "source": "desk"}
    data["mandate"]["limits"] = [{**row, "scope": {"account": "lead"}}]
    return data


MOVES: dict[str, tuple[str, Data, list[Data]]] = {
    "more than is held": ("move", holding(), [move(1, "101")]),
    "more than is held, in two": (
        "move",
        holding(),
        [move(1, "60"), move(2, "60", after=[1])],
    ),
    "no multiple of the lot": ("move", holding(), [move(1, "50.5")]),
    "no permission": ("move", changed("snapshot/moves", [], holding()), [move(1)]),
    "more notional than permitted": (
        "move",
        changed("snapshot/moves/0/max_notional", "30000", holding()),
        [move(1)],
    ),
    "an owner that is not the sender's": (
        "move",
        changed("snapshot/accounts/1/owner", "other", holding()),
        [move(1)],
    ),
    "an order of the sender in it": (
        "move",
        holding(),
        [move(1, "50"), order(2, "10", "sell", account="lead", after=[1])],
    ),
    "a market that is halted": (
        "halted",
        changed("snapshot/instruments/0/status", "halted", holding()),
        [move(1)],
    ),
    "a receiver that is frozen": (
        "frozen",
        changed("snapshot/accounts/1/state", "frozen", holding()),
        [move(1)],
    ),
    "a receiver that may only reduce": (
        "reduce_only",
        changed("snapshot/accounts/1/state", "reduce_only", holding()),
        [move(1)],
    ),
    "a policy without moves": (
        "moves_off",
        changed("mandate/policy/moves", False, holding()),
        [move(1)],
    ),
    "a pair that is not tradable": (
        "tradable",
        changed(position("aide"), pair(tradable=False), holding()),
        [move(1)],
    ),
}


@pytest.mark.parametrize("case", MOVES)
def test_move_is_refused_for(case: str) -> None:
    code, data, actions = MOVES[case]
    assert code in judged(data, actions)


def test_move_is_refused_for_a_receiver_that_does_not_list_it() -> None:
    plan = honest(holding(), [move(1)])
    assert "move" in codes(changed("snapshot/accounts/1/positions", {}, holding()), plan)


def test_move_that_repairs_a_limit_is_released() -> None:
    assert judged(holding(), [move(1, "60")]) == set()


REFERENCES = {
    "account": order(1, account="nobody"),
    "instrument": order(1, instrument="north:nothing"),
    "route": {**transfer(1), "route": "nowhere"},
    "route's end": {**transfer(1), "from": "far"},
    "receiver": move(1) | {"to": "nobody"},
}


@pytest.mark.parametrize("what", REFERENCES)
def test_action_is_refused_for_an_unknown(what: str) -> None:
    plan = honest(desk(), []).model_copy(
        update={
            "actions": Plan.model_validate({"status": "act", "actions": [REFERENCES[what]]}).actions
        }
    )
    assert "action" in codes(desk(), plan)


def test_order_in_a_pair_that_is_not_listed_is_refused_not_raised() -> None:
    data = changed("snapshot/accounts/1/positions", {})
    plan = honest(desk(), GOOD)
    assert {"tradable", "unreplayable"} <= codes(data, plan)


def test_as_many_orders_as_the_budget_are_taken() -> None:
    assert judged(changed("snapshot/accounts/1/order_budget", 1), GOOD) == set()


def test_a_price_outside_is_told_with_both_ends_of_what_is_allowed() -> None:
    plan = honest(desk(), sent(limit_price="40200.5"))
    snapshot = Snapshot.model_validate(desk()["snapshot"])
    rows = verify(snapshot, Mandate.model_validate(desk()["mandate"]), plan)
    (told,) = [row.message for row in rows if row.code == "limit_price"]
    low, high = price_range(book_of(desk()), plan.actions[1]) or (None, None)
    assert told.endswith(f"40200.5 is outside [{low}, {high}]")
    assert low != high
