"""What a key may do, as the venue tells it of the key that asks.

Binance: Get API Key Permission (wallet); Bybit: Get API Key Information; OKX: Get account
configuration, `perm`. Deribit tells a key's scopes only to a key that may manage keys, which ours
must not: what it may do is not known there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from allocator.adapters.ccxt.session import Login, Sessions
from allocator.models.config import Config
from allocator.models.errors import VenueError


async def _binance(login: Login) -> bool:
    told = await login.call("sapi_get_account_apirestrictions", {})
    return bool(told["enableWithdrawals"])


async def _bybit(login: Login) -> bool:
    told = await login.call("private_get_v5_user_query_api", {})
    return "Withdraw" in told["result"]["permissions"]["Wallet"]


async def _okx(login: Login) -> bool:
    told = await login.call("private_get_account_config", {})
    return "withdraw" in str(told["data"][0]["perm"]).split(",")


WITHDRAWS: Mapping[str, Callable[[Login], Awaitable[bool]]] = {
    "binance": _binance,
    "bybit": _bybit,
    "okx": _okx,
}


async def may_withdraw(config: Config) -> dict[str, bool | str]:
    """Ask of every login whether its key may withdraw; a text: why that is not known."""
    sessions = Sessions(config, reads_only=True)
    try:
        return {name: await _asked(login) for name, login in sessions.logins.items()}
    finally:
        await sessions.close()


async def _asked(login: Login) -> bool | str:
    ask = WITHDRAWS.get(login.venue)
    if ask is None:
        return f"{login.venue} does not tell a key what it may do"
    try:
        await login.prepare()
        return await ask(login)
    except VenueError as error:
        return str(error)
    except (KeyError, IndexError, TypeError) as error:
        return f"{login.venue}'s answer has no {error}"
