"""Rules on one account's states: margin, brackets, wallets (problem.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

from allocator.margin import (
    Requirement,
    Shocked,
    binding_stresses,
    bracket_cap,
    breaks,
    collateral,
    collateral_units,
    contracts_carried,
    marginal_value,
    pools,
    requirement,
    requirements,
    response,
    scenario_loss,
)
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Stress
from allocator.state import Book, Effect, State
from allocator.verify.faces import Changes, Curve, Face, Key, Rule, linear

Part = Literal["initial", "maintenance"]


def account_rules(
    book: Book, start: State, account: str, effects: Sequence[Effect]
) -> Iterator[Rule]:
    """Make the rules on one account.

    Parameters
    ----------
    effects
        The account's actions: they say which pairs and wallets need looking at.
    """
    for pool in pools(book, account):
        yield from _margin_rules(Pool(book, start, account, pool), effects)
    touched: dict[str, list[Effect]] = {}
    for effect in effects:
        for owner, instrument in effect.contracts:
            if owner == account:
                touched.setdefault(instrument, []).append(effect)
    for instrument, changing in sorted(touched.items()):
        yield from _bracket_rule(book, account, instrument, changing)
    wallets = sorted({key for e in effects for key in e.flows if key[0] == account})
    for _, asset in wallets:
        yield _wallet_rule(book, account, asset, effects)


@dataclass(frozen=True)
class Pool:
    """One margin pool of an account before the plan."""

    book: Book
    start: State
    account: str
    asset: str | None

    @cached_property
    def label(self) -> str:
        """Name it in messages."""
        return self.account if self.asset is None else f"{self.account} {self.asset}"

    @cached_property
    def needed(self) -> Requirement:
        """Margin before the plan, numeraire."""
        return requirements(self.book, self.start, self.account, self.asset)

    @cached_property
    def collateral(self) -> Decimal:
        """Collateral before the plan, numeraire."""
        return collateral(self.book, self.start, self.account, self.asset)

    def changes(self, effect: Effect) -> tuple[Changes, Changes]:
        """Pick what an action changes: contracts that need margin, units that are collateral."""
        now: Changes = {}
        later: Changes = {}
        for (account, name), value in effect.contracts.items():
            place = self.book.position(account, name)
            isolated = place is not None and place.isolated is not None
            cash = self.book.instruments[name].cash
            if account == self.account and not isolated and self.asset in (None, cash):
                now["contracts", name] = value
        for target, rows in ((now, effect.at_once), (later, effect.on_arrival)):
            for (account, asset), value in rows.items():
                if account == self.account and self.asset in (None, asset):
                    target["units", asset] = value
        return now, later

    def units_curve(self, asset: str, start: Decimal, price: Decimal) -> Curve:
        """Make the curve of collateral, which lowers an excess."""
        ratios = self.book.ratios(self.account, asset)
        return Curve(lambda units: -marginal_value(ratios, units) * price, start)


def _margin_rules(pool: Pool, effects: Sequence[Effect]) -> Iterator[Rule]:
    book, account, asset = pool.book, pool.account, pool.asset
    factors: dict[Part, Decimal] = {
        "initial": ONE,
        "maintenance": ONE + book.policy.margin_buffer,
    }

    def margin_rule(part: Part, factor: Decimal) -> Rule:
        def excess(state: State) -> Decimal:
            needed = requirements(book, state, account, asset)
            return _part(needed, part) * factor - collateral(book, state, account, asset)

        before = _part(pool.needed, part) * factor - pool.collateral
        return Rule(
            f"margin_{part}",
            pool.label,
            effects,
            before,
            excess,
            lambda: _margin_faces(pool, part, factor, before),
        )

    def stress_rule(stress: Stress) -> Rule:
        def excess(state: State) -> Decimal:
            return Shocked.of(book, state, account, asset).stressed(stress)

        before = excess(pool.start)
        return Rule(
            "margin_stress",
            f"{pool.label} {stress.id}",
            effects,
            before,
            excess,
            lambda: [_stress_face(pool, stress, before)],
        )

    for part, factor in factors.items():
        yield margin_rule(part, factor)
    for stress in binding_stresses(book, account):
        yield stress_rule(stress)


def _part(needed: Requirement, part: Part) -> Decimal:
    return needed.initial if part == "initial" else needed.maintenance


def _margin_faces(pool: Pool, part: Part, factor: Decimal, before: Decimal) -> Sequence[Face]:
    book, account = pool.book, pool.account
    margin = book.accounts[account].margin

    def units(key: Key) -> Curve:
        start = collateral_units(book, pool.start, account, key[1])
        return pool.units_curve(key[1], start, book.price(key[1]))

    def scenario_face(loss: Decimal, pnl: Mapping[str, Decimal]) -> Face:
        def line(key: Key) -> Curve:
            return units(key) if key[0] == "units" else linear(ZERO, -pnl[key[1]] * factor)

        return Face(loss * factor - pool.collateral, line, pool.changes)

    if margin.model == "scenario":
        held = contracts_carried(book, pool.start, account, pool.asset)
        rows = [(scenario_loss(row, held), row.pnl) for row in margin.scenarios]
        nothing = dict.fromkeys(book.instruments, ZERO)
        return [scenario_face(*row) for row in [*rows, (ZERO, nothing)]]

    def curve(key: Key) -> Curve:
        if key[0] == "units":
            return units(key)
        return _contracts_curve(pool, key[1], part, factor, ONE)

    return [Face(before, curve, pool.changes)]


def _contracts_curve(
    pool: Pool, instrument: str, part: Part, factor: Decimal, scale: Decimal
) -> Curve:
    book, account = pool.book, pool.account
    jumps = tuple[Decimal, ...]()
    if book.accounts[account].margin.model == "whole_position" and part == "maintenance":
        jumps = breaks(book, account, instrument, scale)

    def needed(quantity: Decimal) -> Decimal:
        return _part(requirement(book, account, instrument, quantity, scale), part) * factor

    return Curve(needed, book.quantity.get((account, instrument), ZERO), jumps)


def _stress_face(pool: Pool, stress: Stress, before: Decimal) -> Face:
    """Make the curves at a stress case's prices; an order also changes what profit adds."""
    book, account = pool.book, pool.account
    shocked = Shocked.of(book, pool.start, account, pool.asset)
    gains = shocked.gains(stress.prices)

    def changes(effect: Effect) -> tuple[Changes, Changes]:
        now, later = pool.changes(effect)
        for kind, name in [key for key in now if key[0] == "contracts"]:
            row = book.instruments[name]
            gain = response(book, row, stress.prices).gain * now[kind, name]
            now["units", row.cash] = now.get(("units", row.cash), ZERO) + gain
        return now, later

    def curve(key: Key) -> Curve:
        if key[0] == "contracts":
            scale = response(book, book.instruments[key[1]], stress.prices).scale
            return _contracts_curve(pool, key[1], "maintenance", ONE, scale)
        units = collateral_units(book, pool.start, account, key[1]) + gains.get(key[1], ZERO)
        asset = book.asset(key[1])
        price = asset.price * (ONE + stress.prices.get(asset.underlying or "", ZERO))
        return pool.units_curve(key[1], units, price)

    return Face(before, curve, changes)


def _bracket_rule(
    book: Book, account: str, instrument: str, effects: Sequence[Effect]
) -> Iterator[Rule]:
    """Keep a pair within the largest notional that its brackets allow.

    One action alone is at its worst before it or after it: its way needs no faces.
    """
    cap = bracket_cap(book, account, instrument)
    if cap is None:
        return
    notional = book.notional(instrument)
    held = book.quantity.get((account, instrument), ZERO)

    def size(quantity: Decimal) -> Decimal:
        return abs(quantity) * notional - cap

    def excess(state: State) -> Decimal:
        return size(state.holdings[account].quantity.get(instrument, ZERO))

    def changes(effect: Effect) -> tuple[Changes, Changes]:
        value = effect.contracts.get((account, instrument))
        return ({} if value is None else {("contracts",): value}), {}

    face = Face(size(held), lambda _: Curve(size, held), changes)
    yield Rule(
        "bracket",
        f"{account} {instrument}",
        effects if len(effects) > 1 else (),
        size(held),
        excess,
        lambda: [face],
    )


def _wallet_rule(book: Book, account: str, asset: str, effects: Sequence[Effect]) -> Rule:
    """Keep transfers and spot orders from overdrawing a wallet; fees of derivatives may.

    A wallet that is too low already must end no lower, those fees included; on the way, flows
    alone must take it no lower.
    """
    key = (account, asset)
    ring = book.ring_fenced(account, asset)
    held = book.wallet.get(key, ZERO)
    fees = sum((-e.at_once[key] for e in effects if key in e.at_once and key not in e.flows), ZERO)

    def changes(effect: Effect) -> tuple[Changes, Changes]:
        now = effect.settled.get(key, ZERO)
        if key in effect.flows:
            now += effect.at_once[key]
        return {("wallet",): now}, {("wallet",): effect.on_arrival.get(key, ZERO)}

    def excess(state: State) -> Decimal:
        return ring - state.holdings[account].wallet.get(asset, ZERO) - fees

    face = Face(ring - held, lambda _: linear(held, -ONE), changes)
    before = ring - held - fees
    return Rule(
        "balance",
        f"{account} {asset}",
        effects,
        before,
        excess,
        lambda: [face],
        width=max(ZERO, ring - held) - max(ZERO, before),
    )
