"""Which configured ways are offered: only what can be sent, and seen to arrive."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from allocator.adapters.routes import internal_routes, sendable
from allocator.adapters.sources import AccountSource
from allocator.models.config import Config
from allocator.models.intents import Capabilities
from allocator.models.snapshot import Route

ALL = Capabilities(withdrawals=True, sees_deposits=True, moves=True)


def place(name: str, told: Capabilities = ALL, *, near: bool = True) -> AccountSource:
    row = SimpleNamespace(
        config=SimpleNamespace(id=name), capabilities=told, reaches=lambda target: near
    )
    return cast("AccountSource", row)


def route(kind: str) -> Route:
    data: dict[str, Any] = {"id": "way", "from": "a", "to": "b", "asset": "USDT", "kind": kind}
    return Route.model_validate({**data, "latency_s": 60})


def offered(kind: str, a: AccountSource, b: AccountSource) -> tuple[bool, tuple[Any, ...]]:
    (kept,), _, problems = sendable(Config(), [route(kind)], [a, b])
    return kept.enabled, problems


@pytest.mark.parametrize("sends", [True, False])
def test_ways_inside_a_venue_are_found_where_transfers_are_sent_and_by_its_steps(
    sends: bool,
) -> None:
    def holder(name: str) -> Any:
        return SimpleNamespace(
            config=SimpleNamespace(id=name), capabilities=Capabilities(transfers=sends),
            reaches=lambda target: True, accepts=lambda asset: asset == "USDC",
            transfer_step=Decimal("1e-6"),
        )  # fmt: skip

    held = {"USDC": SimpleNamespace(withdrawable=1), "PURR": SimpleNamespace(withdrawable=1)}
    accounts: Any = {name: SimpleNamespace(balances=held) for name in "ab"}
    found = internal_routes([holder("a"), holder("b")], accounts)
    told = [(row.source, row.target, row.asset, row.step) for row in found]
    step = Decimal("0.000001")
    assert told == ([("a", "b", "USDC", step), ("b", "a", "USDC", step)] if sends else [])


@pytest.mark.parametrize("kind", ["onchain", "internal"])
def test_what_can_be_sent_and_seen_to_arrive_is_offered(kind: str) -> None:
    assert offered(kind, place("a"), place("b")) == (True, ())


def test_a_withdrawal_that_is_not_sent_is_off_and_named_with_its_sender() -> None:
    told = ALL.model_copy(update={"withdrawals": False})
    assert offered("onchain", place("a", told), place("b")) == (
        False, (("a", "route way: nothing is withdrawn from here"),)
    )  # fmt: skip


def test_a_withdrawal_that_nobody_sees_arrive_is_off_and_named_with_its_receiver() -> None:
    told = ALL.model_copy(update={"sees_deposits": False})
    assert offered("onchain", place("a"), place("b", told)) == (
        False, (("b", "route way: no arrival is seen here"),)
    )  # fmt: skip


def test_what_is_not_known_to_be_seen_is_not_seen() -> None:
    assert not Capabilities().sees_deposits


def test_an_edge_of_a_settlement_network_stays_in_sight_and_is_off() -> None:
    """It is part of the book's map; that no adapter sends by it is said before anybody plans it."""
    assert offered("settlement", place("a"), place("b")) == (
        False, (("a", "route way: no adapter sends by a settlement network"),)
    )  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [place("a", near=False), place("a", ALL.model_copy(update={"transfers": False}))],
    ids=["not linked", "sends none"],
)
def test_a_transfer_between_accounts_that_are_not_linked_is_off_and_named(
    source: AccountSource,
) -> None:
    assert offered("internal", source, place("b")) == (
        False, (("a", "route way: no transfer from here goes there"),)
    )  # fmt: skip


def test_a_route_to_an_account_nobody_reads_is_left_as_it_is() -> None:
    (kept,), _, problems = sendable(Config(), [route("onchain")], [place("a")])
    assert (kept.enabled, problems) == (True, ())
