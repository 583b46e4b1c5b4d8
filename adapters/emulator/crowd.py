"""A world of many members: the demo world, and beside each venue's own as many as are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from allocator.adapters.emulator.binance.signing import READ, TRADE_FUTURES, TRADE_SPOT, TRANSFER
from allocator.adapters.emulator.exchange import World
from allocator.adapters.emulator.opened import opened
from allocator.adapters.emulator.records import ApiKey, Balance, Leverage, User
from allocator.adapters.emulator.world import demo_world

FIRST = 40_000_001


@dataclass(frozen=True, slots=True)
class Kind:
    """What every member of a venue has: rights, wallet, coin, one position."""

    main: str
    rights: tuple[str, ...]
    wallet: str
    coin: str
    instrument: str
    quantity: Decimal
    passphrase: bool = False


KINDS: Mapping[str, Kind] = {
    "binance": Kind("binance:20000001", (READ, TRADE_SPOT, TRADE_FUTURES, TRANSFER), "usdm", "USDT",
                    "usdm:BTCUSDT", Decimal("0.5")),
    "bybit": Kind("bybit:10000001", ("trade", "transfer"), "UNIFIED", "USDT",
                  "linear:BTCUSDT", Decimal("-0.5")),
    "okx": Kind("okx:30000001", ("read_only", "trade"), "18", "USDT",
                "SWAP:BTC-USDT-SWAP", Decimal(50), passphrase=True),
    "deribit": Kind("deribit:5001", ("account:read", "trade:read_write", "wallet:read_write"),
                    "main", "USDC", "future:BTC_USDC-PERPETUAL", Decimal(-500)),
}  # fmt: skip


def secrets(venue: str, index: int) -> dict[str, str]:
    """Give the key, the secret and, where the venue has one, the passphrase of a member."""
    words = ("key", "secret", "passphrase") if KINDS[venue].passphrase else ("key", "secret")
    return {word: f"{venue}-crowd-{index}-{word}" for word in words}


def member(venue: str, index: int) -> str:
    """Name a member as transfers do: an e-mail at Binance, a name at OKX, else its number."""
    number = str(FIRST + index)
    return {"binance": f"crowd{index}@fund-one.example", "okx": f"crowd{index}"}.get(venue, number)


def crowd(size: int) -> World:
    """Return a world where every venue has `size` members more."""
    demo = demo_world()
    places = [(venue, kind, i) for venue, kind in KINDS.items() for i in range(size)]
    return replace(
        demo,
        users=(*demo.users, *(_user(venue, kind, i) for venue, kind, i in places)),
        keys=(*demo.keys, *(_key(venue, kind, i) for venue, kind, i in places)),
        balances=(
            *demo.balances,
            *(Balance(_id(venue, i), kind.wallet, kind.coin, Decimal(10_000 + i))
              for venue, kind, i in places),
        ),
        positions=(
            *demo.positions,
            *(opened(_id(venue, i), f"{venue}:{kind.instrument}", kind.quantity, "63500")
              for venue, kind, i in places),
        ),
        leverages=(
            *demo.leverages,
            *(Leverage(_id(venue, i), f"{venue}:{kind.instrument}", Decimal(10))
              for venue, kind, i in places if venue != "deribit"),
        ),
    )  # fmt: skip


def _id(venue: str, index: int) -> str:
    return f"{venue}:{FIRST + index}"


def _user(venue: str, kind: Kind, index: int) -> User:
    email = member("binance", index)
    number = str(FIRST + index)
    return User(_id(venue, index), venue, number, f"crowd{index}", email, "fund-one", kind.main)


def _key(venue: str, kind: Kind, index: int) -> ApiKey:
    told = secrets(venue, index)
    passphrase = told.get("passphrase", "")
    return ApiKey(told["key"], told["secret"], _id(venue, index), kind.rights, passphrase)
