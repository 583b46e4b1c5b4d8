from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.execution.attempts import Attempt
from allocator.execution.history import History
from allocator.execution.manual import Figures, Verdict, resolve
from allocator.execution.office import Office
from allocator.execution.report import ExecutionReport, Progress
from allocator.execution.transitions import IllegalTransitionError, Stage, State
from allocator.models.errors import JournalError, RefusedError
from tests.execution.book import BTC_A, BTC_B, SWITCH, WHOLE, order
from tests.execution.crashes import Crash, DyingJournal, Fuse
from tests.execution.desk import Desk


def handed_over(engine: Engine) -> tuple[Desk, Attempt]:
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(engine, faults=faults, mandate=WHOLE)
    desk.run(order(1, "a", "sell", "0.5"))
    (attempt,) = desk.journal().history.with_state(State.MANUAL)
    return desk, attempt


@pytest.mark.parametrize(
    ("to", "filled", "stage"),
    [
        (State.FILLED, "0.5", Stage.DONE),
        (State.CANCELLED, "0.2", Stage.PART_DONE),
        (State.NOT_EXECUTED, "0", Stage.FAILED),
    ],
)
def test_operator_ends_the_attempt_its_action_and_the_freeze(
    engine: Engine, to: State, filled: str, stage: Stage
) -> None:
    desk, attempt = handed_over(engine)
    journal = desk.journal()
    ended = resolve(journal, attempt.client_id, Verdict(to, Decimal(filled), "ann", "order page"))
    assert (ended.state, ended.filled) == (to, Decimal(filled))
    assert journal.history.actions(ended.plan_hash)[0].stage is stage
    assert journal.history.frozen() == {}
    assert journal.history.verify() == ()


def test_a_break_beside_an_open_end_outlasts_it(engine: Engine) -> None:
    """What else was found amiss is not explained by how the request ended."""
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(engine, faults=faults, mandate=WHOLE)
    elsewhere = [lambda: desk.exchange.trade_elsewhere("a", BTC_A, Decimal(3))]

    def watch(row: Progress) -> None:
        if row.state == "manual" and elsewhere:
            elsewhere.pop()()

    desk.watch = watch
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert [row.account for row in report.breaks] == ["a"]
    journal = desk.journal()
    (attempt,) = journal.history.with_state(State.MANUAL)
    assert "break: a alpha:BTC/USDT:USDT" in journal.history.frozen()["a"]
    with pytest.raises(RefusedError, match="MANUAL_OPEN"):
        journal.thaw("a", "ann", "seen")
    verdict = Verdict(State.FILLED, Decimal("0.5"), "ann", "order page")
    resolve(journal, attempt.client_id, verdict)
    assert "break: a alpha:BTC/USDT:USDT" in journal.history.frozen()["a"]
    journal.thaw("a", "ann", "bought by hand")
    assert journal.history.frozen() == {}
    assert journal.history.verify() == ()


@pytest.mark.parametrize(
    ("to", "filled"),
    [
        (State.FILLED, "0.4"),
        (State.FILLED, "0.6"),
        (State.NOT_EXECUTED, "0.1"),
        (State.CANCELLED, "0.6"),
    ],
)
def test_what_does_not_add_up_is_refused(lite: Engine, to: State, filled: str) -> None:
    desk, attempt = handed_over(lite)
    journal = desk.journal()
    with pytest.raises(RefusedError, match="FILLED_DIFFERS"):
        resolve(journal, attempt.client_id, Verdict(to, Decimal(filled), "ann", "x"))
    assert set(journal.history.frozen()) == {"a"}


def test_end_of_another_kind_is_refused(lite: Engine) -> None:
    desk, attempt = handed_over(lite)
    verdict = Verdict(State.SETTLED, Decimal("0.5"), "ann", "x")
    with pytest.raises(IllegalTransitionError):
        resolve(desk.journal(), attempt.client_id, verdict)


def test_only_what_was_handed_over_is_resolved(lite: Engine) -> None:
    desk, attempt = handed_over(lite)
    journal = desk.journal()
    with pytest.raises(JournalError, match="NO_ATTEMPT"):
        resolve(journal, "0" * 32, Verdict(State.FILLED, Decimal(1), "ann", "x"))
    verdict = Verdict(State.CANCELLED, Decimal("0.1"), "ann", "x")
    resolve(journal, attempt.client_id, verdict)
    with pytest.raises(JournalError, match="NOT_MANUAL"):
        resolve(journal, attempt.client_id, verdict)


@pytest.mark.parametrize("at", [1, 2])
def test_a_process_that_dies_while_it_resolves_has_resolved_all_or_nothing(
    engine: Engine, at: int
) -> None:
    desk, attempt = handed_over(engine)
    verdict = Verdict(State.FILLED, Decimal("0.5"), "ann", "order page")
    dying = DyingJournal(engine, desk, Fuse(at))
    with pytest.raises(Crash):
        resolve(dying, attempt.client_id, verdict)
    history = desk.journal().history
    done = at > 1
    found = history.attempt(attempt.client_id)
    assert found is not None
    assert found.state is (State.FILLED if done else State.MANUAL)
    assert history.actions(attempt.plan_hash)[0].stage is (Stage.DONE if done else Stage.MANUAL)
    assert set(history.frozen()) == (set() if done else {"a"})
    assert history.verify() == ()
    if not done:
        assert resolve(desk.journal(), attempt.client_id, verdict).state is State.FILLED
        assert history.actions(attempt.plan_hash)[0].stage is Stage.DONE


def racing(engine: Engine, to: State, filled: str, **told: Any) -> tuple[Desk, ExecutionReport]:
    """Let an operator resolve the second slice of a leg while the other leg is worked."""
    lost = Fault("order", "lost_after", account="a", nth=2)
    blind = Fault("find", "error", account="a", nth=2, times=500)
    desk = Desk.open(engine, faults=[lost, blind])

    def say(_row: Progress) -> None:
        office = Office(engine, "desk", desk.clock)
        for held in office.history.with_state(State.MANUAL):
            verdict = Verdict(to, Decimal(filled), "ann", "order page", **told)
            resolve(office, held.client_id, verdict)

    desk.watch = say
    report = desk.run(*SWITCH)
    return desk, report


def test_an_operator_may_resolve_while_the_other_legs_are_worked(engine: Engine) -> None:
    """What he says counts at once: the other leg goes as far, and nothing is left open."""
    desk, report = racing(engine, State.FILLED, "0.4")
    assert report.status == "done", report.why
    assert (desk.held("a", BTC_A), desk.held("b", BTC_B)) == (Decimal("0.2"), Decimal("-0.2"))
    assert set(desk.stages().values()) == {"done"}
    history = History(engine)
    assert not history.unfinished()
    assert history.verify() == ()


def test_what_an_operator_says_beside_the_leader_ends_the_other_legs_with_it(
    engine: Engine,
) -> None:
    """He errs: the reading of the account tells it, and no cycle is left open."""
    desk, report = racing(engine, State.NOT_EXECUTED, "0")
    assert report.status != "done"
    assert desk.held("b", BTC_B) == Decimal("-0.6")
    assert desk.stages() == {2: "part_done", 3: "part_done"}
    assert not History(engine).unfinished()


@pytest.mark.parametrize("filled", ["0.0123456789", "0.4999", "0.0005"])
def test_part_of_a_lot_is_not_filled(lite: Engine, filled: str) -> None:
    desk, attempt = handed_over(lite)
    said = Verdict(State.CANCELLED, Decimal(filled), "ann", "order page")
    with pytest.raises(RefusedError, match=r"LOT_DIFFERS: .* lot=0\.001"):
        resolve(desk.journal(), attempt.client_id, said)
    assert set(desk.journal().history.frozen()) == {"a"}


PRICE, FEE = Decimal("49999.5"), Decimal("0.4") * Decimal("49999.5") * Decimal("0.0005")


@pytest.mark.parametrize(
    "told",
    [{}, {"price": PRICE}, {"price": PRICE, "fees": {"USDT": FEE}}],
    ids=["neither", "price", "both"],
)
def test_what_an_operator_tells_makes_no_false_outside_change(
    lite: Engine, told: dict[str, Any]
) -> None:
    _, report = racing(lite, State.FILLED, "0.4", **told)
    assert (report.status, report.reconciled, report.breaks) == ("done", True, ())
    assert History(lite).frozen() == {}


def test_price_and_fee_that_an_operator_tells_are_on_record(engine: Engine) -> None:
    desk, attempt = handed_over(engine)
    told = Verdict(
        State.CANCELLED, Decimal("0.2"), "ann", "page", price=PRICE, fees={"USDT": Decimal("4.9")}
    )
    resolve(desk.journal(), attempt.client_id, told)
    ended = desk.journal().history.attempt(attempt.client_id)
    assert ended is not None
    assert (ended.average_price, ended.fees) == (PRICE, {"USDT": Decimal("4.9")})
    assert desk.journal().history.verify() == ()


def test_figures_of_the_venue_lock_nobody_out(lite: Engine) -> None:
    """They are kept as any answer of it is: beyond the limit, in an asset that nobody knows."""
    desk, attempt = handed_over(lite)
    strange = Figures(price=Decimal(49000), fees={"DOGE": Decimal(1)})
    told = Verdict(State.CANCELLED, Decimal("0.2"), "ann", "page", PRICE, venue=strange)
    ended = resolve(desk.journal(), attempt.client_id, told)
    assert (ended.average_price, ended.fees) == (strange.price, strange.fees)
    assert ended.reason == "ann: page; its venue's own: fees"
    assert desk.journal().history.verify() == ()


def test_a_venue_that_tells_no_figures_takes_none_away(lite: Engine) -> None:
    desk, attempt = handed_over(lite)
    fees = {"USDT": Decimal("4.9")}
    told = Verdict(State.CANCELLED, Decimal("0.2"), "ann", "page", PRICE, fees, venue=Figures())
    ended = resolve(desk.journal(), attempt.client_id, told)
    assert (ended.average_price, ended.fees, ended.reason) == (PRICE, fees, "ann: page")


@pytest.mark.parametrize(
    ("filled", "told", "code"),
    [
        ("0.2", {"price": Decimal("49000")}, "PRICE_DIFFERS"),
        ("0.2", {"price": Decimal(0)}, "PRICE_DIFFERS"),
        ("0", {"price": PRICE}, "PRICE_DIFFERS"),
        ("0", {"fees": {"USDT": Decimal(1)}}, "FEE_DIFFERS"),
        ("0.2", {"fees": {"DOGE": Decimal(1)}}, "FEE_DIFFERS"),
    ],
)
def test_price_and_fee_that_cannot_be_are_refused(
    lite: Engine, filled: str, told: dict[str, Any], code: str
) -> None:
    desk, attempt = handed_over(lite)
    verdict = Verdict(State.CANCELLED, Decimal(filled), "ann", "page", **told)
    with pytest.raises(RefusedError, match=code):
        resolve(desk.journal(), attempt.client_id, verdict)
    assert set(desk.journal().history.frozen()) == {"a"}


def test_the_note_of_an_action_that_went_to_a_person_tells_why_once(lite: Engine) -> None:
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(lite, faults=faults, mandate=WHOLE)
    (row,) = desk.run(order(1, "a", "sell", "0.5")).actions
    assert (row.stage, row.reason.count("nobody could say in time")) == ("manual", 1), row.reason
