"""What can be seen to stand in the way of mending something: states, switches, shut ways."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from allocator.limits import Bound, accounts_of, meters_of
from allocator.margin import Missing
from allocator.models.snapshot import Route
from allocator.plan.relax import Rule, asset_between, richest
from allocator.state import Book, State


def own_rule(row: Missing) -> Rule:
    """Name the rule that a missing thing breaks."""
    return Rule(row.kind, row.about)


def broken_rule(book: Book, final: State, own: Rule) -> Rule:
    """Name the rule that a missing thing breaks, of a limit with the bound that is exceeded."""
    if own.kind != "limit":
        return own
    meter = next(meter for meter in meters_of(book) if meter.limit.id == own.about[0])
    bound: Bound = max(meter.bounds, key=lambda side: meter.excess(final, side))
    return replace(own, bound=bound)


def shut_rules(book: Book, own: Rule) -> Iterator[Rule]:
    """Name what can be seen to stand in the way: states, switches, ways that are shut or lacking.

    What is missing of margin or of a least equity can be sent; of other limits nothing can.

    Parameters
    ----------
    own
        The rule that is broken.
    """
    accounts = _accounts(book, own)
    yield from shut_pairs(book, accounts)
    out = own.kind == "limit"
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
    if book.policy.transfers and _takes_money(book, own):
        yield from (
            Rule("no route to", (name,)) for name in sorted(accounts) if cut_off(book, name)
        )
    if book.policy.transfers and _gives_money(book, own):
        yield from _shut_in(book, accounts)


def _takes_money(book: Book, own: Rule) -> bool:
    if own.kind == "margin":
        return True
    limit = next(row for row in book.mandate.limits if row.id == own.about[0])
    return (limit.measure == "equity" and limit.min is not None) or limit.measure == "leverage"


def _gives_money(book: Book, own: Rule) -> bool:
    limits = [row for row in book.mandate.limits if own.kind == "limit" and row.id == own.about[0]]
    return any(row.measure == "equity" and row.max is not None for row in limits)


def _shut_in(book: Book, accounts: Set[str]) -> Iterator[Rule]:
    """Name accounts that could send money out of a scope, but for a route that is lacking."""
    outside = [name for name, row in book.accounts.items() if row.state != "frozen"]
    outside = sorted(set(outside) - accounts)
    for name in sorted(accounts):
        ways = {row.target for row in book.routes.values() if row.source == name}
        ends = [end for end in outside if asset_between(book, name, end) is not None]
        if ends and not ways.intersection(ends):
            yield Rule("no route from", (name, ends[0]))


def cut_off(book: Book, name: str) -> bool:
    """Tell whether no route leads to an account from the one that may send most."""
    best = richest(book, name)
    ways = {(row.source, row.asset) for row in book.routes.values() if row.target == name}
    return best is not None and best not in ways


def shut_pairs(book: Book, accounts: Set[str]) -> Iterator[Rule]:
    """Name what keeps the pairs of some accounts from being traded, those with a size first."""
    spots = [(name, i) for name in sorted(accounts) for i in book.accounts[name].spot]
    for idle in (False, True):
        for (account, instrument), held in book.quantity.items():
            if account in accounts and idle is not bool(held):
                yield from _shut(book, account, instrument)
        for account, instrument in spots:
            base = book.instruments[instrument].base
            if idle is not bool(book.wallet.get((account, base or ""), 0)):
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
    place = book.accounts[account].positions.get(instrument)
    if place is not None and not place.tradable:
        yield Rule("tradable", (account, instrument))
    if book.accounts[account].order_budget == 0:
        yield Rule("order_budget", (account,))


def _accounts(book: Book, own: Rule) -> set[str]:
    if own.kind == "margin":
        return {own.about[0]}
    return set(accounts_of(book, next(r for r in book.mandate.limits if r.id == own.about[0])))


def counting_rules(book: Book, own: Rule) -> Iterator[Rule]:
    """Name the counts of orders over the accounts of a broken rule."""
    accounts = _accounts(book, own)
    for limit in book.mandate.limits:
        if limit.measure == "orders" and accounts & set(accounts_of(book, limit)):
            yield Rule("limit", (limit.id,))
    for name in sorted(accounts):
        if book.accounts[name].order_budget is not None:
            yield Rule("order_budget", (name,))


def rules_of_actions(book: Book) -> Iterator[Rule]:
    """Name what binds whole actions alone: lots, smallest sizes, one side for each owner."""
    pairs = {(account, name) for account, name in (*book.pairs, *book.spot_pairs)}
    for name in sorted({name for _, name in pairs}):
        yield Rule("lot", (name,))
        row = book.instruments[name]
        if row.min_quantity or row.min_notional:
            yield Rule("smallest", (name,))
    yield from (Rule("smallest", (row.id,)) for row in book.routes.values() if row.min)
    listed = {*pairs, *book.quantity}
    owned = [(book.accounts[account].owner, name) for account, name in listed]
    for key in sorted({key for key in owned if owned.count(key) > 1}):
        yield Rule("one side", key)
