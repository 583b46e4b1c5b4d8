"""Binance: what ccxt's client needs beside its settings: names of endpoints that it lacks."""

from __future__ import annotations

from functools import partial
from typing import Any

PATH = "sub-account/futures/move-position"


def prepare(client: Any) -> None:
    """Give the endpoints that ccxt does not name a name."""
    for verb in ("GET", "POST"):
        asked = partial(client.request, PATH, ["sapi"], verb, config={"cost": 0.1})
        setattr(client, f"sapi_{verb.lower()}_move_position", asked)
