"""The dialects by venue."""

from __future__ import annotations

from collections.abc import Mapping

from allocator.adapters.ccxt.binance import Binance
from allocator.adapters.ccxt.bitget import Bitget
from allocator.adapters.ccxt.bybit import Bybit
from allocator.adapters.ccxt.deribit import Deribit
from allocator.adapters.ccxt.dialect import Dialect
from allocator.adapters.ccxt.gateio import Gate
from allocator.adapters.ccxt.hyperliquid import Hyperliquid
from allocator.adapters.ccxt.kraken import Kraken
from allocator.adapters.ccxt.kucoin import KuCoin
from allocator.adapters.ccxt.okx import Okx

DIALECTS: Mapping[str, Dialect] = {
    "binance": Binance(),
    "bitget": Bitget(),
    "bybit": Bybit(),
    "deribit": Deribit(),
    "gate": Gate(),
    "hyperliquid": Hyperliquid(),
    "krakenfutures": Kraken(),
    "kucoinfutures": KuCoin(),
    "okx": Okx(),
}
