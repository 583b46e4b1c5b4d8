"""What a venue tells of itself, set by the admin surface; each venue puts it in its own shape.

It is a notice only: the exchange goes on answering, so that what follows is the notice's doing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from allocator.adapters.emulator.wire import Call

State = Literal["open", "scheduled", "limited", "maintenance"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice.

    `limited` is what the venue has between open and shut: some currencies locked (Deribit), some
    users (Bybit), before it opens (OKX); Binance has nothing of the kind. Begin and end are told
    where the venue tells them; `of` names what Deribit locks.
    """

    state: State = "open"
    title: str = ""
    begin_ms: int = 0
    end_ms: int = 0
    of: tuple[str, ...] = ()


OPEN = Notice()


def notice_of(call: Call, venue: str) -> Notice:
    """Return a venue's notice; without any it is open."""
    return call.exchange.notices.get(venue, OPEN)


def word(notice: Notice, words: Mapping[State, str]) -> str:
    """Return the venue's word for a state.

    Raises
    ------
    ValueError
        When it has none.
    """
    if notice.state not in words:
        raise ValueError(f"the venue has no word for {notice.state}")
    return words[notice.state]


def time(at_ms: int) -> str:
    """Return a time as text, empty where none is told."""
    return str(at_ms) if at_ms else ""
