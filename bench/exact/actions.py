"""The actions of a book and what they do to positions and wallets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from allocator.models.base import ZERO
from allocator.plan.lots import Sizes, smallest
from allocator.state import Book, Pair
from bench.exact.model import UNIT, Line, Model

COARSE = 20.0
"""Worth of a lot from which sizes are whole lots in the search for the bound, numeraire."""

MANY = 1e7
"""Largest notional of a pair that no rule bounds, numeraire."""

MoveKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of an order: whole lots (or their fraction), used or not, closing or not."""

    lots: int
    used: int
    closing: int | None


@dataclass(frozen=True, slots=True)
class Amount:
    """A transfer or a move: its size in `per`, in whole steps, used or not."""

    size: int
    used: int
    per: Decimal
    step: Decimal


@dataclass
class Acts:
    """Every action as columns, and the state after them as lines.

    Attributes
    ----------
    position
        Signed notional by pair, units.
    change
        Change of wallets by (account, asset), worth in units.
    settled
        Unrealised profit that becomes wallet, likewise.
    spent
        The part of `change` that is gone for good, positive.
    toll
        The part of `spent` that derivative orders and moves cause.
    outgoing
        Uses that make a wallet subject to the balance rule.
    """

    book: Book
    model: Model
    fine: bool = False
    most: Mapping[tuple[str, ...], float] = field(default_factory=dict[tuple[str, ...], float])
    buys: dict[Pair, Side] = field(default_factory=dict[Pair, Side])
    sells: dict[Pair, Side] = field(default_factory=dict[Pair, Side])
    sent: dict[str, Amount] = field(default_factory=dict[str, Amount])
    moved: dict[MoveKey, Amount] = field(default_factory=dict[MoveKey, Amount])
    position: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    change: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    settled: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    spent: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    toll: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    leaving: dict[Pair, Line] = field(default_factory=dict[Pair, Line])
    outgoing: dict[Pair, list[int]] = field(default_factory=dict[Pair, list[int]])

    def columns(self) -> dict[tuple[str, ...], int]:
        """Name the size column of every action."""
        out: dict[tuple[str, ...], int] = {}
        for kind, sides in (("buy", self.buys), ("sell", self.sells)):
            out |= {(kind, *key): side.lots for key, side in sides.items()}
        out |= {("route", name): act.size for name, act in self.sent.items()}
        return out | {("move", *key): act.size for key, act in self.moved.items()}

    def lot_worth(self, instrument: str) -> float:
        """Worth of one lot, units."""
        row = self.book.instruments[instrument]
        return float(row.lot * self.book.notional(instrument)) / UNIT

    def size(self, key: Pair) -> Line:
        """Unsigned notional ordered in a pair, units."""
        worth, out = self.lot_worth(key[1]), Line()
        for sides in (self.buys, self.sells):
            if key in sides:
                out.add(sides[key].lots, worth)
        return out

    def amount(self, route: str) -> Line:
        """Amount of a transfer, worth in units."""
        act = self.sent[route]
        price = float(self.book.price(self.book.routes[route].asset) * act.per) / UNIT
        return Line({act.size: price})

    def sizes(self, x: list[float]) -> Sizes:
        """Read whole sizes off a point; what is not used is nothing."""
        orders: dict[Pair, Decimal] = {}
        for key in sorted({*self.buys, *self.sells}):
            lots = 0
            for sides, sign in ((self.buys, 1), (self.sells, -1)):
                if key in sides:
                    lots += sign * round(x[sides[key].lots])
            if lots:
                orders[key] = lots * self.book.instruments[key[1]].lot
        return Sizes(orders, _whole(self.sent, x), _whole(self.moved, x))


Key = TypeVar("Key", str, MoveKey)


def _whole(acts: Mapping[Key, Amount], x: list[float]) -> dict[Key, Decimal]:
    rows = {key: _stepped(act, x[act.size]) for key, act in sorted(acts.items())}
    return {key: size for key, size in rows.items() if size}


def _stepped(act: Amount, size: float) -> Decimal:
    if act.per == act.step:
        return round(size) * act.step
    return Decimal(repr(size)) * act.per // act.step * act.step


def acts_of(book: Book, model: Model, *, fine: bool, most: Mapping[tuple[str, ...], float]) -> Acts:
    """Add the columns of every action and the rules on single actions.

    Parameters
    ----------
    fine
        Whether the finest lots and steps are whole, too.
    most
        Known largest sizes by the names of `Acts.columns`; below one, the action is left out.
    """
    acts = Acts(book, model, fine, most)
    for key, quantity in book.quantity.items():
        worth = float(quantity * book.notional(key[1])) / UNIT
        acts.position[key] = Line(constant=worth)
    for key in (*book.pairs, *sorted(set(book.spot_pairs))):
        if may_order(book, key):
            _add_order(acts, key)
    for name in sorted(book.routes):
        _add_transfer(acts, name)
    for rule in sorted(book.moves):
        _add_move(acts, rule)
    _one_direction(acts)
    _order_budgets(acts)
    _moves_together(acts)
    _boxes(acts)
    return acts


def may_order(book: Book, key: Pair) -> bool:
    """Tell whether any order of a pair is allowed."""
    row, account = book.instruments[key[1]], book.accounts[key[0]]
    known = row.bid is not None and row.ask is not None and bool(row.daily_volume)
    return (
        known
        and book.status(row.id) != "halted"
        and account.state != "frozen"
        and row.venue == account.venue
        and book.may_trade(*key)
    )


def box(book: Book, key: Pair) -> tuple[float, float]:
    """Least and largest signed notional of a pair by brackets and states, numeraire."""
    notional = float(book.notional(key[1]))
    now = float(book.quantity.get(key, ZERO)) * notional
    if "reduce_only" in (book.accounts[key[0]].state, book.status(key[1])):
        return min(now, 0.0), max(now, 0.0)
    tiers, place = book.tiers.get(key, ()), book.position(*key)
    selected = ZERO if place is None or place.leverage is None else place.leverage
    if book.accounts[key[0]].margin.model == "scenario":  # every bracket is open to it
        selected = ZERO
    caps = [float(t.cap) for t in tiers if t.max_leverage is None or t.max_leverage >= selected]
    cap = max(caps, default=0.0) if tiers else MANY
    wide = max(cap, abs(now))
    return -wide, wide


def _brought(book: Book, key: Pair, sign: float) -> float:
    """Most that moves leave an order of one side to trade beside what is there, units."""
    account, name = key
    if book.instruments[name].is_spot or "reduce_only" in (
        book.accounts[account].state,
        book.status(name),
    ):
        return 0.0
    out = ZERO
    for source, target, instrument in book.moves:
        held = book.quantity.get((source, instrument), ZERO)
        against = held if source == account else -held  # what it takes from the pair's position
        if instrument == name and account in (source, target) and float(against) * sign > 0:
            out += abs(held)
    return float(out * book.notional(name)) / UNIT


def _add_order(acts: Acts, key: Pair) -> None:
    book, row = acts.book, acts.book.instruments[key[1]]
    worth, spot = acts.lot_worth(key[1]), row.is_spot
    now = 0.0 if spot else acts.position[key].constant
    low, high = (-MANY / UNIT, MANY / UNIT) if spot else (v / UNIT for v in box(book, key))
    tight = "reduce_only" in (book.accounts[key[0]].state, book.status(row.id))
    for sides, sign, room in ((acts.buys, 1.0, high - now), (acts.sells, -1.0, now - low)):
        most = (room + _brought(book, key, sign)) / worth * (1 + 1e-12)
        if row.max_quantity is not None:
            most = min(most, float(row.max_quantity // row.lot))
        most = min(most, acts.most.get(("buy" if sign > 0 else "sell", *key), most))
        if (spot and tight and sign > 0) or most < 1 - 1e-9:
            continue
        sides[key] = _side(acts, key, sign, most)
        _effects(acts, key, sides[key], sign)


def _side(acts: Acts, key: Pair, sign: float, most: float) -> Side:
    """Add one direction of an order: nothing, at least the minimum, or closing whole."""
    book, model, row = acts.book, acts.model, acts.book.instruments[key[1]]
    whole = acts.fine or acts.lot_worth(key[1]) * UNIT >= COARSE
    top = float(int(most + 1e-9)) if whole else most
    least = float(smallest(book, row) / row.lot)
    held = ZERO if row.is_spot else book.quantity.get(key, ZERO)
    closes = bool(held) and float(held) * sign < 0 and held % row.lot == 0
    lots_held = float(abs(held) / row.lot) if closes else 0.0
    lots, used = model.column(0.0, top, whole=whole), model.binary()
    closing = model.binary() if closes and lots_held < least and lots_held <= top else None
    spare = Line({lots: 1.0, used: -least})
    if closing is not None:  # n = held if closing, n >= least if used otherwise
        spare.add(closing, least - lots_held)
        model.row(Line({closing: 1.0, used: -1.0}), high=0.0)
        model.row(Line({lots: 1.0, used: -top, closing: top - lots_held}), high=0.0)
    else:
        model.row(Line({lots: 1.0, used: -top}), high=0.0)
    model.row(spare, low=0.0)
    return Side(lots, used, closing)


def _line(lines: dict[Pair, Line], key: Pair) -> Line:
    return lines.setdefault(key, Line())


def _effects(acts: Acts, key: Pair, side: Side, sign: float) -> None:
    book, row, worth = acts.book, acts.book.instruments[key[1]], acts.lot_worth(key[1])
    cash = (key[0], row.cash)
    notional = book.notional(row.id)
    rate = float(book.taker(*key) + book.half_spread(row.id) / notional)
    _line(acts.change, cash).add(side.lots, -rate * worth)
    _line(acts.spent, cash).add(side.lots, rate * worth)
    if not row.is_spot:
        _line(acts.toll, cash).add(side.lots, rate * worth)
        acts.position[key].add(side.lots, sign * worth)
        return
    coin = (key[0], str(row.base))
    gain = float(row.lot * book.price(str(row.base))) / UNIT
    _line(acts.change, coin).add(side.lots, sign * gain)
    _line(acts.change, cash).add(side.lots, -sign * worth)
    for wallet in (coin, cash):
        acts.outgoing.setdefault(wallet, []).append(side.used)


def _add_transfer(acts: Acts, name: str) -> None:
    book, model, route = acts.book, acts.model, acts.book.routes[name]
    ends = (book.accounts[route.source], book.accounts[route.target])
    frozen = any(account.state == "frozen" for account in ends)
    if not (book.policy.transfers and route.enabled) or frozen or route.source == route.target:
        return
    price = book.price(route.asset)
    step = route.step or Decimal(1).scaleb((Decimal("1e-6") / price).adjusted())
    per = route.step or step * 1_000_000
    out, rate = (route.source, route.asset), float(route.rate)
    room = (book.withdrawable(*out) - route.fee) / (1 + route.rate)
    top = room if route.max is None else min(room, route.max)
    most, least = (
        float(top // step * step / per),
        float(max(step, -(-route.min // step) * step) / per),
    )
    most = min(most, acts.most.get(("route", name), most))
    if top <= 0 or most < least:
        return
    whole = bool(route.step) and (acts.fine or float(per * price) >= COARSE)
    size, used = model.column(0.0, most, whole=whole), model.binary()
    model.row(Line({size: 1.0, used: -most}), high=0.0)
    model.row(Line({size: 1.0, used: -least}), low=0.0)
    acts.sent[name] = Amount(size, used, per, step)
    worth, fee = float(per * price) / UNIT, float(route.fee * price) / UNIT
    _line(acts.change, out).add(size, -worth * (1 + rate)).add(used, -fee)
    _line(acts.leaving, out).add(size, worth * (1 + rate)).add(used, fee)
    _line(acts.spent, out).add(size, worth * rate).add(used, fee)
    _line(acts.change, (route.target, route.asset)).add(size, worth)
    acts.outgoing.setdefault(out, []).append(used)


def _add_move(acts: Acts, key: MoveKey) -> None:
    book, model, rule = acts.book, acts.model, acts.book.moves[key]
    source, target, name = key
    ends, lot = (book.accounts[source], book.accounts[target]), book.instruments[name].lot
    places = (book.position(source, name), book.position(target, name))
    held, notional = book.quantity.get((source, name), ZERO), book.notional(name)
    top = abs(held) if not rule.max_notional else min(abs(held), rule.max_notional / notional)
    if (
        not book.policy.moves
        or any(account.state == "frozen" for account in ends)
        or any(place is None or not place.may_trade for place in places)
        or (ends[0].owner, ends[0].venue) != (ends[1].owner, ends[1].venue)
        or book.status(name) == "halted"
        or source == target
        or top < lot
    ):
        return
    most, worth = float(top // lot), acts.lot_worth(name)
    most = min(most, acts.most.get(("move", *key), most))
    if most < 1:
        return
    whole = acts.fine or worth * UNIT >= COARSE
    size, used = model.column(0.0, most, whole=whole), model.binary()
    model.row(Line({size: 1.0, used: -most}), high=0.0)
    model.row(Line({size: 1.0, used: -1.0}), low=0.0)
    acts.moved[key] = Amount(size, used, lot, lot)
    sign = 1.0 if held > 0 else -1.0
    acts.position[source, name].add(size, -sign * worth)
    acts.position[target, name].add(size, sign * worth)
    cash = (source, book.instruments[name].cash)
    fee = float(rule.fee) / UNIT
    for lines, factor in ((acts.change, -fee), (acts.spent, fee), (acts.toll, fee)):
        _line(lines, cash).add(used, factor)
    part = book.unrealised[source, name] * book.price(cash[1]) * lot / abs(held)
    _line(acts.settled, cash).add(size, float(part) / UNIT)


def _one_direction(acts: Acts) -> None:
    """One side per owner and instrument."""
    sides: dict[Pair, tuple[list[int], list[int]]] = {}
    for at, orders in enumerate((acts.buys, acts.sells)):
        for (account, name), side in orders.items():
            owner = acts.book.accounts[account].owner
            sides.setdefault((owner, name), ([], []))[at].append(side.used)
    for buys, sells in sides.values():
        if buys and sells:
            up = acts.model.binary()
            for used in buys:
                acts.model.row(Line({used: 1.0, up: -1.0}), high=0.0)
            for used in sells:
                acts.model.row(Line({used: 1.0, up: 1.0}), high=1.0)


def _order_budgets(acts: Acts) -> None:
    for account in acts.book.accounts.values():
        if account.order_budget is not None:
            count = Line()
            for sides in (acts.buys, acts.sells):
                for key, side in sides.items():
                    if key[0] == account.id:
                        count.add(side.used, 1.0)
            acts.model.row(count, high=float(account.order_budget))


def _moves_together(acts: Acts) -> None:
    """Let a sender move no more than it holds, and have no order in what it moves."""
    senders: dict[Pair, list[MoveKey]] = {}
    for key in acts.moved:
        senders.setdefault((key[0], key[2]), []).append(key)
    for pair, keys in senders.items():
        lots = Line({acts.moved[key].size: 1.0 for key in keys})
        held = abs(acts.book.quantity[pair]) // acts.book.instruments[pair[1]].lot
        acts.model.row(lots, high=float(held))
        for key in keys:
            for sides in (acts.buys, acts.sells):
                if pair in sides:
                    both = Line({acts.moved[key].used: 1.0, sides[pair].used: 1.0})
                    acts.model.row(both, high=1.0)


def _boxes(acts: Acts) -> None:
    """Keep every position in its brackets and, where it may only be reduced, reduced."""
    for pair, line in acts.position.items():
        if line.of:
            low, high = (value / UNIT for value in box(acts.book, pair))
            acts.model.row(line, low, high)
