"""Who looks at the dashboard: sessions of this process, begun with a token or a one-time code."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from allocator.models.config import Config
from allocator.service.http.tokens import Principal, Tokens

COOKIE = "allocator_session"
"""The beginning of the cookie's name."""

LASTS = timedelta(hours=12)
MOST = 1000

MOST_OF_ONE = 20
"""Sessions of one name: whoever comes in more often ends his own oldest, and nobody else's."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that has shown a token.

    Attributes
    ----------
    csrf
        Stands in every form; a request that acts has to bring it back.
    """

    name: str
    csrf: str
    until: datetime


def cookie_of(config: Config) -> str:
    """Name the cookie of a service.

    Browsers tell the cookies of one host apart by their names alone: the books of a host, each at
    its own port, would put theirs in one another's place.
    """
    told = f"{config.installation}\n{config.service.http.port}"
    return f"{COOKIE}_{hashlib.sha256(told.encode()).hexdigest()[:12]}"


class Sessions:
    """Sessions by the random id in the cookie.

    Attributes
    ----------
    cookie
        What the cookie is called.
    """

    def __init__(self, tokens: Tokens, cookie: str = COOKIE) -> None:
        self.cookie = cookie
        self._tokens = tokens
        self._sessions = dict[str, Session]()
        self._codes = dict[str, str]()
        self._lock = threading.Lock()

    def code(self, name: str) -> str:
        """Make a code that begins one session of a principal, once."""
        made = secrets.token_urlsafe(24)
        self._codes[made] = name
        return made

    def enter(self, code: str, now: datetime) -> str | None:
        """Begin a session with a code; None when it is not good (any longer)."""
        name = self._codes.pop(code, None)
        return None if name is None else self.begin(name, now)

    def login(self, token: str, now: datetime) -> str | None:
        """Begin a session with a token; None when it is not good."""
        found = self._tokens.find(token, now)
        return None if found is None else self.begin(found.name, now)

    def begin(self, name: str, now: datetime) -> str:
        """Begin a session; returns its id."""
        made = secrets.token_urlsafe(32)
        session = Session(name, secrets.token_urlsafe(32), now + LASTS)
        with self._lock:
            kept = {key: row for key, row in self._sessions.items() if row.until > now}
            mine = [key for key, row in kept.items() if row.name == name]
            for key in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
                del kept[key]
            while len(kept) >= MOST:
                del kept[next(iter(kept))]
            kept[made] = session
            self._sessions = kept
        return made

    def find(self, key: str | None, now: datetime) -> tuple[Session, Principal] | None:
        """Find a session whose token still holds."""
        row = self._sessions.get(key or "")
        if row is None or row.until <= now:
            return None
        holder = self._tokens.named(row.name, now)
        return None if holder is None else (row, holder)

    def end(self, key: str | None) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(key or "", None)


def same(given: str, wanted: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(given.encode(), wanted.encode())
