"""The numbered cases, for venues that answer from their own documentation.

What an exchange's state would have to show (that a fill moves a position, that money leaves one
wallet and arrives in another) is not proved by payloads, and has no case here.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    OrderIntent,
    Rejected,
    Unknown,
    Unsure,
)
from allocator.ports import Venue
from tests.adapters.ccxt import (
    bitget_payloads,
    gateio_payloads,
    hyperliquid_payloads,
    kraken_payloads,
    kucoin_payloads,
    portfolio_payloads,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, playing
from tests.adapters.ccxt.replay import BROKEN, Answer, Replay
from tests.adapters.ccxt.unable import Attempt, refused_and_named
from tests.adapters.ccxt.wording import READERS, Wording
from tests.adapters.times import ago, now

RECORDED = {
    row.name or row.venue: row
    for row in (
        bitget_payloads.RECORDED,
        gateio_payloads.RECORDED,
        hyperliquid_payloads.RECORDED,
        kraken_payloads.RECORDED,
        kucoin_payloads.RECORDED,
        portfolio_payloads.RECORDED,
    )
}


UNTOLD = {"c03": "duplicate", "c12": "stale", "c14": "post_only"}
"""Cases that need the venue's words for a refusal, and for which."""


def told(case: str, recorded: Recorded) -> bool:
    """Tell whether a case can be run: nothing is invented that no page of the venue says."""
    return case not in UNTOLD or getattr(recorded.refusals, UNTOLD[case]) is not None


@dataclass(frozen=True)
class Played:
    """A venue that answers, and how to ask it."""

    recorded: Recorded
    replay: Replay
    emulator: Emulator
    config: Config

    def run(self, work: Callable[[Opened], Awaitable[Any]]) -> Any:
        return run_with(self.config, work)

    def venue(self, ask: Callable[[Venue], Awaitable[Any]], account: str = "") -> Any:
        return self.run(lambda opened: ask(opened.venues[account or self.recorded.trades]))

    def submit(self, intent: Any) -> Any:
        return self.venue(lambda venue: venue.submit(intent), intent_account(intent))

    def find(self, intent: Any) -> Any:
        return self.venue(lambda venue: venue.find(intent, ago()), intent_account(intent))

    def answer(self, row: str, answer: Answer) -> None:
        self.replay.table[row] = answer

    def sent(self, row: str) -> int:
        return len(self.replay.asked(row))

    def said(self) -> list[Wording]:
        """Read every order that arrived as the venue's pages read it."""
        read, login = READERS[self.recorded.name or self.recorded.venue], self.recorded.login
        return [read(call, login) for call in self.replay.asked(self.recorded.order)]

    def meant(self, wording: Wording, intent: OrderIntent) -> bool:
        """Tell whether an order that arrived says just what was meant."""
        return (
            wording.client_id, wording.market, wording.side, wording.quantity, wording.price,
            wording.style, wording.reduce_only,
        ) == (
            intent.client_id, self.recorded.market, intent.side, intent.quantity,
            intent.limit_price, intent.style, intent.reduce_only,
        )  # fmt: skip


def intent_account(intent: Any) -> str:
    return str(intent.account if isinstance(intent, OrderIntent) else intent.source)


CLOCKS_S = 0.5
"""Seconds by which the measured offset of a clock may be off."""


@pytest.fixture(params=list(RECORDED))
def played(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    recorded = RECORDED[request.param]
    with playing(recorded, monkeypatch) as (replay, emulator, config):
        yield Played(recorded, replay, emulator, config)


def test_c01_an_acknowledged_order_is_found_by_its_client_id(played: Played) -> None:
    recorded = played.recorded
    assert isinstance(played.submit(recorded.intent()), Ack)
    (said,) = played.said()
    assert played.meant(said, recorded.intent())
    played.replay.table |= recorded.found(KEY)
    found = played.find(recorded.intent())
    assert isinstance(found, Found)
    assert (found.state, found.filled) == ("filled", Decimal(recorded.quantity))
    assert found.fees == {coin: Decimal(fee) for coin, fee in recorded.fees.items()}


def test_c02_what_was_never_sent_is_absent_at_the_venues_time(played: Played) -> None:
    intents: list[Any] = [played.recorded.intent()]
    if played.recorded.moved:
        intents.append(played.recorded.transfer())
    for intent in intents:
        absent = played.find(intent)
        if intent.kind == "transfer" and not played.recorded.fenced:
            assert isinstance(absent, Unsure)
            continue
        assert isinstance(absent, AbsentNow)
        assert abs((absent.venue_time - now()).total_seconds()) < 5


def test_c03_a_resting_order_sent_again_is_one_order(played: Played) -> None:
    """Where the venue refuses a known client id; where it does not, the case is not proved."""
    again = played.recorded.refusals.duplicate
    if again is None:
        assert played.venue(_capabilities).client_id_reusable
        pytest.skip("the venue is not told to refuse a known client id")
    played.answer(played.recorded.order, again)
    played.replay.table |= played.recorded.resting(KEY)
    outcome = played.submit(played.recorded.intent(style="post_only"))
    found = played.find(played.recorded.intent(style="post_only"))
    assert isinstance(found, Found)
    assert outcome == Ack(venue_id=found.venue_id)
    assert found.state == "open"
    assert [row.client_id for row in played.said()] == [KEY]


async def _capabilities(venue: Venue) -> Any:
    return venue.capabilities


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "http_500_after", "html", "truncate"]
)
@pytest.mark.parametrize("what", ["order", "transfer"])
def test_c04_no_answer_is_unknown_and_a_lookup_tells(played: Played, what: str, kind: str) -> None:
    recorded = played.recorded
    if what == "transfer" and recorded.transferred is None:
        assert not played.venue(_capabilities).transfers
        return
    intent: Any = recorded.intent() if what == "order" else recorded.transfer()
    row = recorded.order if what == "order" else recorded.moved
    path = row.partition(" ")[2].partition("#")[0]
    method = row.partition(" ")[0]
    played.emulator.fault({"kind": kind, "path": path, "method": method})
    assert isinstance(played.submit(intent), Unknown)
    assert played.sent(row) == (kind != "drop_before")
    if kind != "drop_before":
        tell = recorded.found if what == "order" else recorded.transferred
        assert tell is not None
        played.replay.table |= tell(KEY)
    finding = played.find(intent)
    absent = AbsentNow if what == "order" or recorded.fenced else Unsure
    assert isinstance(finding, absent if kind == "drop_before" else Found)
    assert played.sent(row) <= 1


def test_c05_a_lookup_without_an_answer_is_unsure(played: Played) -> None:
    played.answer(played.recorded.lookup, BROKEN)
    assert isinstance(played.find(played.recorded.intent()), Unsure)


def test_c06_a_reading_without_an_answer_is_incomplete(played: Played) -> None:
    played.answer(played.recorded.reads, BROKEN)
    reading = played.venue(lambda venue: venue.read())
    assert not reading.complete
    assert reading.missing


def test_c07_an_order_is_cancelled_once(played: Played) -> None:
    intent = played.recorded.intent(style="post_only")
    played.replay.table |= played.recorded.resting(KEY)
    assert isinstance(played.venue(lambda venue: venue.cancel(intent)), Ack)
    played.answer(played.recorded.cancel, played.recorded.refusals.gone)
    assert isinstance(played.venue(lambda venue: venue.cancel(intent)), Rejected)
    played.answer(played.recorded.cancel, BROKEN)
    assert isinstance(played.venue(lambda venue: venue.cancel(intent)), Unknown)


def test_c10_more_than_there_is_does_not_leave(played: Played) -> None:
    played.answer(played.recorded.order, played.recorded.refusals.funds)
    assert isinstance(played.submit(played.recorded.intent()), Rejected)
    assert played.sent(played.recorded.order) == 1


def test_c11_an_order_off_its_steps_is_refused_not_rounded(played: Played) -> None:
    played.answer(played.recorded.order, played.recorded.refusals.step)
    outcome = played.submit(played.recorded.intent(quantity=played.recorded.step_quantity))
    assert isinstance(outcome, Rejected)
    assert outcome.code != "NOT_SENT"
    (said,) = played.said()
    assert said.quantity == Decimal(played.recorded.step_quantity)


@pytest.mark.parametrize("age", [0, 4, 6])
def test_c12_a_request_stamped_before_the_window_is_refused(played: Played, age: int) -> None:
    """What arrives five seconds after its stamp is too late by the venue's own reading of it.

    That the venue keeps to its pages is not for payloads to prove; its refusal is typed.
    """
    assert played.venue(_capabilities).receive_window_s == 5
    if played.recorded.refusals.stale is None:
        pytest.skip("the venue's words for it are told by no page")
    played.answer(played.recorded.order, played.recorded.refusals.stale)
    stamp = ago(age)
    outcome = played.submit(played.recorded.intent(stamped_at=stamp))
    assert isinstance(outcome, Rejected)
    (said,) = played.said()
    until = stamp.timestamp() + 5
    assert until - 1 <= said.until_ms / 1000 <= until + CLOCKS_S


def test_c13_prices_are_ordered_and_an_unknown_market_has_none(played: Played) -> None:
    quote = played.venue(lambda venue: venue.quote(played.recorded.instrument))
    assert quote.bid <= quote.mark <= quote.ask
    with pytest.raises(VenueError):
        played.venue(lambda venue: venue.quote(f"{played.recorded.venue}:NO/SUCH:THING"))


def refused(played: Played, refusal: str, changes: dict[str, Any]) -> None:
    """Send an order and refuse it in the venue's words; it has to say what was meant."""
    answer = getattr(played.recorded.refusals, refusal)
    if answer is None:
        pytest.skip("the venue's words for it are told by no page")
    played.answer(played.recorded.order, answer)
    intent = played.recorded.intent(**changes)
    assert isinstance(played.submit(intent), Rejected)
    (said,) = played.said()
    assert played.meant(said, intent)


def test_c14_a_post_only_order_that_would_take_never_fills(played: Played) -> None:
    """The order says that it may only rest: the venue, which refuses to fill it, can know."""
    refused(played, "post_only", {"style": "post_only"})


def test_c15_reduce_only_never_adds(played: Played) -> None:
    """The order says that it may only reduce: the venue, which refuses to add, can know."""
    refused(played, "reduce_only", {"reduce_only": True})


def test_c16_an_equity_that_does_not_add_up_freezes_the_account(played: Played) -> None:
    mine = played.recorded.trades
    book = played.run(lambda opened: opened.market.gather())
    assert book.snapshot.account[mine].state == "open"
    assert [row for row in book.missing if row.account == mine] == []
    played.replay.table |= played.recorded.unequal()
    book = played.run(lambda opened: opened.market.gather())
    assert book.snapshot.account[mine].state == "frozen"
    assert book.snapshot.account[mine].unread
    (why,) = [row.what for row in book.missing if row.account == mine]
    assert "EQUITY_IDENTITY" in why
    assert why.count("=") >= 2


@pytest.mark.parametrize("units", ["0.1", "0.3", "12345678901234567890.5", "0.00000001"])
def test_c17_figures_arrive_digit_for_digit(played: Played, units: str) -> None:
    played.replay.table |= played.recorded.exact(units)
    account, asset = played.recorded.exact_in

    async def read(opened: Opened) -> tuple[Any, Any]:
        book = await opened.market.gather()
        reading = await opened.venues[account].read()
        return book.snapshot.account[account].balances[asset].wallet, reading.wallets[asset]

    assert played.run(read) == (Decimal(units), Decimal(units))


def test_c18_what_the_venue_cannot_do_is_said_and_has_no_way(played: Played) -> None:
    """What is configured against the table is off and named; sent all the same, it never leaves."""
    recorded = played.recorded
    other = next(str(row["id"]) for row in recorded.accounts if row["id"] != recorded.trades)
    attempt = Attempt(recorded.intent(), other, recorded.asset)
    told = refused_and_named(played.config, attempt, lambda: len(played.replay.calls))
    assert told == recorded.unable


def test_c19_an_order_is_signed_as_the_venue_says(played: Played) -> None:
    for changes in ({}, {"style": "post_only"}, {"reduce_only": True}, {"stamped_at": ago(1)}):
        played.submit(played.recorded.intent(**changes))
    assert [row.signed for row in played.said()] == [True] * 4


def test_c20_an_open_order_bears_the_client_id_of_its_intent(played: Played) -> None:
    assert isinstance(played.submit(played.recorded.intent(style="post_only")), Ack)
    (said,) = played.said()
    assert said.client_id == KEY
    assert names(played, played.recorded.named) == [KEY]


@pytest.mark.parametrize("name", ["web", "t-short", "0x12", f"{KEY}0", KEY.upper(), "n" * 300])
def test_a_name_that_is_none_of_ours_is_told_as_it_is(played: Played, name: str) -> None:
    assert names(played, name) == [name[:200]]


@pytest.mark.parametrize("name", ["", None])
def test_an_order_that_bears_no_name_is_told_to_bear_none(played: Played, name: str | None) -> None:
    assert names(played, name) == [""]


def test_a_name_that_is_left_out_is_not_told(played: Played) -> None:
    ((row, listed),) = played.recorded.standing(LEFT_OUT).items()
    played.answer(row, without(listed))
    reading = played.venue(lambda venue: venue.read())
    assert [row.client_id for row in reading.open_orders] == [None]


LEFT_OUT = "left out"


def without(answer: Any) -> Any:
    """Leave out whatever is said to be."""
    if isinstance(answer, list):
        return [without(row) for row in answer]
    if not isinstance(answer, dict):
        return answer
    return {key: without(value) for key, value in answer.items() if value != LEFT_OUT}


def names(played: Played, name: str | None) -> list[str | None]:
    """Read the client ids of what stands, of one order that the venue calls by a name."""
    played.replay.table |= played.recorded.standing(name)
    reading = played.venue(lambda venue: venue.read())
    return [row.client_id for row in reading.open_orders]


def test_only_a_code_of_the_table_is_a_rejection(played: Played) -> None:
    played.answer(played.recorded.order, BROKEN)
    assert isinstance(played.submit(played.recorded.intent()), Unknown)
    assert played.sent(played.recorded.order) == 1
