"""What an operator says of an attempt that was handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from allocator.execution.arrivals import unclaimed
from allocator.execution.attempts import Attempt, fees_text, of_row, quantity, sender
from allocator.execution.endings import ending, measure_again
from allocator.execution.entries import (
    Entry,
    action_rows,
    attempt_row,
    attempts_of,
    freezes_of,
    give_to_person,
    lift,
    move_attempt,
    need_evidence,
    plan_row,
    step_action,
)
from allocator.execution.office import Office
from allocator.execution.recorded import PlanRecord, plan_record
from allocator.execution.transitions import OPEN_STATES, Stage, State
from allocator.models.base import ZERO, plain
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import OrderIntent, TransferIntent
from allocator.models.records import AttemptRow
from allocator.state import Book

WHOLE = frozenset({State.FILLED, State.SETTLED})
NOTHING = frozenset({State.NOT_EXECUTED, State.RETURNED})


@dataclass(frozen=True, slots=True)
class Figures:
    """What a venue tells of all that was filled: average price and charges, None untold."""

    price: Decimal | None = None
    fees: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator found out about an attempt.

    Attributes
    ----------
    to
        FILLED, CANCELLED, EXPIRED, SETTLED, RETURNED or NOT_EXECUTED, as its kind has them.
    filled
        Contracts, or asset units that arrived.
    evidence
        Where this was seen.
    price
        Average price of all that was filled; None: not told, so that any that the limit allows
        is as expected.
    fees
        All charges, units by asset, negative for a rebate; None: not told.
    arrivals
        Deposits that a transfer may have arrived as, where its venue bears the operator out.
    venue
        What the venue tells, where it bears the operator out: this is kept, as any answer of it
        is, and refuses nobody; the operator's own reading is checked all the same.
    """

    to: State
    filled: Decimal
    operator: str
    evidence: str
    price: Decimal | None = None
    fees: Mapping[str, Decimal] | None = None
    arrivals: tuple[str, ...] = ()
    venue: Figures = Figures()


def resolve(office: Office, client_id: str, verdict: Verdict) -> Attempt:
    """End an attempt by evidence, and the action it belongs to; thaws what it froze.

    All of it is one transaction: an operator who finds the attempt ended finds its action ended
    and its accounts thawed as well.

    Raises
    ------
    RefusedError
        When `filled` does not go with the end or the lots, or price or fees with what was filled;
        or when operator or evidence are missing.
    JournalError
        When the attempt does not wait for anybody, or does not end like that.
    """
    need_evidence(verdict.operator, verdict.evidence)
    with office.write() as entry:
        row = attempt_row(entry.session, client_id)
        if row.state != State.MANUAL:
            # Left open, as nobody is here to ask: its account stands still for it.
            if row.state not in OPEN_STATES or not freezes_of(entry.session, client_id):
                raise JournalError(f"NOT_MANUAL: client_id={client_id} state={row.state}")
            give_to_person(entry, row, "its account is not opened here")
        _check(of_row(row), verdict.to, verdict.filled)
        record = plan_record(plan_row(entry.session, row.plan_hash))
        _check_lots(record, of_row(row), verdict.filled)
        _check_price(of_row(row), verdict)
        _check_fees(record, of_row(row), verdict)
        verdict = _with_venues(verdict)
        _take(row, verdict)
        row.settled_by = next(iter(unclaimed(entry.session, client_id, verdict.arrivals)), None)
        move_attempt(entry, row, verdict.to, f"{verdict.operator}: {verdict.evidence}")
        _thaw(entry, client_id, verdict)
        _end_action(entry, row, record)
        return of_row(row)


def _with_venues(verdict: Verdict) -> Verdict:
    """Put the venue's figures in; the evidence tells which of them the operator did not give."""
    price, fees = verdict.venue.price, verdict.venue.fees
    untold = [
        name
        for name, own, known in (("price", verdict.price, price), ("fees", verdict.fees, fees))
        if known is not None and own is None
    ]
    whose = f"; its venue's own: {', '.join(untold)}" if untold else ""
    return replace(
        verdict,
        price=verdict.price if price is None else price,
        fees=verdict.fees if fees is None else fees,
        evidence=f"{verdict.evidence}{whose}",
    )


def _take(row: AttemptRow, verdict: Verdict) -> None:
    """Keep what was filled; price and fees of less say nothing of the whole."""
    more = verdict.filled != row.filled
    row.filled = verdict.filled
    if more or verdict.price is not None:
        row.average_price = verdict.price
    if more or verdict.fees is not None:
        row.fees_json = fees_text(verdict.fees or {})


def _thaw(entry: Entry, client_id: str, verdict: Verdict) -> None:
    for held in freezes_of(entry.session, client_id):
        lift(entry, held, verdict.operator, verdict.evidence)


def _end_action(entry: Entry, row: AttemptRow, record: PlanRecord) -> None:
    """End the action of an attempt, if nothing else of it is open."""
    session, plan = entry.session, record.plan
    action = next(action for action in plan.actions if action.seq == row.seq)
    attempts = attempts_of(session, row.plan_hash, row.seq)
    stage, why = ending(action, attempts)
    if stage not in (Stage.MANUAL, Stage.WORKING):
        for line in action_rows(session, row.plan_hash, [row.seq]):
            step_action(entry, line, stage, why)
        measure_again(entry, Book.of(record.snapshot, record.mandate), plan, attempts)


def _check(attempt: Attempt, to: State, filled: Decimal) -> None:
    asked = quantity(attempt.intent)
    least = asked if to in WHOLE else attempt.filled
    most = ZERO if to in NOTHING else asked
    if not least <= filled <= most:
        raise RefusedError(
            f"FILLED_DIFFERS: to={to} filled={plain(filled)} "
            f"least={plain(least)} most={plain(most)}"
        )


def _check_lots(record: PlanRecord, attempt: Attempt, filled: Decimal) -> None:
    """Refuse part of a lot, unless it is all that was asked for or what the venue has told."""
    intent = attempt.intent
    if not isinstance(intent, OrderIntent) or filled in (intent.quantity, attempt.filled):
        return
    lot = record.snapshot.instrument[intent.instrument].lot
    if filled % lot:
        raise RefusedError(f"LOT_DIFFERS: filled={plain(filled)} lot={plain(lot)}")


def _check_price(attempt: Attempt, verdict: Verdict) -> None:
    price, intent = verdict.price, attempt.intent
    if price is None:
        return
    worst = None
    if isinstance(intent, OrderIntent):
        worst = intent.limit_price
        beyond = price > worst if intent.side == "buy" else price < worst
    else:
        beyond = isinstance(intent, TransferIntent)
    if beyond or price <= ZERO or not verdict.filled:
        limit = "none" if worst is None else plain(worst)
        raise RefusedError(
            f"PRICE_DIFFERS: price={plain(price)} worst={limit} filled={plain(verdict.filled)}"
        )


def _check_fees(record: PlanRecord, attempt: Attempt, verdict: Verdict) -> None:
    """Refuse fees where there can be none, or in an asset that nobody knows."""
    if not verdict.fees:
        return
    wallets = ((record.baseline or {}).get(sender(attempt.intent)) or {}).get("wallets") or {}
    unknown = sorted(set(verdict.fees) - set(record.snapshot.assets) - set(wallets))
    if unknown or not verdict.filled or not isinstance(attempt.intent, OrderIntent):
        raise RefusedError(
            f"FEE_DIFFERS: assets={','.join(sorted(verdict.fees))} "
            f"unknown={','.join(unknown) or 'none'} filled={plain(verdict.filled)}"
        )
