"""What one action of a plan does to quantities, wallets and costs.

An order fills whole at mark; its fee and half-spread leave the settle (spot: quote) balance.
A transfer leaves the sender as amount + fee + rate x amount and arrives as amount. A move carries
quantity at mark; what it carries of the sender's unrealised profit becomes wallet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from allocator.models.base import ONE, ZERO
from allocator.models.errors import InputError
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.models.snapshot import MoveRule, Route
from allocator.state.arithmetic import lawful
from allocator.state.book import Book, Pair

SECONDS_A_YEAR = Decimal(365 * 86400)
NOTHING: Mapping[Pair, Decimal] = {}


@dataclass(frozen=True, slots=True)
class Effect:
    """One action with its effects.

    Attributes
    ----------
    accounts
        Sender first, then receiver; an order has one.
    contracts
        Change of quantity by (account, instrument); orders in proportion to the fill.
    at_once
        Change of wallets by (account, asset) as soon as it starts; orders in proportion.
    on_arrival
        Change of wallets by (account, asset) when a transfer has ended.
    spent
        Part of `at_once` that is gone for good (fees, spread, charges), positive.
    settled
        Unrealised profit that becomes wallet, by (account, asset).
    flows
        Keys of `at_once` that no plan may overdraw: transfers and spot orders.
    notional, fees, spread, transfer_cost
        Numeraire.
    """

    action: Action
    accounts: tuple[str, ...]
    notional: Decimal
    contracts: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    at_once: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    on_arrival: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    spent: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    settled: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    flows: frozenset[Pair] = frozenset()
    fees: Decimal = ZERO
    spread: Decimal = ZERO
    transfer_cost: Decimal = ZERO

    @property
    def seq(self) -> int:
        """The action's number."""
        return self.action.seq


@lawful
def effect_of(book: Book, action: Action) -> Effect:
    """Compute the effects of an action.

    Raises
    ------
    InputError
        When it names an account, instrument or route that the book does not have, or ends
        that are not the route's.
    """
    match action:
        case Order():
            return _order(book, action)
        case Transfer():
            return _transfer(book, action)
        case PositionMove():
            return _move(book, action)
        case _:
            assert_never(action)


def _known(book: Book, *accounts: str) -> None:
    for name in accounts:
        if name not in book.accounts:
            raise InputError(f"no account {name}")


def _order(book: Book, action: Order) -> Effect:
    _known(book, action.account)
    row = book.instruments.get(action.instrument)
    if row is None:
        raise InputError(f"no instrument {action.instrument}")
    notional = action.quantity * book.notional(row.id)
    fees = book.taker(action.account, row.id) * notional
    spread = action.quantity * book.half_spread(row.id)
    cash = (action.account, row.cash)
    spent = (fees + spread) / book.price(row.cash)
    at_once, contracts, flows = {cash: -spent}, dict[Pair, Decimal](), frozenset[Pair]()
    if row.is_spot:
        assert row.base is not None
        coin = (action.account, row.base)
        at_once[cash] -= action.signed * row.mark
        at_once[coin] = at_once.get(coin, ZERO) + action.signed
        flows = frozenset(at_once)
    else:
        contracts[action.account, row.id] = action.signed
    return Effect(
        action=action,
        accounts=(action.account,),
        notional=notional,
        contracts=contracts,
        at_once=at_once,
        spent={cash: spent},
        flows=flows,
        fees=fees,
        spread=spread,
    )


def charge_of(route: Route, amount: Decimal) -> Decimal:
    """Compute what a route charges on top of an amount, asset units."""
    return route.fee + route.rate * amount


def _transfer(book: Book, action: Transfer) -> Effect:
    route = book.routes.get(action.route)
    if route is None:
        raise InputError(f"no route {action.route}")
    if (action.source, action.target, action.asset) != (route.source, route.target, route.asset):
        raise InputError(f"from, to or asset differ from the route {route.id}")
    _known(book, route.source, route.target)
    price, charge = book.price(route.asset), charge_of(route, action.amount)
    sender, receiver = (route.source, route.asset), (route.target, route.asset)
    notional = action.amount * price
    capital = notional * book.policy.capital_rate * route.latency_s / SECONDS_A_YEAR
    return Effect(
        action=action,
        accounts=(route.source, route.target),
        notional=notional,
        at_once={sender: -(action.amount + charge)},
        on_arrival={receiver: action.amount},
        spent={sender: charge},
        flows=frozenset({sender}),
        transfer_cost=charge * price + capital,
    )


def move_rule(book: Book, action: PositionMove) -> MoveRule | None:
    """Find the permission for a move; None if there is none."""
    return book.moves.get((action.source, action.target, action.instrument))


def _move(book: Book, action: PositionMove) -> Effect:
    _known(book, action.source, action.target)
    row = book.instruments.get(action.instrument)
    if row is None or row.is_spot:
        raise InputError(f"no derivative {action.instrument}")
    pair = (action.source, row.id)
    held = book.quantity.get(pair, ZERO)
    signed = action.quantity * (ONE if held >= 0 else -ONE)
    rule = move_rule(book, action)
    fee = ZERO if rule is None else rule.fee
    cash = (action.source, row.cash)
    settled = NOTHING
    if held:
        settled = {cash: book.unrealised[pair] * action.quantity / abs(held)}
    contracts = {pair: -signed}
    receiver = (action.target, row.id)
    contracts[receiver] = contracts.get(receiver, ZERO) + signed
    return Effect(
        action=action,
        accounts=(action.source, action.target),
        notional=action.quantity * book.notional(row.id),
        contracts=contracts,
        at_once={cash: -fee / book.price(row.cash)},
        spent={cash: fee / book.price(row.cash)},
        settled=settled,
        transfer_cost=fee,
    )
