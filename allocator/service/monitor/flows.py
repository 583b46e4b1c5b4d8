"""What went through the accounts, from the journal's requests; read on from where it stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from allocator.execution.attempts import Attempt, of_row, sender, touched
from allocator.execution.audit import ATTEMPT
from allocator.execution.database import READ_ONLY
from allocator.execution.transitions import State
from allocator.models.base import ZERO
from allocator.models.intents import MoveIntent, OrderIntent, TransferIntent
from allocator.models.records import AttemptRow, EventRow
from allocator.service.monitor.profit import Flows

Part = Literal["moved", "fees", "fills"]
Entry = tuple[str, Part, str, Decimal]
"""Account, part, asset (empty for fills), amount."""

LEFT = frozenset({State.ACKED, State.IN_TRANSIT, State.SETTLED})
"""States of a transfer in which its amount has left the sender."""

Places = Mapping[str, str]
"""Where transfers are for the wallets that were read, by client id; see `reading.Reading`."""

NOWHERE: Places = {}

MOST_NAMED = 500
"""Requests that one query names."""


def entries(attempt: Attempt) -> Iterator[Entry]:
    """Yield what one request did to accounts, so far as is known."""
    account, intent = sender(attempt.intent), attempt.intent
    for asset, amount in attempt.fees.items():
        yield account, "fees", asset, amount
    settled = attempt.state is State.SETTLED
    match intent:
        case OrderIntent():
            yield account, "fills", "", attempt.filled
        case TransferIntent():
            left = intent.amount if attempt.state in LEFT else ZERO
            yield account, "moved", intent.asset, -left
            yield intent.target, "moved", intent.asset, attempt.filled if settled else ZERO
        case MoveIntent():
            for name in (account, intent.target):
                yield name, "fills", "", intent.quantity if settled else ZERO


class Ledger:
    """Adds the journal's requests up by account; each read takes in only what changed.

    What changed is told by the audit, whose lines are numbered: times are of clocks, which are set
    and differ from one machine to the next.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{READ_ONLY: True})
        self._open = dict[str, tuple[Entry, ...]]()
        self._sent = dict[str, tuple[State, TransferIntent]]()
        self._stepped = dict[str, TransferIntent]()
        self._line: int | None = None
        self._ahead = frozenset[str]()
        self._totals = defaultdict[tuple[str, Part, str], Decimal](Decimal)

    def unsettled(self) -> set[str]:
        """Name accounts with a request under way, as of the last reading."""
        return {account for rows in self._open.values() for account, *_ in rows}

    def in_doubt(self, places: Places) -> dict[str, Decimal]:
        """Tell the units by asset that may be on their way, beside what is known to be.

        What ended between the last two readings is among them: wallets that were read meanwhile may
        lack it.
        """
        out = defaultdict[str, Decimal](Decimal)
        sent = {name: intent for name, (_, intent) in self._sent.items()}
        for name, intent in {**sent, **self._stepped}.items():
            if name not in places:
                out[intent.asset] += intent.amount
        return dict(out)

    def doubtful(self, account: str, places: Places = NOWHERE) -> dict[str, Decimal]:
        """Tell the units by asset that an account may have sent without the sums knowing of it.

        What ended between the last two readings is among them: its receiver may lack it. What has
        come to the account, or back to it, without the sums knowing of it is negative.
        """
        left = {name for name, (state, _) in self._sent.items() if state in LEFT}
        sent = {name: intent for name, (_, intent) in self._sent.items()}
        out = defaultdict[str, Decimal](Decimal)
        for name, intent in {**sent, **self._stepped}.items():
            place = places.get(name, "")
            if intent.source == account:
                out[intent.asset] += intent.amount * ((place != "returned") - (name in left))
            if intent.target == account and place == "settled" and name in sent:
                out[intent.asset] -= intent.amount
        return dict(out)

    def sends(self, account: str) -> bool:
        """Tell whether a transfer of an account is under way, or was between two readings."""
        sent = (*(intent for _, intent in self._sent.values()), *self._stepped.values())
        return any(account in (row.source, row.target) for row in sent)

    def clear(self) -> bool:
        """Tell whether wallets that were read between the last two readings hold nothing twice.

        What leaves and arrives meanwhile may have been seen at both ends.
        """
        asked = (State.IN_TRANSIT, State.MANUAL)
        return not self._stepped and all(state in asked for state, _ in self._sent.values())

    def read(self) -> dict[str, Flows]:
        """Tell the sums so far, by account."""
        with Session(self._engine) as session:
            upto = session.exec(select(func.max(EventRow.seq))).one() or 0
            rows = list(_changed(session, self._line, upto))
            later = _named(session, upto)
        first, self._stepped = self._line is None, {}
        for row in rows:
            self._take(of_row(row))
        if first:
            self._stepped = {}
        # These may have been read as they are after that line: they will be read once more.
        self._ahead = frozenset(row.client_id for row in rows if row.client_id in later)
        self._line = upto
        return self._flows()

    def _take(self, attempt: Attempt) -> None:
        """Replace what a request had added; one that has ended is not kept any longer."""
        name = attempt.client_id
        if name in self._ahead and name not in self._open:
            return
        self._sent.pop(name, None)
        if isinstance(attempt.intent, TransferIntent):
            self._stepped[name] = attempt.intent
            if not attempt.final:
                self._sent[name] = attempt.state, attempt.intent
        for account, part, asset, amount in self._open.pop(name, ()):
            self._totals[account, part, asset] -= amount
        found = tuple(entries(attempt))
        for account, part, asset, amount in found:
            self._totals[account, part, asset] += amount
        if not attempt.final:
            held: tuple[Entry, ...] = tuple(
                (who, "fills", "", ZERO) for who in touched(attempt.intent)
            )
            self._open[name] = (*found, *held)

    def _flows(self) -> dict[str, Flows]:
        moved = defaultdict[str, dict[str, Decimal]](dict)
        fees = defaultdict[str, dict[str, Decimal]](dict)
        fills = defaultdict[str, Decimal](Decimal)
        for (account, part, asset), amount in self._totals.items():
            match part:
                case "moved":
                    moved[account][asset] = amount
                case "fees":
                    fees[account][asset] = amount
                case "fills":
                    fills[account] += amount
        return {
            name: Flows(
                moved=moved.get(name, {}), fees=fees.get(name, {}), fills=fills.get(name, ZERO)
            )
            for name in moved.keys() | fees.keys() | fills.keys()
        }


def _changed(session: Session, after: int | None, upto: int) -> Iterator[AttemptRow]:
    """Read the requests that changed in these lines of the audit; None: all that there are."""
    if after is None:
        yield from session.exec(select(AttemptRow))
        return
    names = sorted(_named(session, after, upto))
    for first in range(0, len(names), MOST_NAMED):
        some = names[first : first + MOST_NAMED]
        yield from session.exec(select(AttemptRow).where(col(AttemptRow.client_id).in_(some)))


def _named(session: Session, after: int, upto: int | None = None) -> frozenset[str]:
    """Name the requests that the audit says were stepped after a line, up to another one."""
    query = select(EventRow.subject).where(
        col(EventRow.seq) > after,
        col(EventRow.subject).startswith(ATTEMPT),
        EventRow.what == "state",
    )
    if upto is not None:
        query = query.where(col(EventRow.seq) <= upto)
    return frozenset(row.removeprefix(ATTEMPT) for row in session.exec(query))
