"""Small random books of every flavour, for tests that hold for any book.

A book is a scenario as a file would have it: plain data, numbers as text. The same seed and
flavour make the same book. Nothing in it is refused; much of it is unusual.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from allocator.models.base import plain
from tests.markets import ONE, Markets, listed, number

FLAVOURS: Final[Mapping[str, frozenset[str]]] = {
    "plain": frozenset(),
    "inverse": frozenset({"inverse"}),
    "quanto": frozenset({"quanto"}),
    "spot": frozenset({"spot", "collateral"}),
    "options": frozenset({"options", "initial"}),
    "whole_position": frozenset({"whole_position"}),
    "scenario": frozenset({"scenario", "options"}),
    "single": frozenset({"single", "inverse"}),
    "collateral": frozenset({"collateral", "ring_fenced", "inverse"}),
    "states": frozenset({"states", "expiry", "spot"}),
    "legs": frozenset({"legs", "isolated"}),
    "flows": frozenset({"open_orders", "in_flight", "budgets"}),
    "moves": frozenset({"moves"}),
    "stress": frozenset({"stress", "inverse", "spot"}),
    "limits": frozenset({"limits", "open_orders", "in_flight"}),
    "broken": frozenset({"broken", "limits"}),
    "mixed": frozenset(),
}
"""Flavours and the features each is sure to have; `mixed` takes every feature by chance."""

FEATURES: Final = tuple(sorted(frozenset().union(*FLAVOURS.values())))
AS_OF: Final = "2026-11-20T06:30:00Z"


def random_book(seed: int, flavour: str = "mixed") -> dict[str, Any]:
    """Make a scenario of two to five accounts and up to eight instruments.

    Parameters
    ----------
    flavour
        One of `FLAVOURS`.
    """
    rng = random.Random(f"{flavour}-{seed}")
    features = FLAVOURS[flavour]
    if flavour == "mixed":
        features = frozenset(name for name in FEATURES if rng.random() < 0.4)
    return _Maker(rng, features).scenario(f"{flavour}-{seed}")


class _Maker(Markets):
    """One book being made."""

    def __init__(self, rng: random.Random, features: frozenset[str]) -> None:
        super().__init__(rng, features)
        self.accounts: list[dict[str, Any]] = []

    def scenario(self, name: str) -> dict[str, Any]:
        assets = {asset: self.asset(asset) for asset in self.price}
        self.make_instruments()
        for index in range(self.rng.choice((2, 3, 3, 4, 5))):
            self.accounts.append(self.account(index))
        for row in self.instruments.values():
            row["status"] = self.status()
        snapshot = {
            "as_of": AS_OF,
            "assets": assets,
            "instruments": list(self.instruments.values()),
            "accounts": self.accounts,
            "routes": self.routes(),
            "moves": self.moves(),
        }
        return {"version": 1, "name": name, "snapshot": snapshot, "mandate": self.mandate()}

    # accounts

    def account(self, index: int) -> dict[str, Any]:
        venue = self.rng.choice(("north", "south"))
        out: dict[str, Any] = {"id": f"{venue}-{index}", "venue": venue}
        out["owner"] = self.rng.choice(("house", "house", "house", "fund"))
        if self.rng.random() < 0.2:
            out["control_group"] = "desk"
        if self.has("states", 0.5):
            out["state"] = self.rng.choice(("open", "reduce_only", "frozen"))
        out |= {"fees": self.fees(), "margin": self.margin()}
        here = {k: r for k, r in self.instruments.items() if r["id"].startswith(f"{venue}:")}
        out["spot"] = [k for k, r in here.items() if r["kind"] == "spot"]
        names = [k for k, r in here.items() if r["kind"] != "spot" and self.rng.random() < 0.85]
        out["positions"] = {name: self.position(name) for name in names}
        self.fill(out)
        self.decorate(out)
        return out

    def fees(self) -> dict[str, Any]:
        out: dict[str, Any] = {"maker": "0.0001", "taker": self.amount("0.0002", "0.0006", 2)}
        if self.rng.random() < 0.3:
            out["by"] = {"spot": {"taker": "0.001"}, "option": {"taker": "0.0003"}}
        if self.rng.random() < 0.2:
            out.setdefault("by", {})[self.rng.choice(sorted(self.instruments))] = {"taker": "0"}
        return out

    def margin(self) -> dict[str, Any]:
        if self.has("scenario", 0.8):
            return {"model": "scenario", "scenarios": self.scenarios()}
        model = "whole_position" if "whole_position" in self.features else "tiered"
        return {"model": model, "asset_mode": "single" if self.has("single", 0.7) else "multi"}

    def scenarios(self) -> list[dict[str, Any]]:
        names = [name for name, row in self.instruments.items() if row["kind"] != "spot"]
        rows = list[dict[str, Any]]()
        for move in (Decimal("-0.12"), Decimal("-0.05"), Decimal("0.05"), Decimal("0.12")):
            pnl = {
                name: number(self.unit[name][1] * move * self.part("0.9", "1.1"), 5)
                for name in names
            }
            rows.append({"pnl": pnl})
        return rows

    def position(self, name: str) -> dict[str, Any]:
        row, (contract, _) = self.instruments[name], self.unit[name]
        quantity = self.contracts(name, 0 if self.rng.random() < 0.25 else 120000)
        out: dict[str, Any] = {"quantity": plain(quantity)}
        if self.has("legs", 0.3):
            other = abs(self.contracts(name, 60000))
            legs = {"long": max(quantity, Decimal(0)) + other}
            legs["short"] = legs["long"] - quantity
            out["legs"] = {side: plain(value) for side, value in legs.items()}
        if quantity and "legs" not in out and self.rng.random() < 0.7:
            out["entry_price"] = number(Decimal(row["mark"]) * self.part("0.96", "1.04"), 6)
        else:
            swing = abs(quantity) * contract * self.part("-0.03", "0.03")
            out["unrealised"] = number(swing / self.price[row["settle"]], 5)
        if any("initial" not in tier for tier in row["tiers"]):
            out["leverage"] = str(self.rng.choice((3, 5, 10, 20, 25)))
        if self.rng.random() < 0.1:
            out["tradable"] = False
            if quantity > 0:
                out.pop("leverage", None)
        if self.rng.random() < 0.15 and "leverage" in out:
            whole = "whole_position" in self.features
            out["tiers"] = listed((80, 25, 5), (80000, 400000, 8000000), whole)
        return out

    def contracts(self, name: str, most: int) -> Decimal:
        lot, contract = Decimal(self.instruments[name]["lot"]), self.unit[name][0]
        lots = Decimal(most) * self.part("-1", "1") / contract / lot
        return lots.to_integral_value(ROUND_HALF_EVEN) * lot

    def fill(self, account: dict[str, Any]) -> None:
        """Give an account the money that its positions need, or too little of it."""
        short = self.has("broken", 0.6)
        wallets: dict[str, Decimal] = {"USDT": self.part("2000", "60000")}
        for name, place in account["positions"].items():
            size = abs(Decimal(place["quantity"])) * self.unit[name][0]
            settle = self.instruments[name]["settle"]
            wanted = size * (self.part("0.02", "0.2") if short else self.part("0.3", "0.7"))
            loss = max(Decimal(0), -self.gain(name, place)) * self.price[settle]
            wallets[settle] = wallets.get(settle, Decimal(0)) + wanted + loss + 50
        for name in account["spot"]:
            wallets.setdefault(str(self.instruments[name]["base"]), self.part("0", "80000"))
        account["balances"] = {
            asset: self.balance(value / self.price[asset]) for asset, value in wallets.items()
        }

    def gain(self, name: str, place: Mapping[str, Any]) -> Decimal:
        row = self.instruments[name]
        if "entry_price" not in place:
            return Decimal(place["unrealised"])
        quantity, entry = Decimal(place["quantity"]), Decimal(place["entry_price"])
        size, mark = Decimal(row["contract_size"]), Decimal(row["mark"])
        if row.get("payoff") == "inverse":
            return quantity * size * (1 / entry - 1 / mark)
        return quantity * size * (mark - entry)

    def balance(self, units: Decimal) -> dict[str, str]:
        if self.has("collateral", 0.1):
            units = -units / 10
        out = {"wallet": number(units, 7)}
        if self.rng.random() < 0.8:
            out["withdrawable"] = number(max(Decimal(0), units) * self.part("0.1", "0.9"), 6)
        return out

    def decorate(self, account: dict[str, Any]) -> None:
        """Add what only some accounts have."""
        if self.has("ring_fenced", 0.7):
            account["ring_fenced"] = {"USDT": self.amount("10", "3000")}
        if self.has("collateral", 0.3):
            account["collateral"] = {"USDT": self.ratios("USDT")}
        if self.has("budgets", 0.5):
            account["order_budget"] = self.rng.randint(0, 3)
        if self.has("open_orders", 0.6) and account["positions"]:
            account["open_orders"] = [self.open_order(account) for _ in range(2)]
        if self.has("in_flight", 0.6):
            account["in_flight"] = [self.flight(account) for _ in range(2)]
        if self.has("isolated", 0.7) and account["positions"]:
            name = self.rng.choice(sorted(account["positions"]))
            settle, place = self.instruments[name]["settle"], account["positions"][name]
            wallet = Decimal(account["balances"][settle]["wallet"])
            place["isolated"] = {"wallet": number(max(Decimal(0), wallet) / 10, 4)}

    def open_order(self, account: Mapping[str, Any]) -> dict[str, Any]:
        name = self.rng.choice(sorted(account["positions"]))
        lot = Decimal(self.instruments[name]["lot"])
        return {
            "instrument": name,
            "side": self.rng.choice(("buy", "sell")),
            "quantity": plain(max(lot, abs(self.contracts(name, 20000)))),
            "price": self.instruments[name]["mark"],
            "reduce_only": self.rng.random() < 0.3,
        }

    def flight(self, account: Mapping[str, Any]) -> dict[str, Any]:
        asset = self.rng.choice(sorted(account["balances"]))
        amount = number(self.part("100", "20000") / self.price[asset], 4)
        return {"asset": asset, "amount": amount, "direction": self.rng.choice(("in", "in", "out"))}

    # ways between accounts

    def routes(self) -> list[dict[str, Any]]:
        ids = [row["id"] for row in self.accounts]
        pairs = [(a, b) for a in ids for b in ids if a != b]
        self.rng.shuffle(pairs)
        return [self.route(k, *pair) for k, pair in enumerate(pairs[: self.rng.randint(1, 6)])]

    def route(self, index: int, source: str, target: str) -> dict[str, Any]:
        asset = self.rng.choice(("USDT", "USDT", "BTC"))
        unit = ONE / self.price[asset]
        out: dict[str, Any] = {"id": f"r{index}", "from": source, "to": target, "asset": asset}
        out["kind"] = self.rng.choice(("internal", "onchain", "settlement"))
        if out["kind"] == "onchain":
            out |= {"fee": number(unit * 3, 2), "latency_s": "900", "min": number(unit * 50, 2)}
        if self.rng.random() < 0.3:
            out |= {"rate": "0.0005", "max": number(unit * 20000, 2)}
        if self.rng.random() < 0.5:
            out["step"] = "0.01" if asset == "USDT" else "0.00001"
        if self.rng.random() < 0.1:
            out["enabled"] = False
        return out

    def moves(self) -> list[dict[str, Any]]:
        if not self.has("moves"):
            return []
        out = list[dict[str, Any]]()
        for a in self.accounts:
            for b in self.accounts:
                same = (a["owner"], a["venue"]) == (b["owner"], b["venue"]) and a is not b
                both = sorted(set(a["positions"]) & set(b["positions"])) if same else []
                for name in both:
                    rule = {"from": a["id"], "to": b["id"], "instrument": name}
                    rule |= {"fee": "1"} if self.rng.random() < 0.5 else {}
                    rule |= {"max_notional": "80000"} if self.rng.random() < 0.3 else {}
                    out.append(rule)
        return out

    # the mandate

    def mandate(self) -> dict[str, Any]:
        targets = list[dict[str, str]]()
        for coin in self.coins:
            if self.rng.random() < 0.7:
                row = {"underlying": coin, "delta": self.amount("-80000", "80000"), "band": "1000"}
                if self.rng.random() < 0.3:
                    row |= {"unit": "base", "delta": self.amount("-1", "1", 2), "band": "0.01"}
                targets.append(row)
        wanted = self.rng.randint(3, 7) if "limits" in self.features else 0
        return {
            "targets": targets,
            "targets_default": self.rng.choice(("hold", "hold", "zero")),
            "limits": [self.limit(f"limit-{k}") for k in range(wanted)],
            "policy": self.policy(),
        }

    def policy(self) -> dict[str, Any]:
        out: dict[str, Any] = {"risk_aversion": self.rng.choice(("0.00001", "0.0001", "0"))}
        out |= {"max_slice": "20000", "margin_buffer": self.rng.choice(("0", "0.1", "0.5"))}
        out |= {"order_cost": "0.2", "transfer_cost": "1", "move_cost": "0.5"}
        out["collar_bps"] = self.rng.choice(("50", "1", "200"))
        out["band_penalty"] = self.rng.choice(("0.01", "0.05"))
        coins = sorted(self.coins)
        if self.rng.random() < 0.4:
            pairs = [(a, b) for i, a in enumerate(coins) for b in coins[i + 1 :]]
            risk: dict[str, Any] = {"daily_volatility": dict.fromkeys(coins, "0.035")}
            risk["correlation"] = [[a, b, "0.7"] for a, b in pairs]
            out["risk"] = risk
        if self.rng.random() < 0.3:
            names = [k for k, row in self.instruments.items() if row["kind"] != "spot"]
            out["alpha"] = {self.rng.choice(names): self.amount("-0.002", "0.002", 2)}
        if self.rng.random() < 0.4:
            out["venue_risk"] = {row["venue"]: "0.02" for row in self.accounts}
        if self.has("stress"):
            crash = dict.fromkeys(coins, self.rng.choice(("-0.1", "-0.25")))
            out["stress"] = [{"id": "crash", "prices": crash}]
            out["stress"].append({"id": "squeeze", "prices": {coins[0]: "0.15"}})
        if self.has("broken", 0.3):
            out["infeasible"] = "hold"
        return out

    def limit(self, name: str) -> dict[str, Any]:
        measures = "long_notional short_notional gross_notional net_notional quantity leverage"
        measure = self.rng.choice(
            [*measures.split(), "equity", "orders", "turnover", "transfer_out"]
        )
        out: dict[str, Any] = {"id": name, "measure": measure, "scope": self.scope()}
        if "account" in out["scope"]:
            out["source"] = "the venue's page on position limits"
        if measure not in ("transfer_out", "orders", "leverage", "equity"):
            out["of"] = self.selector()
        if measure == "equity" and self.rng.random() < 0.6:
            out["min"] = self.amount("-20000", "150000")
        else:
            out["max"] = self.most(measure)
        if self.rng.random() < 0.3:
            out["counts"] = ["positions"]
        return out

    def most(self, measure: str) -> str:
        ranges = {"leverage": ("0.5", "8"), "quantity": ("1", "50000"), "orders": ("1", "4")}
        ranges |= {"transfer_out": ("100", "50000"), "equity": ("20000", "900000")}
        low, high = ranges.get(measure, ("20000", "500000"))
        digits = 1 if measure == "orders" else 4
        return self.amount(low, high, digits)

    def selector(self) -> dict[str, Any]:
        name = self.rng.choice([k for k, row in self.instruments.items() if row["kind"] != "spot"])
        row = self.instruments[name]
        choices: list[dict[str, Any]] = [{"any": True}, {"underlying": row["underlying"]}]
        choices += [{"instrument": name}, {"asset": row["settle"]}]
        return self.rng.choice(choices)

    def scope(self) -> dict[str, Any]:
        account = self.rng.choice(self.accounts)
        group = account.get("control_group", account["owner"])
        choices: list[dict[str, Any]] = [{"portfolio": True}, {"venue": account["venue"]}]
        choices += [{"account": account["id"]}, {"control_group": group}]
        choices.append({"owner": account["owner"], "venue": account["venue"]})
        return self.rng.choice(choices)
