"""The demo world: one owner, eleven margin pools over three venues, out of balance on purpose.

Prices are round figures of late 2026; balances and positions are invented so that the book is off
its target, one account is short of headroom and funding differs between the venues.
"""

from decimal import Decimal
from pathlib import Path

from allocator.adapters.emulator.binance import world as binance_world
from allocator.adapters.emulator.binance.venue import Binance
from allocator.adapters.emulator.bybit import world as bybit_world
from allocator.adapters.emulator.bybit.venue import Bybit
from allocator.adapters.emulator.clock import Clock
from allocator.adapters.emulator.deribit import world as deribit_world
from allocator.adapters.emulator.deribit.venue import Deribit
from allocator.adapters.emulator.exchange import Exchange, Options, World
from allocator.adapters.emulator.okx import world as okx_world
from allocator.adapters.emulator.okx.venue import Okx
from allocator.adapters.emulator.records import CoinPrice

PRICES = (
    CoinPrice("BTC", Decimal(64000)),
    CoinPrice("ETH", Decimal(3100)),
    CoinPrice("USDT", Decimal(1)),
    CoinPrice("USDC", Decimal(1)),
)
DELAYS_MS = {"withdrawal": 1500, "transfer": 0}


def demo_world() -> World:
    """Return the demo world."""
    parts = (bybit_world, binance_world, deribit_world, okx_world)
    return World(
        users=tuple(row for part in parts for row in part.USERS),
        keys=tuple(row for part in parts for row in part.KEYS),
        instruments=tuple(row for part in parts for row in part.INSTRUMENTS),
        prices=PRICES,
        balances=tuple(row for part in parts for row in part.BALANCES),
        positions=tuple(row for part in parts for row in part.POSITIONS),
        leverages=tuple(row for part in parts for row in part.LEVERAGES),
        addresses=tuple(row for part in parts for row in part.ADDRESSES),
        chains=tuple(row for part in parts for row in part.CHAINS),
        delays_ms=DELAYS_MS,
    )


def demo_exchange(
    directory: Path | None,
    *,
    seed: int = 7,
    clock: Clock | None = None,
    limit_scale: int = 1,
    world: World | None = None,
) -> Exchange:
    """Return an exchange over the demo world (or another), every venue on it."""
    return Exchange(
        world or demo_world(),
        (Bybit(), Binance(), Deribit(), Okx()),
        directory,
        Options(clock or Clock(), seed, limit_scale),
    )
