"""What the HTTP API answers; the typed client reads the same values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from allocator.models.base import Num, Utc, Value
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan

Scope = Literal["read", "plan", "approve", "execute"]
SCOPES: tuple[Scope, ...] = ("read", "plan", "approve", "execute")


class Fault(Value):
    """One thing that is wrong with a request."""

    path: str
    what: str


class ProblemDetails(Value):
    """A refusal, as RFC 9457 has it.

    Attributes
    ----------
    code
        Stable name of the refusal.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str = ""
    faults: tuple[Fault, ...] = ()


class Health(Value):
    """Whether the process serves, and what is not as it should be.

    Attributes
    ----------
    notes
        What is worth knowing though it serves.
    """

    ok: bool
    version: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class AccountView(Value):
    """An account as it was last marked; figures in numeraire, None where they are not known.

    Attributes
    ----------
    on_its_way
        Sent to it from another account of the book and in no wallet yet; not in its equity.
    margin_unknown
        Why ratio and distance are not known although it was read; empty: they are, and None is that
        nothing needs margin, or no price move uses it up.
    ratio_at_most, distance_at_most
        Where they are not known: the worst of what is, than which they are no better.
    age_s
        Seconds since it was read.
    frozen
        Why it stands still; empty: it does not.
    live
        Whether orders may be sent to it.
    """

    account: str
    venue: str
    owner: str
    state: str
    equity: Num | None = None
    on_its_way: Num | None = None
    unrealised: Num | None = None
    initial: Num | None = None
    maintenance: Num | None = None
    ratio: Num | None = None
    leverage: Num | None = None
    distance: Num | None = None
    ratio_at_most: Num | None = None
    distance_at_most: Num | None = None
    margin_unknown: str = ""
    age_s: Num | None = None
    missing: str = ""
    frozen: str = ""
    live: bool = False


class ExposureView(Value):
    """Exposure to one underlying, numeraire."""

    underlying: str
    exposure: Num
    target: Num
    band: Num
    by_account: Mapping[str, Num] = Field(default_factory=dict[str, Num])


class LimitView(Value):
    """How much of a limit is used; `share` None: an account in its scope was not read."""

    limit: str
    bound: str
    used: Num | None
    cap: Num
    share: Num | None


class BreakerView(Value):
    """A breaker that was tripped at least once."""

    scope: str
    state: str
    reason: str
    who: str
    at: Utc


class VenueView(Value):
    """How a venue says that it stands; `state` None: it publishes nothing, or was not asked yet."""

    venue: str
    state: str | None = None
    until: Utc | None = None
    words: str = ""


MarkSource = Literal["own", "gathered", "none"]


class BookView(Value):
    """The whole book as it was last marked.

    Attributes
    ----------
    marks
        Of what the figures are: ``own``, what this instance has read itself; ``gathered``, what
        the leader's latest cycle gathered, where this instance has nothing newer; ``none``, nothing
        is known here.
    at
        When it was read.
    on_its_way
        What is on its way between its accounts, numeraire; with equity it is all of its money.
    in_doubt
        What may be on its way beside that, or be in two wallets at once; None: not known here.
    unfit
        Why exposures or limits are not known: the mandate does not fit the book. Empty: it does.
    """

    portfolio: str
    mode: str
    marks: MarkSource = "none"
    at: Utc | None = None
    equity: Num | None = None
    on_its_way: Num | None = None
    in_doubt: Num | None = None
    unfit: str = ""
    accounts: tuple[AccountView, ...] = ()
    exposures: tuple[ExposureView, ...] = ()
    limits: tuple[LimitView, ...] = ()
    breakers: tuple[BreakerView, ...] = ()
    venues: tuple[VenueView, ...] = ()


class VerdictView(Value):
    """What one person said of a plan."""

    who: str
    verdict: str
    reason: str
    at: Utc


class PlanSummary(Value):
    """A proposed plan and where its approval stands.

    Attributes
    ----------
    approval
        ``auto``, ``waiting``, ``approved``, ``rejected`` or ``expired``.
    needed
        People who have to let it go.
    begun
        Whether its execution has begun.
    execution
        How that stands: ``open``, ``parked``, ``done``, ``partial``, ``superseded`` or ``failed``;
        empty: it has not begun.
    """

    plan_hash: str
    at: Utc
    proposer: str
    status: str
    actions: int
    total: Num
    do_nothing: Num
    turnover: Num
    approval: str
    needed: int
    expires_at: Utc
    verdicts: tuple[VerdictView, ...] = ()
    begun: bool = False
    execution: str = ""


class PlanView(Value):
    """A proposed plan in full."""

    summary: PlanSummary
    plan: Plan
    snapshot_as_of: Utc


class Difference(Value):
    """What changed between two plans, line by line."""

    before: str
    after: str
    lines: tuple[str, ...]


class AttemptView(Value):
    """One request to a venue and what became of it."""

    client_id: str
    seq: int
    part: int
    number: int
    kind: str
    state: str
    at: Utc
    filled: Num
    average_price: Num | None = None
    reason: str = ""


class StageView(Value):
    """Where a line of a plan stands."""

    seq: int
    kind: str
    stage: str
    reason: str = ""


class ExecutionView(Value):
    """How a plan is being carried out, or was."""

    plan_hash: str
    cycle: int | None = None
    status: str
    note: str = ""
    stages: tuple[StageView, ...] = ()
    attempts: tuple[AttemptView, ...] = ()


class SlotView(Value):
    """Something that was or is to be done once."""

    id: int
    name: str
    source: str
    kind: str
    cause: str
    due_at: Utc
    status: str
    note: str = ""
    began_at: Utc | None = None
    ended_at: Utc | None = None
    plan_hash: str | None = None


class ScheduleView(Value):
    """A schedule and when it comes next; `paused`: by whom and why, empty: it runs."""

    id: str
    cron: str | None = None
    every_s: Num | None = None
    next_at: Utc | None = None
    paused: str = ""


class EventView(Value):
    """One line of the audit."""

    seq: int
    at: Utc
    epoch: int
    subject: str
    what: str
    facts: Any = None


class AuditCheck(Value):
    """Whether the audit's chain held when it was checked."""

    whole: bool
    events: int
    checked_at: Utc | None = None
    faults: tuple[str, ...] = ()


class SnapshotView(Value):
    """A stored snapshot without its contents."""

    snapshot_hash: str
    as_of: Utc
    source: str


class MandateView(Value):
    """A version of the mandate.

    Attributes
    ----------
    mandate
        None: it cannot be read.
    unchecked
        What could not be checked as it was drafted or published just now; empty: nothing.
    unreadable
        Why it cannot be read; empty: it can.
    """

    version: int
    status: str
    mandate_hash: str
    note: str
    author: str
    created_at: Utc
    published_by: str | None = None
    published_at: Utc | None = None
    mandate: Mandate | None
    unchecked: str = ""
    unreadable: str = ""


class ProfitView(Value):
    """What was earned, numeraire, by account, owner, venue or book; None: nothing is known.

    Attributes
    ----------
    lacks
        Accounts of which not all is in it: nothing is known of them in the interval, or another
        instance marked them meanwhile.
    """

    name: str
    realised: Num | None = None
    unrealised: Num | None = None
    funding: Num | None = None
    fees: Num | None = None
    revaluation: Num | None = None
    other: Num | None = None
    flows: Num | None = None
    lacks: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal | None:
        """All parts that are known, without what was paid in."""
        parts = (
            self.realised, self.unrealised, self.funding, self.fees, self.revaluation, self.other,
        )  # fmt: skip
        known = [part for part in parts if part is not None]
        return sum(known, Decimal(0)) if known else None


class EquityView(Value):
    """Equity at one moment, numeraire.

    Attributes
    ----------
    on_its_way
        Sent to it from accounts of the book and in no wallet yet; None: marks of an earlier
        release do not tell.
    """

    at: Utc
    name: str
    equity: Num | None = None
    on_its_way: Num | None = None
    maintenance: Num | None = None
    ratio: Num | None = None


class JobView(Value):
    """Long work: ``running``, ``done`` or ``failed``; `result` once it is done."""

    id: str
    kind: str
    status: str
    done: int = 0
    expected: int | None = None
    detail: str = ""
    result: Any = None
