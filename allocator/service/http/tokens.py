"""Who may use the API: bearer tokens of 256 random bits, stored as their sha256."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.entries import Entry
from allocator.execution.office import write
from allocator.models.api import SCOPES, Scope
from allocator.models.base import stamp
from allocator.models.errors import ConfigError, RefusedError
from allocator.models.records import PlanRow, VerdictRow
from allocator.models.service_records import TokenRow
from allocator.risk.approvals import person

PREFIX = "alc_"
BYTES = 32


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do."""

    name: str
    scopes: frozenset[str]

    def may(self, *any_of: Scope) -> bool:
        """Tell whether one of the scopes is held."""
        return not self.scopes.isdisjoint(any_of)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed: never the token itself."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def digest(token: str) -> str:
    """Hash a token. It has 256 random bits, so a plain hash can be neither guessed nor reversed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """The tokens of an installation; the audit tells who was given one, and whose ended."""

    def __init__(self, engine: Engine, portfolio: str) -> None:
        self._engine = engine
        self._portfolio = portfolio
        self._reads = engine.execution_options(**{READ_ONLY: True})

    def make(
        self, name: str, scopes: tuple[str, ...], now: datetime, expires_at: datetime | None = None
    ) -> str:
        """Make a token; this is the only time that it is seen.

        Raises
        ------
        ConfigError
            For a scope that there is not, or none.
        RefusedError
            When the name is taken: names stand in the audit, so they are never used again.
        """
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes or not name.strip():
            raise ConfigError(f"a token has a name and scopes of {', '.join(SCOPES)}")
        token = PREFIX + secrets.token_urlsafe(BYTES)
        row = TokenRow(
            name=name,
            digest=digest(token),
            scopes=" ".join(sorted(set(scopes))),
            created_at=now,
            expires_at=expires_at,
        )
        with self._write(now) as entry:
            if entry.session.get(TokenRow, name) is not None:
                raise RefusedError(f"NAME_TAKEN: name={name}")
            entry.session.add(row)
            ends = None if expires_at is None else stamp(expires_at)
            entry.event(f"token:{name}", "made", scopes=row.scopes, expires_at=ends)
        return token

    def revoke(self, name: str, now: datetime) -> None:
        """End a token, and take back what its owner has approved and nobody has begun.

        Raises
        ------
        RefusedError
            When there is none of that name.
        """
        with self._write(now) as entry:
            row = entry.session.get(TokenRow, name)
            if row is None:
                raise RefusedError(f"NO_TOKEN: name={name}")
            if row.revoked_at is None:
                row.revoked_at = entry.at
                entry.session.add(row)
                entry.event(f"token:{name}", "revoked")
            _take_back(entry, name)

    def check_not_revoked(self, name: str, now: datetime) -> None:
        """Take back what was approved under a name while its token was being revoked.

        Whoever revokes it takes back what was said by then; this is for what is said just after.

        Raises
        ------
        RefusedError
            When the token is revoked.
        """
        with Session(self._reads) as session:
            row = session.get(TokenRow, name)
            if row is None or row.revoked_at is None:
                return
        with self._write(now) as entry:
            _take_back(entry, name)
        raise RefusedError(f"TOKEN_REVOKED: name={name}")

    def _write(self, now: datetime) -> AbstractContextManager[Entry]:
        return write(self._engine, self._portfolio, lambda: now)

    def find(self, token: str, now: datetime) -> Principal | None:
        """Tell whose token it is; None when it is nobody's, has expired or was revoked."""
        query = select(TokenRow).where(TokenRow.digest == digest(token))
        with Session(self._reads) as session:
            return _principal(session.exec(query).first(), now)

    def named(self, name: str, now: datetime) -> Principal | None:
        """Tell what a holder may do; None when their token has expired or was revoked."""
        with Session(self._reads) as session:
            return _principal(session.get(TokenRow, name), now)

    def all(self) -> tuple[Token, ...]:
        """List tokens by name."""
        with Session(self._reads) as session:
            rows = session.exec(select(TokenRow).order_by(col(TokenRow.name)))
            return tuple(
                Token(r.name, tuple(r.scopes.split()), r.created_at, r.expires_at, r.revoked_at)
                for r in rows
            )


def _take_back(entry: Entry, name: str) -> None:
    """Retract approvals under a name of plans that are not begun, as their owner could."""
    begun = select(PlanRow.plan_hash).where(col(PlanRow.plan_hash) == VerdictRow.plan_hash)
    query = select(VerdictRow).where(VerdictRow.verdict == "approved", ~begun.exists())
    reason = f"the token of {name} was revoked"
    for row in entry.session.exec(query).all():
        if person(row.who) == person(name):
            row.verdict, row.reason, row.at = "retracted", reason, entry.at
            entry.session.add(row)
            entry.event(f"verdict:{row.plan_hash}:{row.who}", "retracted", reason=reason)


def _principal(row: TokenRow | None, now: datetime) -> Principal | None:
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    return Principal(row.name, frozenset(row.scopes.split()))
