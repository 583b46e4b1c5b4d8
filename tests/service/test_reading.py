"""Money under way is counted once, wherever it is, and not at all where nobody can say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.adapters.paper.records import TransferRecord
from allocator.adapters.paper.venue import PaperMarket
from allocator.decide import decide
from allocator.execution.history import History
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.ports import Gathered
from allocator.risk.volume import worth
from allocator.service.overlay import overlaid, with_record
from allocator.service.reading import Reading, read_book
from allocator.state import Book
from tests.execution.book import BTC_A, account, instrument, order, snapshot, transfer
from tests.execution.desk import Desk

COINS = Mandate.model_validate(
    {
        "targets": [{"underlying": "BTC", "delta": "5", "unit": "base", "band": "0.05"}],
        "policy": {
            "max_slice": "20000",
            "risk_aversion": "0.000001",
            "horizon_h": 8,
            "margin_buffer": "0.5",
            "collar_bps": 50,
            "risk": {"daily_volatility": {"BTC": "0.03"}},
        },
    }
)
SENT = {**transfer(1, "2"), "asset": "BTC"}
FIVE = Decimal(5)


@dataclass
class Silent:
    """The exchange as adapters read it: money that is to arrive shows nowhere."""

    desk: Desk
    late: timedelta = timedelta()
    gathers: int = 0

    async def gather(self) -> Gathered:
        self.gathers += 1
        self.desk.clock.at += self.late
        gathered = await PaperMarket(self.desk.exchange).gather()
        rows = tuple(row.model_copy(update={"in_flight": ()}) for row in gathered.snapshot.accounts)
        bare = gathered.snapshot.model_copy(update={"accounts": rows})
        return replace(gathered, snapshot=bare)


def coins(name: str, venue: str, units: str) -> dict[str, Any]:
    row = account(name, venue, "0", "500000")
    row["balances"]["BTC"] = {"wallet": units, "withdrawable": units}
    row["positions"] = {BTC_A: {"quantity": "0", "leverage": "10"}} if venue == "alpha" else {}
    return row


def desk_of(engine: Engine, *faults: Fault) -> Desk:
    way = {"id": "a-b", "from": "a", "to": "b", "asset": "BTC", "fee": "0", "latency_s": "60"}
    start = snapshot(
        assets={
            "USDT": {"price": "1"},
            "BTC": {"price": "50000", "underlying": "BTC", "haircut": "0"},
        },
        instruments=[instrument(BTC_A)],
        accounts=[coins("a", "alpha", "5"), coins("b", "beta", "0"), coins("c", "alpha", "0")],
        routes=[way],
        moves=[],
    )
    return Desk.open(engine, start=start, mandate=COINS, faults=faults)


def given_up(desk: Desk) -> None:
    """Send money, and give its plan up while it is on its way."""

    def come_by(row: Any) -> None:
        if row.state == "in_transit" and not desk.held("a", BTC_A):
            desk.exchange.trade_elsewhere("a", BTC_A, Decimal("0.01"))

    desk.watch = come_by
    assert desk.run(SENT, order(2, "a", "buy", "0.001")).status == "superseded"
    desk.watch = lambda _row: None
    desk.exchange.trade_elsewhere("a", BTC_A, Decimal("-0.01"))


def read(desk: Desk, late: timedelta = timedelta()) -> Reading:
    return asyncio.run(read_book(Silent(desk, late), desk.executor(), History(desk.engine)))


def coins_of(seen: Snapshot) -> Decimal:
    held = sum((row.balances["BTC"].wallet for row in seen.accounts), Decimal(0))
    return held + sum((way.amount for row in seen.accounts for way in row.in_flight), Decimal(0))


def carry_out(desk: Desk, seen: Snapshot) -> tuple[str, str]:
    """Carry out what is decided of a snapshot."""
    plan = decide(seen, COINS)
    assert plan.actions
    desk.start = seen
    report = asyncio.run(desk.executor().run(plan, seen, COINS))
    return report.status, report.why


def test_money_on_its_way_is_counted_with_its_receiver(lite: Engine) -> None:
    desk = desk_of(lite)
    given_up(desk)
    seen = read(desk)
    assert coins_of(seen.snapshot) == FIVE
    assert not seen.unclear
    assert decide(seen.snapshot, COINS).actions == ()


def test_money_that_arrives_while_accounts_are_read_is_counted_once(lite: Engine) -> None:
    desk = desk_of(lite)
    given_up(desk)
    desk.resume()
    seen = read(desk, late=timedelta(seconds=61))
    assert coins_of(seen.snapshot) == FIVE
    assert seen.snapshot.account["b"].balances["BTC"].wallet == 2
    assert not seen.unclear


def test_money_that_a_venue_cannot_tell_of_is_unclear(lite: Engine) -> None:
    desk = desk_of(lite)
    given_up(desk)
    desk.clock.at += timedelta(seconds=120)
    desk.exchange.faults.add(Fault("find", "error"))
    seen = read(desk)
    assert "2 BTC from a to b" in seen.unclear
    assert coins_of(read(desk).snapshot) == FIVE


def test_plan_that_counts_arrived_money_twice_is_not_begun(lite: Engine) -> None:
    """Made from the record's word alone, as `allocator propose` makes it."""
    desk = desk_of(lite)
    given_up(desk)
    desk.clock.at += timedelta(seconds=120)
    bare = asyncio.run(Silent(desk).gather()).snapshot
    twice = with_record(bare, History(desk.engine))
    assert coins_of(twice) == 7
    status, why = carry_out(desk, twice)
    assert status == "superseded"
    assert "b BTC: expected 4" in why
    assert desk.held("c", BTC_A) == desk.held("a", BTC_A) == 0


def test_plan_that_was_made_while_money_was_on_its_way_goes(lite: Engine) -> None:
    desk = desk_of(lite)
    given_up(desk)
    desk.exchange.trade_elsewhere("c", BTC_A, Decimal(-1))
    seen = read(desk).snapshot
    desk.clock.at += timedelta(seconds=59)
    status, why = carry_out(desk, seen)
    assert (status, why) == ("done", "")


def test_money_that_waits_for_an_operator_is_not_bought_again(lite: Engine) -> None:
    desk = desk_of(lite, Fault("transfer", "stuck"))
    before = worth(Book.of(desk.start, COINS))
    desk.run(SENT)
    desk.clock.at += timedelta(seconds=1)
    seen = read(desk)
    assert decide(seen.snapshot, COINS).actions == ()
    assert worth(Book.of(seen.snapshot, COINS)) == before
    assert "waits for an operator: `allocator resolve" in seen.unclear


@pytest.mark.parametrize("comes_back", [False, True])
def test_money_that_an_operator_has_not_looked_for_is_counted_once_when_it_ends(
    lite: Engine, comes_back: bool
) -> None:
    desk = desk_of(lite, Fault("transfer", "stuck"))
    before = worth(Book.of(desk.start, COINS))
    desk.run(SENT)
    (record,) = (r for r in desk.exchange.records.values() if isinstance(r, TransferRecord))
    record.due, record.comes_back = desk.clock.at + timedelta(seconds=1), comes_back
    executor, record_of, late = desk.executor(), History(desk.engine), timedelta(seconds=2)
    for gathers in (2, 1, 1):
        market = Silent(desk, late)
        seen = asyncio.run(read_book(market, executor, record_of))
        assert coins_of(seen.snapshot) == FIVE
        assert worth(Book.of(seen.snapshot, COINS)) == before
        assert "waits for an operator: `allocator resolve" in seen.unclear
        assert market.gathers == gathers


def test_no_exposure_is_enlarged_while_part_of_it_waits_for_an_operator(lite: Engine) -> None:
    desk = desk_of(lite, Fault("transfer", "stuck"))
    desk.run(SENT)
    desk.clock.at += timedelta(seconds=1)
    bare = asyncio.run(Silent(desk).gather()).snapshot
    seen = overlaid(bare, History(desk.engine).frozen(), ())
    with pytest.raises(RefusedError, match="UNCLEAR_MONEY: 2 BTC from a to b"):
        carry_out(desk, seen)
    assert desk.held("c", BTC_A) == 0
