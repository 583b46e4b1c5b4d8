"""Base against shocked: both plans are decided, compared, told and kept."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

import allocator
from allocator.execution import schema
from allocator.execution.database import connect
from allocator.models.errors import ConfigError
from allocator.service.cli.main import run
from allocator.whatif.comparison import WhatIf
from allocator.whatif.document import FileError
from allocator.whatif.folder import Folder
from allocator.whatif.reader import load_recipe, load_scenario
from tests.whatif.grids import CRASH, SCENARIOS

CALM = SCENARIOS / "margin-rescue-by-transfer.yaml"


@pytest.fixture(scope="module")
def crash() -> WhatIf:
    return allocator.what_if(CRASH)


def test_both_sides_are_what_decide_says_of_them(crash: WhatIf) -> None:
    scenario = load_scenario(CRASH)
    assert crash.shocked.plan == allocator.decide(scenario.snapshot, scenario.mandate)
    base = crash.base
    assert base.plan == allocator.decide(base.snapshot, base.mandate)
    assert base.snapshot.assets["BTC"].price == 64000
    assert crash.shocked.snapshot.assets["BTC"].price == 48000
    assert (base.mandate.policy.margin_buffer, crash.shocked.mandate.policy.margin_buffer) == (
        Decimal("0.25"),
        Decimal("0.4"),
    )


def test_what_changed_is_told_with_its_reason(crash: WhatIf) -> None:
    (change,) = crash.changes()
    assert change.base == ""
    assert change.shocked.startswith("send 20,320.05 USDT from bybit-short to bybit-long")
    assert "misses 20,320.00 USD of maintenance margin in stress more" in change.why


def test_what_is_no_longer_done_is_told_with_the_reason_it_had() -> None:
    done = allocator.what_if(CALM, shock={"targets": {}, "deposits": [_deposit(CALM)]})
    (change,) = done.changes()
    assert change.shocked == ""
    assert change.why.startswith("no more: funds ")


def _deposit(file: Path) -> dict[str, str]:
    snapshot = load_scenario(file).snapshot
    poor = snapshot.route["bin-byb-usdt"].target
    return {"account": poor, "asset": "USDT", "amount": "500000"}


def test_figures_of_both_sides_have_the_same_names_in_the_same_order(crash: WhatIf) -> None:
    figures = {what: (a, b) for what, a, b in crash.figures()}
    assert figures["status"] == ("nothing", "act")
    assert figures["transfers"] == (0, 1)
    assert figures["cost total"] == (0, crash.shocked.plan.cost.total)


def test_what_is_done_is_listed_in_its_order(crash: WhatIf) -> None:
    assert [line.split(" ")[0] for line in crash.notes] == [
        "mandate.policy.margin_buffer",
        "snapshot.accounts.bybit-long.fees.taker",
        "prices",
    ]


def test_a_file_without_a_change_has_one_side_only() -> None:
    done = allocator.what_if(CALM)
    assert done.base is done.shocked
    assert done.notes == ()
    assert done.changes() == []


def test_a_book_at_hand_may_be_shocked_without_a_file() -> None:
    scenario = load_scenario(CALM)
    done = allocator.what_if(
        (scenario.snapshot, scenario.mandate), shock=[{"prices": {"BTC": "-1%"}}]
    )
    assert done.base.plan == allocator.decide(scenario.snapshot, scenario.mandate)
    assert done.shocked.snapshot.assets["BTC"].price == Decimal("63360")


def test_data_of_a_scenario_may_not_read_files() -> None:
    data = {"snapshot": {"file": "/etc/passwd"}, "mandate": {}}
    with pytest.raises(FileError, match="files cannot be referred to here"):
        allocator.what_if(data)


def test_a_sound_change_on_a_broken_base_tells_what_is_wrong_with_the_base(tmp_path: Path) -> None:
    text = (
        CRASH.read_text()
        .replace("horizon_h", "x")
        .replace('margin_buffer: "0.25"', 'margin_buffer: "-1"')
    )
    (tmp_path / "x.yaml").write_text(text)
    load_scenario(tmp_path / "x.yaml")
    with pytest.raises(FileError, match=r"x.yaml:\d+:\d+: mandate.policy.margin_buffer: must not"):
        load_recipe(tmp_path / "x.yaml")


# the command


def test_the_command_ends_with_eight_when_an_expectation_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(CRASH.read_text().replace("transfers: {min: 1, max: 1}", "transfers: {max: 0}"))
    assert run(["what-if", str(path)]) == 8
    out = capsys.readouterr().out
    assert "Does NOT come out as expected." in out
    assert "transfers: expected at most 0, got 1" in out
    assert run(["what-if", str(CRASH), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["wrong"] == []


def test_several_files_are_told_one_after_the_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    assert run(["what-if", str(CRASH), str(CALM), "-o", "csv", "--report", str(folder)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert {row.split(",")[0] for row in rows[1:]} == {CRASH.stem, CALM.stem}
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{CRASH.stem}.html",
        f"{CALM.stem}.html",
    ]


def test_a_shock_of_another_file_is_added(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["what-if", str(CALM), "--shock", str(CRASH), "-o", "json"]) in (0, 8)
    data = json.loads(capsys.readouterr().out)
    assert data["done"] == [load_recipe(CRASH).notes()[-1]]


def test_what_is_done_is_told_as_a_file_would_have_it() -> None:
    shock = {"venues": {"binance": {"outage": True, "withdrawals": "halted"}}}
    done = allocator.what_if(CALM, shock=shock)
    assert done.notes == ("venues {binance: {outage: true, withdrawals: halted}}",)


def test_what_is_saved_is_found_again_by_its_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], crash: WhatIf
) -> None:
    assert run(["what-if", str(CRASH), "--save", "--store", str(tmp_path)]) == 0
    name = capsys.readouterr().err.split()[-1]
    folder = Folder(tmp_path)
    kept = folder.load("what-if", name[:8])
    assert kept == folder.load("what-if", "latest")
    assert kept["shocked"]["plan_hash"] == crash.shocked.plan.plan_hash
    stored = tmp_path / "stored.yaml"
    mandate = '{policy: {margin_buffer: "0.25"}}'
    hash_ = crash.base.plan.snapshot_hash
    stored.write_text(f"snapshot: {{stored: {hash_}}}\nmandate: {mandate}\n")
    assert run(["what-if", str(stored), "--store", str(tmp_path), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["base"]["snapshot_hash"] == hash_


def test_a_stored_snapshot_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "stored.yaml"
    stored.write_text("snapshot: {stored: latest}\nmandate: {}\n")
    assert run(["what-if", str(stored), "--store", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told == f"{stored}:1:20: snapshot.stored: no snapshot 'latest' is stored\n"
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    engine = connect(url)
    schema.upgrade(engine)
    engine.dispose()
    assert run(["what-if", str(stored), "--store", str(tmp_path), "--database", url]) == 2
    assert capsys.readouterr().err == told


def test_what_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    name = folder.save("what-if", {"a": 1})
    assert folder.load("what-if", name) == {"a": 1}
    (tmp_path / "what-if" / f"{name}.json").write_text('{"a":2}')
    with pytest.raises(ConfigError, match="is not what was stored"):
        folder.load("what-if", "latest")
    assert folder.load("what-if", "nothing") is None
    assert folder.load("what-if", "../secret") is None
