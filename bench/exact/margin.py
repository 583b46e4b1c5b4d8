"""Margin and wallets as rows: what may not grow, and what is missing (law, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import (
    Shocked,
    binding_stresses,
    collateral,
    pools,
    requirement,
    requirements,
    response,
)
from allocator.models.base import ONE, ZERO
from allocator.models.market import Tier
from allocator.state import Pair, State, equity_units
from bench.exact.actions import Acts
from bench.exact.model import UNIT, Line, Model, total

Prices = Mapping[str, Decimal]
CALM: Prices = {}


@dataclass(frozen=True)
class Missing:
    """Adds to S: lines above which a shortfall lies."""

    model: Model
    parts: list[Line]

    def above(self, lines: list[Line], times: float = 1.0) -> None:
        """Count the largest of some lines, if positive."""
        self.parts.append(self.model.above(lines).times(times))


class Margins:
    """The margin rules of one account.

    Parameters
    ----------
    room
        What the rules are tightened by, units.
    """

    def __init__(self, acts: Acts, account: str, missing: Missing, room: float) -> None:
        self.acts, self.account, self.missing, self.room = acts, account, missing, room
        self.book, self.model = acts.book, acts.model
        self.row = acts.book.accounts[account]
        self.start = State.start(acts.book)
        self.sizes: dict[Pair, Line] = {}

    def rules(self) -> None:
        """Add every rule of the account."""
        for pool in pools(self.book, self.account):
            self._pool(pool)
        self._wallets()

    def _pool(self, pool: str | None) -> None:
        initial, maintenance = self._required(pool)
        now = requirements(self.book, self.start, self.account, pool)
        held = collateral(self.book, self.start, self.account, pool)
        cover = self._cover(pool, CALM, arrivals=False)
        coming = self._cover(pool, CALM, arrivals=True)
        short = list[Line]()
        for needed, start, factor in (
            (initial, now.initial, ONE),
            (maintenance, now.maintenance, ONE + self.book.policy.margin_buffer),
        ):
            scaled = needed.times(float(factor))
            self._not_worse(scaled, cover, start * factor - held)
            short.append(scaled.plus(coming, -1.0))
        for stress in binding_stresses(self.book, self.account):
            needed = self._maintenance(pool, stress.prices)
            gap = Shocked(self.book, self.start, self.account, pool).gap(stress.prices)
            self._not_worse(needed, self._cover(pool, stress.prices, arrivals=False), gap)
            coming = self._cover(pool, stress.prices, arrivals=True)
            short.append(needed.times(1.0).plus(coming, -1.0))
        if self.row.state != "frozen":
            self.missing.above(short)

    def _not_worse(self, needed: Line, cover: Line, before: Decimal) -> None:
        rule = needed.times(1.0).plus(cover, -1.0)
        if rule.of:
            self.model.row(rule, high=allowed(float(before) / UNIT, self.room))

    # what is needed

    def _carried(self, pool: str | None) -> list[Pair]:
        out = list[Pair]()
        for key in sorted(self.acts.position):
            place = self.book.position(*key)
            isolated = place is not None and place.isolated is not None
            mine = key[0] == self.account and not isolated
            if mine and pool in (None, self.book.instruments[key[1]].cash):
                out.append(key)
        return out

    def _required(self, pool: str | None) -> tuple[Line, Line]:
        if self.row.margin.model == "scenario":
            losses = list[Line]()
            for case in self.row.margin.scenarios:
                loss = Line()
                for key in self._carried(pool):
                    per = float(case.pnl.get(key[1], ZERO) / self.book.notional(key[1]))
                    loss.plus(self.acts.position[key], -per)
                losses.append(loss)
            worst = self.model.above(losses)
            return worst, worst
        initial = total(self._initial(key) for key in self._carried(pool))
        return initial, self._maintenance(pool, CALM)

    def _size(self, key: Pair) -> Line:
        """Unsigned notional of a pair; of both legs in hedge mode."""
        if key not in self.sizes:
            line, place = self.acts.position[key], self.book.position(*key)
            if place is not None and place.legs is not None:
                both = (place.legs.long + place.legs.short) * self.book.notional(key[1])
                self.sizes[key] = Line(constant=float(both) / UNIT)
            else:
                self.sizes[key] = self.model.above([line, line.times(-1.0)])
        return self.sizes[key]

    def _constant(self, key: Pair, scale: Decimal) -> tuple[float, float]:
        row = requirement(self.book, *key, self.book.quantity.get(key, ZERO), scale)
        return float(row.initial) / UNIT, float(row.maintenance) / UNIT

    def _initial(self, key: Pair) -> Line:
        size, tiers = self._size(key), self.book.tiers.get(key, ())
        if not size.of:
            return Line(constant=self._constant(key, ONE)[0])
        if any(tier.initial is not None for tier in tiers):
            rows = [(t.initial or ZERO, t.initial_deduction) for t in tiers]
            return self.model.above(_lines(size, rows))
        place = self.book.position(*key)
        assert place is not None
        assert place.leverage is not None
        return size.times(1 / float(place.leverage))

    def _maintenance(self, pool: str | None, moves: Prices) -> Line:
        return total(self._kept(key, moves) for key in self._carried(pool))

    def _kept(self, key: Pair, moves: Prices) -> Line:
        size = self._size(key)
        scale = response(self.book, self.book.instruments[key[1]], moves).scale if moves else ONE
        if not size.of:
            return Line(constant=self._constant(key, scale)[1])
        tiers = self.book.tiers.get(key, ())
        shocked = size.times(float(scale))
        if self.row.margin.model == "whole_position":
            return self._bracketed(shocked, tiers)
        return self.model.above(_lines(shocked, [(t.maintenance, t.deduction) for t in tiers]))

    def _bracketed(self, size: Line, tiers: tuple[Tier, ...]) -> Line:
        """Charge the rate of the bracket that holds the size, on all of it."""
        parts, uses, out, low = size.times(-1.0), Line(), Line(), 0.0
        caps = [float(tier.cap) / UNIT for tier in tiers]
        caps[-1] = max(caps[-1], 1e5)
        for tier, cap in zip(tiers, caps, strict=True):
            part, use = self.model.column(0.0, cap), self.model.binary()
            self.model.row(Line({part: 1.0, use: -cap}), high=0.0)
            self.model.row(Line({part: 1.0, use: -low}), low=0.0)
            parts.add(part, 1.0)
            uses.add(use, 1.0)
            out.add(part, float(tier.maintenance))
            low = cap
        self.model.row(parts, low=0.0, high=0.0)
        self.model.row(uses, low=1.0, high=1.0)
        return out

    # what there is

    def _cover(self, pool: str | None, moves: Prices, *, arrivals: bool) -> Line:
        """Collateral at moved prices, units."""
        gains: dict[str, Line] = {}
        for key in self._carried(pool) if moves else ():
            row = self.book.instruments[key[1]]
            gain = response(self.book, row, moves).gain * self.book.price(row.cash)
            per = float(gain / self.book.notional(row.id))
            gains.setdefault(row.cash, Line()).plus(self.acts.position[key], per)
        names = set(gains) | ({pool} if pool is not None else self._assets(arrivals))
        out = Line()
        for asset in sorted(name for name in names if name is not None):
            units = self.equity(asset, arrivals=arrivals).plus(gains.get(asset, Line()))
            underlying = self.book.asset(asset).underlying or ""
            out.plus(self._worth(asset, units), float(ONE + moves.get(underlying, ZERO)))
        return out

    def _assets(self, arrivals: bool) -> set[str]:
        names = set(self.book.assets[self.account])
        names |= {asset for account, asset in self.acts.change if account == self.account}
        return names | set(self.book.arriving(self.account)) if arrivals else names

    def equity(self, asset: str, *, arrivals: bool) -> Line:
        """Equity in an asset that is collateral, worth in units before any ratio."""
        key = (self.account, asset)
        units = equity_units(self.book, self.start, *key) - self.book.set_aside.get(key, ZERO)
        if arrivals:
            units += self.book.arriving(self.account).get(asset, ZERO)
        out = Line(constant=float(units * self.book.price(asset)) / UNIT)
        return out.plus(self.acts.change.get(key, Line()))

    def _worth(self, asset: str, units: Line) -> Line:
        """Value by falling ratios; a negative amount counts in full."""
        price, low, value = float(self.book.price(asset)) / UNIT, 0.0, 0.0
        lines, last = [units.times(1.0)], 1.0
        for tier in self.book.ratios(self.account, asset):
            ratio = float(tier.ratio)
            assert ratio <= last + 1e-12
            lines.append(units.times(ratio, value - ratio * low))
            last = ratio
            if tier.upto is not None:
                high = float(tier.upto) * price
                value, low = value + ratio * (high - low), high
        if not units.of:
            return Line(constant=min(line.constant for line in lines))
        if last >= 1.0:
            return units
        column = self.model.column(-float("inf"), float("inf"))
        for line in lines:
            self.model.row(line.times(-1.0).add(column, 1.0), high=0.0)
        return Line({column: 1.0})

    # wallets

    def _wallets(self) -> None:
        """Keep what leaves within what may leave, and flows from overdrawing."""
        for key, line in self.acts.leaving.items():
            if key[0] == self.account:
                most = float(self.book.withdrawable(*key) * self.book.price(key[1])) / UNIT
                self.model.row(line, high=most)
        for key, uses in self.acts.outgoing.items():
            if key[0] == self.account:
                self._balance(key, uses)

    def _balance(self, key: Pair, uses: list[int]) -> None:
        price = self.book.price(key[1])
        held = float(self.book.wallet.get(key, ZERO) * price) / UNIT
        ring = float(self.book.ring_fenced(*key) * price) / UNIT
        after = Line(constant=held).plus(self.acts.change.get(key, Line()))
        after.plus(self.acts.settled.get(key, Line())).plus(self.acts.toll.get(key, Line()))
        least = min(ring + self.room, held)
        if key not in self.acts.settled:
            # Without any flow the wallet is what it was, or more.
            self.model.row(after, low=least)
            return
        fall = 1e3 + abs(held) + abs(ring)
        for used in uses:
            self.model.row(after.times(1.0).add(used, -fall), low=least - fall)


def allowed(before: float, room: float) -> float:
    """Largest excess after the plan: what it was where broken, else nothing less some room."""
    return before if before > 0 else max(before, -room)


def _lines(size: Line, rows: list[tuple[Decimal, Decimal]]) -> list[Line]:
    return [size.times(float(rate), -float(less) / UNIT) for rate, less in rows]
