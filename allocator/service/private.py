"""Files that are nobody else's to read, from the moment that they are there."""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o600


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone may read and write; one that is there is emptied."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE))


def write_private(path: Path, text: str) -> None:
    """Write a text into such a file."""
    make_private(path)
    path.write_text(text, encoding="utf-8")
