"""As of when may be dropped what is too old: a clock that is wrong must not empty a store."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

log = logging.getLogger(__name__)


class Tidying:
    """Remembers in a file as of when was tidied last, and goes on from there in small steps.

    Parameters
    ----------
    most
        How far beyond the last time the next may lie. After a longer pause it takes some steps
        to catch up; a clock that is years ahead costs a step each time.
    """

    def __init__(self, file: Path, most: timedelta) -> None:
        self._file = file
        self._most = most

    def until(self, now: datetime) -> datetime | None:
        """Tell as of when may be dropped; None: nothing, for it is not known when it last was."""
        last = self._last()
        return None if last is None else min(now, last + self._most)

    def keep(self, at: datetime) -> None:
        """Remember as of when was tidied."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f"{self._file.name}.draft")
        draft.write_text(at.isoformat(), "ascii")
        os.replace(draft, self._file)

    def _last(self) -> datetime | None:
        try:
            found = datetime.fromisoformat(self._file.read_text("ascii").strip())
        except FileNotFoundError:
            return None
        except ValueError:
            log.warning("%s cannot be read: nothing is dropped this time", self._file)
            return None
        if found.tzinfo is None:
            log.warning("%s names no time zone: nothing is dropped this time", self._file)
            return None
        return found
