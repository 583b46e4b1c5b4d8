from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.recent import DAY, HOUR, Recent
from allocator.models.intents import TransferIntent
from allocator.risk import table
from allocator.risk.volume import transfer_readings
from allocator.state import Book
from tests.execution.book import MANDATE, START, snapshot, transfer_intent

BOOK = Book.of(snapshot(), MANDATE)


def sent(asset: str, amount: str, at: datetime) -> Attempt:
    intent = transfer_intent(amount=amount).model_copy(update={"asset": asset})
    return Attempt("0" * 64, 1, 1, 1, intent, at, at)


def in_a_day(now: datetime, *past: Attempt) -> Decimal | None:
    """Tell what transfers of a day come to with one of 10 more."""
    recent = Recent()
    recent.load(BOOK, past, ())
    asked: TransferIntent = transfer_intent(amount="10")
    readings = transfer_readings(BOOK, asked, recent.since(now - DAY), ["internal"])
    return next(row.value for row in readings if row.control is table.TRANSFER_DAY)


def test_transfers_of_a_day_are_valued_at_the_books_prices() -> None:
    assert in_a_day(START, sent("USDT", "5", START), sent("BTC", "2", START)) == 100_015


def test_a_transfer_that_nobody_can_value_leaves_the_days_sum_unknown() -> None:
    """A coin that is no longer in the book is not worth one of the book's money."""
    gone = sent("ETH", "100", START)
    assert in_a_day(START, gone, sent("USDT", "5", START)) is None
    assert in_a_day(START + DAY, gone) is None
    later = START + DAY + timedelta(seconds=1)
    assert in_a_day(later, gone, sent("USDT", "5", later)) == 15


def test_a_clock_that_was_set_back_by_mistake_hides_nothing_once_it_is_right() -> None:
    recent = Recent()
    recent.load(BOOK, [sent("USDT", "5", START)], [(START, "a")])
    recent.by(START - timedelta(hours=2))
    assert recent.since(START - timedelta(hours=3)).requests == 1
    recent.by(START + timedelta(minutes=59))
    assert recent.since(START - timedelta(minutes=1)).requests == 1
    assert recent.messages(["a"], START - timedelta(minutes=1)) == 2


def test_what_is_stamped_ahead_ages_from_when_it_was_first_seen_so() -> None:
    recent, ahead = Recent(), START + timedelta(hours=10)
    past = [sent("USDT", "7", START - DAY), sent("USDT", "5", ahead)]
    for minutes in (0, 40, 80):
        now = START + timedelta(minutes=minutes)
        recent.load(BOOK, past, [(ahead, "a")])
        recent.by(now)
        within = minutes < 60
        assert recent.since(now - HOUR).transferred == (5 if within else 0)
        assert recent.messages(["a"], now - HOUR) == (2 if within else 0)
    assert recent.since(START - DAY).transferred == 12
    recent.by(START - timedelta(minutes=5))
    assert recent.since(START - HOUR).transferred == 5
