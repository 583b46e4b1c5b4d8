"""Rules of a book by name, and the same book with some of them relaxed.

Names are those of `Infeasible.conflicts`: ``limit <id>``, ``margin <account>[ <asset>]``,
``withdrawable <account>/<asset>``, ``ring_fenced <account>/<asset>``, ``route <id>``,
``no route to <account>``, ``order_budget <account>``, ``state <account>``,
``status <instrument>``, ``tradable <account>/<instrument>``, ``move <from>/<to>/<instrument>``,
``policy transfers`` and ``policy moves``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from allocator.limits import Meter, is_of_plan
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
    "move": ("snapshot", "moves"),
    "status": ("snapshot", "instruments"),
}
"""Where rules are declared that no account declares."""


@dataclass(frozen=True, order=True)
class Rule:
    """One rule: its kind and what it is about."""

    kind: str
    about: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name the rule."""
        return f"{self.kind} {self.joined}"

    @property
    def joined(self) -> str:
        """Name what it is about."""
        return (" " if self.kind == "margin" else "/").join(self.about)

    @property
    def place(self) -> Place:
        """Tell where the book declares it."""
        return (*PLACES.get(self.kind, ("snapshot", "accounts")), *self._within())

    def _within(self) -> Place:
        own = self.about
        if self.kind in ("move", "no route to"):
            return ()
        if self.kind in ("withdrawable", "tradable"):
            return own[0], "balances" if self.kind == "withdrawable" else "positions", own[1]
        if self.kind in ("state", "order_budget", "ring_fenced"):
            return own[0], self.kind, *own[1:]
        return own[:1]

    @property
    def is_switch(self) -> bool:
        """Whether it is kept or not, without an amount."""
        return self.kind in ("state", "status", "tradable", "policy")


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
    return {"order_budget": "orders", "margin": USD, "move": USD, "no route to": USD}.get(
        rule.kind, ""
    )


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
        else:
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
        elif amount is not None:
            high = None if row.max is None else row.max + amount
            low = None if row.min is None else row.min - amount
            rows.append(row.model_copy(update={"max": high, "min": low}))
    return mandate.model_copy(update={"limits": tuple(rows)})


def _of_snapshot(book: Book, snapshot: Snapshot, rule: Rule, amount: Decimal | None) -> Snapshot:
    own = rule.about
    match rule.kind:
        case "status":
            return _replaced(snapshot, "instruments", own[0], {"status": "open"})
        case "route":
            row = snapshot.route[own[0]]
            high = None if amount is None or row.max is None else row.max + amount
            return _replaced(snapshot, "routes", own[0], {"max": high, "enabled": True})
        case "no route to":
            return snapshot.model_copy(
                update={"routes": (*snapshot.routes, *_new_routes(book, own[0], amount))}
            )
        case "move":
            return _wider_move(snapshot, own, amount)
        case _:
            return _with_account(
                snapshot, own[0], lambda account: _of_account(book, account, rule, amount)
            )


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


def _new_routes(book: Book, target: str, amount: Decimal | None) -> list[Route]:
    """Invent the way that is lacking: from the account that may send most."""
    best = richest(book, target)
    if best is None:
        return []
    source, asset = best
    high = None if amount is None else amount / book.price(asset)
    row = {"id": f"new:{source}/{target}/{asset}", "from": source, "to": target, "asset": asset}
    return [Route.model_validate(row).model_copy(update={"max": high})]


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


def figure(value: Decimal) -> str:
    """Write a number with separators and no idle digits."""
    whole = value == value.to_integral_value()
    return f"{value:,.0f}" if whole else f"{value.normalize():,f}"


def change_of(book: Book, rule: Rule, amount: Decimal | None) -> str:
    """Say in words how a rule is relaxed."""
    if amount is None:
        return _switched(book, rule)
    own, unit = rule.about, unit_of(book, rule)
    match rule.kind:
        case "limit":
            row = next(row for row in book.mandate.limits if row.id == own[0])
            bound, old = ("min", row.min) if row.max is None else ("max", row.max)
            new = (old or ZERO) + (-amount if bound == "min" else amount)
            verb = "lower" if bound == "min" else "raise"
            told = f"{verb} the {bound} of {row.id} from {figure(old or ZERO)} to {figure(new)}"
        case "margin":
            asset = "".join(f" in {name}" for name in own[1:2])
            told = f"add {amount:,.2f} USD of collateral{asset} to {own[0]}"
        case "move":
            told = f"let {amount:,.0f} USD more of {own[2]} move from {own[0]} to {own[1]}"
        case "no route to":
            source, asset = richest(book, own[0]) or ("", "")
            sent = figure(amount / book.price(asset))
            told = f"open a route to {own[0]} that carries {sent} {asset} from {source}"
        case _:
            level, sign = _level(book, rule), -1 if rule.kind == "ring_fenced" else 1
            words = {
                "withdrawable": "raise what may leave",
                "ring_fenced": "lower what is ring-fenced in",
                "route": "raise the max of route",
                "order_budget": "raise the order budget of",
            }[rule.kind]
            end = figure(level + sign * amount)
            told = f"{words} {own[0]} from {figure(level)} to {end} {unit}"
    return told


def _level(book: Book, rule: Rule) -> Decimal:
    """Read where an amount stands now, in the rule's unit."""
    own = rule.about
    if rule.kind == "withdrawable":
        return book.withdrawable(own[0], own[1])
    if rule.kind == "ring_fenced":
        return book.ring_fenced(own[0], own[1])
    if rule.kind == "route":
        return book.routes[own[0]].max or ZERO
    return Decimal(book.accounts[own[0]].order_budget or 0)


def _switched(book: Book, rule: Rule) -> str:
    """Say in words how a rule is given up that has no amount."""
    own = rule.about
    words = {
        "route": f"enable route {own[0]}",
        "status": f"open {own[0]}",
        "state": f"open account {own[0]}",
        "tradable": f"let {own[-1]} be traded in {own[0]}",
        "policy": f"allow {own[0]} in the policy",
    }
    told = words.get(rule.kind, f"give up {rule.name}")
    if rule.kind == "status":
        return f"{told}, which is {book.status(own[0]).replace('_', '-')}"
    if rule.kind == "state":
        return f"{told}, which is {book.accounts[own[0]].state.replace('_', '-')}"
    return told
