"""What-ifs, sweeps and snapshots kept in a folder, each under the hash of what is in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from allocator.models.canonical import canonical_json
from allocator.models.errors import ConfigError

LATEST: Final = "latest"
SHORTEST: Final = 6
"""Characters of a hash that name what it is of."""


FOREIGN: Final = re.compile(r"[^\w.+=@-]+")
"""What stands in no file's name."""

LONGEST: Final = 60
"""Characters of a file's name, without its ending: 240 bytes at most."""


class Folder:
    """Keeps JSON data by kind and hash; what is written once is never changed.

    Parameters
    ----------
    root
        Made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, kind: str, data: Mapping[str, Any], *, latest: bool = True) -> str:
        """Write data, and remember it as the latest of its kind if it is.

        Returns
        -------
        Its hash, the name it is found by.
        """
        text = canonical_json(data)
        name = sha256(text.encode()).hexdigest()
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{name}.json", text)
        if latest:
            _write(folder / LATEST, name)
        return name

    def names(self, kind: str) -> list[tuple[str, datetime]]:
        """List the hashes of a kind with the time each was last written, the latest first."""
        rows = [
            (path.stem, datetime.fromtimestamp(path.stat().st_mtime, UTC))
            for path in (self.root / kind).glob("*.json")
        ]
        return sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)

    def load(self, kind: str, name: str) -> Any:
        """Read data by its hash, the beginning of it, or ``latest``; None: there is none.

        Raises
        ------
        ConfigError
            When several begin so, or when what is stored is not what was hashed.
        """
        folder = self.root / kind
        if name == LATEST and (folder / LATEST).is_file():
            name = (folder / LATEST).read_text("utf-8").strip()
        if len(name) < SHORTEST or not name.isalnum():
            return None
        found = sorted(folder.glob(f"{name}*.json"))
        if len(found) > 1:
            raise ConfigError(f"{kind} {name!r} may be any of {len(found)} that begin so")
        if not found:
            return None
        text = found[0].read_text("utf-8")
        if sha256(text.encode()).hexdigest() != found[0].stem:
            raise ConfigError(f"{found[0]}: is not what was stored: its hash is another")
        return json.loads(text)


def file_name(name: str) -> str:
    """Make a name that any file system takes, and that leads nowhere else, of any text."""
    return FOREIGN.sub("-", name)[:LONGEST].strip("-.") or "unnamed"


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)
