"""Heads of the audit, kept outside its database: rows cut off at its end leave no other trace."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from allocator.execution.audit import Head
from allocator.execution.history import History
from allocator.models.base import stamp
from allocator.models.errors import StaleError
from allocator.models.service import HistoryConfig
from allocator.ports import Clock

NAME = "audit-heads"

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
    """

    def __init__(self, path: Path, history: History, clock: Clock) -> None:
        self._path = path
        self._history = history
        self._clock = clock
        self._last: Head | None = None

    def keep(self) -> None:
        """Append the head; a file that cannot be written is told in the log and holds up nothing.

        What was carried out is on record already: not to go on would help nobody.
        """
        head = self._history.head()
        if head is None or head == self._last:
            return
        self._last = head
        log.info("audit head", extra={"seq": head.seq, "hash": head.hash})
        try:
            _append(self._path, f"{head.seq} {head.hash} {stamp(self._clock.now())}\n")
        except OSError as error:
            self._last = None
            log.warning("AUDIT_ANCHOR: %s cannot be written: %s", self._path, error)


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def known_heads(config: HistoryConfig) -> tuple[Head, ...]:
    """Read the heads that a configuration's record has left, if any.

    Raises
    ------
    StaleError
        As `kept_heads` does.
    """
    path = anchor_file(config)
    return kept_heads(path) if path.exists() else ()


def kept_heads(path: Path) -> tuple[Head, ...]:
    """Read the heads that a file keeps.

    Raises
    ------
    StaleError
        When it cannot be read, with the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StaleError(f"the heads of the audit cannot be read: {path}: {error}") from error
    out = list[Head]()
    for number, line in enumerate(lines, 1):
        seq, _, rest = line.partition(" ")
        hash_ = rest.partition(" ")[0]
        if not seq.isdecimal() or len(hash_) != 64:
            raise StaleError(f"{path}:{number}: this is no head of an audit")
        out.append(Head(int(seq), hash_))
    return tuple(out)
