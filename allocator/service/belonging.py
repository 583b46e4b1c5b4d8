"""Whether keys belong to whom the configuration says, by what their venues tell.

A `member` or `master` that is wrong keeps nothing from being read: it would show when a transfer is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from allocator.models.config import Config
from allocator.service.findings import Finding
from allocator.service.remedies import remedy

if TYPE_CHECKING:
    from allocator.adapters.ccxt.users import User


def belonging(config: Config, users: Mapping[str, User]) -> Iterator[Finding]:
    """Name each login whose `member` or `master` contradicts what its venue tells of its key.

    So is one without `member` that routes are lost for.

    Parameters
    ----------
    users
        Whom keys belong to, by login; those that are told.
    """
    for name, login in config.logins.items():
        user = users.get(name)
        wrong = [] if user is None else list(_contradicted(config, users, name, user))
        for kind, found in wrong:
            yield Finding(f"member of {name}", "wrong", found, remedy(kind, login.venue))
        if login.member is None:
            if lost := sorted(_unreached(config, name)):
                told = f"; the key is of {user.member}" if user and user.member else ""
                what = f"member is not configured, no money goes to or from {', '.join(lost)}{told}"
                cure = remedy("member", login.venue)
                yield Finding(f"member of {name}", "note", what, cure)
        elif user is not None and not wrong and user.member is not None:
            yield Finding(f"member of {name}", "ok", f"the key is of {user.member}")


def _contradicted(
    config: Config, users: Mapping[str, User], name: str, user: User
) -> Iterator[tuple[str, str]]:
    """Yield what the configuration says otherwise than the venue: kind of remedy, and words."""
    login = config.logins[name]
    if login.member is not None and user.member not in (None, login.member):
        yield "other member", f"member is {login.member}, and the key is of {user.member}"
    subs = [other for other, row in config.logins.items() if row.master == name and other != name]
    if subs and not user.main:
        yield "master", f"is the master of {', '.join(subs)}, and the key is of a sub-account"
    if login.master in (None, name):
        return
    if user.main:
        yield "master", f"master is {login.master}, and the key is of a main account"
    above = users.get(login.master)
    if above is not None and user.parent not in (None, above.id):
        yield (
            "master",
            (
                f"is a sub-account of {user.parent}, and the key of master {login.master} is of "
                f"{above.id}"
            ),
        )


def _unreached(config: Config, name: str) -> set[str]:
    """Name the logins that money would go to or from if `member` of this one were told."""
    from allocator.adapters.ccxt.dialect import leads
    from allocator.adapters.ccxt.dialects import DIALECTS

    login = config.logins[name]
    dialect = DIALECTS.get(login.venue)
    if dialect is None:
        return set()
    mine = [row for row in config.accounts if row.login == name]
    return {
        other.login
        for other in config.accounts
        for own in mine
        if other.login != name
        and (config.logins[other.login].master or other.login) == (login.master or name)
        and (leads(dialect, own, other) or leads(dialect, other, own))
    }
