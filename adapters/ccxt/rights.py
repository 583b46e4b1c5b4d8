"""What a key may do, as the venue tells it of the key that asks.

| venue | who tells |
|-|-|
| Binance | Get API Key Permission: ``enableWithdrawals`` |
| Bybit | Get API Key Information: ``Withdraw`` among the rights of its wallet |
| OKX | Get account configuration: ``withdraw`` in ``perm`` |
| Deribit | public/auth: the scopes of the token that a signature is answered with |
| Bitget | Get account information: ``authorities``, of which not every word is on a page read |
| KuCoin | Get Apikey Info: ``Withdrawal`` in ``permission`` |
| Gate | Query all main account API keys; of a sub-account's key it tells nothing |
| Hyperliquid | userRole of the address that signs: an API wallet may not withdraw |
| Kraken Futures | no page read |

Deribit's ``wallet:read_write`` lets a key transfer and withdraw alike, and so does the user's own
key at Hyperliquid.

Whether any address may use the key stands in the same answer at Binance (``ipRestrict``), Bybit
(``ips``) and OKX (``ip``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.hyperliquid_reads import INFO
from allocator.adapters.ccxt.session import Login
from allocator.models.errors import VenueError

UNTOLD = "cannot be told by this venue"
BITGET_WORDS = frozenset(
    {
        "readonly",
        "read",
        "trade",
        "spot_trade",
        "margin_trade",
        "contract_trade",
        "transfer",
        "withdraw",
    }
)
"""Words for rights on Bitget's pages of accounts and of sub-accounts' keys."""

WITH_TRANSFERS = frozenset({"deribit", "hyperliquid"})
"""Venues where the right to withdraw cannot be had apart from that to transfer."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a key may do.

    Attributes
    ----------
    withdraws
        Whether it may withdraw; a text: why that is not known.
    anywhere
        Whether any address may use it; None: not told.
    """

    withdraws: bool | str
    anywhere: bool | None = None


async def _binance(login: Login) -> Rights:
    told = await login.call("sapi_get_account_apirestrictions", {})
    return Rights(bool(told["enableWithdrawals"]), _not(told.get("ipRestrict")))


async def _bybit(login: Login) -> Rights:
    told = (await login.kept("private_get_v5_user_query_api", {}))["result"]
    addresses = told.get("ips")
    anywhere = "*" in addresses if isinstance(addresses, list) else None
    return Rights("Withdraw" in told["permissions"]["Wallet"], anywhere)


async def _okx(login: Login) -> Rights:
    told = (await login.kept("private_get_account_config", {}))["data"][0]
    return Rights("withdraw" in str(told["perm"]).split(","), _not(told.get("ip")))


def _not(told: object) -> bool | None:
    return None if told is None else not told


async def _deribit(login: Login) -> bool:
    client, nonce = login.client, "rights"
    stamp = str(client.nonce())
    text = f"{stamp}\n{nonce}\n"
    signature = hmac.new(client.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    asked = {"grant_type": "client_signature", "client_id": client.apiKey, "timestamp": stamp,
             "nonce": nonce, "data": "", "signature": signature}  # fmt: skip
    told = await login.call("public_get_auth", asked)
    return "wallet:read_write" in str(told["result"]["scope"]).split()


async def _bitget(login: Login) -> bool:
    told = await login.call("private_spot_get_v2_spot_account_info", {})
    words = {str(word) for word in told["data"]["authorities"]}
    if "withdraw" in words:
        return True
    unknown = sorted(words - BITGET_WORDS)
    if unknown:
        raise VenueError(f"rights {', '.join(unknown)} are on no page read")
    return False


async def _kucoin(login: Login) -> bool:
    told = await login.call("private_get_user_api_key", {})
    return "Withdrawal" in str(told["data"]["permission"]).split(",")


async def _gate(login: Login) -> bool:
    """Read the one key on the list whose unmasked beginning is ours."""
    if login.config.master is not None:
        raise VenueError(f"of a sub-account's key: {UNTOLD}")
    told = await login.call("private_account_get_main_keys", {})
    own = str(login.client.apiKey)
    found = [row for row in (rows(told) if isinstance(told, list) else [told])
             if own.startswith(str(row["key"]).partition("*")[0] or " ")]  # fmt: skip
    if len(found) != 1:
        raise VenueError(f"{len(found)} keys of the list begin like this one")
    return any(
        str(row["name"]).startswith("withdraw") and row.get("read_only") is not True
        for row in found[0]["perms"]
    )


async def _hyperliquid(login: Login) -> bool:
    """Tell the user's own key from that of an API wallet."""
    client = login.client
    signer = str(client.eth_get_address_from_private_key(client.privateKey)).lower()
    if signer == str(client.walletAddress).lower():
        return True
    told = await login.call(INFO, {"type": "userRole", "user": signer})
    if told["role"] == "agent":
        return False
    raise VenueError(f"what signs is the address of a {told['role']}, not of an API wallet")


async def _kraken(login: Login) -> bool:
    raise VenueError(f"what a key may do {UNTOLD}: {login.venue} has no page on it")


TELLS: Mapping[str, Callable[[Login], Awaitable[bool | Rights]]] = {
    "binance": _binance,
    "bitget": _bitget,
    "bybit": _bybit,
    "deribit": _deribit,
    "gate": _gate,
    "hyperliquid": _hyperliquid,
    "krakenfutures": _kraken,
    "kucoinfutures": _kucoin,
    "okx": _okx,
}


async def rights(logins: Mapping[str, Login]) -> dict[str, Rights]:
    """Ask of every login what its key may do."""
    return {name: await _asked(login) for name, login in logins.items()}


async def _asked(login: Login) -> Rights:
    try:
        login.signs.check()
        await login.prepare()
        told = await TELLS[login.venue](login)
    except VenueError as error:
        return Rights(str(error))
    except (KeyError, IndexError, TypeError) as error:
        return Rights(f"{login.venue}'s answer has no {error}")
    return told if isinstance(told, Rights) else Rights(told)
