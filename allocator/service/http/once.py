"""Each acting request once: what was answered under an idempotency key is answered again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from allocator.models.errors import RefusedError
from allocator.models.service_records import ReplyRow

PENDING = 0


class KeyReusedError(RefusedError):
    """The key stands for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class KeyPendingError(RefusedError):
    """The request under this key is being worked on, or was cut off: look up what became of it."""

    code = "IDEMPOTENCY_KEY_PENDING"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: str


def request_hash(method: str, target: str, body: bytes) -> str:
    """Hash what is asked: method, path with query, body."""
    return hashlib.sha256(b"\n".join([method.encode(), target.encode(), body])).hexdigest()


class Replies:
    """Answers by principal and key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, principal: str, key: str, asked: str, now: datetime) -> Reply | None:
        """Take a key; tell what was answered under it before, None when it is new.

        Raises
        ------
        KeyReusedError, KeyPendingError
        """
        try:
            with Session(self._engine) as session, session.begin():
                row = session.get(ReplyRow, (principal, key))
                if row is None:
                    new = ReplyRow(
                        principal=principal, key=key, request_hash=asked, status=PENDING, at=now
                    )
                    session.add(new)
                    return None
                known = row.request_hash, Reply(row.status, row.body)
        except IntegrityError as error:
            raise KeyPendingError(f"{KeyPendingError.code}: key={key}") from error
        if known[0] != asked:
            raise KeyReusedError(f"{KeyReusedError.code}: key={key}")
        if known[1].status == PENDING:
            raise KeyPendingError(f"{KeyPendingError.code}: key={key}")
        return known[1]

    def keep(self, principal: str, key: str, reply: Reply) -> None:
        """Keep what was answered."""
        with Session(self._engine) as session, session.begin():
            row = session.get(ReplyRow, (principal, key))
            if row is not None:
                row.status, row.body = reply.status, reply.body
                session.add(row)

    def forget(self, principal: str, key: str) -> None:
        """Free a key whose request was refused: nothing was done."""
        with Session(self._engine) as session, session.begin():
            row = session.get(ReplyRow, (principal, key))
            if row is not None and row.status == PENDING:
                session.delete(row)
