"""What the venues tell of the keys that ask: what they may do, and whom they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.adapters.ccxt.rights import Rights, rights
from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.ccxt.users import User, users
from allocator.models.config import Config


@dataclass(frozen=True, slots=True)
class Keys:
    """What was told, by login.

    Attributes
    ----------
    users
        Whom keys belong to; a login that is not told of is left out.
    """

    rights: Mapping[str, Rights]
    users: Mapping[str, User]


async def keys(config: Config) -> Keys:
    """Ask of every login."""
    sessions = Sessions(config, reads_only=True)
    try:
        return Keys(await rights(sessions.logins), await users(sessions.logins))
    finally:
        await sessions.close()
