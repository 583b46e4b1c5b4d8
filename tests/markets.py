"""Random assets and instruments, for random books."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from allocator.models.base import plain

COINS: Final = {"BTC": Decimal(60000), "ETH": Decimal(3000), "SOL": Decimal(150)}
ONE: Final = Decimal(1)


def number(value: Decimal, digits: int = 6) -> str:
    """Write a number as text, rounded to significant digits."""
    if not value:
        return "0"
    step = Decimal(1).scaleb(value.adjusted() - digits + 1)
    return plain(value.quantize(step, ROUND_HALF_EVEN))


def listed(leverages: Sequence[int], caps: Sequence[int], whole: bool) -> list[dict[str, str]]:
    """Write brackets whose largest leverages fall; marginal ones continue at their caps."""
    rates = [Decimal(1) / (2 * leverage) for leverage in leverages]
    return [
        {
            "cap": str(cap),
            "maintenance": plain(rate),
            "deduction": "0" if whole else deduction,
            "max_leverage": str(leverage),
        }
        for cap, rate, leverage, deduction in zip(
            caps, rates, leverages, continued(rates, caps), strict=True
        )
    ]


def continued(rates: Sequence[Decimal], caps: Sequence[int]) -> list[str]:
    """Work out the deductions at which marginal rates meet at every cap."""
    out = [Decimal(0)]
    for low, high, cap in zip(rates, rates[1:], caps, strict=False):
        out.append(out[-1] + (high - low) * cap)
    return [plain(value) for value in out]


class Markets:
    """Assets and instruments being made.

    Attributes
    ----------
    price
        Numeraire per unit by asset.
    instruments
        Rows by id.
    unit
        Notional and exposure per contract by instrument, numeraire.
    """

    def __init__(self, rng: random.Random, features: frozenset[str]) -> None:
        self.rng, self.features = rng, features
        self.coins = dict(list(COINS.items())[: rng.choice((2, 2, 3))])
        self.price = {"USDT": Decimal("1.0002"), "USDC": ONE}
        for name, value in self.coins.items():
            self.price[name] = Decimal(number(value * self.part("0.97", "1.03"), 5))
        self.instruments: dict[str, dict[str, Any]] = {}
        self.unit: dict[str, tuple[Decimal, Decimal]] = {}

    def has(self, feature: str, chance: float = 1.0) -> bool:
        return feature in self.features and self.rng.random() < chance

    def part(self, low: str, high: str) -> Decimal:
        share = Decimal(self.rng.randrange(1001)) / 1000
        return Decimal(low) + (Decimal(high) - Decimal(low)) * share

    def amount(self, low: str, high: str, digits: int = 4) -> str:
        return number(self.part(low, high), digits)

    def status(self) -> str:
        states = ("open", "open", "open", "reduce_only", "halted")
        return self.rng.choice(states) if self.has("states") else "open"

    def asset(self, name: str) -> dict[str, Any]:
        out: dict[str, Any] = {"price": plain(self.price[name])}
        if name in self.coins:
            out["underlying"] = name
            out["haircut"] = self.rng.choice(("0", "0.05", "0.1"))
        if self.has("collateral", 0.7):
            out |= {"borrow_rate": self.amount("0.01", "0.2"), "collateral": self.ratios(name)}
        return out

    def ratios(self, name: str) -> list[dict[str, Any]]:
        step = Decimal(self.rng.choice((20000, 100000, 500000))) / self.price[name]
        return [
            {"upto": number(step, 3), "ratio": self.rng.choice(("1", "0.98"))},
            {"upto": number(step * 5, 3), "ratio": "0.9"},
            {"upto": None, "ratio": self.rng.choice(("0.5", "0"))},
        ]

    # instruments

    def make_instruments(self) -> None:
        kinds = ["linear"]
        for feature in ("inverse", "quanto", "spot", "options"):
            kinds += [feature] if self.has(feature) else []
        kinds += ["future"] if self.has("expiry") or self.rng.random() < 0.2 else []
        chosen = [
            (kind, coin, v) for kind in kinds for coin in self.coins for v in ("north", "south")
        ]
        self.rng.shuffle(chosen)
        first = [next(row for row in chosen if row[0] == kind) for kind in kinds]
        rest = [row for row in chosen if row not in first]
        for kind, coin, venue in (first + rest)[: self.rng.randint(max(3, len(kinds)), 8)]:
            row, contract = self.instrument(kind, coin, venue)
            self.instruments[row["id"]] = row
            delta = Decimal(row.get("delta", "1"))
            self.unit[row["id"]] = (contract, contract * (delta if kind != "spot" else 0))

    def instrument(self, kind: str, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        """Make an instrument and its notional per contract."""
        build = {
            "linear": self.linear,
            "future": self.linear,
            "inverse": self.inverse,
            "quanto": self.quanto,
            "spot": self.spot,
            "options": self.option,
        }[kind]
        row, contract = build(coin, venue)
        if kind == "future":
            row["id"] += "-261127"
            row["kind"] = "future"
            row["expiry"] = self.rng.choice(("2026-11-20T12:00:00Z", "2026-11-27T08:00:00Z"))
        if row["kind"] == "perpetual":
            row["funding"] = self.funding()
        if kind != "spot":
            row |= {"underlying": coin, "tiers": self.tiers(coin)}
        self.quote(row, contract)
        return row, contract

    def linear(self, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        settle = self.rng.choice(("USDT", "USDT", "USDC"))
        size = self.rng.choice(("0.001", "0.01", "1"))
        mark = self.near(coin)
        row = {"kind": "perpetual", "payoff": "linear", "settle": settle, "contract_size": size}
        row |= {"id": f"{venue}:{coin}/{settle}:{settle}", "mark": plain(mark)}
        row["lot"] = {"0.001": "1", "0.01": "0.1", "1": "0.001"}[size]
        return row, Decimal(size) * mark * self.price[settle]

    def inverse(self, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        size = self.rng.choice(("1", "10", "100"))
        row = {"kind": "perpetual", "payoff": "inverse", "settle": coin, "contract_size": size}
        row |= {"id": f"{venue}:{coin}/USD:{coin}", "mark": plain(self.near(coin)), "quote": "USD"}
        row["lot"] = "1"
        return row, Decimal(size)

    def quanto(self, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        settle = "BTC" if coin != "BTC" else "ETH"
        mark, size = self.near(coin), Decimal("0.0000001" if coin == "BTC" else "0.000001")
        row = {"kind": "perpetual", "payoff": "quanto", "settle": settle, "lot": "1"}
        row |= {"id": f"{venue}:{coin}/USD:{settle}", "mark": plain(mark)}
        row["contract_size"] = plain(size * 10)
        return row, size * 10 * mark * self.price[settle]

    def spot(self, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        mark = self.near(coin)
        row = {"kind": "spot", "base": coin, "quote": "USDT", "id": f"{venue}:{coin}/USDT"}
        row |= {"mark": plain(mark), "lot": self.rng.choice(("0.001", "0.0001"))}
        return row, mark * self.price["USDT"]

    def option(self, coin: str, venue: str) -> tuple[dict[str, Any], Decimal]:
        settle = self.rng.choice((coin, "USDC"))
        size = self.rng.choice(("1", "0.1", "0.01"))
        premium = self.price[coin] / self.price[settle] * self.part("0.01", "0.08")
        row = {"kind": "option", "settle": settle, "contract_size": size, "lot": "1"}
        row |= {"id": f"{venue}:{coin}-261225-C", "mark": number(premium, 3)}
        row["delta"] = self.rng.choice(("0.62", "0.25", "-0.4", "-0.08"))
        row["expiry"] = "2026-12-25T08:00:00Z"
        return row, Decimal(size) * self.price[coin]

    def near(self, coin: str) -> Decimal:
        return Decimal(number(self.price[coin] * self.part("0.998", "1.002"), 5))

    def funding(self) -> dict[str, str]:
        out = {"rate": self.amount("-0.0003", "0.0004", 3)}
        out["interval_h"] = self.rng.choice(("1", "4", "8"))
        if self.rng.random() < 0.5:
            out["next_at"] = self.rng.choice(("2026-11-20T08:00:00Z", "2026-11-20T16:00:00Z"))
        return out

    def quote(self, row: dict[str, Any], contract: Decimal) -> None:
        mark = Decimal(row["mark"])
        tick = ONE.scaleb(mark.adjusted() - (2 if row["kind"] == "option" else 4))
        below, above = self.rng.randint(1, 4), self.rng.randint(0, 4)
        level = (mark / tick).to_integral_value() * tick
        row |= {"tick": plain(tick), "bid": plain(level - below * tick)}
        row["ask"] = plain(level + above * tick)
        row |= {"daily_volume": self.rng.choice(("2e7", "150000000", "2000000000"))}
        row["daily_volatility"] = self.amount("0.01", "0.05", 3)
        if self.rng.random() < 0.4:
            row["min_notional"] = self.rng.choice(("5", "100"))
        if self.rng.random() < 0.3:
            row["min_quantity"] = plain(Decimal(row["lot"]) * self.rng.choice((2, 5)))
        if self.rng.random() < 0.3:
            lots = (Decimal(self.rng.choice((80000, 400000))) / contract / Decimal(row["lot"])) // 1
            row["max_quantity"] = plain(max(ONE, lots) * Decimal(row["lot"]))

    def tiers(self, coin: str) -> list[dict[str, str]]:
        caps = self.rng.choice(((50000, 250000, 5000000), (200000, 1000000, 20000000)))
        if self.has("initial", 0.7):
            rates = [(Decimal("0.02"), Decimal("0.01")), (Decimal("0.05"), Decimal("0.025"))]
            rates.append((Decimal("0.1"), Decimal("0.05")))
            initial = continued([row[0] for row in rates], caps)
            kept = continued([row[1] for row in rates], caps)
            return [
                {
                    "cap": str(caps[k]),
                    "initial": plain(rates[k][0]),
                    "initial_deduction": initial[k],
                    "maintenance": plain(rates[k][1]),
                    "deduction": kept[k],
                }
                for k in range(3)
            ]
        steps = (100, 50, 10) if coin == "BTC" else (50, 25, 10)
        return listed(steps, caps, "whole_position" in self.features)
