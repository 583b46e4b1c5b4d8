"""Loopback exchanges: a server that speaks Bybit v5 and Binance to an unmodified client.

`python -m allocator.adapters.emulator --state DIR --port 0` starts it. One process holds both
venues, so that a withdrawal from one arrives at the other.
"""
