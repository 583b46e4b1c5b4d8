"""Public market data: time, instruments, tickers, books, risk limits."""

from allocator.adapters.emulator.bybit.host import row
from allocator.adapters.emulator.wire import Call, Json


def market_time(call: Call) -> Json:
    """Return the server's time in seconds and nanoseconds."""
    return {
        "timeSecond": str(call.now_ms // 1000),
        "timeNano": str(call.now_ms * 1_000_000),
    }


ENDPOINTS = (row("GET", "/v5/market/time", market_time, "v5/market/time", access="public"),)
