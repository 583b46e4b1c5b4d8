"""What one instance knows beside the record: whether it leads, the latest marks, progress."""

from __future__ import annotations

import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from allocator.execution.report import Progress
from allocator.models.snapshot import Snapshot
from allocator.service.mandate_versions import Unreadable
from allocator.service.monitor.marks import Marks

MOST_PROGRESS = 500


def new_holder() -> str:
    """Name an instance: host and process, and a random part, since containers share both."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


@dataclass(slots=True)
class Live:
    """Shared by the parts of one instance; nothing in it has to survive.

    Attributes
    ----------
    holder
        Names the instance.
    leads
        Whether it leads.
    led_at
        When it began to lead; None: it does not.
    busy
        Name of the slot that is being carried out; empty: none.
    ticked_at
        When its timer last ticked.
    snapshot, missing, unclear
        The book as it was last read, what of it was not, and money that may be anywhere.
    unreadable
        The mandate that holds, where it could not be read at the last look.
    progress
        The latest steps of executions, numbered.
    """

    holder: str
    leads: bool = False
    epoch: int | None = None
    led_at: datetime | None = None
    busy: str = ""
    ticked_at: datetime | None = None
    marks: Marks | None = None
    snapshot: Snapshot | None = None
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    unclear: str = ""
    unreadable: Unreadable | None = None
    progress: deque[tuple[int, Progress]] = field(
        default_factory=lambda: deque[tuple[int, Progress]](maxlen=MOST_PROGRESS)
    )
    told: list[Callable[[Progress], None]] = field(default_factory=list[Callable[[Progress], None]])
    _count: int = 0

    def steps(self) -> tuple[tuple[int, Progress], ...]:
        """Tell the latest steps, as of now, while others are taken in."""
        return tuple(self.progress)

    def follow(self) -> None:
        """Stop leading: what it knew as the leader grows old, and must not be told as the book."""
        self.leads, self.epoch, self.led_at, self.busy = False, None, None, ""
        self.marks, self.snapshot, self.missing = None, None, {}

    @property
    def steps_made(self) -> int:
        """How many steps were ever taken in."""
        return self._count

    def step(self, row: Progress) -> None:
        """Take in a step of an execution."""
        self._count += 1
        self.progress.append((self._count, row))
        for tell in self.told:
            tell(row)
