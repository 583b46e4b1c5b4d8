"""What leaves is reserved before it is sent; what arrives is unusable until it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Literal

from sqlmodel import Session, col, select

from allocator.execution.transitions import State
from allocator.models.base import ONE, ZERO, plain
from allocator.models.errors import RefusedError
from allocator.models.intents import Intent, MoveIntent, OrderIntent, TransferIntent
from allocator.models.records import ReservationRow
from allocator.state import Book, charge_of, lawful


@dataclass(frozen=True, slots=True)
class Reservation:
    """Asset units that an intent takes from an account or brings to one."""

    account: str
    asset: str
    amount: Decimal
    direction: Literal["out", "in"]


def reservations(intent: Intent, book: Book) -> tuple[Reservation, ...]:
    """Tell what an intent takes and brings.

    Transfers take the amount with its charges, spot orders their worst price with its fee, or
    their base; derivatives change collateral only, which the plan's own check covers.
    """
    match intent:
        case TransferIntent():
            route = book.routes[intent.route]
            taken = intent.amount + charge_of(route, intent.amount)
            return (
                Reservation(intent.source, intent.asset, taken, "out"),
                Reservation(intent.target, intent.asset, intent.amount, "in"),
            )
        case OrderIntent():
            return _of_order(intent, book)
        case MoveIntent():
            return ()


@lawful
def _of_order(intent: OrderIntent, book: Book) -> tuple[Reservation, ...]:
    instrument = book.instruments[intent.instrument]
    if not instrument.is_spot or instrument.base is None:
        return ()
    if intent.side == "sell":
        return (Reservation(intent.account, instrument.base, intent.quantity, "out"),)
    # As the plan was checked: the fee leaves the money that pays. A rebate comes later, if at all.
    fee = max(ZERO, book.taker(intent.account, intent.instrument))
    with localcontext(rounding=ROUND_CEILING):
        cash = intent.quantity * intent.limit_price * (ONE + fee)
    return (Reservation(intent.account, instrument.cash, cash, "out"),)


def set_aside(row: Reservation | ReservationRow) -> dict[str, str]:
    """Tell what is set aside, as the audit does."""
    return {
        "account": row.account,
        "asset": row.asset,
        "direction": row.direction,
        "amount": plain(row.amount),
    }


def reserved(session: Session, account: str, asset: str) -> Decimal:
    """Sum what is reserved to leave an account and not yet known to have left."""
    rows = session.exec(
        select(ReservationRow).where(
            ReservationRow.account == account,
            ReservationRow.asset == asset,
            ReservationRow.direction == "out",
            ReservationRow.phase == "reserved",
        )
    )
    return sum((row.amount for row in rows), ZERO)


def reserve(
    session: Session,
    client_id: str,
    rows: Sequence[Reservation],
    held: Decimal | None,
    at: datetime,
) -> None:
    """Set money aside.

    Parameters
    ----------
    held
        What the account was last seen to hold of what leaves; None: nothing leaves.

    Raises
    ------
    RefusedError
        When less is held than all reservations need together.
    """
    for row in rows:
        if row.direction == "out":
            needed = reserved(session, row.account, row.asset) + row.amount
            if held is None or needed > held:
                seen = "unknown" if held is None else plain(held)
                raise RefusedError(
                    f"NOT_HELD: account={row.account} asset={row.asset} "
                    f"needed={plain(needed)} held={seen}"
                )
        session.add(
            ReservationRow(
                client_id=client_id,
                account=row.account,
                asset=row.asset,
                direction=row.direction,
                amount=row.amount,
                phase="reserved",
                updated_at=at,
            )
        )


_VOID = frozenset({State.REJECTED, State.NOT_EXECUTED, State.RETURNED})
_LEFT = frozenset({State.IN_TRANSIT, State.SETTLED, State.FILLED})
_ARRIVED = frozenset({State.SETTLED, State.FILLED})
_ENDED = frozenset({State.CANCELLED, State.EXPIRED})


def phase_of(direction: str, state: State, filled: Decimal) -> str | None:
    """Tell what becomes of a reservation in a state of its attempt; None: it stays as it is."""
    if state in _VOID or (state in _ENDED and not filled):
        return "voided"
    if state in _ENDED or state in (_LEFT if direction == "out" else _ARRIVED):
        return "posted"
    return None


def settle(session: Session, client_id: str, state: State, filled: Decimal, at: datetime) -> None:
    """Post or void the reservations of an attempt whose outcome became known."""
    rows = session.exec(select(ReservationRow).where(col(ReservationRow.client_id) == client_id))
    for row in rows:
        phase = phase_of(row.direction, state, filled)
        if phase is not None and row.phase != phase:
            row.phase, row.updated_at = phase, at
            session.add(row)
