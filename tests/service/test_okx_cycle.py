"""A configuration with OKX accounts is examined, gathered, decided and carried out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.emulator.world import demo_world
from allocator.models.base import json_value
from allocator.models.config import Config
from allocator.service.bootstrap import anchored, open_desk
from allocator.service.cli.main import run
from allocator.service.cycle import Outcome, run_cycle
from allocator.service.doctor import examine
from allocator.whatif.reader import load_config
from tests.execution.limits import NOBODY, wide


@pytest.fixture
def path(tmp_path: Path, emulator: Emulator) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir()
    logins = dict[str, Any]()
    for key in demo_world().keys:
        name = key.key.removesuffix("-key")
        if not name.startswith("okx"):
            continue
        told = {"key": key.key, "secret": key.secret, "passphrase": key.passphrase}
        for field, word in told.items():
            (keys / f"{name}.{field}").write_text(word)
            (keys / f"{name}.{field}").chmod(0o600)
        logins[name] = {
            "venue": "okx",
            "member": name.replace("-", ""),
            **{field: f"file:keys/{name}.{field}" for field in told},
            **({} if name == "okx-main" else {"master": "okx-main"}),
        }
    accounts = [
        {"id": name, "login": name, "wallet": "unified", "owner": "fund-one",
         "instruments": ["BTC/USDT:USDT", "ETH/USDT:USDT"], "order_budget": 20}
        for name in logins
    ]  # fmt: skip
    fund = {"id": "okx-fund", "login": "okx-main", "wallet": "funding", "owner": "fund-one"}
    data = {
        "version": 1,
        "mode": "loopback",
        "approval": json_value(NOBODY),
        "controls": json_value(wide()),
        "loopback_url": emulator.base_url,
        "database": f"sqlite:///{tmp_path / 'journal.db'}",
        "logins": logins,
        "accounts": [*accounts, fund],
        "assets": {"USDT": {"price": "1"}, "BTC": {"underlying": "BTC"}},
        "mandate": {
            "targets": [
                {"underlying": "BTC", "delta": "0.5", "unit": "base", "band": "0.02"},
                {"underlying": "ETH", "delta": "0", "unit": "base", "band": "1"},
            ],
            "policy": {
                "margin_buffer": "0.5",
                "order_cost": "1",
                "transfer_cost": "2",
                "max_slice": "50000",
                "collar_bps": 50,
                "risk": {"daily_volatility": {"BTC": "0.03", "ETH": "0.04"}},
                "venue_risk": {"okx": "0.01"},
            },
        },
        "gather": {"deadline_s": 120},
        "execution": {"order_timeout_s": 60, "poll_s": "0.05"},
    }
    written = tmp_path / "config.yaml"
    written.write_text(json.dumps(data))
    return written


def cycle(config: Config) -> Outcome:
    async def whole() -> Outcome:
        async with open_desk(config, "okx") as desk:
            return await run_cycle(
                desk.market, desk.executor, desk.history, config.mandate, approver="desk"
            )

    return asyncio.run(whole())


def test_doctor_reads_every_okx_account_in_full(path: Path) -> None:
    findings = {row.check: row for row in examine(anchored(load_config(path), path.parent))}
    for name in ("okx-main", "okx-a", "okx-b", "okx-fund"):
        assert findings[f"account {name}"].state == "ok"
    assert findings["passphrase of okx-a"].state == "ok"


def test_doctor_names_a_wrong_passphrase_and_what_to_do(path: Path) -> None:
    (path.parent / "keys" / "okx-a.passphrase").write_text("other")
    findings = {row.check: row for row in examine(anchored(load_config(path), path.parent))}
    row = findings["account okx-a"]
    assert (row.state, row.remedy) == (
            "wrong", "check the passphrase of the login: likely Profile > API > Edit",
        )  # fmt: skip
    assert "other" not in row.found


def test_the_command_line_gathers_okx_accounts(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gather", "-c", str(path), "-o", "json"]) == 0
    snapshot = json.loads(capsys.readouterr().out)
    assert {row["venue"] for row in snapshot["accounts"]} == {"okx"}
    assert {row["margin"]["model"] for row in snapshot["accounts"] if row.get("positions")} == {
        "whole_position"
    }


def test_a_cycle_brings_the_okx_book_to_its_target_and_rests(
    path: Path, emulator: Emulator
) -> None:
    config = anchored(load_config(path), path.parent)
    first = cycle(config)
    assert first.gathered.missing == ()
    assert first.plan.status == "act"
    assert first.report is not None
    assert first.report.status == "done", first.report
    counted: Any = emulator.admin("GET", "effects")
    orders = [row for row in counted["orders"] if row["user"].startswith("okx:")]
    assert orders
    assert {row["count"] for row in orders} == {1}
    assert cycle(config).plan.status == "nothing"


def test_a_login_of_okx_without_a_passphrase_is_refused(path: Path) -> None:
    text = json.loads(path.read_text())
    del text["logins"]["okx-a"]["passphrase"]
    with pytest.raises(ValueError, match="passphrase"):
        Config.model_validate(text)
