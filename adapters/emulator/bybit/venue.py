"""Bybit as a venue of the core: envelope, signatures, limits, refusals."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from decimal import Decimal

from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.bybit.host import HOST
from allocator.adapters.emulator.bybit.refusals import code_of
from allocator.adapters.emulator.bybit.routes import ENDPOINTS
from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ApiKey
from allocator.adapters.emulator.wire import Call, Endpoint, Json, Reply

IP_LIMIT, IP_WINDOW_MS = 600, 5000
ENDPOINT_WINDOW_MS = 1000
DEFAULT_WINDOW_MS = 5000
FUTURE_MS = 1000


class Bybit:
    """One host, one envelope {retCode, retMsg, result, retExtInfo, time}; refusals are HTTP 200."""

    name = "bybit"
    hosts: tuple[str, ...] = (HOST,)
    endpoints: Sequence[Endpoint] = ENDPOINTS

    def wallet(self, instrument: Instrument) -> str:
        """Return the unified wallet: it margins everything and holds what spot trades."""
        del instrument
        return margin.UNIFIED

    def admit(self, exchange: Exchange, intent: Intent) -> None:
        """Raise Refused when the unified account cannot carry the order."""
        margin.admit(exchange, intent)

    def transferable(self, exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
        """Return what may leave a wallet now."""
        return margin.transferable(exchange, user, wallet, coin)

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        """Check HMAC-SHA256 over timestamp + key + window + (query or body), and the window."""
        if endpoint.access == "public":
            return None
        headers = call.headers
        name = headers.get("X-BAPI-API-KEY", "")
        stamp = headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", str(DEFAULT_WINDOW_MS))
        key = call.exchange.ledger.keys.get(name)
        if key is None or not key.user.startswith("bybit:"):
            raise VenueError(10003, "API key is invalid.")
        _check_window(stamp, window, call.now_ms)
        payload = stamp + name + window + (call.body if call.method == "POST" else call.query)
        expected = signature(key.secret, payload)
        if not hmac.compare_digest(expected, headers.get("X-BAPI-SIGN", "")):
            raise VenueError(
                10004, f"error sign! origin_string[{payload}], please check your signature."
            )
        if endpoint.budget and endpoint.budget not in key.permissions:
            raise VenueError(10005, "Permission denied, please check your API key permissions.")
        return key

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        """Count per IP (600 in 5 s: HTTP 403) and per key and endpoint (10006)."""
        limiter = call.exchange.limiter
        by_ip = limiter.take(f"bybit|{call.remote}", 1, IP_LIMIT, IP_WINDOW_MS, call.now_ms)
        if by_ip.exceeded:
            raise VenueError(403, "access too frequent", status=403)
        if endpoint.access == "public":
            return {}
        who = call.headers.get("X-BAPI-API-KEY", "")
        name = f"bybit|{who}|{call.path}"
        usage = limiter.take(name, 1, endpoint.weight, ENDPOINT_WINDOW_MS, call.now_ms)
        headers = {
            "X-Bapi-Limit": str(usage.limit),
            "X-Bapi-Limit-Status": str(usage.remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(usage.resets_ms),
        }
        if usage.exceeded:
            raise VenueError(
                10006, "Too many visits. Exceeded the API Rate Limit.", headers=headers
            )
        return headers

    def answer(self, call: Call, body: object) -> Reply:
        """Wrap a result in the envelope; a batch brings the codes of its orders beside it."""
        if isinstance(body, dict) and "retExtInfo" in body:
            reply = _envelope(call, 0, "OK", body["result"])
            assert isinstance(reply.body, dict)
            return Reply({**reply.body, "retExtInfo": body["retExtInfo"]})
        return _envelope(call, 0, "OK", body)

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        """Put a refusal into the envelope."""
        if isinstance(error, VenueError):
            reply = _envelope(call, error.code, error.message, {}, error.status)
            return Reply(reply.body, reply.status, error.headers, reply.code)
        if isinstance(error, Refused):
            code, message = code_of(call, error)
            return _envelope(call, code, message, {})
        return _envelope(call, 10001, f"params error: {error}", {})

    def unknown(self, call: Call) -> Reply:
        """Answer a path the table does not hold: 10017, HTTP 404."""
        return _envelope(
            call, 10017, "request path not found or request method is invalid", {}, 404
        )


def signature(secret: str, payload: str) -> str:
    """Return the HMAC-SHA256 of timestamp + key + window + (query or body), in hex."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def _check_window(stamp: str, window: str, now_ms: int) -> None:
    if not stamp.isdigit() or not window.isdigit():
        raise VenueError(10001, "params error: timestamp or recv_window is invalid")
    if not now_ms - int(window) <= int(stamp) < now_ms + FUTURE_MS:
        raise VenueError(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]",
        )


def _envelope(call: Call, code: int, message: str, result: object, status: int = 200) -> Reply:
    extra: Json = {}
    plain: Json = result  # type: ignore[assignment]
    body: Json = {
        "retCode": code,
        "retMsg": message,
        "result": plain,
        "retExtInfo": extra,
        "time": call.now_ms,
    }
    return Reply(body, status, code=str(code))
