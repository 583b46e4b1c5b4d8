"""What an order says when it arrives, and whether it is signed, read as each venue's pages say.

Written from the pages "Order" or "Place order" and "Authentication" ("Signature") of each venue,
without the adapter's or the client's code: an adapter that worded or signed an order otherwise
would be read otherwise here.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from ccxt.static_dependencies.keccak import SHA3
from ccxt.static_dependencies.msgpack import packb
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from allocator.adapters.emulator.wire import Call

STYLES = {
    "ioc": "ioc", "IOC": "ioc", "Ioc": "ioc", "post_only": "post_only", "post": "post_only",
    "poc": "post_only", "Alo": "post_only", "GTX": "post_only",
}  # fmt: skip


@dataclass(frozen=True)
class Wording:
    """An order as the venue reads it.

    Attributes
    ----------
    client_id
        As hex, whatever the venue's spelling of it.
    until_ms
        After this time of its own the venue refuses it.
    signed
        Whether the signature is that of the key for just this request.
    """

    client_id: str
    market: str
    side: str
    quantity: Decimal
    price: Decimal
    style: str
    reduce_only: bool
    until_ms: int
    signed: bool


def _hmac(secret: str | bytes, text: bytes, name: str) -> bytes:
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), text, name).digest()


def _headed(call: Call, prefix: str, login: Mapping[str, str], *, version_2: bool) -> bool:
    """Check time, method, path, query and body under HMAC-SHA256, in headers of one prefix."""
    told = {name.lower(): value for name, value in call.headers.items()}
    query = f"?{call.query}" if call.query else ""
    text = f"{told[f'{prefix}timestamp']}{call.method}{call.path}{query}{call.body}"
    sign = base64.b64encode(_hmac(login["secret"], text.encode(), "sha256")).decode()
    phrase = login["passphrase"]
    if version_2:
        phrase = base64.b64encode(_hmac(login["secret"], phrase.encode(), "sha256")).decode()
    return (told[f"{prefix}sign"], told[f"{prefix}key"], told[f"{prefix}passphrase"]) == (
        sign, login["key"], phrase,
    )  # fmt: skip


def _header(call: Call, name: str) -> str:
    return {key.lower(): value for key, value in call.headers.items()}[name.lower()]


def bitget(call: Call, login: Mapping[str, str]) -> Wording:
    body = json.loads(call.body)
    return Wording(
        client_id=body["clientOid"],
        market=body["symbol"],
        side=body["side"],
        quantity=Decimal(body["size"]),
        price=Decimal(body["price"]),
        style=STYLES[body["force"]],
        reduce_only={"YES": True, "NO": False}[body["reduceOnly"]],
        until_ms=int(_header(call, "ACCESS-TIMESTAMP")) + 30_000,
        signed=_headed(call, "access-", login, version_2=False),
    )


def kucoin(call: Call, login: Mapping[str, str]) -> Wording:
    body = json.loads(call.body)
    assert body.get("postOnly", False) in {True, False}
    return Wording(
        client_id=body["clientOid"],
        market=body["symbol"],
        side=body["side"],
        quantity=Decimal(str(body["size"])),
        price=Decimal(body["price"]),
        style="post_only" if body.get("postOnly") else STYLES[body["timeInForce"]],
        reduce_only=body["reduceOnly"],
        until_ms=int(_header(call, "KC-API-TIMESTAMP")) + 5000,
        signed=_headed(call, "kc-api-", login, version_2=True),
    )


def gate(call: Call, login: Mapping[str, str]) -> Wording:
    body = json.loads(call.body)
    size = Decimal(str(body["size"]))
    stamp, digest = _header(call, "Timestamp"), hashlib.sha512(call.body.encode()).hexdigest()
    text = "\n".join((call.method, call.path, call.query, digest, stamp))
    sign = _hmac(login["secret"], text.encode(), "sha512").hex()
    stated = (_header(call, "SIGN"), _header(call, "KEY"))
    return Wording(
        client_id=uncut(body["text"]),
        market=body["contract"],
        side="sell" if size < 0 else "buy",
        quantity=abs(size),
        price=Decimal(body["price"]),
        style=STYLES[body["tif"]],
        reduce_only=body["reduce_only"],
        until_ms=int(call.headers.get("x-gate-exptime", (int(stamp) + 60) * 1000)),
        signed=stated == (sign, login["key"]),
    )


def uncut(text: str) -> str:
    """Read the 128 bits that 26 letters of base 32 after ``t-`` stand for."""
    assert text.startswith("t-")
    assert len(text) <= 30
    return base64.b32decode(f"{text[2:].upper()}======").hex()


def kraken(call: Call, login: Mapping[str, str]) -> Wording:
    told = {name: values[0] for name, values in parse_qs(call.query or call.body).items()}
    path = call.path.removeprefix("/derivatives")
    digest = hashlib.sha256(f"{call.query or call.body}{path}".encode()).digest()
    sign = base64.b64encode(_hmac(base64.b64decode(login["secret"]), digest, "sha512")).decode()
    until = datetime.fromisoformat(told["processBefore"]) if "processBefore" in told else None
    return Wording(
        client_id=told["cliOrdId"].replace("-", ""),
        market=told["symbol"],
        side=told["side"],
        quantity=Decimal(told["size"]),
        price=Decimal(told["limitPrice"]),
        style=STYLES[told["orderType"]],
        reduce_only={"true": True, "false": False}[told["reduceOnly"]],
        until_ms=2**53 if until is None else round(until.timestamp() * 1000),
        signed=(_header(call, "Authent"), _header(call, "APIKey")) == (sign, login["key"]),
    )


def binance(call: Call, login: Mapping[str, str]) -> Wording:
    text, _, sign = (call.body or call.query).rpartition("&signature=")
    told = {name: values[0] for name, values in parse_qs(text).items()}
    right = _hmac(login["secret"], text.encode(), "sha256").hex()
    return Wording(
        client_id=told["newClientOrderId"],
        market=told["symbol"],
        side=told["side"].lower(),
        quantity=Decimal(told["quantity"]),
        price=Decimal(told["price"]),
        style=STYLES[told["timeInForce"]],
        reduce_only=told.get("reduceOnly", "false") == "true",
        until_ms=int(told["timestamp"]) + int(told.get("recvWindow", 5000)),
        signed=(sign, _header(call, "X-MBX-APIKEY")) == (right, login["key"]),
    )


def hyperliquid(call: Call, login: Mapping[str, str]) -> Wording:
    body = json.loads(call.body)
    order, *_ = body["action"]["orders"]
    return Wording(
        client_id=order["c"].removeprefix("0x"),
        market=str(order["a"]),
        side="buy" if order["b"] else "sell",
        quantity=Decimal(order["s"]),
        price=Decimal(order["p"]),
        style=STYLES[order["t"]["limit"]["tif"]],
        reduce_only=order["r"],
        until_ms=body.get("expiresAfter", 2**53),
        signed=_of_chain(body, login["secret"]),
    )


def _keccak(text: bytes) -> bytes:
    return bytes(SHA3(text))


def _of_chain(body: Mapping[str, Any], secret: str) -> bool:
    """Check a signature of typed data (EIP-712) over the action's digest."""
    packed = packb(body["action"]) + int(body["nonce"]).to_bytes(8, "big")
    vault = body.get("vaultAddress")
    packed += b"\0" if vault is None else b"\1" + bytes.fromhex(vault.removeprefix("0x"))
    if "expiresAfter" in body:
        packed += b"\0" + int(body["expiresAfter"]).to_bytes(8, "big")
    agent = _keccak(
        _keccak(b"Agent(string source,bytes32 connectionId)") + _keccak(b"a") + _keccak(packed)
    )
    return _typed(body, secret, _domain(b"Exchange", 1337), agent)


SENT = (
    "HyperliquidTransaction:SendAsset(string hyperliquidChain,string destination,string sourceDex,"
    "string destinationDex,string token,string amount,string fromSubAccount,uint64 nonce)"
)


def is_sent_by(body: Mapping[str, Any], secret: str) -> bool:
    """Check that a user's key signed what moves USDC (EIP-712 over the action's own fields)."""
    action = body["action"]
    names = [field.split(" ")[1] for field in SENT.partition("(")[2].rstrip(")").split(",")]
    parts = [
        int(action[name]).to_bytes(32, "big") if name == "nonce" else _keccak(action[name].encode())
        for name in names
    ]
    chain = int(action["signatureChainId"], 16)
    whole = _keccak(_keccak(SENT.encode()) + b"".join(parts))
    return _typed(body, secret, _domain(b"HyperliquidSignTransaction", chain), whole)


def _domain(name: bytes, chain: int) -> bytes:
    kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return _keccak(
        _keccak(kind.encode()) + _keccak(name) + _keccak(b"1")
        + chain.to_bytes(32, "big") + bytes(32)
    )  # fmt: skip


def _typed(body: Mapping[str, Any], secret: str, domain: bytes, whole: bytes) -> bool:
    r, s = (int(body["signature"][part], 16) for part in ("r", "s"))
    key = ec.derive_private_key(int(secret, 16), ec.SECP256K1()).public_key()
    try:
        key.verify(
            encode_dss_signature(r, s),
            _keccak(b"\x19\x01" + domain + whole),
            ec.ECDSA(Prehashed(hashes.SHA256())),
        )
    except InvalidSignature:
        return False
    return True


READERS = {
    "bitget": bitget,
    "gate": gate,
    "hyperliquid": hyperliquid,
    "krakenfutures": kraken,
    "kucoinfutures": kucoin,
    "binance portfolio margin": binance,
}
