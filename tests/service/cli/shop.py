"""A desk of the demo, and the commands typed at it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from allocator.adapters.emulator.testing import Emulator
from allocator.service.cli.main import run


@dataclass
class Shop:
    """A configuration on the loopback exchanges, and the commands typed at it."""

    path: Path
    emulator: Emulator
    capsys: pytest.CaptureFixture[str]

    def type(self, *words: str) -> tuple[int, str]:
        self.capsys.readouterr()
        status = run([words[0], "-c", str(self.path), *words[1:]])
        shown = self.capsys.readouterr()
        return status, shown.out + shown.err

    def set(self, **over: Any) -> None:
        """Change the configuration; a mapping changes the keys below."""
        yaml = YAML()
        data = yaml.load(self.path.read_text())
        for key, value in over.items():
            if isinstance(value, Mapping):
                data[key].update(value)
            else:
                data[key] = value
        with self.path.open("w") as file:
            yaml.dump(data, file)

    def proposed(self) -> str:
        status, told = self.type("propose")
        found = re.search(r"proposed: ([0-9a-f]{64})", told)
        assert status == 0, told
        assert found is not None, told
        return found.group(1)

    def approved(self) -> str:
        hash_ = self.proposed()
        assert self.type("approve", hash_, "--as", "ann", "--reason", "fine")[0] == 0
        return hash_

    def moved(self) -> int:
        effects: Any = self.emulator.admin("GET", "effects")
        return len(effects["moves"])

    def sent(self) -> int:
        log: Any = self.emulator.admin("GET", "requests")
        return sum(row["method"] == "POST" and bool(row["signed_by"]) for row in log)


def flat(told: str) -> str:
    """Undo the breaking of lines."""
    return " ".join(told.split())
