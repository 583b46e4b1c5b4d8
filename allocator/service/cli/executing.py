"""Commands that make, carry out and make again stored plans: propose, execute, replay."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.models.errors import JournalError, RefusedError
from allocator.service.cli.codes import ExitCode, of_plan
from allocator.service.cli.output import tell
from allocator.service.cli.people import ConfigArgument, load, open_office, whole_hash, words_of
from allocator.service.cli.records import ConfigOption, DatabaseOption, need_cycle, open_database

if TYPE_CHECKING:
    from allocator.execution.report import ExecutionReport, Progress
    from allocator.models.config import Config
    from allocator.models.plan import Plan


def propose(*, config: ConfigArgument) -> None:
    """Read every account, decide, and store the plan for people to judge; nothing is sent.

    \b
    Example: allocator propose -c config.yaml
    """  # noqa: D301
    from allocator.service.bootstrap import open_market
    from allocator.service.cli.output import Format
    from allocator.service.cli.plans import show
    from allocator.service.cycle import PROPOSER
    from allocator.service.cycle import propose as decided

    loaded = load(config)

    with open_office(loaded) as office, words_of(loaded) as words:

        async def made() -> int:
            async with open_market(loaded, words.memory.told()) as market:
                _, snapshot, plan = await decided(market, loaded.mandate, office.history)
            show(plan, Format.TABLE)
            if plan.actions:
                office.propose(plan, snapshot, loaded.mandate, PROPOSER)
                print(f"proposed: {plan.plan_hash}")
            return of_plan(plan, detailed=False)

        raise typer.Exit(asyncio.run(made()))


def execute(
    plan: Annotated[str, typer.Argument(help="The plan's hash, or its first digits.")],
    *,
    config: ConfigArgument,
    live: Annotated[
        bool, typer.Option("--live", help="Mean it: needed where the configuration says live.")
    ] = False,
) -> None:
    """Carry out a plan that was proposed and approved, telling everything as it happens.

    Needs mode live in the configuration, --live, and a fresh approval; mode loopback needs the
    approval alone. Takes up first what an earlier run left. An account whose secrets cannot be
    read is told, and keeps nothing from the others. On SIGTERM what is being sent is
    followed to its end and the rest is parked; the next `execute` of the same plan goes on.
    Ends with 6 if nothing was sent, with 7 if the plan was not carried out whole.

    \b
    Example: allocator execute 3f9a21 -c config.yaml --live
    """  # noqa: D301
    loaded = load(config)
    check_mode(loaded, live=live)
    with open_office(loaded) as office:
        hash_ = whole_hash(office, plan)
    report = asyncio.run(_carry_out(loaded, hash_))
    _show(report)
    if report.status != "done":
        raise typer.Exit(ExitCode.PARTIAL)


def check_mode(config: Config, *, live: bool) -> None:
    """Refuse to send anything without every confirmation.

    Raises
    ------
    RefusedError
        In mode dry, and in mode live without the flag.
    """
    if config.mode == "dry":
        raise RefusedError("DRY_RUN: mode=dry; nothing that can trade is opened")
    if config.mode == "live" and not live:
        raise RefusedError("NOT_LIVE: mode=live needs --live as well")


async def _carry_out(config: Config, hash_: str) -> ExecutionReport:
    from allocator.service.bootstrap import open_desk, openable
    from allocator.service.taking_up import take_up

    for account, fault in openable(config)[1].items():
        tell(f"account {account} is not read, and stands frozen: {fault}")
    async with open_desk(config, config.installation, watch=progress) as desk:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, obey, desk.executor.stop)
        earlier = (await take_up(desk.executor, desk.history, desk.mandates)).report
        for row in desk.executor.unsettled():
            tell(f"not settled: {row}")
        if earlier is not None and earlier.plan_hash == hash_:
            return earlier
        found = desk.history.proposal(hash_)
        if found is not None:
            _check_opened(config, found.plan)
            desk.mandates.check_holds(found.mandate, found.at)
            desk.words.check(found.plan, found.snapshot, found.mandate)
        return await desk.executor.execute(hash_)


def _check_opened(config: Config, plan: Plan) -> None:
    """Refuse a plan of an account that cannot be read: begun, it could not be carried out again.

    Raises
    ------
    RefusedError
        When it has one.
    """
    from allocator.execution.release import accounts_of
    from allocator.service.bootstrap import openable

    _, faults = openable(config)
    mine = {name for action in plan.actions for name in accounts_of(action)}
    if gone := [faults[name] for name in sorted(mine & faults.keys())]:
        raise RefusedError("; ".join(dict.fromkeys(gone)))


def obey(stop: Callable[[], None]) -> None:
    """Stop as a signal asks for, and say so."""
    stop()
    tell("stopping: what is being sent is followed to its end")


def _show(report: ExecutionReport) -> None:
    from allocator.service.cli.demo import show_exposure, show_fates

    show_fates(report, "What became of it")
    show_exposure(report)
    if report.status == "parked":
        print("parked: the next start goes on with it within five minutes, or gives it up")
    elif report.replan:
        print("a new plan is wanted: gather and decide again")


def progress(row: Progress) -> None:
    """Tell what happens, on standard error."""
    part = f" {row.part}/{row.parts}" if row.parts > 1 else ""
    note = f" ({row.note})" if row.note else ""
    tell(f"  {row.kind} {row.seq}{part}: {row.state}{note}")


def replay(
    cycle: Annotated[int, typer.Argument(help="Number of the cycle, as history lists it.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a past cycle's plan again from its stored snapshot and mandate, and compare.

    Ends with 1 if it does not come out byte for byte, with 2 for a cycle that is not in the record
    or had no plan.

    \b
    Example: allocator replay 1 -d sqlite:///var/demo/journal.db
    """  # noqa: D301
    from allocator.execution.history import History
    from allocator.execution.replay import replay_cycle

    with open_database(database, config) as engine:
        record = History(engine)
        need_cycle(record, cycle, planned=True)
        again = replay_cycle(record, cycle)
    print(f"stored: {again.stored.plan_hash}")
    print(f"made:   {again.made.plan_hash}")
    if not again.same_hash:
        raise JournalError(f"REPLAY_DIFFERS: cycle={cycle} what=hash")
    if not again.same_bytes:
        raise JournalError(f"REPLAY_DIFFERS: cycle={cycle} what=costs or explanation")
    print("the same, byte for byte")
