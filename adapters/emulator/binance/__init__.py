"""Binance on loopback: spot and wallet (api), USD-M futures (fapi), COIN-M futures (dapi).

Each sub-account has separate wallets: `spot`, `funding`, `usdm` and `coinm`. The last two are
margin pools of their own; nothing in one margins the other.
"""
