"""Desks that rotate their positions on hardly any margin, so that the order of steps matters.

Every account stands on a little more margin than it needs, before and after; what one frees is
sent to the next. Whether a safe order exists depends on the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.plan.lots import Sizes
from allocator.state import Book

PRICE = Decimal(100)
COINS = ("BTC", "ETH", "SOL")
TENTH = Decimal("0.1")
Data = dict[str, Any]


def rotation(
    seed: int, accounts: int = 3, coins: int = 2, tight: float = 1.0
) -> tuple[Data, Sizes]:
    """Make a desk and the sizes of its rotation.

    Parameters
    ----------
    tight
        Chance of an account to stand on hardly any margin; others have plenty.

    Returns
    -------
    tuple
        Snapshot and mandate as the data of a file, and what the plan does.
    """
    return _Rotation(random.Random(f"{seed}-{accounts}-{coins}"), accounts, coins, tight).made()


def book_of(data: Data) -> Book:
    """Read the desk."""
    return Book.of(
        Snapshot.model_validate(data["snapshot"]), Mandate.model_validate(data["mandate"])
    )


class _Rotation:
    def __init__(self, rng: random.Random, accounts: int, coins: int, tight: float) -> None:
        self.rng, self.tight = rng, tight
        self.names = [f"a{at}" for at in range(accounts)]
        self.coins = [COINS[at] if at < len(COINS) else f"C{at}" for at in range(coins)]
        self.held: dict[tuple[str, str], int] = {}
        self.wanted: dict[tuple[str, str], int] = {}
        sign = {coin: rng.choice((1, -1)) for coin in self.coins}
        for name in self.names:
            for coin in self.coins:
                self.held[name, coin] = sign[coin] * rng.choice((0, 0, 30, 60, 100))
                self.wanted[name, coin] = sign[coin] * rng.choice((0, 0, 30, 60, 100))
                if rng.random() < 0.3:
                    self.wanted[name, coin] = self.held[name, coin]

    def made(self) -> tuple[Data, Sizes]:
        """Give every account what its larger side needs, less what is sent to it."""
        orders = {
            (name, f"north:{coin}"): Decimal(self.wanted[name, coin] - self.held[name, coin])
            for name in self.names
            for coin in self.coins
            if self.wanted[name, coin] != self.held[name, coin]
        }
        fees = {name: self.fees(orders, name) for name in self.names}
        need = {
            name: (self.needed(self.held, name), self.needed(self.wanted, name))
            for name in self.names
        }
        spare = {name: self.spare() for name in self.names}
        give = {n: max(Decimal(0), need[n][0] - need[n][1] - fees[n]) for n in self.names}
        lack = {n: max(Decimal(0), need[n][1] - need[n][0] + fees[n]) for n in self.names}
        sent: dict[str, Decimal] = {}
        for receiver in self.names:
            for sender in self.names:
                amount = min(give[sender], lack[receiver]).quantize(TENTH, ROUND_FLOOR)
                if sender != receiver and amount >= 10:
                    name = f"{sender}-{receiver}"
                    sent[name] = amount
                    give[sender] -= amount
                    lack[receiver] -= amount
        wallets = {n: need[n][0] + spare[n] + lack[n] for n in self.names}
        for name in self.names:
            wallets[name] = wallets[name].quantize(TENTH, ROUND_CEILING)
        held = {n: {c: self.held[n, c] for c in self.coins} for n in self.names}
        routes = [tuple(name.split("-")) for name in sent]
        slice_ = self.rng.choice(("200", "3000", "12000"))
        data = desk_data(held, wallets, routes, slice_)
        return data, Sizes(dict(sorted(orders.items())), dict(sorted(sent.items())))

    def spare(self) -> Decimal:
        """Margin beyond what is needed."""
        if self.rng.random() < self.tight:
            return Decimal(self.rng.choice((0, 20, 300)))
        return Decimal(100_000)

    @staticmethod
    def needed(quantity: dict[tuple[str, str], int], name: str) -> Decimal:
        """Initial margin at ten times leverage."""
        return sum((abs(q) * PRICE for (n, _), q in quantity.items() if n == name), Decimal(0)) / 10

    @staticmethod
    def fees(orders: dict[tuple[str, str], Decimal], name: str) -> Decimal:
        """Taker fees and half-spreads of an account's orders."""
        size = sum((abs(q) for (n, _), q in orders.items() if n == name), Decimal(0))
        return size * PRICE * Decimal("0.0006")


def desk_data(
    held: Mapping[str, Mapping[str, int]],
    wallets: Mapping[str, Decimal | str],
    routes: Iterable[tuple[str, ...]] = (),
    max_slice: str = "200",
) -> Data:
    """Write a desk at one venue where every contract costs 100 and needs a margin of 10.

    Parameters
    ----------
    held
        Contracts by account and coin.
    wallets
        USDT by account, all of it withdrawable.
    routes
        Sender and receiver of each route, named `sender-receiver`.
    """
    coins = dict.fromkeys(coin for row in held.values() for coin in row)
    return {
        "snapshot": {
            "as_of": "2026-11-20T08:00:00Z",
            "assets": {"USDT": {"price": "1"}},
            "instruments": [_instrument(coin) for coin in coins],
            "accounts": [_account(name, row, str(wallets[name])) for name, row in held.items()],
            "routes": [_route(*ends) for ends in routes],
        },
        "mandate": {"targets_default": "hold", "policy": {"max_slice": max_slice}},
    }


def _route(source: str, target: str) -> Data:
    ends = {"id": f"{source}-{target}", "from": source, "to": target, "asset": "USDT"}
    return {**ends, "kind": "internal", "min": "10", "step": "0.1"}


def _instrument(coin: str) -> Data:
    return {
        "id": f"north:{coin}",
        "kind": "perpetual",
        "underlying": coin,
        "settle": "USDT",
        "contract_size": "1",
        "lot": "1",
        "tick": "0.01",
        "bid": "99.99",
        "ask": "100.01",
        "mark": "100",
        "daily_volume": "1000000000",
        "daily_volatility": "0.02",
        "funding": {"rate": "0.0001", "interval_h": "8"},
        "tiers": [{"cap": "10000000", "maintenance": "0.05", "max_leverage": "20"}],
    }


def _account(name: str, held: Mapping[str, int], wallet: str) -> Data:
    places = {
        f"north:{coin}": {"quantity": str(quantity), "unrealised": "0", "leverage": "10"}
        for coin, quantity in held.items()
    }
    return {
        "id": name,
        "venue": "north",
        "owner": name,
        "fees": {"taker": "0.0005"},
        "balances": {"USDT": {"wallet": wallet, "withdrawable": wallet}},
        "positions": places,
    }


def rotations(seeds: Sequence[int], accounts: int, coins: int) -> list[tuple[Book, Sizes]]:
    """Make the desks of some seeds that have something to do."""
    rows = [rotation(seed, accounts, coins) for seed in seeds]
    return [(book_of(data), sizes) for data, sizes in rows if sizes.count]
