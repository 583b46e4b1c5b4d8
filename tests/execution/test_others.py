"""Whose an order is that a reading shows: its name decides, and without one what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.attempts import Attempt
from allocator.execution.client_ids import client_id
from allocator.execution.history import History
from allocator.models.account import SeenOrder
from allocator.models.intents import OrderIntent
from tests.execution.book import SLICED, order
from tests.execution.desk import CONFIG, Desk
from tests.execution.limits import wide
from tests.execution.working import run

LONG = timedelta(seconds=30)
"""For longer than the paper venue's reads lag."""

STYLE = CONFIG.model_copy(update={"style": "post_only", "post_only_tries": 2})
PLAN = order(1, "a", "buy", "0.4")
"""0.4 contracts beside one, all of 70,000: one order of 0.2 more is too much."""

OWN = "the name of the request"


@dataclass(frozen=True)
class Shown:
    """What stands once a request has ended.

    Attributes
    ----------
    name
        The client id that the row bears; None: not told.
    looks
        How it differs from the request.
    late
        Whether it has been over for longer than reads lag.
    """

    what: str
    name: str | None
    counts: bool
    late: bool = False
    looks: tuple[tuple[str, Any], ...] = ()


SHOWN = (
    Shown("a row without a name that looks like ours", None, counts=False),
    Shown("ours", OWN, counts=False),
    Shown("ours at a price that the venue has rounded", OWN, counts=False,
          looks=(("price", Decimal("49999")),)),
    Shown("ours in a size that the venue has changed", OWN, counts=False,
          looks=(("quantity", Decimal("0.3")),)),
    Shown("another's", "x-web-1", counts=True),
    Shown("a smaller one of another's", "x-web-1", counts=True,
          looks=(("quantity", Decimal("0.1")),)),
    Shown("another's that bears none", "", counts=True),
    Shown("of another installation", client_id("other", "ab" * 32, 1, 1, 1), counts=True),
    Shown("ours, which still stands though it is on record as over", OWN, counts=True, late=True),
)  # fmt: skip


@pytest.mark.parametrize("shown", SHOWN, ids=lambda row: row.what)
def test_an_order_counts_as_another_s_by_the_name_that_it_bears(lite: Engine, shown: Shown) -> None:
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(position_value=Decimal(70_000))
    read = desk.venues["a"].read

    def stands() -> tuple[SeenOrder, ...]:
        over = [row for row in requests(lite) if row.final]
        if not over:
            return ()
        intent = over[-1].intent
        assert isinstance(intent, OrderIntent)
        row = SeenOrder(
            instrument=intent.instrument, side=intent.side, quantity=intent.quantity,
            price=intent.limit_price, client_id=shown.name,
        )  # fmt: skip
        if shown.name == OWN:
            row = row.model_copy(update={"client_id": intent.client_id})
        return (row.model_copy(update=dict(shown.looks)),)

    async def later() -> Any:
        if shown.late:
            desk.clock.at += LONG
        return (await read()).model_copy(update={"open_orders": stands()})

    desk.venues["a"].read = later  # type: ignore[method-assign]
    report = run(desk, PLAN, config=STYLE)
    assert ("POSITION_VALUE" in report.why) is shown.counts
    assert (report.status == "done") is not shown.counts, report.why


def requests(engine: Engine) -> list[Attempt]:
    history = History(engine)
    plans = [row.plan_hash for row in history.cycles() if row.plan_hash is not None]
    return [row for name in plans for row in history.attempts(name)]


def test_a_name_takes_its_request_away_from_rows_without_one(lite: Engine) -> None:
    """Two rows that look like one request: the one that bears its name is ours, and no other."""
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(position_value=Decimal(70_000))
    read = desk.venues["a"].read

    async def later() -> Any:
        over = [row.intent for row in requests(lite) if row.final][-1:]
        told = [
            SeenOrder(
                instrument=intent.instrument, side=intent.side, quantity=intent.quantity,
                price=intent.limit_price, client_id=name,
            )
            for intent in over if isinstance(intent, OrderIntent)
            for name in (None, intent.client_id)
        ]  # fmt: skip
        return (await read()).model_copy(update={"open_orders": tuple(told)})

    desk.venues["a"].read = later  # type: ignore[method-assign]
    assert "POSITION_VALUE" in run(desk, PLAN, config=STYLE).why
