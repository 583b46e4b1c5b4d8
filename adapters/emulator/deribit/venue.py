"""Deribit as a venue of the core: JSON-RPC envelope, signatures, credits, refusals.

Sources: docs.deribit.com, articles/authentication (signature credentials: valid 60 s, a nonce used
once), articles/rate-limits (credits refill continuously, 10028), articles/json-rpc-overview.
The time stamp of the future is refused as far ahead as of the past; the venue tells nothing of it.
Of the ways to authenticate a request the signature alone is answered: it is what ccxt sends.
"""

import hmac
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.refusals import code_of
from allocator.adapters.emulator.deribit.routes import ENDPOINTS
from allocator.adapters.emulator.deribit.signing import VALID_MS, signature
from allocator.adapters.emulator.deribit.words import (
    HOST,
    INVALID_PARAMS,
    VENUE,
    WALLET,
    RpcError,
    RpcReply,
)
from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ApiKey
from allocator.adapters.emulator.wire import Call, Endpoint, Json, Reply

SCHEME = "deri-hmac-sha256"
INSTRUMENTS_PATH = "/api/v2/public/get_instruments"


class Credits:
    """Pools that refill continuously.

    Parameters
    ----------
    most, a_second
        What a pool holds, and what flows in.
    """

    def __init__(self, most: int, a_second: float) -> None:
        self._most, self._a_second = most, a_second
        self._pools: dict[str, tuple[float, int]] = {}

    def take(self, name: str, cost: int, now_ms: int, scale: int) -> bool:
        """Take from a pool if it holds enough."""
        most = float(self._most * scale)
        left, at_ms = self._pools.get(name, (most, now_ms))
        left = min(most, left + self._a_second * scale * max(0, now_ms - at_ms) / 1000)
        enough = left >= cost
        self._pools[name] = (left - cost if enough else left, now_ms)
        return enough


class Deribit:
    """One host; every figure a JSON number, every refusal an error object with HTTP 400."""

    name = VENUE
    hosts: tuple[str, ...] = (HOST,)
    endpoints: Sequence[Endpoint] = ENDPOINTS

    def __init__(self) -> None:
        self._requests = Credits(50_000, 10_000)
        self._engine = Credits(20, 5)
        self._instruments = Credits(5, 0.1)
        self._nonces: dict[str, int] = {}

    def wallet(self, instrument: Instrument) -> str:
        """Return the one wallet of an account."""
        del instrument
        return WALLET

    def admit(self, exchange: Exchange, intent: Intent) -> None:
        """Raise Refused when the account cannot carry the order."""
        margin.admit(exchange, intent)

    def transferable(self, exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
        """Return what may leave now."""
        del wallet
        return margin.transferable(exchange, user, coin)

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        """Check HMAC-SHA256 over time stamp, nonce, method, address and body, and the scope."""
        if endpoint.access == "public":
            return None
        scheme, _, rest = call.headers.get("Authorization", "").partition(" ")
        if scheme != SCHEME:
            raise RpcError(10000, "authorization_required")
        told = dict[str, str]()
        for part in rest.split(","):
            name, _, word = part.strip().partition("=")
            told[name] = word
        key = call.exchange.ledger.keys.get(told.get("id", ""))
        if key is None or not key.user.startswith(f"{VENUE}:"):
            raise RpcError(13004, "invalid_credentials")
        self._check_stamp(told, call.now_ms)
        expected = signature(key.secret, told["ts"], told.get("nonce", ""), call)
        if not hmac.compare_digest(expected, told.get("sig", "")):
            raise RpcError(13009, "unauthorized", reason="invalid signature")
        if endpoint.budget and endpoint.budget not in key.permissions:
            raise RpcError(13021, "forbidden", reason=f"scope {endpoint.budget} is missing")
        return key

    def _check_stamp(self, told: Mapping[str, str], now_ms: int) -> None:
        stamp = told.get("ts", "")
        if not stamp.isdigit() or abs(now_ms - int(stamp)) >= VALID_MS:
            raise RpcError(13009, "unauthorized", reason="timestamp expired")
        nonce = f"{told['id']}|{told.get('nonce', '')}"
        self._nonces = {n: t for n, t in self._nonces.items() if abs(now_ms - t) < VALID_MS}
        if nonce in self._nonces:
            raise RpcError(13009, "unauthorized", reason="nonce used before")
        self._nonces[nonce] = int(stamp)

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        """Count against the account's credits, of public calls against the address's."""
        who, scale = self._who(call), call.exchange.limiter.scale
        if endpoint.path == INSTRUMENTS_PATH:
            enough = self._instruments.take(who, 1, call.now_ms, scale)
        elif endpoint.weight:
            enough = self._engine.take(who, 1, call.now_ms, scale)
        else:
            enough = self._requests.take(who, 500, call.now_ms, scale)
        if not enough:
            raise RpcError(10028, "too_many_requests")
        return {}

    def answer(self, call: Call, body: object) -> Reply:
        """Put a result into the envelope."""
        result: Json = body  # type: ignore[assignment]
        return RpcReply(_envelope(call, {"result": result}))

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        """Put a refusal into the envelope."""
        if isinstance(error, RpcError):
            return _refused(call, error.code, error.message, error.data)
        if isinstance(error, VenueError):
            return _refused(call, error.code, error.message, {})
        if isinstance(error, Refused):
            return _refused(call, *code_of(error), {})
        return _refused(call, INVALID_PARAMS, "Invalid params", {"reason": str(error)})

    def unknown(self, call: Call) -> Reply:
        """Answer a method the table does not hold."""
        return _refused(call, -32601, "Method not found", {})

    def _who(self, call: Call) -> str:
        told = call.headers.get("Authorization", "").partition("id=")[2].partition(",")[0]
        key = call.exchange.ledger.keys.get(told)
        return call.remote if key is None else key.user


def _envelope(call: Call, body: dict[str, Json]) -> dict[str, Json]:
    micro = call.now_ms * 1000
    timing: dict[str, Json] = {"usIn": micro, "usOut": micro + 150, "usDiff": 150}
    return {"jsonrpc": "2.0", **body, "testnet": False, **timing}


def _refused(call: Call, code: int, message: str, data: Mapping[str, object]) -> Reply:
    error: dict[str, Json] = {"code": code, "message": message}
    if data:
        error["data"] = cast("Json", dict(data))
    return RpcReply(_envelope(call, {"error": error}), 400, code=str(code))
