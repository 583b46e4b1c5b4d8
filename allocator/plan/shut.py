"""What can be seen to stand in the way of mending something: states, switches, shut ways."""

from __future__ import annotations

from collections.abc import Iterator, Set

from allocator.limits import accounts_of
from allocator.models.snapshot import Route
from allocator.plan.relax import Rule, richest
from allocator.state import Book


def own_rule(what: str) -> Rule:
    """Name the rule that a missing thing breaks."""
    kind, _, name = what.partition(" ")
    return Rule(kind, tuple(name.split(" ")) if kind == "margin" else (name,))


def shut_rules(book: Book, what: str) -> Iterator[Rule]:
    """Name what can be seen to stand in the way: states, switches, ways that are shut."""
    accounts = _accounts(book, what)
    yield from shut_pairs(book, accounts)
    out = what.startswith("limit")
    ways = [
        row
        for row in book.routes.values()
        if row.target in accounts or (out and row.source in accounts)
    ]
    for row in ways:
        yield from _shut_way(book, row)
    if ways and not book.policy.transfers:
        yield Rule("policy", ("transfers",))
    if any(key[0] in accounts for key in book.moves) and not book.policy.moves:
        yield Rule("policy", ("moves",))
    if what.startswith("margin") and not ways and book.policy.transfers:
        yield from (Rule("no route to", (name,)) for name in accounts if richest(book, name))


def shut_pairs(book: Book, accounts: Set[str]) -> Iterator[Rule]:
    """Name what keeps the positions of some accounts from being changed."""
    for (account, instrument), held in book.quantity.items():
        if account in accounts and held:
            yield from _shut(book, account, instrument)


def _shut_way(book: Book, row: Route) -> Iterator[Rule]:
    if not row.enabled:
        yield Rule("route", (row.id,))
    if book.accounts[row.source].state == "frozen":
        yield Rule("state", (row.source,))
    empty = not book.withdrawable(row.source, row.asset)
    if row.enabled and empty and row.asset in book.accounts[row.source].balances:
        yield Rule("withdrawable", (row.source, row.asset))


def _shut(book: Book, account: str, instrument: str) -> Iterator[Rule]:
    if book.accounts[account].state == "frozen":
        yield Rule("state", (account,))
    if book.status(instrument) == "halted":
        yield Rule("status", (instrument,))
    place = book.position(account, instrument)
    if place is not None and not place.tradable:
        yield Rule("tradable", (account, instrument))
    if book.accounts[account].order_budget == 0:
        yield Rule("order_budget", (account,))


def _accounts(book: Book, what: str) -> set[str]:
    own = own_rule(what)
    if own.kind == "margin":
        return {own.about[0]}
    return set(accounts_of(book, next(r for r in book.mandate.limits if r.id == own.about[0])))


def counting_rules(book: Book, what: str) -> Iterator[Rule]:
    """Name the counts of orders over the accounts of a missing thing."""
    accounts = _accounts(book, what)
    for limit in book.mandate.limits:
        if limit.measure == "orders" and accounts & set(accounts_of(book, limit)):
            yield Rule("limit", (limit.id,))
    for name in sorted(accounts):
        if book.accounts[name].order_budget is not None:
            yield Rule("order_budget", (name,))
