"""Whom a key belongs to, as the venue tells it of the key that asks.

| venue | who tells |
|-|-|
| Bybit | Get API Key Information: ``userID``, ``isMaster``, ``parentUid`` |
| OKX | Get account configuration: ``uid``, ``mainUid``; names by the main account's list |
| Deribit | private/get_account_summaries, extended: ``id``, ``type`` |

Binance tells a key no e-mail. What the others tell was not read on a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from allocator.adapters.ccxt.okx_terms import members_of
from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.session import Login
from allocator.models.errors import VenueError


@dataclass(frozen=True, slots=True)
class User:
    """Whom a key belongs to.

    Attributes
    ----------
    id
        The venue's id of the user.
    main
        Whether it is a main account, and no sub-account.
    member
        What `member` of the login has to be; None: not told, or any word does.
    parent
        The id of a sub-account's main account; None: not told.
    """

    id: str
    main: bool
    member: str | None = None
    parent: str | None = None


async def _bybit(login: Login) -> User:
    told = (await login.kept("private_get_v5_user_query_api", {}))["result"]
    user, main = text(told, "userID"), told["isMaster"] is True
    return User(user, main, user, None if main else text(told, "parentUid"))


async def _okx(login: Login) -> User:
    told = (await login.kept("private_get_account_config", {}))["data"][0]
    user, parent = text(told, "uid"), text(told, "mainUid")
    return User(user, user == parent, None, None if user == parent else parent)


async def _deribit(login: Login) -> User:
    told = await login.call("private_get_get_account_summaries", {"extended": "true"})
    user = text(told["result"], "id")
    return User(user, text(told["result"], "type") == "main", user)


TELLS: Mapping[str, Callable[[Login], Awaitable[User]]] = {
    "bybit": _bybit,
    "deribit": _deribit,
    "okx": _okx,
}


async def users(logins: Mapping[str, Login]) -> dict[str, User]:
    """Ask of every login whom its key belongs to; one whose venue does not tell is left out."""
    asked = {name: await _asked(login) for name, login in logins.items()}
    found = {name: user for name, user in asked.items() if user is not None}
    return {name: await _named(logins, found, name) for name in found}


async def _asked(login: Login) -> User | None:
    ask = TELLS.get(login.venue)
    if ask is None:
        return None
    try:
        login.signs.check()
        await login.prepare()
        return await ask(login)
    except (VenueError, KeyError, IndexError, TypeError):
        return None


async def _named(logins: Mapping[str, Login], found: Mapping[str, User], name: str) -> User:
    """Have the main account at OKX tell the name of a sub-account, which transfers are sent by."""
    user, master = found[name], logins[name].config.master
    if logins[name].venue != "okx" or user.main or master is None or master not in found:
        return user
    try:
        rows = await members_of(logins[master])
    except VenueError:
        return user
    names = [text(row, "subAcct") for row in rows if row.get("uid") == user.id]
    return replace(user, member=names[0]) if len(names) == 1 else user
