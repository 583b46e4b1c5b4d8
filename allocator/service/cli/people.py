"""Commands by which people say yes, no, stop and go on: approve, halt, resume, paid."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.models.base import exact, legible, plain, stamp
from allocator.models.errors import RefusedError, StaleError
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.records import open_database, own_database

if TYPE_CHECKING:
    from allocator.execution.office import Office
    from allocator.models.config import Config
    from allocator.risk.approvals import Standing
    from allocator.service.mandates import Mandates
    from allocator.service.words import Words

MOST_NAME = 200
"""Characters of a person's name that the record holds."""

ConfigArgument = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", show_default=False)
]


def _name(told: str) -> str:
    if len(told) > MOST_NAME:
        raise typer.BadParameter(f"a name has {MOST_NAME} characters at most")
    return legible(told)


# A byte that the terminal sent and that is no UTF-8 must not keep a halt from being written.
WhoOption = Annotated[
    str, typer.Option("--as", help="Your name.", show_default=False, callback=_name)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why.", show_default=False, callback=legible)
]
ScopeArgument = Annotated[
    str, typer.Argument(help="global, venue:NAME or account:NAME.", show_default="global")
]

LEAST_DIGITS = 6
"""Digits that name a plan: with none, from a variable that is not set, any one would do."""


def load(config: Path) -> Config:
    """Read a configuration whose secrets stand beside it."""
    from allocator.service.bootstrap import read_config

    return read_config(config)


@contextmanager
def open_office(config: Config) -> Generator[Office]:
    """Open the record for what people say; nobody has to lead for it.

    What was said is in the audit, whose head is kept elsewhere as it is after a cycle.
    """
    from allocator.execution.office import Office
    from allocator.service.anchors import Anchors, anchor_file
    from allocator.service.clock import SystemClock

    with own_database(config) as engine:
        clock = SystemClock()
        office = Office(engine, config.installation, clock)
        before = office.history.head()
        try:
            yield office
        finally:
            if office.history.head() != before:
                Anchors(anchor_file(config.service.history), office.history, clock).keep()


@contextmanager
def words_of(config: Config) -> Generator[Words]:
    """Open what venues said last, as the record has it."""
    from allocator.service.monitor.memory import Memory
    from allocator.service.words import Words

    with open_database(config.database, None) as engine:
        yield Words(Memory(engine, config.installation), config.gather)


@contextmanager
def mandates_of(config: Config) -> Generator[Mandates]:
    """Open the versions of the mandate."""
    from allocator.service.mandates import Mandates

    with open_database(config.database, None) as engine:
        yield Mandates(engine, config.installation, config)


def approve(  # noqa: PLR0913 - each is an option of the command
    plan: Annotated[
        str | None, typer.Argument(help="The plan's hash, or its first digits; none lists.")
    ] = None,
    *,
    config: ConfigArgument,
    who: WhoOption = "",
    reason: ReasonOption = "",
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead.")] = False,
    retract: Annotated[bool, typer.Option("--retract", help="Take your approval back.")] = False,
) -> None:
    """Approve or reject a proposed plan, bound to its hash; without one, list what waits.

    A verdict needs a reason. An approval may be taken back until the plan is begun. Ends with 6
    if the plan is not known, too old or begun, if you proposed it, if a venue of it has shut or
    another mandate holds by now, or if there is no approval of yours to take back.

    \b
    Example: allocator approve 3f9a21 -c config.yaml --as ann --reason "checked with the desk"
    """  # noqa: D301
    from allocator.service.deeds import need_reason

    if reject and retract:
        raise typer.BadParameter("one of --reject and --retract", param_hint="--retract")
    loaded = load(config)
    with open_office(loaded) as office:
        if plan is None:
            _list(office, loaded)
            return
        hash_ = whole_hash(office, plan)
        if retract:
            office.retract(hash_, who, reason)
            _tell(standing_of(office, loaded, hash_))
            return
        need_reason(reason)
        before = standing_of(office, loaded, hash_)
        if before.status == "expired":
            raise RefusedError(f"EXPIRED: plan_hash={hash_} at={stamp(before.expires_at)}")
        if not reject:
            _check_still(office, loaded, hash_)
        office.judge(hash_, who, "rejected" if reject else "approved", reason)
        _tell(standing_of(office, loaded, hash_))


def _check_still(office: Office, config: Config, plan_hash: str) -> None:
    """Hold a proposed plan against the mandate that holds by now, and venues' latest words.

    Raises
    ------
    RefusedError
        When another mandate holds, or a venue of it has shut.
    """
    found = office.history.proposal(plan_hash)
    assert found is not None
    with mandates_of(config) as mandates:
        mandates.check_holds(found.mandate, found.at)
    with words_of(config) as words:
        words.check(found.plan, found.snapshot, found.mandate)


def whole_hash(office: Office, start: str) -> str:
    """Complete a plan's hash from its first digits.

    Raises
    ------
    RefusedError
        When too few are told, or none or several of the proposed plans begin so.
    """
    if len(start) < LEAST_DIGITS:
        raise RefusedError(
            f"NOT_PROPOSED: plan_hash={start!r}: tell {LEAST_DIGITS} of its digits at least"
        )
    found = [row.plan.plan_hash for row in office.history.proposals(1000)]
    found = [hash_ for hash_ in found if hash_.startswith(start)]
    if len(found) != 1:
        raise RefusedError(f"NOT_PROPOSED: plan_hash={start} found={len(found)}")
    return found[0]


def standing_of(office: Office, config: Config, hash_: str) -> Standing:
    """Work out where a proposed plan stands now."""
    from allocator.risk.approvals import standing
    from allocator.service.clock import SystemClock
    from allocator.state import Book

    found = office.history.proposal(hash_)
    if found is None:
        raise RefusedError(f"NOT_PROPOSED: plan_hash={hash_}")
    book, verdicts = Book.of(found.snapshot, found.mandate), office.history.verdicts(hash_)
    return standing(book, found.plan, verdicts, config.approval, SystemClock().now())


def _list(office: Office, config: Config) -> None:
    from allocator.service.cli.output import write_table

    rows = [
        (
            row.plan.plan_hash[:12],
            stamp(row.at),
            len(row.plan.actions),
            plain(stands.turnover.quantize(Decimal("0.01"))),
            "begun" if row.begun else stands.status,
            f"{len(stands.approvers)}/{stands.needed}",
        )
        for row in office.history.proposals()
        for stands in (standing_of(office, config, row.plan.plan_hash),)
    ]
    columns = ("plan", "proposed", "actions>", "turnover>", "status", "approved>")
    write_table(columns, rows, title="Proposed plans")


def _tell(row: Standing) -> None:
    people = ", ".join(row.approvers) or "nobody"
    print(
        f"{row.plan_hash}: {row.status}; {len(row.approvers)} of {row.needed} approved "
        f"({people}); until {stamp(row.expires_at)}"
    )


def halt(
    scope: ScopeArgument = "global",
    *,
    config: ConfigArgument,
    who: WhoOption,
    reason: ReasonOption,
    reducing: Annotated[
        bool, typer.Option("--reducing", help="Let orders through that only reduce.")
    ] = False,
) -> None:
    """Stop everything, a venue or an account, until somebody resumes it.

    The halt is on record before anything else happens; then what stands in the market is
    cancelled, by this process or by the one that leads. Ends with 6 for a venue or an account
    that the configuration does not have, with 5 if the halt is not in force: try again, and with
    7 if it is, but something may still stand, since its account is not opened here.

    \b
    Example: allocator halt venue:okx -c config.yaml --as ann --reason "odd prices"
    """  # noqa: D301
    from allocator.risk.breaker import Breaker
    from allocator.service.deeds import check_known

    loaded = load(config)
    check_known(loaded, scope)
    state, now = Breaker.REDUCING if reducing else Breaker.HALTED, None
    try:
        with open_office(loaded) as office:
            now = office.trip(scope, state, reason, who)
            print(f"{scope}: {now}")
    except StaleError as error:
        if now is not None or str(error).startswith("NOT_HALTED"):
            raise
        raise StaleError(f"NOT_HALTED: {scope} is not {state}: {error}; try again") from error
    if loaded.mode != "dry":
        rest = asyncio.run(_cancel(loaded, f"halted: {reason}"))
        for row in rest:
            print(f"not settled: {row}", file=sys.stderr)
        if rest:
            raise typer.Exit(ExitCode.PARTIAL)


async def _cancel(config: Config, why: str) -> tuple[str, ...]:
    """Settle and give up what an ended process left; one that runs does it by itself.

    An account that cannot be opened keeps no order of another standing.

    Returns
    -------
    tuple
        What could not be settled, in words.
    """
    from allocator.execution.leader import NotLeaderError
    from allocator.service.bootstrap import open_desk, openable
    from allocator.service.cli.executing import progress

    opened, faults = openable(config)
    for account, fault in faults.items():
        print(f"account {account} is not opened: {fault}", file=sys.stderr)
    if not opened.accounts:
        return tuple(f"what may stand in {account}: it is not opened" for account in faults)
    try:
        async with open_desk(opened, config.installation, watch=progress) as desk:
            await desk.executor.give_up(why)
            return desk.executor.unsettled()
    except NotLeaderError:
        print("the process that leads cancels what it has in the market", file=sys.stderr)
        return ()


def resume(
    scope: ScopeArgument = "global", *, config: ConfigArgument, who: WhoOption, reason: ReasonOption
) -> None:
    """Let everything, a venue or an account act again.

    Ends with 6 if it was not halted, or without a reason and a name.

    \b
    Example: allocator resume venue:okx -c config.yaml --as ben --reason "prices are sound"
    """  # noqa: D301
    with open_office(load(config)) as office:
        office.reset(scope, reason, who)
    print(f"{scope}: active")


def paid(
    amount: Annotated[
        str, typer.Argument(help="What came from outside, in the book's money; negative: it left.")
    ],
    *,
    config: ConfigArgument,
    who: WhoOption,
    reason: ReasonOption,
    confirm: Annotated[
        int | None,
        typer.Option("--confirm", help="Number of what somebody else told.", show_default=False),
    ] = None,
) -> None:
    """Tell of a deposit or a withdrawal, so that the day's loss is counted without it.

    Withdrawals beyond a tenth of controls.daily_loss in a day, or beyond approval.second_above,
    count once somebody else has told the same amount with --confirm; where either is not set, all
    do. The control of the day's loss counts from the day's first plan: what is told before it
    counts for triggers and the history. Ends with 6 without a reason and a name, or if you told
    first what you confirm. Names are taken as they are typed.

    \b
    Example: allocator paid -c config.yaml --as ann --reason "wire 4711" -- -25000
    Example: allocator paid -c config.yaml --as ben --reason "seen" --confirm 1 -- -25000
    """  # noqa: D301
    from allocator.execution.outside import Payment, most_alone
    from allocator.execution.outside import paid as told

    loaded, payment = load(config), Payment(number(amount, "AMOUNT"), reason, who)
    with open_office(loaded) as office:
        taken = told(office, payment, most_alone(loaded.approval, loaded.controls), confirm)
    if taken.waits is not None:
        print(f"waits for somebody else to tell the same with --confirm {taken.waits}")
    if taken.opening is None:
        print("the day's loss is counted from what the book is worth at today's first plan")
    else:
        print(f"today's profit and loss are counted from {plain(taken.opening)}")


def number(text: str, hint: str) -> Decimal:
    """Read a figure that was typed.

    Raises
    ------
    typer.BadParameter
        When it is none; `hint` names the option.
    """
    try:
        return exact(text)
    except ValueError as error:
        raise typer.BadParameter(f"not a number: {text}", param_hint=hint) from error
