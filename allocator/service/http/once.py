"""Each acting request once: what was answered under an idempotency key is answered again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.models.errors import RefusedError
from allocator.models.service import KeepConfig
from allocator.models.service_records import ReplyRow
from allocator.service.allowances import MEGABYTE, FullError, beyond, octets

PENDING = 0

LONG = 2_000
"""Characters beyond which an answer is long: a plan is, what became of a deed is not."""


class KeyReusedError(RefusedError):
    """The key stands for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class KeyPendingError(RefusedError):
    """The request under this key is being worked on, or was cut off: look up what became of it."""

    code = "IDEMPOTENCY_KEY_PENDING"


class AnswerGoneError(RefusedError):
    """The request under this key was answered, and the answer was too long to be kept for good."""

    code = "ANSWER_GONE"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: str


def request_hash(method: str, target: str, body: bytes) -> str:
    """Hash what is asked: method, path with query, body."""
    return hashlib.sha256(b"\n".join([method.encode(), target.encode(), body])).hexdigest()


class Replies:
    """Answers by principal and key.

    Parameters
    ----------
    keep
        How much is kept of the answers to one name.
    """

    def __init__(self, engine: Engine, keep: KeepConfig | None = None) -> None:
        self._engine = engine
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._keep = keep or KeepConfig()

    def begin(
        self, principal: str, key: str, asked: str, now: datetime, *, bounded: bool = False
    ) -> Reply | None:
        """Take a key; tell what was answered under it before, None when it is new.

        Parameters
        ----------
        bounded
            Whether it is refused where as many answers to the name are kept as may be.

        Raises
        ------
        KeyReusedError, KeyPendingError, AnswerGoneError, FullError
        """
        try:
            with Session(self._engine) as session, session.begin():
                row = session.get(ReplyRow, (principal, key))
                if row is None:
                    if bounded:
                        self._check_room(session, principal, now)
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
        if not known[1].body:
            raise AnswerGoneError(
                f"{AnswerGoneError.code}: key={key} status={known[1].status}; it was done, and is "
                "not done again; look up what became of it, or ask anew under another key"
            )
        return known[1]

    def _check_room(self, session: Session, principal: str, now: datetime) -> None:
        mine = select(func.count(), func.min(ReplyRow.at)).where(ReplyRow.principal == principal)
        count, oldest = session.exec(mine).one()
        if count < self._keep.answers:
            return
        days = self._keep.replies_days
        raise FullError(
            f"ANSWERS_FULL: name={principal} answers={count}; wait until the oldest go "
            f"(service.keep.replies_days: {days}), or raise service.keep.answers",
            oldest + timedelta(days=days) - now,
        )

    def keep(self, principal: str, key: str, reply: Reply) -> None:
        """Keep what was answered; of the long answers to a name no more than it may keep."""
        with Session(self._engine) as session, session.begin():
            row = session.get(ReplyRow, (principal, key))
            if row is not None:
                row.status, row.body = reply.status, reply.body
                session.add(row)
        if len(reply.body) > LONG:
            self._empty_oldest(principal)

    def _empty_oldest(self, principal: str) -> None:
        """Keep the keys alone of the oldest long answers where they are too long together."""
        length = octets(self._engine, col(ReplyRow.body))
        query = select(ReplyRow.key, length).where(ReplyRow.principal == principal, length > LONG)
        latest = query.order_by(col(ReplyRow.at).desc(), col(ReplyRow.key).desc())
        with Session(self._reads) as session:
            rows = session.exec(latest).all()
        gone = beyond(rows, len(rows), self._keep.answers_mb * MEGABYTE)
        if gone:
            these = col(ReplyRow.principal) == principal, col(ReplyRow.key).in_(gone)
            with Session(self._engine) as session, session.begin():
                session.connection().execute(update(ReplyRow).where(*these).values(body=""))

    def forget(self, principal: str, key: str) -> None:
        """Free a key whose request was refused: nothing was done."""
        with Session(self._engine) as session, session.begin():
            row = session.get(ReplyRow, (principal, key))
            if row is not None and row.status == PENDING:
                session.delete(row)
