"""Triggers that nobody would look at are a mistake of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.service.sites import config

LOSS = {"id": "loss", "on": "pnl", "threshold": "-5000"}
BOOK: dict[str, Any] = {"id": "one", "accounts": ["a", "b"], "database": "sqlite:///one.db"}


def test_triggers_without_a_monitor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"poll_s is 0.*loss"):
        config(tmp_path, service={"poll_s": "0", "triggers": [LOSS]})
    assert config(tmp_path, service={"poll_s": "0"}).service.triggers == ()
    assert config(tmp_path, service={"poll_s": "30", "triggers": [LOSS]}).service.triggers


def test_triggers_of_a_book_without_a_monitor_are_refused(tmp_path: Path) -> None:
    apart: dict[str, Any] = {"mandate": {}, "service": {"poll_s": "0"}}
    with pytest.raises(ValidationError, match=r"poll_s is 0.*loss"):
        config(tmp_path, books=[{**BOOK, "triggers": [LOSS]}], **apart)
    assert config(tmp_path, books=[BOOK], **apart).books
