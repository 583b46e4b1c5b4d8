"""Keys, signatures, receive windows and permissions.

The signature is HMAC-SHA256 over the raw text of the parameters (query, then body) up to
`&signature=`, keyed with the secret. Page: Request Security (SIGNED endpoints).
"""

import hashlib
import hmac

from allocator.adapters.emulator.binance.words import API, error, missing, whole
from allocator.adapters.emulator.ledger import Ledger
from allocator.adapters.emulator.records import ApiKey
from allocator.adapters.emulator.wire import Call, Endpoint

KEY_HEADER = "X-MBX-APIKEY"
DEFAULT_WINDOW_MS = 5000
MAX_WINDOW_MS = 60_000
AHEAD_MS = 1000
READ, TRADE_SPOT, TRADE_FUTURES = "reading", "spotAndMarginTrading", "futures"
WITHDRAW, TRANSFER, INTERNAL = "withdrawals", "universalTransfer", "internalTransfer"
EVERYTHING = (READ, TRADE_SPOT, TRADE_FUTURES, WITHDRAW, TRANSFER, INTERNAL)


def signed_text(call: Call) -> tuple[str, str]:
    """Return the text the signature covers and the signature, empty when there is none."""
    whole_text = call.query + call.body
    head, found, tail = whole_text.rpartition("signature=")
    if not found:
        return whole_text, ""
    return head.removesuffix("&"), tail.partition("&")[0]


def sign(text: str, secret: str) -> str:
    """Return the signature of `text`."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def authenticate(call: Call, endpoint: Endpoint, ledger: Ledger) -> ApiKey | None:
    """Check key, time, signature and permission of a call.

    Returns
    -------
    ApiKey | None
        The key that signed, None for a public endpoint.

    Raises
    ------
    VenueError
        -2014 or -2015 for the key, -1102 for a parameter that is not there, -1021 for the time,
        -1131 for the window, -1022 for the signature.
    """
    if endpoint.access == "public":
        return None
    name = call.headers.get(KEY_HEADER, "")
    if not name:
        raise error(-2014, "API-key format invalid.", 401)
    key = ledger.keys.get(name)
    if key is None or not key.user.startswith("binance:"):
        raise error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    if endpoint.access == "key":
        return key
    _check_time(call)
    text, signature = signed_text(call)
    if not signature:
        raise missing("signature")
    if not hmac.compare_digest(sign(text, key.secret), signature):
        raise error(-1022, "Signature for this request is not valid.")
    if permission(endpoint) not in key.permissions:
        raise error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return key


def permission(endpoint: Endpoint) -> str:
    """Return the permission an endpoint asks of a key."""
    if endpoint.method == "GET" or endpoint.path.endswith("/get-funding-asset"):
        return READ
    if endpoint.host != API:
        return TRADE_FUTURES
    if endpoint.path.endswith("/withdraw/apply"):
        return WITHDRAW
    if "/sub-account/" in endpoint.path:
        return INTERNAL
    return TRANSFER if endpoint.path.startswith("/sapi/") else TRADE_SPOT


def _check_time(call: Call) -> None:
    if not call.text("timestamp"):
        raise missing("timestamp")
    sent_ms = whole(call, "timestamp", 0)
    window_ms = whole(call, "recvWindow", DEFAULT_WINDOW_MS)
    if window_ms > MAX_WINDOW_MS:
        raise error(-1131, "recvWindow must be less than 60000.")
    if sent_ms >= call.now_ms + AHEAD_MS:
        raise error(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if call.now_ms - sent_ms > window_ms:
        raise error(-1021, "Timestamp for this request is outside of the recvWindow.")
