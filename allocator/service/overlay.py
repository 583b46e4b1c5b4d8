"""What the record knows of a book that no venue tells: frozen accounts, money on its way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from allocator.execution.attempts import Attempt
from allocator.execution.history import History
from allocator.execution.transitions import State
from allocator.execution.whereabouts import Whereabouts, in_flight
from allocator.models.account import Account, InFlight
from allocator.models.intents import TransferIntent
from allocator.models.snapshot import Snapshot


def with_record(snapshot: Snapshot, history: History, money: Whereabouts | None = None) -> Snapshot:
    """Add to a gathered snapshot what the journal knows.

    An account that stands still until an operator has looked at it is frozen. What is on its way
    is in flight to its receiver, so that nobody plans as if it were lost.

    Parameters
    ----------
    money
        What the venues told of money under way after the snapshot was gathered; None: nobody
        asked, and the record's word counts.
    """
    return overlaid(snapshot, history.frozen(), coming(history, money))


def coming(history: History, money: Whereabouts | None = None) -> tuple[Attempt, ...]:
    """Tell what is on its way to a receiver, and so in no wallet.

    What a venue took on and an operator looks for is, unless it is over by the venue's word: that
    it never left is the rarer case, and no plan that enlarges an exposure goes before he has found
    it (`allocator.execution.admission`).

    Parameters
    ----------
    money
        As of `with_record`.
    """
    over = {row.client_id for row in money.ended} if money is not None else set[str]()
    late = [
        row
        for row in history.with_state(State.MANUAL)
        if isinstance(row.intent, TransferIntent)
        and row.venue_id is not None
        and row.client_id not in over
    ]
    sent = history.with_state(State.IN_TRANSIT) if money is None else money.coming
    return (*(row for row in sent if isinstance(row.intent, TransferIntent)), *late)


def overlaid(
    snapshot: Snapshot, frozen: Mapping[str, str], under_way: Iterable[Attempt]
) -> Snapshot:
    """Mark frozen accounts and money under way."""
    flights: dict[str, list[InFlight]] = {}
    for attempt in under_way:
        if isinstance(attempt.intent, TransferIntent):
            flights.setdefault(attempt.intent.target, []).append(in_flight(attempt))
    accounts = tuple(
        _account(row, row.id in frozen, flights.get(row.id, [])) for row in snapshot.accounts
    )
    return snapshot.model_copy(update={"accounts": accounts})


def _account(account: Account, frozen: bool, flights: list[InFlight]) -> Account:
    if not frozen and not flights:
        return account
    return account.model_copy(
        update={
            "state": "frozen" if frozen else account.state,
            "in_flight": (*account.in_flight, *flights),
        }
    )
