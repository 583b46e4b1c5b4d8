"""What only the journal knows is in the snapshot that a plan is made from."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from allocator.models.intents import TransferIntent
from allocator.service.overlay import overlaid
from allocator.whatif.reader import load_scenario

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "margin-rescue-by-transfer.yaml"


def test_account_that_waits_for_an_operator_is_frozen() -> None:
    snapshot = load_scenario(SCENARIO).snapshot
    name = snapshot.accounts[0].id
    out = overlaid(snapshot, {name: "an attempt waits for an operator"}, [])
    assert out.account[name].state == "frozen"
    assert [row.state for row in out.accounts[1:]] == [row.state for row in snapshot.accounts[1:]]


def test_money_under_way_is_in_flight_to_its_receiver() -> None:
    snapshot = load_scenario(SCENARIO).snapshot
    source, target = snapshot.accounts[0].id, snapshot.accounts[1].id
    intent = TransferIntent(
        client_id="0" * 32,
        route="r",
        source=source,
        target=target,
        asset="USDT",
        amount=Decimal(100),
    )
    before = snapshot.account[target].in_flight
    out = overlaid(snapshot, {}, [SimpleNamespace(intent=intent)])  # type: ignore[list-item]
    added = out.account[target].in_flight[len(before) :]
    assert [(row.asset, row.amount, row.direction) for row in added] == [
        ("USDT", Decimal(100), "in")
    ]
    assert out.account[source] == snapshot.account[source]
