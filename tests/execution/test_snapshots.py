"""Snapshots that are stale, from the future, partial, of mixed times or of another book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.models.errors import AllocatorError
from tests.execution.book import BTC_A, START, account, order, snapshot, transfer
from tests.execution.desk import Desk
from tests.execution.limits import wide


def aged(seconds: float) -> Callable[[Engine], Desk]:
    def make(lite: Engine) -> Desk:
        desk = Desk.open(lite)
        desk.clock.at += timedelta(seconds=seconds)
        return desk

    return make


def partial(lite: Engine) -> Desk:
    lost = {**account("b", "beta", "-1"), "state": "frozen", "unread": True}
    return Desk.open(lite, start=snapshot(accounts=[account("a", "alpha", "1"), lost]))


def unread(lite: Engine) -> Desk:
    return Desk.open(lite, faults=[Fault("read", "error", account="a", times=10_000)])


def mixed(lite: Engine) -> Desk:
    """One account's reading is of a time before the other's."""
    desk = Desk.open(lite)
    desk.controls = wide(epoch_spread_s=2)
    read = desk.venues["b"].read

    async def earlier() -> Any:
        return (await read()).model_copy(update={"at": START - timedelta(seconds=3)})

    desk.venues["b"].read = earlier  # type: ignore[method-assign]
    return desk


def traded(lite: Engine) -> Desk:
    """Somebody traded between the snapshot and now: its parts are of two books."""
    desk = Desk.open(lite)
    desk.exchange.trade_elsewhere("a", BTC_A, Decimal("0.1"))
    return desk


def moved(lite: Engine) -> Desk:
    desk = Desk.open(lite)
    desk.exchange.holdings["b"].wallet("USDT").add(Decimal(-500))
    return desk


def skewed(lite: Engine) -> Desk:
    desk = Desk.open(lite)

    async def other() -> Any:
        return desk.clock.now() + timedelta(seconds=3)

    desk.venues["a"].server_time = other  # type: ignore[method-assign]
    return desk


CASES = {
    "a minute old": aged(60.001),
    "an hour old": aged(3600),
    "from the future": aged(-1.001),
    "lacks an account": partial,
    "an account cannot be read": unread,
    "readings of two times": mixed,
    "a position was changed": traded,
    "a wallet was changed": moved,
    "a clock that is another": skewed,
}


ELSEWHERE = ("a wallet was changed", "readings of two times")
"""Faults of account b alone: a plan that leaves it alone is none the worse."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "actions",
    [[order(1, "a", "sell", "0.1")], [transfer(1, "100")], [order(1, "a", "buy", "0.1"),
     order(2, "b", "sell", "0.1", after=[1]), transfer(3, "100", after=[2])]],
    ids=["order", "transfer", "chain"],
)  # fmt: skip
def test_nothing_is_done_on_a_snapshot_that_is_no_picture_of_the_book(
    lite: Engine, case: str, actions: list[dict[str, Any]]
) -> None:
    desk = CASES[case](lite)
    made = desk.plan(*actions)
    try:
        report = asyncio.run(desk.executor().run(made, desk.start, desk.mandate))
    except AllocatorError:
        pass
    else:
        touched = {row.get("account", "b") for row in actions} | {row.get("to") for row in actions}
        untouched = case in ELSEWHERE and "b" not in touched
        assert report.status == ("done" if untouched else "superseded")
        if untouched:
            return
    assert not desk.exchange.received
    assert not desk.exchange.effects
    assert desk.journal().history.attempts(made.plan_hash) == ()
