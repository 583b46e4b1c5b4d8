"""Large books of a desk, for measurements: any number of accounts and instruments, sparse pairs.

A book has a few venues; every venue lists its share of the instruments, one venue account that
funds the others, and accounts that each trade some of the venue's instruments. Some accounts are
short of margin, some instruments are inverse, funding differs between venues, and limits of
every scope bind here and there. The same size and seed make the same book.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any, Final

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot

AS_OF: Final = "2026-11-20T06:30:00Z"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a book is.

    Attributes
    ----------
    pairs
        (account, instrument) pairs that may be traded.
    """

    accounts: int
    instruments: int
    pairs: int
    venues: int


SIZES: Final[Mapping[str, Size]] = {
    "10x40": Size(10, 40, 100, 2),
    "30x100": Size(30, 100, 600, 3),
    "100x200": Size(100, 200, 2_500, 4),
    "300x300": Size(300, 300, 9_000, 5),
    "1000x500": Size(1_000, 500, 50_000, 6),
}
"""The sizes that are measured."""


def book_of(size: Size, seed: int = 0) -> tuple[Snapshot, Mandate]:
    """Make a book."""
    snapshot, mandate = raw_book(size, seed)
    return Snapshot.model_validate(snapshot), Mandate.model_validate(mandate)


def raw_book(size: Size, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a book as the data of a file: snapshot and mandate, numbers as text."""
    with localcontext(Context(prec=28)):  # whatever digits a caller works with
        return _Maker(size, random.Random(f"{size}-{seed}")).made()


def digits(value: float, count: int = 5) -> str:
    """Write a number with significant digits and without exponent."""
    return format(Decimal(f"{value:.{count}g}"), "f")


class _Maker:
    def __init__(self, size: Size, rng: random.Random) -> None:
        self.size, self.rng = size, rng
        self.venues = [f"v{at}" for at in range(size.venues)]
        self.coins = [f"C{at:03d}" for at in range(-(-size.instruments // size.venues))]
        self.price = {coin: digits(10 ** rng.uniform(-1, 4.5)) for coin in self.coins}
        self.volume = {coin: 10 ** rng.uniform(7.3, 9.8) for coin in self.coins}
        self.instruments: dict[str, dict[str, Any]] = {}
        self.notional: dict[str, float] = {}
        self.exposure = dict.fromkeys(self.coins, 0.0)
        self.gross = dict.fromkeys(self.coins, 0.0)

    def made(self) -> tuple[dict[str, Any], dict[str, Any]]:
        by_venue: dict[str, list[str]] = {venue: [] for venue in self.venues}
        for at in range(self.size.instruments):
            venue = self.venues[at % self.size.venues]
            name = self.instrument(venue, self.coins[at // self.size.venues])
            by_venue[venue].append(name)
        accounts = [self.funder(venue) for venue in self.venues]
        count = self.size.accounts - len(accounts)
        for at in range(count):
            venue = self.venues[at % self.size.venues]
            share = self.size.pairs * (at + 1) // count - self.size.pairs * at // count
            accounts.append(self.account(at, venue, by_venue[venue], share))
        assets: dict[str, Any] = {
            "USDT": {"price": "1.0001", "borrow_rate": "0.08"},
            "USDC": {"price": "1", "haircut": "0.01"},
        }
        for coin in self.coins:
            ratios = [{"upto": digits(2e6 / float(self.price[coin])), "ratio": "0.95"}]
            ratios.append({"upto": None, "ratio": "0.8"})
            row = {"price": self.price[coin], "underlying": coin, "collateral": ratios}
            assets[coin] = row
        snapshot = {
            "as_of": AS_OF,
            "assets": assets,
            "instruments": list(self.instruments.values()),
            "accounts": accounts,
            "routes": self.routes(accounts),
            "moves": self.moves(accounts),
        }
        return snapshot, self.mandate()

    def instrument(self, venue: str, coin: str) -> str:
        rng, price = self.rng, float(self.price[coin])
        inverse = rng.random() < 0.1
        mark = Decimal(digits(price * rng.uniform(0.9995, 1.0005), 6))
        tick = Decimal(1).scaleb(mark.adjusted() - 5)
        half = tick * rng.choice((1, 1, 2, 3))
        name = f"{venue}:{coin}/USD:{coin}" if inverse else f"{venue}:{coin}/USDT:USDT"
        lot = Decimal(1) if inverse else Decimal(1).scaleb(-Decimal(price / 10).adjusted())
        row: dict[str, Any] = {
            "id": name,
            "kind": "perpetual",
            "payoff": "inverse" if inverse else "linear",
            "underlying": coin,
            "settle": coin if inverse else "USDT",
            "contract_size": "10" if inverse else "1",
            "lot": format(lot, "f"),
            "tick": format(tick, "f"),
            "min_notional": "5",
            "bid": format(mark - half, "f"),
            "ask": format(mark + half, "f"),
            "mark": format(mark, "f"),
            "daily_volume": digits(self.volume[coin] * rng.uniform(0.2, 1.0)),
            "daily_volatility": digits(rng.uniform(0.02, 0.07), 3),
            "funding": {"rate": digits(rng.gauss(0.0001, 0.0001), 3), "interval_h": "8"},
            "tiers": self.tiers(),
        }
        if inverse:
            row["quote"] = "USD"
        self.instruments[name] = row
        self.notional[name] = 10.0 if inverse else float(mark) * 1.0001
        return name

    def tiers(self) -> list[dict[str, str]]:
        scale = self.rng.choice((1, 1, 4))
        caps = [scale * cap for cap in (50_000, 250_000, 1_000_000, 5_000_000, 20_000_000)]
        out, deduction, last = list[dict[str, str]](), Decimal(0), Decimal(0)
        for cap, leverage, before in zip(caps, (75, 50, 25, 10, 5), [0, *caps], strict=False):
            rate = Decimal(1) / (2 * leverage)
            deduction += (rate - last) * before
            last = rate
            row = {"cap": str(cap), "maintenance": format(rate, "f"), "max_leverage": str(leverage)}
            out.append({**row, "deduction": format(deduction, "f")})
        return out

    def funder(self, venue: str) -> dict[str, Any]:
        wallet = 2e5 * self.size.accounts / self.size.venues * self.rng.uniform(0.1, 0.4)
        text = f"{wallet:.2f}"
        return {
            "id": f"{venue}-main",
            "venue": venue,
            "owner": "fund",
            "fees": {"maker": "0.0002", "taker": "0.0005"},
            "balances": {"USDT": {"wallet": text, "withdrawable": text}},
        }

    def account(self, at: int, venue: str, names: list[str], share: int) -> dict[str, Any]:
        rng, positions, gross, coins = self.rng, dict[str, Any](), 0.0, dict[str, float]()
        for name in rng.sample(names, min(share, len(names))):
            place, size = self.position(name)
            positions[name] = place
            gross += abs(size)
            coin = self.instruments[name]["underlying"]
            self.exposure[coin] += size
            self.gross[coin] += abs(size)
            if self.instruments[name]["settle"] == coin:
                coins[coin] = coins.get(coin, 0.0) + abs(size) * rng.uniform(0.3, 0.6)
        room = rng.choice((0.075, 0.11, 0.15, 0.3, 0.3, 0.5, 0.5, 0.8))
        wallet = gross * room + 1_000
        balances = {
            "USDT": {"wallet": f"{wallet:.2f}", "withdrawable": f"{wallet * 0.3:.2f}"},
        }
        for coin, value in coins.items():
            units = digits(value / float(self.price[coin]), 6)
            balances[coin] = {"wallet": units, "withdrawable": "0"}
            self.exposure[coin] += value
        return {
            "id": f"{venue}-{at:04d}",
            "venue": venue,
            "owner": "fund" if rng.random() < 0.8 else "partner",
            "fees": {"maker": "0.0002", "taker": digits(rng.uniform(2.5e-4, 5.5e-4), 2)},
            "balances": balances,
            "positions": positions,
            "order_budget": 100,
        }

    def position(self, name: str) -> tuple[dict[str, Any], float]:
        rng, row = self.rng, self.instruments[name]
        size = 0.0 if rng.random() < 0.3 else rng.choice((1, 1, -1)) * 10 ** rng.uniform(3, 5.3)
        lot = Decimal(row["lot"])
        lots = int(size / (self.notional[name] * float(lot)))
        quantity = lots * lot
        place = {"quantity": format(quantity, "f"), "leverage": rng.choice(("10", "10", "20"))}
        if quantity:
            entry = float(row["mark"]) * rng.uniform(0.97, 1.03)
            place["entry_price"] = digits(entry, 6)
        return place, float(quantity) * self.notional[name]

    def routes(self, accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        out = list[dict[str, Any]]()
        for row in accounts:
            main = f"{row['venue']}-main"
            if row["id"] == main:
                continue
            for source, target in ((main, row["id"]), (row["id"], main)):
                out.append(self.route(source, target, "internal", "0", "1"))
        for one in self.venues:
            out += [
                self.route(f"{one}-main", f"{other}-main", "onchain", "1", "300")
                for other in self.venues
                if other != one
            ]
        return out

    @staticmethod
    def route(source: str, target: str, kind: str, fee: str, latency: str) -> dict[str, Any]:
        ends = {"id": f"{source}>{target}", "from": source, "to": target, "asset": "USDT"}
        return {**ends, "kind": kind, "fee": fee, "min": "10", "step": "0.01", "latency_s": latency}

    def moves(self, accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let some neighbours at one venue and of one owner carry positions over."""
        out, last = list[dict[str, Any]](), dict[tuple[str, str], dict[str, Any]]()
        for row in accounts:
            key = (row["venue"], row["owner"])
            before = last.get(key)
            if before is not None and self.rng.random() < 0.2:
                shared = sorted(set(before.get("positions", {})) & set(row.get("positions", {})))
                ends = {"from": before["id"], "to": row["id"]}
                out += [{**ends, "instrument": name, "fee": "0.5"} for name in shared[:4]]
            last[key] = row
        return out

    def mandate(self) -> dict[str, Any]:
        rng, targets, limits = self.rng, list[dict[str, Any]](), list[dict[str, Any]]()
        for coin in self.coins:
            move = rng.choice((0.0, 1.0, 1.0, -1.0)) * 10 ** rng.uniform(4, 5.7)
            scale = self.size.accounts / 20
            goal = self.exposure[coin] + move * scale
            band = rng.choice((0.0, 5_000.0, 20_000.0))
            targets.append(
                {"underlying": coin, "delta": f"{goal:.0f}", "unit": "numeraire", "band": str(band)}
            )
        for coin in rng.sample(self.coins, len(self.coins) // 4):
            cap = f"{self.gross[coin] * rng.uniform(0.99, 1.5) + 5e4:.0f}"
            limits.append(self.limit(f"gross {coin}", "gross_notional", coin, {}, cap))
        for venue in self.venues:
            for coin in rng.sample(self.coins, max(1, len(self.coins) // 10)):
                cap = f"{5e4 * self.size.accounts / self.size.venues:.0f}"
                scope = {"owner": "fund", "venue": venue}
                limits.append(self.limit(f"long {venue} {coin}", "long_notional", coin, scope, cap))
        limits.append({"id": "leverage", "measure": "leverage", "of": {"any": True}, "max": "6"})
        limits[-1]["scope"] = {"portfolio": True}
        policy = {
            "risk_aversion": "0.0000005",
            "band_penalty": "0.004",
            "margin_buffer": "0.25",
            "order_cost": "1",
            "transfer_cost": "2",
            "move_cost": "1",
            "max_slice": "250000",
            "venue_risk": {venue: digits(rng.uniform(0.005, 0.03), 2) for venue in self.venues},
            "stress": [{"id": "crash", "prices": dict.fromkeys(self.coins[:2], "-0.2")}],
        }
        return {"targets": targets, "limits": limits, "policy": policy}

    @staticmethod
    def limit(
        name: str, measure: str, coin: str, scope: dict[str, Any], cap: str
    ) -> dict[str, Any]:
        row = {"id": name, "measure": measure, "of": {"underlying": coin}, "max": cap}
        return {**row, "scope": scope or {"portfolio": True}}
