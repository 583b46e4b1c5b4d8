"""What a run tells while it goes on, and at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field

from allocator.models.base import ZERO, NonNegative, Num, Utc, Value

RunStatus = Literal["done", "partial", "superseded", "parked", "refused"]


class Progress(Value):
    """Something happened to an action.

    Attributes
    ----------
    state
        State of the attempt, or stage of the action.
    part, parts
        Slice of an order; 1 of 1 for what is not sliced.
    """

    at: Utc
    seq: int
    kind: str
    state: str
    part: int = 1
    parts: int = 1
    filled: NonNegative = ZERO
    quantity: NonNegative = ZERO
    note: str = ""


Watch = Callable[[Progress], None]


class ActionReport(Value):
    """How an action of the plan ended.

    Attributes
    ----------
    stage
        ``done``, ``part_done``, ``failed``, ``manual``, ``superseded``; ``working``: still on
        its way; ``checked`` or ``approved``: parked before it began.
    state
        State of its last attempt; None: nothing was sent.
    quantity, filled
        Contracts, or asset units.
    average_price
        Of all fills.
    fees
        Units by asset.
    slippage
        Numeraire paid beyond the plan's mark, without fees; negative: gained.
    forecast, shortfall
        Numeraire that the plan had forecast for what was filled, and what it came to: slippage,
        fees, and the move of the mark on what was not filled; None: not measured yet.
    attempts
        Requests sent.
    """

    seq: int
    kind: str
    what: str
    stage: str
    state: str | None = None
    reason: str = ""
    quantity: Num
    filled: Num = ZERO
    average_price: Num | None = None
    fees: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    slippage: Num | None = None
    forecast: Num | None = None
    shortfall: Num | None = None
    attempts: int = 0


class ExposureReport(Value):
    """Aggregate exposure to one underlying, numeraire.

    Attributes
    ----------
    after
        At the snapshot's prices, by the fills that are known.
    planned
        What the whole plan would have led to.
    """

    before: Num
    after: Num
    planned: Num
    target: Num
    band: Num


class BreakReport(Value):
    """A figure of a venue that differs from what the journal says."""

    account: str
    what: str
    expected: Num
    tolerance: Num
    seen: Num


class ExecutionReport(Value):
    """How a plan was carried out.

    Attributes
    ----------
    status
        ``done``: every action ended as planned; ``partial``: some did not; ``superseded``: the
        rest was given up, a new plan is wanted; ``parked``: stopped on request, resumable;
        ``refused``: nothing was sent.
    replan
        Whether the caller should gather and decide again.
    why
        What ended it early.
    fees
        Charges told by the venues, numeraire.
    breaks
        What the venues show otherwise at the end.
    frozen
        Accounts that stand still, with the reason.
    resumed
        Whether it went on with a plan of an earlier start.
    """

    cycle: int
    plan_hash: str
    status: RunStatus
    replan: bool = False
    why: str = ""
    actions: tuple[ActionReport, ...] = ()
    exposure: Mapping[str, ExposureReport] = Field(default_factory=dict[str, ExposureReport])
    fees: Num = ZERO
    breaks: tuple[BreakReport, ...] = ()
    reconciled: bool = False
    frozen: Mapping[str, str] = Field(default_factory=dict[str, str])
    resumed: bool = False
    began_at: Utc
    ended_at: Utc


def nothing(_progress: Progress) -> None:
    """Watch nothing."""
