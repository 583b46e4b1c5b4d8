"""Heads of the audit, kept outside its database: rows cut off at its end leave no other trace."""

from __future__ import annotations

import errno
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from sqlalchemy.exc import SQLAlchemyError

from allocator.execution.audit import Fault, Head
from allocator.execution.history import History
from allocator.models.base import stamp
from allocator.models.errors import StaleError
from allocator.models.service import HistoryConfig
from allocator.ports import Clock
from allocator.service.outage import words_of

NAME = "audit-heads"
PATIENCE_S = 2.0
"""Seconds that a cycle waits for the file: its place may hang as a lost mount does."""

LINE = re.compile(r"(\d{1,18}) ([0-9a-f]{64})(?: .*)?", re.ASCII)

log = logging.getLogger(__name__)


def anchor_file(config: HistoryConfig) -> Path:
    """Tell where heads are kept: where the configuration says, or in the history's folder."""
    return Path(config.folder) / NAME if config.anchors is None else Path(config.anchors)


class Anchors:
    """Keeps the head of an audit, in a file and in the log, whenever it has moved.

    Parameters
    ----------
    path
        A file that is only appended to: a line for each head, with the event's number, its hash
        and the time.
    patience_s
        Seconds that the file is waited for.
    """

    def __init__(
        self, path: Path, history: History, clock: Clock, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._path = path
        self._history = history
        self._clock = clock
        self._patience_s = patience_s
        self._last: Head | None = None
        self._writing: Thread | None = None

    def keep(self) -> None:
        """Append the head; what stands in the way is told in the log and holds up nothing.

        What was carried out is on record already: not to go on would help nobody. A write that
        hangs is left behind; until it ends nothing more is written, nor waited for.
        """
        try:
            self._keep()
        except (SQLAlchemyError, RuntimeError) as error:
            log.warning("AUDIT_ANCHOR: the head cannot be kept: %s", words_of(error))

    def _keep(self) -> None:
        head = self._history.head()
        if head is None or head == self._last:
            return
        log.info("audit head", extra={"seq": head.seq, "hash": head.hash})
        if self._writing is None or not self._writing.is_alive():
            line = f"{head.seq} {head.hash} {stamp(self._clock.now())}\n"
            self._writing = Thread(
                target=self._write, args=(head, line), name="audit head", daemon=True
            )
            self._writing.start()
            self._writing.join(self._patience_s)
        if self._writing.is_alive():
            log.warning("AUDIT_ANCHOR: %s hangs: it has not taken a head yet", self._path)

    def _write(self, head: Head, line: str) -> None:
        try:
            _append(self._path, line)
        except OSError as error:
            log.warning("AUDIT_ANCHOR: %s cannot be written: %s", self._path, error)
        else:
            self._last = head


def _append(path: Path, line: str) -> None:
    """Append a line; one that a crash or a full disk has torn before stays a line by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = f"\n{line}".encode() if _torn(path) else line.encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        if os.write(handle, data) != len(data):
            raise OSError(errno.ENOSPC, "the line was written in part only")
        os.fsync(handle)
    finally:
        os.close(handle)


def _torn(path: Path) -> bool:
    """Whether a file ends within a line; one that may only be appended to is taken as whole."""
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except (FileNotFoundError, PermissionError):
        return False


@dataclass(frozen=True, slots=True)
class Kept:
    """Heads that are kept of a record.

    Attributes
    ----------
    path
        The file; None: no heads are kept.
    heads, faults
        What it tells, and what is wrong with the file itself.
    """

    path: Path | None = None
    heads: tuple[Head, ...] = ()
    faults: tuple[Fault, ...] = ()

    def verify(self, history: History) -> tuple[Fault, ...]:
        """Check a record's audit, against these heads as well; empty when all is well."""
        return (*self.faults, *history.verify(self.heads))


def known_heads(config: HistoryConfig, history: History) -> Kept:
    """Read the heads that a configuration's record has left, if any.

    A file that the configuration names and that is gone is a fault, once anything is on record.

    Raises
    ------
    StaleError
        As `kept_heads` does.
    """
    path = anchor_file(config)
    if path.exists():
        return kept_heads(path)
    if config.anchors is None or history.head() is None:
        return Kept()
    gone = f"no heads are kept where service.history.anchors says: {path}"
    return Kept(faults=(Fault(None, gone),))


def kept_heads(path: Path) -> Kept:
    """Read the heads that a file keeps; a line that is none is a fault.

    Raises
    ------
    StaleError
        When it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StaleError(f"the heads of the audit cannot be read: {path}: {error}") from error
    found = [(number, LINE.fullmatch(line)) for number, line in enumerate(lines, 1)]
    return Kept(
        path,
        tuple(Head(int(row[1]), row[2]) for _, row in found if row is not None),
        tuple(
            Fault(None, f"{path}:{number}: this is no head of an audit")
            for number, row in found
            if row is None
        ),
    )
