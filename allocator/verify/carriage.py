"""Rules on single transfers and moves (problem.md section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.models.plan import Order, PositionMove, Transfer, Violation
from allocator.models.snapshot import Route
from allocator.state import Book, Effect, Pair, move_rule


def transfer_violations(book: Book, effects: Sequence[Effect]) -> Iterator[Violation]:
    """Check every transfer against its route, then what leaves each account."""
    transfers = [(e, e.action) for e in effects if isinstance(e.action, Transfer)]
    if transfers and not book.policy.transfers:
        yield Violation(code="transfers_off", message="the policy allows no transfers")
    outflow: dict[Pair, Decimal] = {}
    for effect, sent in transfers:
        where = f"seq {sent.seq} {sent.route}"
        yield from _amount(book.routes[sent.route], sent.amount, where)
        yield from _not_frozen(book, effect, where)
        for key, units in effect.at_once.items():
            outflow[key] = outflow.get(key, ZERO) - units
    for route, count in Counter(sent.route for _, sent in transfers).items():
        if count > 1:
            yield Violation(code="one_transfer", message=f"{route} is used {count} times")
    for (account, asset), units in sorted(outflow.items()):
        may = book.withdrawable(account, asset)
        if units > may:
            text = f"{account} {asset}: {units} leaves, {may} may"
            yield Violation(code="withdrawable", message=text)


def _amount(route: Route, amount: Decimal, where: str) -> Iterator[Violation]:
    if not route.enabled:
        yield Violation(code="route_disabled", message=where)
    if amount < route.min:
        yield Violation(code="transfer_min", message=f"{where}: {amount} < {route.min}")
    if route.max is not None and amount > route.max:
        yield Violation(code="transfer_max", message=f"{where}: {amount} > {route.max}")
    if route.step and amount % route.step:
        text = f"{where}: {amount} is no multiple of {route.step}"
        yield Violation(code="transfer_step", message=text)


def _not_frozen(book: Book, effect: Effect, where: str) -> Iterator[Violation]:
    for name in effect.accounts:
        if book.accounts[name].state == "frozen":
            yield Violation(code="frozen", message=f"{where}: {name}")


def move_violations(book: Book, effects: Sequence[Effect]) -> Iterator[Violation]:
    """Check every move: permission, size, the sender's orders, states."""
    moves = [(e, e.action) for e in effects if isinstance(e.action, PositionMove)]
    if moves and not book.policy.moves:
        yield Violation(code="moves_off", message="the policy allows no moves")
    ordered = {
        (e.action.account, e.action.instrument) for e in effects if isinstance(e.action, Order)
    }
    moved: dict[Pair, Decimal] = {}
    for effect, move in moves:
        where = f"seq {move.seq} move {move.source} to {move.target} {move.instrument}"
        pair = (move.source, move.instrument)
        moved[pair] = moved.get(pair, ZERO) + move.quantity
        problems = [*_permission(book, effect, move), *_size(book, move, moved[pair])]
        if pair in ordered:
            problems.append("the sender has an order in it")
        for text in problems:
            yield Violation(code="move", message=f"{where}: {text}")
        for account in (move.source, move.target):
            place = book.position(account, move.instrument)
            if place is not None and not place.may_trade:
                yield Violation(code="tradable", message=f"{where}: {account} may not trade it")
        if book.instruments[move.instrument].status == "halted":
            yield Violation(code="halted", message=where)
        yield from _not_frozen(book, effect, where)


def _permission(book: Book, effect: Effect, move: PositionMove) -> Iterator[str]:
    source, target = book.accounts[move.source], book.accounts[move.target]
    rule = move_rule(book, move)
    if rule is None or (source.owner, source.venue) != (target.owner, target.venue):
        yield "not allowed between these accounts"
    if source.id == target.id:
        yield "sender and receiver are the same"
    if rule is not None and rule.max_notional is not None and effect.notional > rule.max_notional:
        yield f"notional {effect.notional} > {rule.max_notional}"
    for account in (source, target):
        if move.instrument not in account.positions:
            yield f"{account.id} does not list the instrument"


def _size(book: Book, move: PositionMove, together: Decimal) -> Iterator[str]:
    held = abs(book.quantity.get((move.source, move.instrument), ZERO))
    lot = book.instruments[move.instrument].lot
    if move.quantity % lot:
        yield f"{move.quantity} is no multiple of {lot}"
    if together > held:
        yield f"{together} in all, of {held} held"
