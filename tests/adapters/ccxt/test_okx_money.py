"""Transfers and withdrawals at OKX: each once, under its own key."""

from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Rejected,
    Unknown,
)
from tests.adapters.ccxt.okx_words import (
    EVERY_FAULT,
    Ask,
    Run,
    effects,
    found_at_last,
    transfer,
)
from tests.adapters.times import ago

ROUTES = {
    "out": ("okx-main-fund", "bybit-fund", "USDT-TRC20", "TBybitFundOne1111111111111111111111"),
    "back": ("bybit-fund", "okx-main-fund", "TRX", "TOkxFundOne111111111111111111111111"),
}


def test_money_moves_between_accounts_and_members_under_its_own_key(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    moves = [
        transfer(),
        transfer(client_id="own1", target="okx-main-fund", amount="0.1"),
        transfer(client_id="up1", source="okx-a", target="okx-main-fund", amount="20.00000001"),
        transfer(client_id="down1", source="okx-main-fund", target="okx-b-fund", amount="7"),
    ]

    async def work(opened: Opened) -> None:
        for intent in moves:
            venue = opened.venues[intent.source]
            assert isinstance(await venue.find(intent, ago()), AbsentNow)
            ack = await venue.submit(intent)
            assert isinstance(ack, Ack)
            assert await venue.submit(intent) == ack
            found = await venue.find(intent, ago())
            assert isinstance(found, Found)
            assert (found.venue_id, found.state, found.filled) == (
                ack.venue_id, "settled", intent.amount,
            )  # fmt: skip
        fund = await opened.venues["okx-main-fund"].read()
        assert fund.wallets["USDT"] == Decimal("40013.10000001")
        member = await opened.venues["okx-a"].read()
        assert member.wallets["USDT"] == Decimal("12980.09999999")

    run(okx, work)
    assert effects(emulator, "transfers") == [1, 1, 1, 1]


def test_a_member_sends_to_another_only_with_the_right(run: Run, okx: Config, ask: Ask) -> None:
    intent = transfer(source="okx-b", target="okx-a", amount="5")

    async def refused(opened: Opened) -> None:
        outcome = await opened.venues["okx-b"].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "58119"

    async def taken(opened: Opened) -> None:
        venue = opened.venues["okx-b"]
        assert isinstance(await venue.submit(intent), Ack)
        assert isinstance(await venue.find(intent, ago()), Found)

    run(okx, refused)
    ask(okx, "okx-main", "private_post_users_subaccount_set_transfer_out", {"subAcct": "okxb"})
    run(okx, taken)


def test_more_than_there_is_does_not_move(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main"].submit(transfer(amount="99999999"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "58116"

    run(okx, work)


@pytest.fixture
def both(okx_data: dict[str, Any], bybit_data: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            **okx_data,
            "logins": okx_data["logins"] | bybit_data["logins"],
            "accounts": okx_data["accounts"] + bybit_data["accounts"],
            "routes": [
                {"id": name, "from": source, "to": target, "asset": "USDT", "kind": "onchain",
                 "latency_s": 600}
                for name, (source, target, _, _) in ROUTES.items()
            ],
            "addresses": {
                name: {"network": network, "address": address}
                for name, (_, _, network, address) in ROUTES.items()
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize(("kind", "executed"), [("", True), *EVERY_FAULT])
def test_a_withdrawal_is_under_way_until_the_other_venue_credits_it(
    run: Run, both: Config, emulator: Emulator, route: str, kind: str, executed: bool
) -> None:
    source_name, target_name, _, _ = ROUTES[route]
    intent = transfer(route=route, source=source_name, target=target_name, amount="5000.5")

    async def work(opened: Opened) -> None:
        source, target = opened.venues[source_name], opened.venues[target_name]
        since = ago(1)
        before = (await target.read()).wallets["USDT"]
        assert isinstance(await source.find(intent, since), AbsentNow)
        if kind:
            emulator.fault({"kind": kind, "method": "POST"})
        assert isinstance(await source.submit(intent), Unknown if kind else Ack)
        finding = await found_at_last(source, intent)
        assert isinstance(finding, Found if executed else AbsentNow)
        if not isinstance(finding, Found):
            return
        assert (finding.state, finding.filled) == ("in_transit", 0)
        emulator.admin("POST", "clock", advance_ms=1600)
        finding = await source.find(intent, since)
        assert isinstance(finding, Found)
        assert (finding.state, finding.filled) == ("settled", intent.amount)
        assert (await target.read()).wallets["USDT"] == before + intent.amount

    run(both, work)
    assert effects(emulator, "withdrawals") == ([1] if executed else [])


def test_a_route_takes_fee_minimum_and_step_from_the_venue(run: Run, both: Config) -> None:
    async def work(opened: Opened) -> None:
        route = (await opened.market.gather()).snapshot.route["out"]
        assert (route.fee, route.min, route.step) == (Decimal("1.5"), 2, Decimal("0.000001"))
        assert route.enabled

    run(both, work)


def test_nothing_is_withdrawn_to_an_address_that_is_not_registered(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intent = transfer(source="okx-main-fund", target="bybit-fund", route="out")

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main-fund"].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(okx, work)
    assert effects(emulator, "withdrawals") == []


@pytest.mark.parametrize(
    ("source", "first", "second"),
    [("okx-main-fund", "okx-main", "okx-b-fund"), ("okx-main-fund", "okx-b-fund", "okx-main"),
     ("okx-a", "okx-a-fund", "okx-main-fund"), ("okx-a", "okx-main-fund", "okx-b-fund")],
)  # fmt: skip
def test_a_transfer_of_another_type_is_not_one_that_is_not_there(
    run: Run, okx: Config, source: str, first: str, second: str
) -> None:
    """One code says that an id is unknown and that it is of another type."""
    sent = transfer(client_id="typed1", source=source, target=first, amount="1")
    asked = sent.model_copy(update={"target": second})

    async def work(opened: Opened) -> None:
        venue = opened.venues[source]
        assert isinstance(await venue.find(asked, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        found = await venue.find(asked, ago())
        assert isinstance(found, Found)
        assert found.venue_id == ack.venue_id

    run(okx, work)
