"""Which accounts of a configuration are one margin pool: each pool may be one account only.

What is read as two accounts is counted twice: its equity, its positions and what may leave it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

INSIDE: Mapping[tuple[str, str], frozenset[str]] = {
    ("binance", "unified"): frozenset({"usdm", "coinm"}),
}
"""By venue and wallet: wallets of the same user that are part of its pool."""

WITHIN_MASTER = frozenset({"okx"})
"""Venues whose names of members are unique only below one main account."""


@dataclass(frozen=True, slots=True)
class Pool:
    """An account, and by what its venue tells whose it is.

    Attributes
    ----------
    key
        What the login is known by: a reference, or what that refers to.
    member, root
        The venue's id of the user, empty where none is configured, and the login of its master.
    """

    account: str
    wallet: str
    login: str
    venue: str
    key: str = field(repr=False)
    member: str = ""
    root: str = ""


def pool_problems(pools: Sequence[Pool]) -> Iterator[tuple[int, str]]:
    """Yield the place of each account whose pool another before it is of already, and why."""
    for i, pool in enumerate(pools):
        for other in pools[:i]:
            why = _same_user(pool, other)
            if why is not None and _overlap(pool, other):
                yield (
                    i,
                    (
                        f"wallet {pool.wallet} of login {pool.login} is in account "
                        f"{other.account} already{why}: it would be counted twice, take one out"
                    ),
                )
                break


def _same_user(one: Pool, other: Pool) -> str | None:
    """Tell by what two accounts are one user's; None: nothing says that they are."""
    if one.venue != other.venue or not one.venue:
        return None
    if one.login == other.login:
        return ""
    if one.key and _plain(one.key) == _plain(other.key):
        return f", whose login {other.login} has the same key"
    near = one.venue not in WITHIN_MASTER or one.root == other.root
    if one.member and near and _plain(one.member) == _plain(other.member):
        return f", whose login {other.login} has the same member"
    return None


def _overlap(one: Pool, other: Pool) -> bool:
    wallets = {one.wallet, other.wallet}
    return len(wallets) == 1 or any(
        mine in wallets and wallets & parts
        for (venue, mine), parts in INSIDE.items()
        if venue == one.venue
    )


def _plain(name: str) -> str:
    """Leave out what no venue tells names apart by: addresses and e-mails in another case."""
    return name if name.startswith(("env:", "file:")) else name.lower()
