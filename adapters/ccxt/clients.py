"""The ccxt client of one login: numbers as text, no retries, and what each venue's needs beside."""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ccxt.async_support as exchanges

from allocator.adapters.ccxt import (
    binance_client,
    deribit_client,
    hyperliquid_client,
    kraken_client,
    kucoin_client,
)
from allocator.adapters.ccxt.failures import Answer, is_redirect
from allocator.adapters.ccxt.gate import trusted
from allocator.adapters.ccxt.rates import BUCKETS
from allocator.adapters.ccxt.values import JsonObject
from allocator.adapters.ccxt.windows import RECEIVE_WINDOW_MS, bound
from allocator.models.errors import ConfigError

TIMEOUT_MS = 10_000

CREDENTIALS = {"key": "apiKey", "secret": "secret", "passphrase": "password"}
"""ccxt's word for each secret of a login."""

WALLET_CREDENTIALS = {"key": "walletAddress", "secret": "privateKey"}
"""The same where a login is an address of a chain and what signs for it."""

ON_CHAIN = frozenset({"hyperliquid"})
"""Venues whose logins are such."""

heard: contextvars.ContextVar[Answer | None] = contextvars.ContextVar("answer", default=None)
"""Where the answer to the request under way is kept."""

OPTIONS: Mapping[str, JsonObject] = {
    "bybit": {
        "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
        "enableUnifiedMargin": False,
        "enableUnifiedAccount": True,
        "unifiedMarginStatus": 5,
    },
    "binance": {
        "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
    "bitget": {"fetchMarkets": {"types": ["swap"]}, "uta": False},
    "deribit": {},
    "gate": {"fetchMarkets": {"types": ["swap"]}, "unifiedAccount": False},
    "hyperliquid": {"fetchMarkets": {"types": ["swap"]}},
    "krakenfutures": {},
    "kucoinfutures": {"fetchMarkets": {"types": ["swap"]}, "hf": True},
    "okx": {"fetchMarkets": {"types": ["spot", "swap", "future"]}},
}


KEYED: Mapping[str, Callable[[Any], None]] = {"hyperliquid": hyperliquid_client.know_keys}
"""What rests on a client's keys, done once it is given them."""

PREPARE: Mapping[str, Callable[[Any], None]] = {
    "binance": binance_client.prepare,
    "deribit": deribit_client.prepare,
    "hyperliquid": hyperliquid_client.prepare,
    "krakenfutures": kraken_client.prepare,
    "kucoinfutures": kucoin_client.prepare,
}
"""What a venue's client needs beside its settings, done once when it is made."""


def new_client(venue: str, session: Any) -> Any:
    """Make a ccxt client that signs nothing yet: see `sign_with`.

    It has numbers as text, no retries, a receive window of 5 s.

    Raises
    ------
    ConfigError
        For a venue without an adapter.
    """
    if venue not in OPTIONS:
        raise ConfigError(f"no adapter speaks to {venue}")
    client = getattr(exchanges, venue)(
        {
            "session": session,
            "enableRateLimit": True,
            "timeout": TIMEOUT_MS,
            "number": str,
            "aiohttp_trust_env": False,
            "timeout_on_exit": 0,
            "options": {**OPTIONS[venue], "recvWindow": RECEIVE_WINDOW_MS},
        }
    )
    if venue in BUCKETS:
        units = BUCKETS[venue]
        client.throttler.config |= {"capacity": units, "tokens": units}
    # At its first request a client that has none reads certificates, which its session never asks.
    client.ssl_context = trusted()
    client.has["fetchCurrencies"] = False
    client.on_json_response = partial(json.loads, parse_float=str)
    bound(client, venue)
    client.handle_errors = partial(_keep_answer, client.handle_errors)
    if venue in PREPARE:
        PREPARE[venue](client)
    check_client(client)
    return client


def sign_with(client: Any, venue: str, secrets: Mapping[str, str]) -> None:
    """Give a client what it signs with, by field of its login."""
    words = WALLET_CREDENTIALS if venue in ON_CHAIN else CREDENTIALS
    for field, value in secrets.items():
        setattr(client, words[field], value)
    if venue in KEYED:
        KEYED[venue](client)


def secrets_of(client: Any) -> tuple[str, ...]:
    """List what must not be told of a client."""
    names = {*CREDENTIALS.values(), *WALLET_CREDENTIALS.values()}
    return tuple(str(getattr(client, name, None) or "") for name in sorted(names))


def check_client(client: Any) -> None:
    """Refuse a client that would send anything twice or read numbers through floats.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    if client.options.get("maxRetriesOnFailure"):
        raise ConfigError("maxRetriesOnFailure must be 0: it sends orders again")
    if client.number is not str:
        raise ConfigError("ccxt must hand numbers over as text")
    if int(client.options["recvWindow"]) > RECEIVE_WINDOW_MS:
        raise ConfigError(f"recvWindow must be at most {RECEIVE_WINDOW_MS} ms")


def _keep_answer(check: Callable[..., Any], *args: Any) -> Any:
    """Keep status, headers and body of an answer for `Login.call`, then let ccxt check it.

    Raises
    ------
    BadResponse
        For a redirect, which ccxt would take for an answer: it is not followed.
    """
    answer = heard.get()
    status = int(args[0])
    if answer is not None:
        answer.hear(status, args[4], str(args[5] or ""))
    if is_redirect(status):
        raise exchanges.BadResponse("a redirect to another address, not followed")
    return check(*args)
