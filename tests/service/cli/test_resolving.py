"""Requests that went to an operator, ended from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from allocator.adapters.paper import Fault
from allocator.execution.attempts import Attempt
from allocator.execution.database import connect
from allocator.execution.schema import upgrade
from allocator.execution.transitions import State
from allocator.service.binding import bind
from allocator.service.bootstrap import read_config
from allocator.service.cli.main import run
from allocator.service.demo import prepare
from tests.execution.book import START, WHOLE, order
from tests.execution.desk import Desk


@dataclass
class Held:
    """A request that waits for somebody, and the command that ends it."""

    path: Path
    desk: Desk
    attempt: Attempt
    capsys: pytest.CaptureFixture[str]

    def resolve(self, *words: str) -> tuple[int, str]:
        self.capsys.readouterr()
        by = ("--as", "ann", "--evidence", "order page")
        status = run(["resolve", self.attempt.client_id, "-c", str(self.path), *by, *words])
        shown = self.capsys.readouterr()
        return status, shown.out + shown.err

    def now(self) -> Attempt:
        found = self.desk.journal().history.attempt(self.attempt.client_id)
        assert found is not None
        return found


@pytest.fixture
def held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Held]:
    path = prepare(tmp_path)
    config = read_config(path)
    engine = connect(config.database)
    upgrade(engine)
    bind(engine, config.installation, START)
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(engine, faults=faults, mandate=WHOLE)
    desk.run(order(1, "a", "sell", "0.5"))
    (attempt,) = desk.journal().history.with_state(State.MANUAL)
    yield Held(path, desk, attempt, capsys)
    engine.dispose()


def test_what_was_filled_is_booked_at_the_price_and_fee_that_are_told(held: Held) -> None:
    paid = ("--price", "49999.5", "--fee", "USDT=4.9", "--fee", "BTC=-0.00001")
    status, told = held.resolve("--to", "cancelled", "--filled", "0.2", *paid)
    assert status == 0, told
    assert "cancelled, 0.2 at 49999.5" in told
    now = held.now()
    assert (now.state, now.filled, now.average_price) == (
        State.CANCELLED,
        Decimal("0.2"),
        Decimal("49999.5"),
    )
    assert now.fees == {"USDT": Decimal("4.9"), "BTC": Decimal("-0.00001")}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--price", "49000"), 6),
        (("--price", "dear"), 2),
        (("--fee", "4.9"), 2),
        (("--fee", "USDT=much"), 2),
        (("--fee", "USDT=1", "--fee", "USDT=2"), 2),
        (("--fee", "DOGE=1"), 6),
    ],
)
def test_price_or_fee_that_cannot_be_ends_nothing(
    held: Held, words: tuple[str, ...], status: int
) -> None:
    assert held.resolve("--to", "cancelled", "--filled", "0.2", *words)[0] == status
    assert held.now().state is State.MANUAL
