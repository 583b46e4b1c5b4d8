"""Commands about plans: plan, explain, diff, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.service.cli.codes import ExitCode, of_plan
from allocator.service.cli.output import (
    Format,
    OutputOption,
    console,
    write_csv,
    write_json,
    write_table,
)

if TYPE_CHECKING:
    from allocator.models.explain import Where
    from allocator.models.mandate import Mandate
    from allocator.models.plan import Plan
    from allocator.models.snapshot import Snapshot

ScenarioArgument = Annotated[Path | None, typer.Argument(help="A scenario.", show_default=False)]
PlanArgument = Annotated[
    Path, typer.Argument(help="A plan (JSON), or a scenario to decide.", show_default=False)
]
DetailedOption = Annotated[
    bool, typer.Option("--detailed-exitcode", help="End with 3 if there is something to do.")
]
DifferingOption = Annotated[
    bool, typer.Option("--detailed-exitcode", help="End with 3 if the plans differ.")
]
PresetOption = Annotated[
    str | None, typer.Option(help="Spread orders by a rule, such as net_liq.", show_default=False)
]
CompareOption = Annotated[
    bool, typer.Option("--compare", help="Decide as well, and show both totals.")
]
ACTION_COLUMNS = (
    "seq", "kind", "account", "instrument", "side", "quantity", "limit_price", "reduce_only",
    "group", "route", "from", "to", "asset", "amount", "after",
)  # fmt: skip


def plan(  # noqa: PLR0913 - each is an option of the command
    file: ScenarioArgument = None,
    *,
    snapshot: Annotated[Path | None, typer.Option(help="A snapshot, with --mandate.")] = None,
    mandate: Annotated[Path | None, typer.Option(help="A mandate, with --snapshot.")] = None,
    preset: PresetOption = None,
    compare: CompareOption = False,
    output: OutputOption = Format.TABLE,
    detailed_exitcode: DetailedOption = False,
) -> None:
    """Decide what to do about a book: transfers, moves and orders, or nothing.

    Needs no database and no venue. Ends with 4 if something stays broken, 6 if the verifier
    refuses. With --preset the orders are spread over the accounts by a familiar rule instead,
    under the same limits: equal, net_liq, available_equity, pct_change=PERCENT,
    ratio=ACCOUNT:WEIGHT,... or lots=ACCOUNT:COUNT,...

    \b
    Example: allocator plan scenarios/margin-rescue-by-transfer.yaml -o json > plan.json
    Example: allocator plan scenarios/two-venue-delta-move.yaml --preset net_liq --compare
    """  # noqa: D301
    if compare and (preset is None or output is Format.CSV):
        raise typer.BadParameter("goes with --preset, as table or JSON", param_hint="--compare")
    made, decided = _decided(loaded(file, snapshot, mandate), preset, compare=compare)
    if decided is not None and output is Format.JSON:
        write_json({"preset": made.to_json(), "decide": decided.to_json()})
    else:
        show(made, output, _where(file) if output is Format.TABLE else None)
    if output is Format.TABLE and decided is not None:
        _write_comparison(made, decided)
    raise typer.Exit(of_plan(made, detailed=detailed_exitcode))


def _decided(
    book: tuple[Snapshot, Mandate], preset: str | None, *, compare: bool
) -> tuple[Plan, Plan | None]:
    """Make the plan by decide() or by a preset; beside a preset's also decide()'s if asked."""
    from allocator import allocate, decide
    from allocator.presets import parsed

    if preset is None:
        return decide(*book), None
    made = allocate(*book, parsed(preset))
    return made, decide(*book) if compare else None


def _write_comparison(made: Plan, decided: Plan) -> None:
    """Set a preset's costs and decide()'s side by side."""
    from allocator.models.explain import money
    from allocator.models.plan import COST_PARTS

    pairs = [(name, getattr(made.cost, name), getattr(decided.cost, name)) for name in COST_PARTS]
    rows = [(name, money(a), money(b)) for name, a, b in pairs if a or b]
    rows.append(("total", money(made.cost.total), money(decided.cost.total)))
    rows.append(("actions", str(len(made.actions)), str(len(decided.actions))))
    rows.append(("status", made.status, decided.status))
    write_table(("part", f"{made.preset}>", "decide>"), rows, title="Compared (USD)")
    saved = made.cost.total - decided.cost.total
    print(f"decide() saves {money(saved)} against the preset {made.preset}")


def explain(file: PlanArgument, *, output: OutputOption = Format.TABLE) -> None:
    """Tell a plan in plain words: what it does, why, what it costs, what stays broken.

    Of a scenario, limits and accounts are told with file, line and column. As JSON every fact
    stands in a field of its own, beside the sentence that tells it.

    \b
    Example: allocator explain scenarios/infeasible-named-cause.yaml
    """  # noqa: D301
    from allocator.models.explain import explain as told
    from allocator.models.explanation import explanation, facts

    made, where = _made(file), _where(file)
    match output:
        case Format.JSON:
            write_json(explanation(made, where))
        case Format.CSV:
            write_csv(("about", "fact"), facts(made, where))
        case Format.TABLE:
            print(told(made, where))


def diff(
    before: Annotated[Path, typer.Argument(help="A plan (JSON).", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another one.", show_default=False)],
    *,
    output: OutputOption = Format.TABLE,
    detailed_exitcode: DifferingOption = False,
) -> None:
    """Compare two plans: actions and figures that differ.

    \b
    Example: allocator diff yesterday.json today.json
    """  # noqa: D301
    from allocator.whatif.difference import differences
    from allocator.whatif.reader import load_plan

    rows = differences(load_plan(before), load_plan(after))
    match output:
        case Format.JSON:
            write_json([{"what": what, "before": a, "after": b} for what, a, b in rows])
        case Format.CSV:
            write_csv(("what", "before", "after"), rows)
        case Format.TABLE:
            if rows:
                write_table(("what", "before>", "after>"), rows)
            else:
                print("no difference")
    if rows and detailed_exitcode:
        raise typer.Exit(ExitCode.CHANGES)


def report(
    file: PlanArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="A .html, .md or .json file. Default: Markdown to the output."),
    ] = None,
) -> None:
    """Write a plan as Markdown, as JSON, or as one HTML page that needs nothing beside itself.

    \b
    Example: allocator report plan.json --out plan.html
    """  # noqa: D301
    from allocator.whatif.report import markdown, write_plan

    made = _made(file)
    if out is None:
        print(markdown(made, title=file.stem), end="")
    else:
        write_plan(made, out)


def show(made: Plan, output: Format, where: Where | None = None) -> None:
    """Write a plan; CSV has its actions only."""
    match output:
        case Format.JSON:
            write_json(made.to_json())
        case Format.CSV:
            actions = made.to_json()["actions"]
            cells = [[_cell(row.get(name)) for name in ACTION_COLUMNS] for row in actions]
            write_csv(ACTION_COLUMNS, cells)
        case Format.TABLE:
            from allocator.models.explain import path_of
            from allocator.whatif.report import headline, tables

            console().print(headline(made))
            if made.preset:
                console().print(made.note)
            for table in tables(made, where or path_of):
                words = {"action", "why", "account", "underlying", "part", "limit", "what"}
                flush = [name if name in words else f"{name}>" for name in table.columns]
                write_table(flush, table.rows, title=table.heading)


def _where(file: Path | None) -> Where:
    """Tell declarations by file, line and column where a scenario is at hand."""
    from allocator.models.explain import path_of
    from allocator.whatif.check import kind_of
    from allocator.whatif.document import read
    from allocator.whatif.places import places

    if file is None or kind_of(read(file).data) == "plan":
        return path_of
    return places(file)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else value


def loaded(
    file: Path | None, snapshot: Path | None, mandate: Path | None
) -> tuple[Snapshot, Mandate]:
    """Load what to decide about from the arguments."""
    from allocator.whatif.reader import load_book, load_scenario

    if file is not None and snapshot is None and mandate is None:
        scenario = load_scenario(file)
        return scenario.snapshot, scenario.mandate
    if file is None and snapshot is not None and mandate is not None:
        return load_book(snapshot, mandate)
    raise typer.BadParameter("give a scenario, or --snapshot and --mandate")


def _made(file: Path) -> Plan:
    """Load a plan, or decide a scenario."""
    from allocator.whatif.check import kind_of
    from allocator.whatif.document import read
    from allocator.whatif.reader import load_plan

    if kind_of(read(file).data) == "plan":
        return load_plan(file)
    book = loaded(file, None, None)
    from allocator.decide import decide

    return decide(*book)
