"""A book with accounts at Deribit, gathered, decided and carried out on the loopback exchanges."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.base import json_value
from allocator.models.config import Config
from allocator.service.bootstrap import open_desk
from allocator.service.cycle import Outcome, run_cycle
from allocator.service.doctor import examine
from tests.execution.limits import NOBODY, wide

INVERSE, LINEAR = "BTC/USD:BTC", "BTC/USDC:USDC"
CALL, PUT = "BTC/USD:BTC-300628-70000-C", "BTC/USD:BTC-300628-60000-P"
ETHER = "ETH/USD:ETH"


def configuration(emulator: Emulator, folder: Path) -> dict[str, Any]:
    logins = dict[str, Any]()
    members = {
        "deribit-main": "5001", "deribit-a": "5002", "deribit-b": "5003", "bybit-main": "10000001",
    }  # fmt: skip
    for name, member in members.items():
        for kind in ("key", "secret"):
            path = folder / f"{name}.{kind}"
            path.touch(mode=0o600)
            path.write_text(f"{name}-{kind}")
        venue = name.partition("-")[0]
        logins[name] = {
            "venue": venue,
            "key": f"file:{folder / name}.key",
            "secret": f"file:{folder / name}.secret",
            "member": member,
            "master": "deribit-main" if name in ("deribit-a", "deribit-b") else None,
        }
    instruments = {
        "deribit-main": [INVERSE, LINEAR, CALL],
        "deribit-a": [INVERSE, LINEAR],
        "deribit-b": [PUT, ETHER],
        "bybit-main": ["BTC/USDT:USDT"],
    }
    return {
        "mode": "loopback",
        "approval": json_value(NOBODY),
        "controls": json_value(wide()),
        "loopback_url": emulator.base_url,
        "database": f"sqlite:///{folder / 'journal.db'}",
        "logins": logins,
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "fund-one",
             "instruments": rows, "order_budget": 10}
            for name, rows in instruments.items()
        ],
        "assets": {
            "USDT": {"price": "1"},
            **{name: {"haircut": "0"} for name in ("BTC", "ETH", "USDC")},
        },
        "mandate": {
            "targets": [
                {"underlying": "BTC", "delta": "9.5", "unit": "base", "band": "0.05"},
                {"underlying": "ETH", "delta": "25", "unit": "base", "band": "1"},
            ],
            "policy": {
                "risk_aversion": "0.000001", "margin_buffer": "0.3", "order_cost": "1",
                "transfer_cost": "2", "max_slice": "50000",
                "risk": {"daily_volatility": {"BTC": "0.03", "ETH": "0.04"},
                         "correlation": [["BTC", "ETH", "0.8"]]},
            },
        },
        "gather": {"deadline_s": 120},
        "execution": {"order_timeout_s": 60, "transfer_timeout_s": 60, "poll_s": "0.05"},
    }  # fmt: skip


def cycle(config: Config, slot: str) -> Outcome:
    async def whole() -> Outcome:
        async with open_desk(config, "book") as desk:
            return await run_cycle(
                desk.market, desk.executor, desk.history, config.mandate, approver="op", slot=slot
            )

    return asyncio.run(whole())


def test_a_book_across_deribit_and_bybit_is_brought_to_its_target(tmp_path: Path) -> None:
    with running_emulator() as emulator:
        config = Config.model_validate(configuration(emulator, tmp_path))
        done = cycle(config, "first")
        assert done.gathered.missing == ()
        assert done.plan.status == "act"
        assert any(
            action.kind == "order" and action.instrument.startswith("deribit:")
            for action in done.plan.actions
        )
        assert done.report is not None
        assert (done.report.status, done.report.breaks) == ("done", ())
        again = cycle(config, "second")
        assert again.plan.status == "nothing"


def test_an_order_whose_answer_is_lost_is_taken_up_and_never_sent_again(tmp_path: Path) -> None:
    with running_emulator() as emulator:
        config = Config.model_validate(configuration(emulator, tmp_path))
        emulator.fault({"kind": "drop_after", "path": "/api/v2/private/sell", "times": 2})
        done = cycle(config, "first")
        assert done.report is not None
        assert (done.report.status, done.report.breaks) == ("done", ())
        effects: Any = emulator.admin("GET", "effects")
        labels = [row for row in effects["orders"] if row["user"].startswith("deribit:")]
        assert labels
        assert {row["count"] for row in labels} == {1}
        requests: Any = emulator.admin("GET", "requests")
        lost = [row for row in requests if row["fault"] == "drop_after"]
        assert lost


def test_the_doctor_reads_deribit_and_names_a_wrong_secret(tmp_path: Path) -> None:
    with running_emulator() as emulator:
        config = Config.model_validate(configuration(emulator, tmp_path))
        found = {row.check: row for row in examine(config)}
        assert found["account deribit-main"].state == "ok"
        (tmp_path / "deribit-a.secret").write_text("another")
        found = {row.check: row for row in examine(config)}
        wrong = found["account deribit-a"]
        assert (wrong.state, wrong.remedy) == (
            "wrong",
            "check the key and the secret of the login: likely Account > API Management > Edit",
        )  # fmt: skip
        assert found["account deribit-main"].state == "ok"


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("RefusalError: 13004: invalid_credentials", "key of the login"),
        ("RefusalError: 13021: forbidden: scope trade:read is missing", "scope"),
        ("VenueError: margin model cross_pm is not read by this adapter", "standard margin"),
        ("VenueError: MARGIN_IDENTITY: BTC-PERPETUAL initial_margin=2", "rules"),
    ],
)
def test_what_deribit_says_has_its_remedy(what: str, remedy: str) -> None:
    from allocator.service.remedies import remedy_for

    assert remedy in remedy_for(what)
