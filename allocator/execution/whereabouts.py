"""Where money is that was sent and has no end in the record, asked right after a reading.

The record learns of an arrival when somebody asks; wallets show it by themselves. Taken together
they count the same money twice or not at all, unless the venue is asked after the wallets were
read: what is on its way then was not in them, and what has ended by then may have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from allocator.execution.asking import look
from allocator.execution.attempts import Attempt, sender
from allocator.execution.expectation import Expected, may_have_cost
from allocator.execution.run import Shell
from allocator.execution.together import together
from allocator.execution.transitions import State
from allocator.models.account import InFlight
from allocator.models.base import plain
from allocator.models.intents import Found, TransferIntent
from allocator.models.market import Asset
from allocator.models.snapshot import Snapshot

ENDS = ("settled", "returned")
"""How a venue tells that a transfer is over."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What venues tell of transfers that have no end in the record.

    Attributes
    ----------
    coming
        On their way.
    arrived, returned
        Over, whatever the record still says.
    unclear
        Nobody can say: the venue gave no clear answer, or an operator has to find out.
    ended
        Of those that wait for an operator, which are over by the venue's word: their money is in a
        wallet, whatever he finds.
    new
        Client ids of those of them that were not told so before: a wallet that was read just now
        may lack their money.
    back
        Client ids of those of them that have come back.
    """

    coming: tuple[Attempt, ...] = ()
    arrived: tuple[Attempt, ...] = ()
    returned: tuple[Attempt, ...] = ()
    unclear: tuple[Attempt, ...] = ()
    ended: tuple[Attempt, ...] = ()
    new: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()

    @property
    def ends(self) -> dict[str, str]:
        """How each that is over has ended, by client id."""
        arrived = {row.client_id: "settled" for row in (*self.arrived, *self.ended)}
        back = {row.client_id for row in self.returned} | self.back
        return arrived | dict.fromkeys(back, "returned")

    @property
    def over(self) -> frozenset[str]:
        """Client ids of those that have ended, and that no earlier reading knows to have."""
        return frozenset(row.client_id for row in (*self.arrived, *self.returned)) | self.new

    @property
    def purses(self) -> frozenset[tuple[str, str]]:
        """Accounts and assets that hold what has ended."""
        arrived = {(i.target, i.asset) for i in _transfers(self.arrived)}
        return frozenset(arrived | {(i.source, i.asset) for i in _transfers(self.returned)})


async def whereabouts(shell: Shell) -> Whereabouts:
    """Ask the venues about every transfer that has no end in the record; nothing is written."""
    sent = [
        row
        for row in shell.journal.history.with_state(State.IN_TRANSIT, State.MANUAL)
        if isinstance(row.intent, TransferIntent)
    ]
    places = await together(_place(shell, row) for row in sent)
    told = tuple(zip(sent, places, strict=True))
    waits = tuple(row for row in sent if row.state is State.MANUAL)

    def those(place: str) -> tuple[Attempt, ...]:
        return tuple(row for row, found in told if found == place and row not in waits)

    ended = tuple(row for row, found in told if found in ENDS and row in waits)
    new = frozenset(row.client_id for row in ended) - shell.ended
    shell.ended.update(new)
    return Whereabouts(
        coming=those("in_transit"),
        arrived=those("settled"),
        returned=those("returned"),
        unclear=(*those("unclear"), *waits),
        ended=ended,
        new=new,
        back=frozenset(
            row.client_id for row, found in told if found == "returned" and row in waits
        ),
    )


async def _place(shell: Shell, attempt: Attempt) -> str:
    if sender(attempt.intent) not in shell.venues:
        return "in_transit"  # nobody is here to ask: the record's word counts
    finding = await look(shell, attempt)
    if isinstance(finding, Found) and finding.state in ("in_transit", *ENDS):
        return finding.state
    return "unclear"


def exposed(assets: Mapping[str, Asset], rows: Iterable[Attempt]) -> str:
    """Tell of unclear money that makes an exposure unclear, in words; empty if there is none."""
    told = [
        f"{plain(row.intent.amount)} {row.intent.asset} from {row.intent.source} to "
        f"{row.intent.target} ({_remedy(row)})"
        for row in rows
        if isinstance(row.intent, TransferIntent)
        and row.intent.asset in assets
        and assets[row.intent.asset].underlying is not None
    ]
    return "; ".join(told)


def _remedy(row: Attempt) -> str:
    if row.state is State.MANUAL:
        return f"waits for an operator: `allocator resolve {row.client_id}`"
    return "its venue does not say whether it has arrived: it is asked again at the next reading"


def counted(snapshot: Snapshot, rows: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Pick the transfers that a snapshot has in flight to their receivers."""
    open_ = [
        (account.id, way.asset, way.route, way.amount)
        for account in snapshot.accounts
        for way in account.in_flight
        if way.direction == "in"
    ]
    out = list[Attempt]()
    for row in sorted(rows, key=lambda row: row.intent_at, reverse=True):
        key = _key(row)
        if row.intent_at <= snapshot.as_of and key in open_:
            open_.remove(key)
            out.append(row)
    return tuple(out)


def _key(row: Attempt) -> tuple[str, str, str | None, Decimal]:
    assert isinstance(row.intent, TransferIntent)
    return row.intent.target, row.intent.asset, row.intent.route, row.intent.amount


def ended_since(shell: Shell, snapshot: Snapshot, now: Whereabouts) -> Whereabouts:
    """Tell which transfers that a snapshot counts in flight have ended since, on record or not."""
    longest = timedelta(seconds=float(shell.config.transfer_timeout_s))
    recent = [
        row
        for row in shell.journal.history.attempts_since(snapshot.as_of - longest)
        if isinstance(row.intent, TransferIntent)
    ]
    arrived = [row for row in recent if row.state is State.SETTLED]
    returned = [row for row in recent if row.state is State.RETURNED]
    over = counted(snapshot, (*arrived, *returned, *now.arrived, *now.returned))
    back = {row.client_id for row in (*returned, *now.returned)}
    return Whereabouts(
        arrived=tuple(row for row in over if row.client_id not in back),
        returned=tuple(row for row in over if row.client_id in back),
    )


def have_ended(out: Expected, ended: Whereabouts) -> None:
    """Expect money that was in flight where it went: a wallet that had it before lacks it now."""
    for intent in (*_transfers(ended.arrived), *_transfers(ended.returned)):
        out.wallet(intent.target, intent.asset).above -= intent.amount
    for intent in _transfers(ended.arrived):
        out.wallet(intent.target, intent.asset).value += intent.amount
    for intent in _transfers(ended.returned):
        out.wallet(intent.source, intent.asset).value += intent.amount
    may_have_cost(out, ended.returned)


def _transfers(rows: Iterable[Attempt]) -> tuple[TransferIntent, ...]:
    return tuple(row.intent for row in rows if isinstance(row.intent, TransferIntent))


def in_flight(row: Attempt) -> InFlight:
    """Write a transfer as money on its way to its receiver."""
    assert isinstance(row.intent, TransferIntent)
    intent = row.intent
    return InFlight(asset=intent.asset, amount=intent.amount, direction="in", route=intent.route)
