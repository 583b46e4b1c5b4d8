"""Several mandates in one configuration: apart from each other, or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.models.config import Config
from allocator.models.errors import ConfigError
from allocator.service import demo, loopback
from allocator.service.anchors import anchor_file
from allocator.service.cli.main import run
from allocator.service.mandates import Mandates
from allocator.service.scheduler.slots import Slots
from allocator.whatif.document import FileError
from allocator.whatif.reader import load_config
from tests.service.record import ROOT
from tests.service.test_failover import wait_for

BYBIT = ["bybit-main", "bybit-fund", "bybit-a", "bybit-b"]
BINANCE = ["binance-spot", "binance-usdm", "binance-coinm", "binance-sub1"]
EVERY_S = 5


def split(path: Path, change: Callable[[dict[str, Any]], None] = lambda _data: None) -> Path:
    """Make two books of the demo's one."""
    data: Any = yaml.safe_load(path.read_text())
    targets = data.pop("mandate")["targets"]
    data |= {"routes": [], "addresses": {}}
    every = {"id": "often", "every_s": EVERY_S}
    data["service"] |= {"schedules": [], "triggers": [], "poll_s": "0"}
    data["books"] = [
        {"id": "west", "accounts": BYBIT, "database": f"sqlite:///{path.parent}/west.db",
         "mandate": {"targets": targets}, "schedules": [every], "port": 0},
        {"id": "east", "accounts": BINANCE, "database": f"sqlite:///{path.parent}/east.db",
         "mandate": {"targets_default": "hold"}, "schedules": [every | {"id": "rarely"}],
         "port": 0},
    ]  # fmt: skip
    change(data)
    path.write_text(json.dumps(data))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return demo.prepare(tmp_path / "demo")


def named(path: Path, name: str) -> Config:
    return load_config(f"{path}#{name}")


def test_books_keep_the_heads_of_their_audits_apart(path: Path) -> None:
    heads = {"anchors": str(path.parent / "heads")}
    split(path, lambda data: data["service"]["history"].update(heads))
    files = {anchor_file(named(path, name).service.history).name for name in ("west", "east")}
    assert files == {"heads.west", "heads.east"}


def test_book_has_its_own_accounts_logins_record_schedules_and_mandate(path: Path) -> None:
    split(path)
    west, east = named(path, "west"), named(path, "east")
    assert [row.id for row in west.accounts] == BYBIT
    assert set(west.logins) == {"bybit-main", "bybit-a", "bybit-b"}
    assert set(east.logins) == {"binance-main", "binance-sub1"}
    assert (west.installation, east.installation) == ("demo-west", "demo-east")
    assert west.database != east.database
    assert west.service.history.folder != east.service.history.folder
    assert [row.id for row in east.service.schedules] == ["rarely"]
    assert east.mandate.targets == ()
    assert {row.underlying for row in west.mandate.targets} == {"BTC", "ETH"}


def test_books_without_ports_listen_one_after_the_other(path: Path) -> None:
    split(path, lambda data: [row.pop("port") for row in data["books"]])
    assert [named(path, name).service.http.port for name in ("west", "east")] == [8400, 8401]


def test_command_for_one_book_wants_its_name(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split(path)
    assert run(["token", "make", "alice", "-s", "read", "-c", str(path)]) == 2
    assert "has west, east: name one, as in -c" in capsys.readouterr().err
    assert run(["token", "make", "alice", "-s", "read", "-c", f"{path}#west"]) == 0
    assert (path.parent / "west.db").exists()
    assert not (path.parent / "east.db").exists()
    with pytest.raises(ConfigError, match="name one"):
        named(path, "north")


def change(place: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["books"][place].update(values)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (change(1, accounts=[*BINANCE, "bybit-a"]),
         "account bybit-a is given twice in the books west and east"),
        (change(1, accounts=BINANCE[1:]), "account binance-spot is in no book"),
        (change(1, accounts=[*BINANCE, "kraken"]), "no account kraken"),
        (change(1, id="west"), "name west is given twice"),
        (lambda data: [row.update(port=8500) for row in data["books"]],
         "port 8500 is given twice in the books west and east"),
        (lambda data: [row.update(database="sqlite:///x.db") for row in data["books"]],
         "database sqlite:///x.db is given twice in the books west and east"),
        (lambda data: (data["books"][0].update(accounts=[*BYBIT, "binance-spot"]),
                       data["books"][1].update(accounts=BINANCE[1:])),
         "login binance-main serves the books west and east"),
        (lambda data: data.update(mandate={"policy": {"order_cost": "1"}}),
         "mandate, schedules and triggers are each book's own"),
        (lambda data: data.update(routes=[
            {"id": "r", "from": "binance-spot", "to": "bybit-fund", "asset": "USDT",
             "kind": "onchain", "latency_s": 1}]),
         "route binance-spot to bybit-fund leads from one book into another"),
    ],
)  # fmt: skip
def test_books_that_are_not_apart_are_refused(path: Path, wrong: Any, told: str) -> None:
    split(path, wrong)
    with pytest.raises(FileError) as refused:
        named(path, "west")
    assert told in str(refused.value)


def test_two_books_run_in_one_process_each_by_its_own_schedule(path: Path) -> None:
    exchanges = loopback.start(path.parent / "exchange")
    demo.configuration(path, exchanges.url)
    split(path)
    service = subprocess.Popen(
        [sys.executable, "-m", "allocator", "run", "-c", str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        found = {name: wait_for(lambda n=name: done(path, n), 120) for name in ("west", "east")}
    finally:
        service.send_signal(signal.SIGTERM)
        status = service.wait(60)
        loopback.stop(exchanges)
    assert status == 0
    assert {name: slots[0].source for name, slots in found.items()} == {
        "west": "often",
        "east": "rarely",
    }
    for name in found:
        engine = connect(f"sqlite:///{path.parent}/{name}.db")
        config, history = named(path, name), History(engine)
        published = Mandates(engine, config.installation).published()
        assert published is not None
        assert published.mandate == config.mandate
        assert history.verify() == ()
        proposal = history.proposal(str(found[name][0].plan_hash))
        assert proposal is not None
        accounts = {row.id for row in proposal.snapshot.accounts}
        assert accounts == {row.id for row in config.accounts}
        engine.dispose()


def done(path: Path, name: str) -> list[Any]:
    """List a book's slots that came to a plan."""
    database = path.parent / f"{name}.db"
    if not database.exists():
        return []
    engine = connect(f"sqlite:///{database}")
    try:
        rows = Slots(engine, f"demo-{name}").recent()
    except Exception:  # noqa: BLE001 - the schema is being made
        return []
    finally:
        engine.dispose()
    return [row for row in rows if row.status == "done" and row.plan_hash]
