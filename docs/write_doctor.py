"""Writes doctor.md: what the doctor command says of each fault that it is there to find.

Run from the root of the tree: ``make doctor``. It runs the command against the loopback exchanges,
with one fault at each venue, and writes down its own lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.crowd import KINDS, crowd, secrets
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.config import Config
from allocator.service.cli.main import run
from bench.gather import configuration

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "doctor.md"
DEADLINE_S = 20
HEAD = """\
# What the doctor says

`allocator doctor -c desk.yaml` checks everything a run stands on: packages, database, secrets,
every account, the right of every key to withdraw, whom it belongs to, and the position mode. It
sends nothing but reads and ends with 5 if something is wrong. This page is written by
`make doctor`, which runs the command against the loopback exchanges with a fault of each kind at
hand; the lines are the command's own (`-o csv`), those of packages, database and secrets left out.
A test keeps it true.

Whether a key may withdraw is told by Binance, Bybit, OKX, Deribit (the scopes of a token), Bitget,
KuCoin, Gate (main accounts' keys) and Hyperliquid (an API wallet may not). Of Kraken Futures no
page tells it, and the doctor says so. A key that any address may use is a note at Binance, Bybit
and OKX, which tell it beside (`addresses of ...`, left out below).

Whom a key belongs to is told by Bybit, OKX (a sub-account's name by the key of its main account)
and Deribit. A `member` or `master` of the configuration that says otherwise is wrong; a `member`
that is missing, so that no money goes between logins, is a note, at whichever venue. Whether
`member` is right elsewhere, as the e-mail at Binance, first shows when money is sent.
"""
KINDS_OF_ROW = ("account ", "rights of ", "member of ", "position mode of ")
SKEW = re.compile(r"(CLOCK_SKEW: )\d+\.\d+( s)")


def page() -> str:
    """Write the page's text."""
    out = [HEAD]
    for title, setting in SECTIONS.items():
        with setting() as emulator:
            lines = "\n".join(said(emulator))
        out.append(f"## {title}\n\n```\n{lines}\n```\n")
    return "\n".join(out)


def said(emulator: Emulator) -> Iterator[str]:
    """Yield the command's lines of accounts and keys; the skew is measured, and told as 30."""
    data = configuration(1, emulator.base_url, DEADLINE_S)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "desk.yaml"
        file.write_text(json.dumps({**data, "database": "sqlite:///allocator.db"}))
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            status = run(["doctor", "-c", str(file), "-o", "csv"])
    lines = shown.getvalue().splitlines()
    yield f"$ allocator doctor -c desk.yaml -o csv; echo $?  # {status}"
    yield lines[0]
    yield from (SKEW.sub(r"\g<1>30\g<2>", line) for line in lines if line.startswith(KINDS_OF_ROW))


@contextlib.contextmanager
def well() -> Iterator[Emulator]:
    """Leave everything well: Deribit's key may not withdraw."""
    with _serving({"deribit": ("account:read", "trade:read_write", "wallet:read")}) as emulator:
        yield emulator


@contextlib.contextmanager
def wrong() -> Iterator[Emulator]:
    """Have Binance in hedge mode, Bybit's key withdraw, Deribit's too, and OKX out of reach."""
    with _serving({"bybit": (*KINDS["bybit"].rights, "withdraw")}) as emulator:
        asyncio.run(_hedge(emulator))
        emulator.fault({"kind": "drop_before", "host": "www.okx.com", "times": 1_000_000})
        yield emulator


@contextlib.contextmanager
def late() -> Iterator[Emulator]:
    """Have this machine's clock half a minute behind the venues'."""
    with well() as emulator:
        emulator.admin("POST", "clock", advance_ms=30_000)
        yield emulator


SECTIONS: Mapping[str, Callable[[], contextlib.AbstractContextManager[Emulator]]] = {
    "All is well": well,
    "Too many rights, a wrong position mode, a venue that cannot be reached": wrong,
    "A skewed clock": late,
}


@contextlib.contextmanager
def _serving(rights: Mapping[str, tuple[str, ...]]) -> Iterator[Emulator]:
    """Run the loopback exchanges with keys of some rights; nobody holds a position."""
    world = crowd(1)
    mine = {secrets(venue, 0)["key"]: told for venue, told in rights.items()}
    keys = tuple(replace(row, permissions=mine.get(row.key, row.permissions)) for row in world.keys)
    world = replace(world, keys=keys, positions=())
    with running_emulator(world=world) as emulator, patch.dict(os.environ):
        yield emulator


async def _hedge(emulator: Emulator) -> None:
    data = configuration(1, emulator.base_url, DEADLINE_S)
    sessions = Sessions(Config.model_validate(data), reads_only=False)
    try:
        login = sessions.logins["binance-000"]
        await login.prepare()
        await login.call("fapiprivate_post_positionside_dual", {"dualSidePosition": "true"})
    finally:
        await sessions.close()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
