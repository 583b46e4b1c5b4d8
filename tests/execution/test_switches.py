"""Switches of venues that cancel what rests once we fall silent, over restarts and silences."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.execution.database import connect
from allocator.execution.executor import Executor
from allocator.execution.leader import FencedError, next_epoch
from allocator.execution.manual import Verdict, resolve
from allocator.execution.report import ExecutionReport
from allocator.execution.switches import LONG_AGO, Switches
from allocator.execution.transitions import State
from allocator.models.intents import Ack, Capabilities, Outcome, Unknown
from allocator.models.plan import Plan
from tests.execution.book import order
from tests.execution.crashes import (
    Crash,
    DyingJournal,
    DyingVenue,
    Fuse,
    be,
    faults_found,
    fresh,
)
from tests.execution.databases import template
from tests.execution.desk import CONFIG, let_through
from tests.execution.limits import NOBODY, wide
from tests.execution.switched import Exchange, armed_at
from tests.execution.working import RESTING, SINGLE


def test_a_start_sets_the_switch_anew_where_an_order_stands_and_takes_it_back_after(
    engine: Engine,
) -> None:
    at = Exchange(engine)

    def die(row: Any) -> None:
        if row.state == "acked":
            raise Crash

    at.desk.watch = die
    with pytest.raises(Crash):
        at.run()
    at.desk.watch = lambda row: None
    assert at.set_for == {"a"}
    at.told.clear()
    at.stood.clear()
    report = at.resume()
    assert report is not None
    assert (at.told[0], at.stood[0]) == (10, True)
    assert at.told[-1] == 0
    assert at.set_for == set()
    assert at.desk.journal().history.verify() == ()


def test_a_start_takes_back_a_switch_whose_order_was_never_sent(lite: Engine) -> None:
    at = Exchange(lite)
    at.dies = True
    with pytest.raises(Crash):
        at.run()
    at.dies = False
    assert at.set_for == {"a"}
    assert at.desk.journal().history.open_attempts() == ()
    at.told.clear()
    at.desk.controls = wide()
    at.resume()
    assert at.told == [0]
    assert at.set_for == set()


def test_a_plan_given_up_by_a_start_leaves_no_switch_set(lite: Engine) -> None:
    at = Exchange(lite)
    at.dies = True
    with pytest.raises(Crash):
        at.run()
    at.dies = False
    asyncio.run(at.executor().give_up("halted"))
    assert at.set_for == set()


def test_the_switch_of_an_order_that_waits_for_somebody_stays_until_he_has_spoken(
    lite: Engine,
) -> None:
    at = Exchange(lite, Fault("order", "lost_after"), Fault("find", "error", times=10_000))
    at.run()
    at.resume()
    assert at.set_for == {"a"}
    journal = at.desk.journal()
    (attempt,) = journal.history.with_state(State.MANUAL)
    resolve(journal, attempt.client_id, Verdict(State.CANCELLED, Decimal(0), "ann", "order page"))
    at.resume()
    assert at.set_for == set()


def test_a_start_asks_no_switch_that_was_not_set(lite: Engine) -> None:
    at = Exchange(lite)
    assert at.run().status == "done"
    at.told.clear()
    assert at.resume() is None
    assert at.told == []


def test_a_venue_that_did_not_take_a_switch_back_is_asked_again_by_the_next_start(
    lite: Engine,
) -> None:
    at = Exchange(lite)
    at.dies = True
    with pytest.raises(Crash):
        at.run()
    at.dies = False
    venue: Any = at.desk.venues["a"]
    cancel_after = venue.cancel_after

    async def fails(seconds: int) -> Any:
        raise RuntimeError(f"no switch today: {seconds}")

    venue.cancel_after = fails
    at.resume()
    assert at.set_for == {"a"}
    venue.cancel_after = cancel_after
    at.resume()
    assert at.set_for == set()


async def never(*_asked: Any) -> Any:
    await asyncio.Event().wait()


SOON = {"receive_window_s": Decimal("0.01"), "dead_man_s": Decimal(10)}
AT_ONCE = RESTING.model_copy(update={"order_timeout_s": Decimal("0.01")})


@pytest.mark.parametrize("call", ["cancel", "cancel_after"])
def test_a_venue_that_never_answers_holds_nothing_up(lite: Engine, call: str) -> None:
    at = Exchange(lite, able=Capabilities.model_validate(SOON))
    setattr(at.desk.venues["a"], call, never)
    made = at.desk.plan(SINGLE)

    async def bounded() -> ExecutionReport:
        async with asyncio.timeout(60):
            ended: ExecutionReport = await at.executor(AT_ONCE).run(
                made, at.desk.start, at.desk.mandate
            )
            return ended

    report = asyncio.run(bounded())
    events = at.desk.journal().history.events()
    if call == "cancel":
        # The silence let the switch strike, which did what the cancel was asked for.
        assert report.status == "done"
        assert {row.facts["why"] for row in events if row.what == "cancel_unknown"} == {
            "no answer in time"
        }
    else:
        refused = [row.facts["codes"] for row in events if row.what == "refused"]
        assert refused == [["DEAD_MAN"]]


def test_an_order_is_priced_and_stamped_after_its_switch_is_set(lite: Engine) -> None:
    at = Exchange(lite)
    at.desk.controls = wide(dead_man_s=5, reference_age_s=2)
    armed_at(at, took_s=3)
    report = at.run()
    assert report.status == "done", report.why
    rested = [row for row in report_attempts(at) if row.intent.style == "post_only"]
    assert {row.state for row in rested} == {State.CANCELLED}


def report_attempts(at: Exchange) -> list[Any]:
    history = at.desk.journal().history
    return [*history.attempts_since(at.desk.clock.now() - timedelta(days=1))]


@pytest.mark.parametrize(("least", "apart"), [(3, 5 / 3), (30, 10)])
def test_a_switch_is_renewed_after_a_third_of_what_was_asked_and_written_down_once(
    lite: Engine, least: int, apart: float
) -> None:
    at = Exchange(lite, able=Capabilities(dead_man_s=Decimal(least)))
    times = armed_at(at)
    config = RESTING.model_copy(update={"post_only_timeout_s": Decimal(25)})
    made = at.desk.plan(SINGLE)
    report = asyncio.run(at.executor(config).run(made, at.desk.start, at.desk.mandate))
    assert report.status == "done"
    gaps = [late - soon for soon, late in pairwise(times)]
    assert len(gaps) > 2
    # Between two orders nothing rests, while the account is read after its lag of a second.
    assert all(apart <= gap <= apart + 2 for gap in gaps), gaps
    told = [row.what for row in at.desk.journal().history.events() if row.subject == "switch:a"]
    assert told == ["armed", "disarmed"]


def test_a_switch_that_was_not_set_is_asked_before_the_next_order(lite: Engine) -> None:
    at = Exchange(lite, Fault("dead_man", "error"))
    rows = [order(seq, "a", "sell", "0.2", reduce_only=True) for seq in (1, 2)]
    made = at.desk.plan(*rows)
    report = asyncio.run(at.executor().run(made, at.desk.start, at.desk.mandate))
    assert report.status == "done"
    assert {row.seq for row in report_attempts(at) if row.intent.style == "post_only"} == {2}
    assert (at.told[0], at.told[-1]) == (10, 0)


def test_dead_venues_are_asked_together_and_again_by_the_next(lite: Engine) -> None:
    at = Exchange(lite)
    shell = at.executor()._shell
    names = [f"x{number}" for number in range(40)]
    asked, here, dead = list[str](), asyncio.Event(), True

    class Silent:
        capabilities = Capabilities(dead_man_s=Decimal(10), receive_window_s=Decimal("0.01"))

        def __init__(self, name: str) -> None:
            self.name = name

        async def cancel_after(self, seconds: int) -> Outcome:
            assert seconds == 0
            asked.append(self.name)
            if len(asked) == len(names):
                here.set()
            await here.wait()
            return Unknown(why="dead") if dead else Ack(venue_id="x")

        async def submit(self, intent: Any) -> Outcome:
            raise NotImplementedError

    venues: Any = {name: Silent(name) for name in names}
    one = replace(shell, venues=venues, config=CONFIG.model_copy(update={"order_timeout_s": 60}))
    for name in names:
        one.journal.note(f"switch:{name}", "armed", seconds=10)
    switches = Switches(one)
    switches.take_over()
    asyncio.run(switches.take_back())
    assert sorted(asked) == sorted(names)
    assert one.armed == dict.fromkeys(names, LONG_AGO)
    history = one.journal.history
    assert {history.told_last(f"switch:{name}") for name in names} == {"armed"}
    dead = False
    asyncio.run(switches.take_back())
    assert sorted(asked) == sorted(names * 2)
    assert one.armed == {}
    assert {history.told_last(f"switch:{name}") for name in names} == {"disarmed"}


class DyingSwitch(DyingVenue):
    """Dies before its switch is told something or after."""

    async def cancel_after(self, seconds: int) -> Outcome:
        self._fuse.point()
        venue: Any = self._venue
        out: Outcome = await venue.cancel_after(seconds)
        self._fuse.point()
        return out


def dying(at: Exchange, fuse: Fuse) -> Executor:
    desk = at.desk
    venues = {name: DyingSwitch(venue, fuse) for name, venue in desk.venues.items()}
    return Executor(
        DyingJournal(desk.engine, desk, fuse),
        venues,
        desk.clock,
        release=let_through,
        config=RESTING,
        controls=desk.controls,
        approval=NOBODY,
    )


def left(engine: Engine, *deaths: int) -> tuple[bool, Exchange, Plan]:
    """Be processes that die at these points, and one that does not; tell whether the first did."""
    at = Exchange(engine)
    made, first = at.desk.plan(SINGLE), Fuse(deaths[0])
    for fuse in (first, *map(Fuse, deaths[1:])):
        with suppress(Crash):
            asyncio.run(be(at.desk, made, dying(at, fuse)))
    asyncio.run(be(at.desk, made, dying(at, Fuse())))
    return first.passed >= first.at, at, made


def sweep(step: int, *, nested: bool) -> int:
    """Die at points so many apart; tell how many there are."""
    empty, engine = template(), connect("sqlite://")
    point, died = 1, True
    while died:
        deaths = (point, point % 7 + 1) if nested else (point,)
        died, at, made = left(fresh(empty, engine), *deaths)
        assert faults_found(at.desk, made) == [], deaths
        assert at.set_for == set(), deaths
        point += step
    engine.dispose()
    return point - step


def test_wherever_a_process_dies_the_next_leaves_no_switch_set() -> None:
    assert sweep(11, nested=False) > 80


@pytest.mark.soak
@pytest.mark.parametrize("nested", [False, True])
def test_no_switch_is_left_set_by_deaths_at_every_point(nested: bool) -> None:
    assert sweep(1, nested=nested) > 80


def test_a_leader_that_was_followed_sets_no_switch_anew(engine: Engine) -> None:
    """Its order still rests, yet whether the venue is to cancel is its successor's to say."""
    at = Exchange(engine)

    def follow(row: Any) -> None:
        if row.state == "acked":
            next_epoch(engine, "desk", "other", at.desk.clock.now())
            at.desk.exchange.faults.add(Fault("find", "error", times=10**6))
            at.told.clear()

    at.desk.watch = follow
    executor = at.executor(RESTING.model_copy(update={"post_only_timeout_s": Decimal(20)}))
    made = at.desk.plan(SINGLE)
    with pytest.raises(FencedError):
        asyncio.run(executor.run(made, at.desk.start, at.desk.mandate))
    assert at.told == []


def test_a_leader_that_was_followed_takes_no_switch_back(engine: Engine) -> None:
    at = Exchange(engine)
    executor = at.executor()
    executor._shell.armed["a"] = LONG_AGO
    next_epoch(engine, "desk", "other", at.desk.clock.now())
    with pytest.raises(FencedError):
        asyncio.run(executor._switches.take_back())
    assert at.told == []


@pytest.mark.parametrize(("apart_s", "due"), [
    (-3600, True), (-0.001, True), (0, False), (3.3, False), (3.4, True), (3600, True),
])  # fmt: skip
def test_a_switch_is_due_after_a_third_of_its_time_and_at_once_if_dated_ahead(
    lite: Engine, apart_s: float, due: bool
) -> None:
    """A clock that was set back tells of no switch how long ago it was set."""
    at = Exchange(lite)
    shell = at.executor()._shell
    now = at.desk.clock.now()
    shell.armed["a"] = now - timedelta(seconds=apart_s)
    switches = Switches(shell)
    assert switches.must_arm("a") is due
    assert (switches.next_s() <= 0) is due
    asyncio.run(switches.renew_all())
    assert at.told == ([10] if due else [])
    if due:
        assert shell.armed["a"] == now


def test_the_switch_counts_among_the_requests_of_its_account(lite: Engine) -> None:
    at = Exchange(lite)
    executor, begun = at.executor(), at.desk.clock.now()
    made = at.desk.plan(SINGLE)
    assert asyncio.run(executor.run(made, at.desk.start, at.desk.mandate)).status == "done"
    history = at.desk.journal().history
    sent, cancels = report_attempts(at), history.cancels_since(begun)
    assert len(at.told) > 2
    known = executor._shell.recent.messages(["a"], begun - timedelta(seconds=1))
    assert known == len(sent) + len(cancels) + len(at.told)
    # The record does not have them; the next plan of this process counts them all the same.
    executor._shell.recent.load(None, [], [])
    assert executor._shell.recent.messages(["a"], begun - timedelta(seconds=1)) == len(at.told)


def test_no_limit_of_requests_refuses_the_switch_or_an_order_for_it(lite: Engine) -> None:
    at = Exchange(lite)
    at.desk.controls = wide(dead_man_s=5, messages_account=1, messages_owner=1)
    report = at.run()
    assert report.status == "done", report.why
    assert any(row.intent.style == "post_only" for row in report_attempts(at))
    assert at.desk.journal().history.breakers() == ()
