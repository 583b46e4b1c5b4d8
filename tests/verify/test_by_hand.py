"""Bounds on prefixes worked out by hand, where random ones seldom look."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.limits import meters_of
from allocator.models.plan import Plan
from allocator.state import Book, State, effect_of
from allocator.verify import Changes, Curve, Key, Ladder, Step, broken_prefixes, closure, prefixes
from allocator.verify.closure import Closure
from allocator.verify.faces import NOISE, Rule, linear
from allocator.verify.rules import account_rules
from allocator.verify.scopes import limit_rules, widening
from allocator.verify.steps import Index
from tests.law.desk import (
    GOOD,
    NORTH,
    Data,
    book_of,
    changed,
    desk,
    judged,
    limited,
    order,
    pair,
    perpetual,
    position,
    transfer,
)
from tests.verify.test_ladder import order as an_order

ZERO = Decimal(0)
X: Key = ("x",)
Y: Key = ("y",)
OTHER = "north:C/USDT:USDT"


def doubled(held: str) -> Curve:
    """One per cent of the whole size up to 8, two beyond."""

    def needed(size: Decimal) -> Decimal:
        return abs(size) * Decimal("0.02" if abs(size) > 8 else "0.01")

    return Curve(needed, Decimal(held), (Decimal(-8), ZERO, Decimal(8)))


def stages(*rows: tuple[Changes, set[str]]) -> list[tuple[Step, Changes, Changes]]:
    """Orders with what each changes and which it waits for."""
    return [
        (Step(f"s{at}", (an_order(at),), frozenset(needs)), changes, {})
        for at, (changes, needs) in enumerate(rows, start=1)
    ]


def worst(ladder: Ladder) -> Decimal:
    return max(excess for excess, _ in ladder.enumerated())


def rule(before: Decimal) -> Rule:
    return Rule("margin", "a", (), before, lambda _: ZERO, lambda: ())


def test_two_steps_of_one_pair_are_taken_where_both_lead() -> None:
    """Each alone needs 0.06; the two together 0.24, not 0.12."""
    ladder = Ladder(
        ZERO, {X: doubled("0")}, stages(({X: Decimal(6)}, set()), ({X: Decimal(6)}, set()))
    )
    assert ladder.shared == {X}
    assert worst(ladder) == ladder.worst() == Decimal("0.24")


def test_a_change_of_what_is_held_adds_the_difference() -> None:
    ladder = Ladder(ZERO, {X: doubled("10")}, stages(({X: Decimal(-4)}, set())))
    assert ladder.rise(X, Decimal(-4)) == Decimal("-0.14")


@pytest.mark.parametrize("sign", [1, -1])
def test_part_of_an_order_counts_the_jump_that_its_end_makes_up_for(sign: int) -> None:
    """Just beyond 8 margin is 0.08 more, and 0.05 of relief comes only with all of the order."""
    first = {X: Decimal(sign), Y: Decimal(1)}
    curves = {X: doubled(str(8 * sign)), Y: linear(ZERO, Decimal("-0.05"))}
    ladder = Ladder(ZERO, curves, stages((first, set()), ({X: Decimal(-sign)}, {"s1"})))
    assert worst(ladder) >= Decimal("0.0799")


def test_only_orders_of_pairs_that_jump_are_taken_in_part() -> None:
    """`y` falls before it rises: nothing is ever beyond its start, though it would be alone."""
    floor = Curve(lambda y: max(ZERO, y), ZERO)
    rows = stages(({Y: Decimal(-6)}, set()), ({Y: Decimal(6)}, {"s1"}), ({X: Decimal(-1)}, set()))
    assert worst(Ladder(ZERO, {X: doubled("1"), Y: floor}, rows)) == 0


ROUND_TRIP = stages(
    ({X: Decimal(6)}, set()), ({X: Decimal(-6)}, {"s1"}), ({X: Decimal(6)}, {"s1", "s2"})
)


def test_a_prefix_may_use_all_the_room_and_no_more() -> None:
    """The bound of 0.24 takes both purchases at once; of the prefixes none exceeds 0.06."""
    ladder = Ladder(ZERO, {X: doubled("0")}, ROUND_TRIP)
    assert ladder.worst() == Decimal("0.24")
    assert ladder.breach(rule(Decimal("0.06") - NOISE)) is None
    breach = ladder.breach(rule(Decimal("0.06") - 2 * NOISE))
    assert breach is not None
    assert (breach.excess, breach.proven) == (Decimal("0.06"), True)


def test_steps_up_to_the_most_are_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    ladder = Ladder(ZERO, {X: doubled("0")}, ROUND_TRIP)
    monkeypatch.setattr(prefixes, "MOST_STEPS", 3)
    assert ladder.breach(rule(Decimal("0.06"))) is None
    monkeypatch.setattr(prefixes, "MOST_STEPS", 2)
    breach = ladder.breach(rule(Decimal("0.06")))
    assert breach is not None
    assert not breach.proven
    assert ladder.breach(rule(Decimal("0.24") - NOISE)) is None


def payments(*sizes: tuple[str, str]) -> Closure:
    """Pairs of which `late` can only be paid by `a`; `early`, asked first, by `a` or by `b`."""
    none = frozenset[str]()
    weights, needs = dict[closure.Node, Decimal](), dict[str, frozenset[str]]()
    for at, (early, late) in enumerate(sizes):
        a, b, idle = f"a{at}", f"b{at}", (f"y{at}", f"z{at}")
        needs |= {a: none, b: none, f"early{at}": frozenset({a, b})}
        needs |= {f"late{at}": frozenset({a, *idle}), idle[0]: none, idle[1]: none}
        weights |= {(a, 0): Decimal(-5), (b, 0): Decimal(-5)}
        weights |= {(f"early{at}", 0): Decimal(early), (f"late{at}", 0): Decimal(late)}
    return Closure(ZERO, weights, needs)


def test_no_more_is_shifted_than_was_paid() -> None:
    """`early` takes 2 of `a`, which `b` can pay instead: of 9, `late` must bear 4 itself."""
    greedy = payments(("2", "9"))
    greedy.greedy()
    assert greedy.total == 6
    assert payments(("2", "9")).bound(Decimal(-100)) == (Decimal(4), ("late0",))


def test_shifting_ends_where_there_is_just_room_or_after_so_many_arcs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ("5", "5"), ("5", "5")
    assert payments(*both).bound(Decimal(-1)) == (ZERO, ())
    assert payments(*both).bound(Decimal(5))[0] == 5
    for arcs, left in ((0, 10), (1, 5)):
        monkeypatch.setattr(closure, "MOST_WORK", arcs)
        assert payments(*both).bound(Decimal(-1))[0] == left


def actions_of(rows: list[Data]) -> Plan:
    return Plan.model_validate({"status": "act", "actions": rows})


def broken(data: Data, rows: list[Data]) -> set[str]:
    return {row.rule.code for row in broken_prefixes(book_of(data), actions_of(rows).actions)}


def index_of(book: Book, rows: list[Data]) -> Index:
    return Index([effect_of(book, action) for action in actions_of(rows).actions])


def two_markets(wallet: str, **policy: str) -> Data:
    data = changed("snapshot/accounts/1/balances/USDT/wallet", wallet)
    data["snapshot"]["instruments"].append(perpetual(OTHER))
    positions = data["snapshot"]["accounts"][1]["positions"]
    positions.update({NORTH: pair(leverage="50"), OTHER: pair(leverage="50")})
    data["mandate"]["policy"].update({"max_slice": "100000", **policy})
    return data


def test_a_hedge_gains_under_stress_for_what_waits_for_it() -> None:
    """At -10 % the purchase alone loses 8,000 of 6,000; the sale before it gains 4,000."""
    data = two_markets("6000")
    data["mandate"]["policy"]["stress"] = [{"id": "crash", "prices": {"BTC": "-0.1"}}]
    hedge, bet = order(1, "100", "sell", instrument=OTHER), order(2, "200")
    assert broken(data, [hedge, bet]) == {"margin_stress"}
    assert broken(data, [hedge, {**bet, "after": [1]}]) == set()


def test_coins_that_leave_are_worth_under_stress_what_they_are_worth_there() -> None:
    """At -50 % the order needs 10,200 of 20,000 in USDT and 18,000 in BTC, of which half goes."""
    data = two_markets("3000")
    data["snapshot"]["accounts"][1]["balances"]["BTC"] = {"wallet": "1", "withdrawable": "1"}
    route = {"id": "coin", "from": "aide", "to": "lead", "asset": "BTC", "step": "0.01"}
    data["snapshot"]["routes"].append(route)
    data["mandate"]["policy"]["stress"] = [{"id": "crash", "prices": {"BTC": "-0.5"}}]
    away = {**transfer(1, "0.5"), "route": "coin", "from": "aide", "to": "lead", "asset": "BTC"}
    # 3,000 + 9,000 of half a coin against 10,000 of loss and 100 of margin.
    assert broken(data, [away, order(2, "50")]) == set()
    assert broken(data, [{**away, "amount": "0.7"}, order(2, "50")]) == {"margin_stress"}


def test_the_buffer_multiplies_what_a_scenario_loses() -> None:
    margin = {"model": "scenario", "scenarios": [{"pnl": {NORTH: "-39.8"}}]}
    data = changed("snapshot/accounts/1/margin", margin)
    # 45 lose 1,791, with the buffer 2,239, of 2,000 less costs.
    assert broken(data, [transfer(1), order(2, "45")]) == {"margin_maintenance"}
    assert broken(data, [transfer(1), order(2, "39")]) == set()


def test_one_action_beyond_its_bracket_is_told_once() -> None:
    data = changed(position("aide"), pair(leverage="50"))
    data["snapshot"]["accounts"][1]["balances"]["USDT"]["wallet"] = "30000"
    data["mandate"]["targets"][0]["delta"] = "3"
    assert judged(data, [order(1, "251")]) == {"bracket"}


def test_an_order_may_be_as_large_as_the_market_takes() -> None:
    assert "max_quantity" not in judged(desk(), [order(1, "500")])
    assert "max_quantity" in judged(desk(), [order(1, "501")])


def test_what_cannot_be_cut_finer_widens_the_corridor_of_its_own_underlying() -> None:
    data = changed("mandate/policy/max_slice", "1")
    coin = perpetual(OTHER, underlying="ETH", min_notional="90000")
    data["snapshot"]["instruments"].append(coin)
    data["snapshot"]["accounts"][1]["positions"][OTHER] = pair()
    book = book_of(data)
    index = index_of(book, [order(1), order(2, "225", instrument=OTHER)])
    small, large = book.units[NORTH].smallest, book.units[OTHER].smallest
    assert 1 < small < large
    assert (widening(book, index, "BTC"), widening(book, index, "ETH")) == (small, large)


def test_a_net_limit_is_widened_by_what_cannot_be_cut_finer() -> None:
    data = limited("net_notional", "50000")
    data["mandate"]["policy"]["max_slice"] = "1"
    book = book_of(data)
    (meter,) = meters_of(book)
    (found,) = limit_rules(book, State.start(book), meter, index_of(book, GOOD))
    assert found.width == book.units[NORTH].smallest > 1


def test_contracts_with_a_wallet_of_their_own_need_none_of_the_pool() -> None:
    """400 contracts of cross margin would need 16,000 of the 5,000 that the pool has."""
    data = changed("snapshot/accounts/1/balances/USDT/wallet", "10000")
    own = {"isolated": {"wallet": "5000"}}
    rows = [order(1, "400"), transfer(2, "10")]
    assert broken(changed(position("aide"), pair("100", **own), data), rows) == set()
    assert "margin_initial" in broken(changed(position("aide"), pair("100"), data), rows)


def test_one_step_of_a_pair_is_not_taken_at_its_peak() -> None:
    ladder = Ladder(ZERO, {X: doubled("10")}, stages(({X: Decimal(-4)}, set())))
    assert ladder.shared == frozenset()


def test_a_pair_that_several_change_begins_at_what_it_needs_already() -> None:
    """2 are held and need 0.02; 14 need 0.28."""
    rows = stages(({X: Decimal(6)}, set()), ({X: Decimal(6)}, set()))
    assert Ladder(ZERO, {X: doubled("2")}, rows).worst() == Decimal("0.26")


def test_the_end_of_an_order_takes_back_what_its_way_added() -> None:
    """Just beyond 8 it is 0.08 worse, at its end 0.05; what follows adds 0.06 to that."""
    curves = {X: doubled("8"), Y: linear(ZERO, Decimal("-0.05")), ("z",): linear(ZERO, Decimal(1))}
    first = {X: Decimal(1), Y: Decimal(1)}
    ladder = Ladder(ZERO, curves, stages((first, set()), ({("z",): Decimal("0.06")}, {"s1"})))
    needs = {step.name: step.needs for step, *_ in ladder.stages}
    assert ladder.part(first) == Decimal("0.08")
    assert Closure(*ladder.weights(), needs).bound(Decimal(-1))[0] == Decimal("0.11")


def test_a_sale_may_be_priced_one_tick_below_the_bid_whatever_the_collar() -> None:
    data = changed("mandate/policy/collar_bps", "1")
    for price, refused in (("39995.5", False), ("39995", True)):
        rows = [transfer(1), order(2, side="sell", after=[1], limit_price=price)]
        assert ("limit_price" in judged(data, rows)) is refused


def test_an_order_may_be_as_small_as_the_market_takes() -> None:
    data = changed("snapshot/instruments/0/min_notional", "0")
    assert "min_quantity" not in judged(data, [order(1, "2")])
    assert "min_quantity" in judged(data, [order(1, "1")])


def worth(name: str | None, least: str) -> Data:
    scope = {"portfolio": True} if name is None else {"account": name}
    limit = {"id": "worth", "measure": "equity", "scope": scope, "min": least, "source": "desk"}
    data = changed("mandate/limits", [limit])
    data["snapshot"]["accounts"][1]["balances"]["BTC"] = {"wallet": "1", "withdrawable": "1"}
    route = {"id": "coin", "from": "aide", "to": "lead", "asset": "BTC", "step": "0.01"}
    data["snapshot"]["routes"].append(route)
    return data


def test_coins_that_leave_an_account_take_their_price_from_its_equity() -> None:
    """2,000 in USDT and 40,000 in BTC."""
    row = {**transfer(1), "route": "coin", "from": "aide", "to": "lead", "asset": "BTC"}
    data = worth("aide", "30000")
    assert broken(data, [{**row, "amount": "0.3"}]) == set()
    assert broken(data, [{**row, "amount": "0.31"}]) == {"limit"}


def test_money_between_accounts_of_a_scope_is_its_own_all_the_way() -> None:
    """The book has 202,000; a transfer costs it its fee of 1."""
    rows = [transfer(1)]
    assert broken(worth(None, "201999"), rows) == set()
    assert broken(worth(None, "201999.01"), rows) == {"limit"}
    assert broken(worth("lead", "96999"), rows) == set()
    assert broken(worth("lead", "96999.01"), rows) == {"limit"}


def test_the_buffer_multiplies_what_is_held_as_well() -> None:
    """20 held and 25 more lose 1,791, with the buffer 2,239, of 2,000 less costs."""
    margin = {"model": "scenario", "scenarios": [{"pnl": {NORTH: "-39.8"}}]}
    data = changed(position("aide"), pair("20"), changed("snapshot/accounts/1/margin", margin))
    assert broken(data, [transfer(1), order(2, "25")]) == {"margin_maintenance"}
    assert broken(data, [transfer(1), order(2, "19")]) == set()


@pytest.mark.parametrize("model", ["tiered", "whole_position"])
def test_only_maintenance_on_the_whole_position_jumps(model: str) -> None:
    book = book_of(changed("snapshot/accounts/1/margin", {"model": model}))
    index = index_of(book, GOOD)
    rules = account_rules(book, State.start(book), "aide", index.of_accounts(["aide"]))
    jumps = {
        row.code: [bool(face.curve(("contracts", NORTH)).jumps) for face in row.faces()]
        for row in rules
        if row.code in ("margin_initial", "margin_maintenance")
    }
    whole = model == "whole_position"
    assert jumps == {"margin_initial": [False], "margin_maintenance": [whole]}
