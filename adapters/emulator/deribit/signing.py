"""Signatures, and what a key is told of itself in exchange for one.

Sources: docs.deribit.com, articles/authentication; api-reference/authentication/public-auth (of its
ways the signature alone is answered). The tokens that come with the answer open nothing here.
"""

import hashlib
import hmac

from allocator.adapters.emulator.deribit.words import RpcError, invalid, row
from allocator.adapters.emulator.wire import Call, Endpoint, Json

VALID_MS = 60_000
SECONDS = 31_536_000


def signed(secret: str, stamp: str, nonce: str, request: str) -> str:
    """Return the HMAC-SHA256 of time stamp, nonce and request data, a line each."""
    text = f"{stamp}\n{nonce}\n{request}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signature(secret: str, stamp: str, nonce: str, call: Call) -> str:
    """Return the signature of a request, in hex."""
    address = f"{call.path}?{call.query}" if call.query else call.path
    return signed(secret, stamp, nonce, f"{call.method}\n{address}\n{call.body}\n")


def auth(call: Call) -> Json:
    """Return the scopes of the key that signed."""
    if call.text("grant_type") != "client_signature":
        raise invalid("only client_signature is answered", "grant_type")
    key = call.exchange.ledger.keys.get(call.text("client_id"))
    if key is None or not key.user.startswith("deribit:"):
        raise RpcError(13004, "invalid_credentials")
    stamp, nonce = call.text("timestamp"), call.text("nonce")
    right = signed(key.secret, stamp, nonce, call.text("data"))
    if not hmac.compare_digest(right, call.text("signature")):
        raise RpcError(13004, "invalid_credentials")
    if not stamp.isdigit() or abs(call.now_ms - int(stamp)) >= VALID_MS:
        raise RpcError(13009, "unauthorized", reason="timestamp expired")
    return {
        "access_token": f"{call.now_ms}.access",
        "refresh_token": f"{call.now_ms}.refresh",
        "expires_in": SECONDS,
        "scope": " ".join(("connection", *key.permissions)),
        "token_type": "bearer",
    }


ENDPOINTS: tuple[Endpoint, ...] = (
    row("public/auth", auth, "authentication/public-auth", "wrong key or signature: 13004",
        "stamp too old: 13009", "another grant: -32602", "too many requests: 10028"),
)  # fmt: skip
