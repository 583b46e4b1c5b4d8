"""Hyperliquid: what ccxt's client needs beside its settings.

ccxt approves a fee for a builder of its own before it does anything; the requests made here do not
come by that way, and it is told that it was done. Its weights of reads are not the venue's (page
"Rate limits and user limits"). Actions are signed here by ccxt's own means, with a number of their
own that rises (page "Nonces and API wallets"). The venue keeps numbers by what signs, whichever
address it signs for: clients that sign with one key take their numbers from one source, and leave
out those that a transfer has been given.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from functools import partial
from time import time_ns
from typing import Any

from allocator.adapters.ccxt.failures import NotSentError

LIGHT = frozenset(
    [
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    ]
)
LIGHT_WEIGHT, WEIGHT = 2, 20
HEAVIER_BY = 40
"""Entries of an action's list that make it weigh one more."""

_last: dict[bytes, int] = {}
"""The last number of each signing key in this process, by the key's digest."""

_kept: dict[bytes, dict[int, str]] = {}
"""Numbers of each key that are transfers', and whose."""

KEPT_MS = 3_600_000
"""For how long after its time a transfer's number is kept from other actions."""

MAINNET = {"hyperliquidChain": "Mainnet", "signatureChainId": "0x66eee"}
"""Which exchange a user's action is for, and the chain number that ccxt signs it with."""


def prepare(client: Any) -> None:
    """Approve nothing, weigh reads as the venue does, number actions."""
    client.options |= {
        "builderFee": False,
        "approvedBuilderFee": True,
        "refSet": True,
        "hip3TokensByName": {},
        "cachedCurrenciesById": {},
    }
    client.calculate_rate_limiter_cost = _weight
    client.signs_itself = lambda: False


def know_keys(client: Any) -> None:
    """Take what rests on the keys from them: numbers of actions, and whose the signing one is."""
    client.next_number = partial(_next, _signer(client))
    client.signs_itself = functools.cache(partial(_signs_itself, client))


def _weight(api: Any, method: Any, path: Any, params: Any, config: Any = None) -> int:
    """Tell a request's weight; that of an action grows with the length of what it lists."""
    del api, method, config
    if path != "info":
        action = params.get("action") or {}
        return 1 + len(action.get("orders") or action.get("cancels") or ()) // HEAVIER_BY
    return LIGHT_WEIGHT if params.get("type") in LIGHT else WEIGHT


def _signer(client: Any) -> bytes:
    """Tell signing keys apart without keeping them; the prefix and case do not make another."""
    key = str(client.privateKey).strip().lower().removeprefix("0x")
    return hashlib.sha256(key.encode()).digest()


def _next(signer: bytes) -> int:
    """Give an action its number: milliseconds since 1970, or one more than the last."""
    found, kept = max(_last.get(signer, 0) + 1, time_ns() // 1_000_000), _kept.get(signer, {})
    while found in kept:
        found += 1
    _last[signer] = found
    return found


def _signs_itself(client: Any) -> bool:
    """Tell a user's own key from that of an API wallet, by the address that a signature tells."""
    try:
        signer = str(client.eth_get_address_from_private_key(str(client.privateKey).strip()))
    except ValueError:
        return False
    return signer.lower() == str(client.walletAddress).lower()


def keep(client: Any, number: int, client_id: str) -> None:
    """Keep a number for a transfer, so that no other action is given it.

    Raises
    ------
    NotSentError
        When another transfer has it, or an action had it.
    """
    signer, now = _signer(client), time_ns() // 1_000_000
    kept = {at: name for at, name in _kept.get(signer, {}).items() if at > now - KEPT_MS}
    if kept.setdefault(number, client_id) != client_id or number == _last.get(signer):
        raise NotSentError(f"the number {number} is another action's")
    _kept[signer] = kept


def signed_by_user(client: Any, action: Mapping[str, object]) -> dict[str, object]:
    """Sign an action that none but the user may sign, under the number that it bears."""
    whole = {**MAINNET, **action}
    return {"action": whole, "nonce": action["nonce"],
            "signature": client.build_send_asset_sig(_message(whole))}  # fmt: skip


def _message(action: Mapping[str, object]) -> dict[str, object]:
    """Take what is signed of a user's action."""
    unsigned = {"type", "signatureChainId"}
    return {key: value for key, value in action.items() if key not in unsigned}


def signed(
    client: Any, action: Mapping[str, object], vault: str | None, expires_ms: int | None,
    number: int | None = None,
) -> dict[str, object]:  # fmt: skip
    """Sign an action for the account, or as its master for the address of a sub-account.

    Parameters
    ----------
    expires_ms
        After this time of the venue's the action is refused; None: it may come as late as it will.
    number
        What it is sent under; None: the next.
    """
    number = client.next_number() if number is None else number
    bare = None if vault is None else vault.removeprefix("0x").lower()
    signature = client.sign_l1_action(dict(action), number, bare, expires_ms)
    body: dict[str, object] = {"action": dict(action), "nonce": number, "signature": signature}
    if vault is not None:
        body["vaultAddress"] = vault
    if expires_ms is not None:
        body["expiresAfter"] = expires_ms
    return body
