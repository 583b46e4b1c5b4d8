"""Rules of a book by name, and the same book with some of them relaxed.

Names are those of `Infeasible.conflicts`: ``limit <id>``, ``margin <account>[ <asset>]``,
``withdrawable <account>/<asset>``, ``ring_fenced <account>/<asset>``, ``route <id>``,
``no route to <account>``, ``no route from <account> to <account>``,
``order_budget <account>``, ``state <account>``,
``status <instrument>``, ``tradable <account>/<instrument>``, ``move <from>/<to>/<instrument>``,
``policy transfers``, ``policy moves``, ``lot <instrument>``, ``smallest <instrument or route>`` and
``one side <owner>/<instrument>``. The last is in no declaration, so no book is without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from allocator.limits import Bound, Meter, is_of_plan
from allocator.models.account import Account, Balance, Position
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Limit, Mandate
from allocator.models.reasons import Place
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Route, Snapshot
from allocator.state import Book, lawful

USD = "USD"
WIDE = Decimal(10)
"""How many times everything an account holds and needs counts as all the money it could want."""


PLACES: Mapping[str, Place] = {
    "limit": ("mandate", "limits"),
    "policy": ("mandate", "policy"),
    "route": ("snapshot", "routes"),
    "no route to": ("snapshot", "routes"),
    "no route from": ("snapshot", "routes"),
    "move": ("snapshot", "moves"),
    "status": ("snapshot", "instruments"),
    "lot": ("snapshot", "instruments"),
    "smallest": ("snapshot", "instruments"),
    "one side": ("snapshot", "instruments"),
}
"""Where rules are declared that no account declares."""


@dataclass(frozen=True, order=True)
class Rule:
    """One rule: its kind, what it is about, and of a limit with two bounds which of them."""

    kind: str
    about: tuple[str, ...]
    bound: Bound | Literal[""] = ""

    @property
    def name(self) -> str:
        """Name the rule."""
        return f"{self.kind} {self.joined}"

    @property
    def joined(self) -> str:
        """Name what it is about."""
        return {"margin": " ", "no route from": " to "}.get(self.kind, "/").join(self.about)

    @property
    def place(self) -> Place:
        """Tell where the book declares it."""
        return (*PLACES.get(self.kind, ("snapshot", "accounts")), *self._within())

    def _within(self) -> Place:
        own = self.about
        if self.kind in ("move", "no route to", "no route from"):
            return ()
        if self.kind == "one side":
            return own[1:]
        if self.kind in ("withdrawable", "tradable"):
            return own[0], "balances" if self.kind == "withdrawable" else "positions", own[1]
        if self.kind in ("state", "order_budget", "ring_fenced"):
            return own[0], self.kind, *own[1:]
        return own[:1]

    @property
    def is_switch(self) -> bool:
        """Whether it is kept or not, without an amount."""
        return self.kind in ("state", "status", "tradable", "policy", *OF_ACTIONS)


OF_ACTIONS = ("lot", "smallest", "one side")
"""Kinds that bind whole actions alone."""

FINE = Decimal("1e-6")
"""What becomes of a lot that is given up, as a part of it."""

Amounts = Mapping[Rule, Decimal | None]
"""By how much each rule is relaxed, in its own unit; None: as far as it matters."""


def unit_of(book: Book, rule: Rule) -> str:
    """Name the unit that a rule is relaxed in."""
    if rule.kind == "limit":
        return limit_unit(next(row for row in book.mandate.limits if row.id == rule.about[0]))
    if rule.kind in ("withdrawable", "ring_fenced"):
        return rule.about[1]
    if rule.kind == "route":
        return book.routes[rule.about[0]].asset
    if rule.kind == "order_budget":
        return "orders"
    return USD if rule.kind in ("margin", "move", "no route to", "no route from") else ""


def limit_unit(limit: Limit) -> str:
    """Name the unit of a limit."""
    units = {"quantity": "contracts", "leverage": "x equity", "orders": "orders"}
    return units.get(limit.measure, USD)


def worth(book: Book, rule: Rule) -> Decimal:
    """Numeraire per unit of a rule; of counts and ratios 1."""
    if rule.kind in ("withdrawable", "ring_fenced"):
        return book.price(rule.about[1])
    if rule.kind == "route":
        return book.price(book.routes[rule.about[0]].asset)
    if rule.kind == "limit":
        row = next(row for row in book.mandate.limits if row.id == rule.about[0])
        return ONE if is_of_plan(row) else Meter(book, row).weight or ONE
    return ONE


@lawful
def relaxed(book: Book, amounts: Amounts) -> Book | None:
    """Make the book anew with some rules relaxed; None where that makes no sensible problem."""
    snapshot, mandate = book.snapshot, book.mandate
    for rule, amount in sorted(amounts.items(), key=lambda row: row[0]):
        if rule.kind in ("limit", "policy"):
            mandate = _of_mandate(mandate, rule, amount)
        elif rule.kind != "one side":
            snapshot = _of_snapshot(book, snapshot, rule, amount)
    if book_problems(snapshot, mandate):
        return None
    return Book.of(snapshot, mandate)


def _of_mandate(mandate: Mandate, rule: Rule, amount: Decimal | None) -> Mandate:
    if rule.kind == "policy":
        policy = mandate.policy.model_copy(update={rule.about[0]: True})
        return mandate.model_copy(update={"policy": policy})
    rows = list[Limit]()
    for row in mandate.limits:
        if row.id != rule.about[0]:
            rows.append(row)
            continue
        high, low = row.max, row.min
        if high is not None and rule.bound != "min":
            high = None if amount is None else high + amount
        if low is not None and rule.bound != "max":
            low = None if amount is None else low - amount
        if high is not None or low is not None:
            rows.append(row.model_copy(update={"max": high, "min": low}))
    return mandate.model_copy(update={"limits": tuple(rows)})


def _of_snapshot(book: Book, snapshot: Snapshot, rule: Rule, amount: Decimal | None) -> Snapshot:
    own = rule.about
    match rule.kind:
        case "status":
            return _replaced(snapshot, "instruments", own[0], {"status": "open"})
        case "lot" | "smallest":
            return _finer(snapshot, rule)
        case "route":
            row = snapshot.route[own[0]]
            high = None if amount is None or row.max is None else row.max + amount
            return _replaced(snapshot, "routes", own[0], {"max": high, "enabled": True})
        case "no route to" | "no route from":
            rows = (*snapshot.routes, *_new_routes(book, rule, amount))
            return snapshot.model_copy(update={"routes": rows})
        case "move":
            return _wider_move(snapshot, own, amount)
        case _:
            return _with_account(
                snapshot, own[0], lambda account: _of_account(book, account, rule, amount)
            )


def _finer(snapshot: Snapshot, rule: Rule) -> Snapshot:
    """Let an instrument come in any size, or an instrument or a route in small ones."""
    name = rule.about[0]
    if rule.kind == "lot":
        row = next(row for row in snapshot.instruments if row.id == name)
        return _replaced(snapshot, "instruments", name, {"lot": row.lot * FINE})
    none = {"min_quantity": ZERO, "min_notional": ZERO}
    if any(row.id == name for row in snapshot.routes):
        return _replaced(snapshot, "routes", name, {"min": ZERO})
    return _replaced(snapshot, "instruments", name, none)


def _replaced(snapshot: Snapshot, part: str, name: str, update: dict[str, Any]) -> Snapshot:
    rows = tuple(
        row.model_copy(update=update) if row.id == name else row for row in getattr(snapshot, part)
    )
    return snapshot.model_copy(update={part: rows})


def _with_account(
    snapshot: Snapshot, name: str, change: Callable[[Account], dict[str, Any]]
) -> Snapshot:
    rows = tuple(
        row.model_copy(update=change(row)) if row.id == name else row for row in snapshot.accounts
    )
    return snapshot.model_copy(update={"accounts": rows})


def _of_account(book: Book, row: Account, rule: Rule, amount: Decimal | None) -> dict[str, Any]:
    match rule.kind:
        case "state":
            return {"state": "open"}
        case "order_budget":
            most = None if amount is None else (row.order_budget or 0) + int(amount)
            return {"order_budget": most}
        case "tradable":
            place = _tradable(book, row, rule.about[1])
            return {"positions": {**row.positions, rule.about[1]: place}}
        case "ring_fenced":
            kept = row.ring_fenced[rule.about[1]]
            left = ZERO if amount is None else max(ZERO, kept - amount)
            return {"ring_fenced": {**row.ring_fenced, rule.about[1]: left}}
        case "withdrawable":
            asset = rule.about[1]
            old = row.balances[asset]
            free = old.withdrawable or ZERO
            more = max(ZERO, old.wallet) + free if amount is None else amount
            balance = old.model_copy(update={"withdrawable": free + more})
            return {"balances": {**row.balances, asset: balance}}
        case _:
            return _richer(book, row, rule, amount)


def _tradable(book: Book, row: Account, name: str) -> Position:
    """Let a pair be traded, at its bracket's leverage where none is selected."""
    place = row.positions[name]
    leverage = place.leverage
    tiers = book.tiers.get((row.id, name), ())
    if leverage is None and tiers and row.margin.model != "scenario":
        notional = abs(place.net) * book.notional(name)
        leverage = next((t for t in tiers if notional <= t.cap), tiers[-1]).max_leverage
    return place.model_copy(update={"tradable": True, "leverage": leverage})


def _richer(book: Book, row: Account, rule: Rule, amount: Decimal | None) -> dict[str, Any]:
    """Give an account collateral that may not leave."""
    asset = rule.about[1] if len(rule.about) > 1 else collateral_asset(book, row)
    ratio = book.ratios(row.id, asset)[0].ratio if book.ratios(row.id, asset) else ONE
    if amount is None:
        held = sum(
            (abs(v) * book.price(c) for (a, c), v in book.wallet.items() if a == row.id), ZERO
        )
        gross = sum(
            (abs(v) * book.notional(i) for (a, i), v in book.quantity.items() if a == row.id), ZERO
        )
        amount = WIDE * (held + gross)
    units = amount / book.price(asset) / (ratio or ONE)
    old = row.balances.get(asset)
    if old is None:
        old = Balance(wallet=ZERO)
    return {
        "balances": {**row.balances, asset: old.model_copy(update={"wallet": old.wallet + units})}
    }


def collateral_asset(book: Book, row: Account) -> str:
    """Choose the asset of an account whose value counts most and moves least."""

    def rank(asset: str) -> tuple[bool, Decimal, str]:
        tiers = book.ratios(row.id, asset)
        ratio = tiers[0].ratio if tiers else ONE
        return book.asset(asset).underlying is not None, -ratio, asset

    names = set(row.balances) | {book.instruments[name].cash for name in row.positions}
    return min(names or set(book.snapshot.assets), key=rank)


def _new_routes(book: Book, rule: Rule, amount: Decimal | None) -> list[Route]:
    """Invent the way that is lacking."""
    best = lacking(book, rule)
    if best is None:
        return []
    source, target, asset = best
    high = None if amount is None else amount / book.price(asset)
    row = {"id": f"new:{source}/{target}/{asset}", "from": source, "to": target, "asset": asset}
    return [Route.model_validate(row).model_copy(update={"max": high})]


def lacking(book: Book, rule: Rule) -> tuple[str, str, str] | None:
    """Choose ends and asset of a way that is lacking; into an account, from the richest."""
    if rule.kind == "no route to":
        best = richest(book, rule.about[0])
        return None if best is None else (best[0], rule.about[0], best[1])
    source, target = rule.about
    asset = asset_between(book, source, target)
    return None if asset is None else (source, target, asset)


def asset_between(book: Book, source: str, target: str) -> str | None:
    """Choose the asset of which most may leave one account for another; None if there is none."""
    rows = [
        (-(row.withdrawable or ZERO) * book.price(asset), asset)
        for asset, row in book.accounts[source].balances.items()
        if row.withdrawable and asset in book.assets[target]
    ]
    return min(rows)[1] if rows else None


def richest(book: Book, target: str) -> tuple[str, str] | None:
    """Find the account and asset from which most could be sent to an account."""
    known = set(book.assets[target])
    rows = [
        (-(b.withdrawable or ZERO) * book.price(c), a.id, c)
        for a in book.snapshot.accounts
        if a.id != target and a.state != "frozen"
        for c, b in a.balances.items()
        if b.withdrawable and c in known
    ]
    if not rows:
        return None
    _, source, asset = min(rows)
    return source, asset


def _wider_move(snapshot: Snapshot, own: tuple[str, ...], amount: Decimal | None) -> Snapshot:
    rows = tuple(
        row.model_copy(
            update={
                "max_notional": None
                if amount is None or row.max_notional is None
                else row.max_notional + amount
            }
        )
        if (row.source, row.target, row.instrument) == own
        else row
        for row in snapshot.moves
    )
    return snapshot.model_copy(update={"moves": rows})
