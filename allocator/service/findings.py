"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    state
        ``ok``; ``note``: works, worth knowing; ``wrong``: a run would not work.
    remedy
        What to do; empty when nothing is wrong.
    """

    check: str
    state: Literal["ok", "note", "wrong"]
    found: str
    remedy: str = ""
