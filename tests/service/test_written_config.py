"""What `allocator init` writes for a desk to begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from allocator.risk.triggers import Observation, watch
from allocator.whatif.reader import load_config


def test_its_trigger_on_losses_fires_on_each_day_that_has_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    source = files("allocator.service").joinpath("config.yaml")
    path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    rules = tuple(row for row in load_config(path).service.triggers if row.on == "pnl")
    seen = [((20, 20), "-10001"), ((21, 0), "0"), ((21, 9), "-10001"), ((21, 10), "-10002")]
    lines, fired = {}, list[datetime]()
    for (day, hour), earned in seen:
        at = datetime(2026, 11, day, hour, 5, tzinfo=UTC)
        lines, firings = watch(rules, lines, Observation(at, {"pnl": {"book": Decimal(earned)}}))
        fired += [at for _ in firings]
    assert [(at.day, at.hour) for at in fired] == [(20, 20), (21, 9)]
