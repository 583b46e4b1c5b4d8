"""The demo command: the whole line, once, on the bundled loopback exchanges."""

from __future__ import annotations

import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.models.base import plain
from allocator.models.explain import money
from allocator.service.cli.codes import ExitCode, of_plan
from allocator.service.cli.executing import progress
from allocator.service.cli.output import tell, write_table

if TYPE_CHECKING:
    from allocator.execution.report import ExecutionReport
    from allocator.models.plan import Plan
    from allocator.ports import Gathered
    from allocator.service.cycle import Outcome
    from allocator.service.loopback import Exchanges

DEFAULT_STATE = Path("var/demo")


def demo(
    *,
    state: Annotated[
        Path,
        typer.Option(help="Folder of the exchanges, the keys, the configuration, the journal."),
    ] = DEFAULT_STATE,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with fresh exchanges.")] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Leave the exchanges up, to gather from them; the next run without it ends them.",
        ),
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Stay up as a service, with its dashboard.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Where the dashboard listens; 0 picks a port.", min=0, max=65535)
    ] = 8400,
) -> None:
    """Run the whole line once on bundled loopback exchanges: two venues, eight accounts.

    Gathers through the real exchange client, decides, verifies, executes, reconciles and prints
    what became of it. A run that was killed half way is taken up by the next one.

    \b
    Example: allocator demo --reset
    Example: allocator demo --serve
    """  # noqa: D301
    from allocator.service import demo as play

    if serve:
        play.serve(state, port=port, tell=_served, reset=reset)
        return
    running = play.run(state, watch=progress, tell=_step, reset=reset, keep=keep)
    with running as (outcome, exchanges):
        show(outcome, exchanges)
    raise typer.Exit(_code(outcome))


def _served(address: str, entrance: str) -> None:
    print(f"the dashboard: {entrance}", flush=True)
    print(f"(once; afterwards {address} with a token; Ctrl-C stops)", file=sys.stderr, flush=True)


def show(outcome: Outcome, exchanges: Exchanges) -> None:
    """Print the cycle: accounts, plan, what became of it, and who asked the exchanges."""
    from allocator.service.cli.output import Format
    from allocator.service.cli.plans import show as show_plan

    if outcome.resumed is not None:
        show_fates(outcome.resumed, "What became of the plan of the run before")
    _accounts(outcome.gathered, outcome.plan)
    show_plan(outcome.plan, Format.TABLE)
    if outcome.report is not None:
        show_fates(outcome.report, "What became of it")
        show_exposure(outcome.report)
    _margin(outcome.plan)
    _requests(exchanges)


def _code(outcome: Outcome) -> ExitCode:
    if outcome.gathered.missing:
        return ExitCode.STALE
    if outcome.report is not None and outcome.report.status != "done":
        return ExitCode.PARTIAL
    return of_plan(outcome.plan, detailed=False)


def _step(name: str, value: Any) -> None:
    match name, value:
        case "exchanges", _:
            text = f"the loopback exchanges listen at {value.url}"
        case "resume", None:
            return
        case "resume", _:
            text = f"took up the plan of an earlier run: {value.status}"
        case "gather", _:
            text = f"gathered {len(value.snapshot.accounts)} accounts"
        case "decide", _:
            text = f"decided: {value.status}, {len(value.actions)} actions"
        case _:
            text = f"executed: {value.status}"
    tell(text)


def _accounts(gathered: Gathered, plan: Plan) -> None:
    rows = []
    for account in gathered.snapshot.accounts:
        state = plan.accounts.get(account.id)
        held = [
            f"{plain(row.net)} {name.split(':', 1)[1]}"
            for name, row in sorted(account.positions.items())
            if row.net
        ]
        rows.append(
            (
                account.venue,
                account.id,
                account.state,
                None if state is None else money(state.equity_before),
                ", ".join(held) or None,
                None if state is None else _ratio(state.margin_ratio_before),
                None if state is None else _ratio(state.margin_ratio_after),
            )
        )
    columns = ("venue", "account", "state", "equity>", "positions", "margin ratio>", "planned>")
    write_table(columns, rows, title="Accounts")
    for row in gathered.missing:
        print(f"missing: {row.account}: {row.what}", file=sys.stderr)


def _ratio(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def show_fates(report: ExecutionReport, title: str) -> None:
    """Tell how every action of a plan ended."""
    rows = [
        (
            row.seq,
            row.what,
            row.stage,
            plain(row.filled),
            None if row.average_price is None else f"{row.average_price:.2f}",
            None if row.slippage is None else money(row.slippage),
            None if row.forecast is None else money(row.forecast),
            None if row.shortfall is None else money(row.shortfall),
            row.attempts,
            row.reason or None,
        )
        for row in report.actions
    ]
    columns = (
        "seq>",
        "action",
        "ended",
        "filled>",
        "price>",
        "slippage>",
        "forecast>",
        "came to>",
        "requests>",
        "note",
    )
    write_table(columns, rows, title=f"{title}: {report.status}")
    told = f"fees {money(report.fees)}; reconciled: {'yes' if report.reconciled else 'no'}"
    print(told + (f"; {report.why}" if report.why else ""))
    for row in report.breaks:
        print(
            f"differs: {row.account} {row.what}: expected {plain(row.expected)}, "
            f"the venue shows {plain(row.seen)}"
        )
    for account, why in report.frozen.items():
        print(f"frozen: {account}: {why}")


def show_exposure(report: ExecutionReport) -> None:
    """Tell the exposure before and after a plan."""
    rows = [
        (name, money(row.before), money(row.after), money(row.target), money(row.band))
        for name, row in sorted(report.exposure.items())
    ]
    columns = ("underlying", "before>", "after>", "target>", "band>")
    write_table(columns, rows, title="Exposure, USD")


def _margin(plan: Plan) -> None:
    for when in ("before", "after"):
        ratios = [
            (ratio, name)
            for name, row in plan.accounts.items()
            if (ratio := getattr(row, f"margin_ratio_{when}")) is not None
        ]
        if ratios:
            ratio, name = min(ratios)
            print(f"worst margin ratio {when}: {ratio:.2f} ({name})")


def _requests(exchanges: Exchanges) -> None:
    log: Any = exchanges.ask("requests")
    signed = Counter(row["host"] for row in log if row["signed_by"])
    told = ", ".join(f"{count} to {host}" for host, count in sorted(signed.items()))
    agents = sorted({row["agent"] for row in log if row["signed_by"] and row["agent"]})
    print(
        f"the exchanges' log: {len(log)} requests, signed: {told or 'none'}; "
        f"all at {exchanges.url}" + (f"; client: {', '.join(agents)}" if agents else "")
    )
