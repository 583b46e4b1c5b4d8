"""Commands about scenario files: scenario resolve, scenario run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import (
    Format,
    OutputOption,
    write_csv,
    write_json,
    write_table,
)

if TYPE_CHECKING:
    from allocator.models.plan import Plan

HELP = """Resolve and run scenario files.

\b
Example: allocator scenario run scenarios/*.yaml
"""

app = typer.Typer(add_completion=False, no_args_is_help=True, help=HELP)

COLUMNS = ("scenario", "status", "actions", "total", "saving", "gap", "worst margin", "verdict")


@app.command()
def resolve(
    file: Annotated[Path, typer.Argument(help="A scenario.", show_default=False)],
    *,
    output: Annotated[str, typer.Option("--output", "-o", help="yaml or json.")] = "yaml",
) -> None:
    """Write the plain scenario that references, overrides and shocks amount to.

    \b
    Example: allocator scenario resolve scenarios/crash-with-withdrawals-halted.yaml > plain.yaml
    """  # noqa: D301
    from allocator.whatif.reader import load_scenario
    from allocator.whatif.resolution import resolve as plain_scenario
    from allocator.whatif.resolution import yaml_text

    if output not in ("yaml", "json"):
        raise typer.BadParameter("yaml or json is wanted", param_hint="--output")
    data = plain_scenario(load_scenario(file))
    if output == "json":
        write_json(data)
    else:
        print(yaml_text(data), end="")


@app.command()
def run(
    files: Annotated[list[Path], typer.Argument(help="Scenarios.", show_default=False)],
    *,
    output: OutputOption = Format.TABLE,
) -> None:
    """Decide scenarios and check what they expect; ends with 8 if one comes out otherwise.

    \b
    Example: allocator scenario run scenarios/*.yaml
    """  # noqa: D301
    from allocator.decide import decide
    from allocator.models.errors import InputError
    from allocator.whatif.expectations import check_expect
    from allocator.whatif.reader import load_scenario

    results, unreadable = list[dict[str, Any]](), False
    for path in files:
        try:
            scenario = load_scenario(path)
            plan = decide(scenario.snapshot, scenario.mandate)
        except InputError as error:
            unreadable = True
            print(error, file=sys.stderr)
            continue
        wrong = check_expect(scenario.expect, plan) if scenario.expect is not None else []
        results.append({**_figures(scenario.name, plan), "expected": not wrong, "wrong": wrong})
    _show(results, output)
    if unreadable:
        raise typer.Exit(ExitCode.USAGE)
    if not all(row["expected"] for row in results):
        raise typer.Exit(ExitCode.UNEXPECTED)


def _figures(name: str, plan: Plan) -> dict[str, Any]:
    ratios = [row.margin_ratio_after for row in plan.accounts.values()]
    worst = min((ratio for ratio in ratios if ratio is not None), default=None)
    proof = plan.certificate
    return {
        "scenario": name,
        "status": plan.status,
        "actions": len(plan.actions),
        "total": f"{plan.cost.total:.2f}",
        "saving": f"{plan.cost.do_nothing - plan.cost.total:.2f}",
        "gap": None if proof is None else f"{proof.gap_relative:.4%}",
        "worst margin": None if worst is None else f"{worst:.2f}",
    }


def _show(results: list[dict[str, Any]], output: Format) -> None:
    """Write one row a scenario, and below the table what came out otherwise."""
    if output is Format.JSON:
        write_json(results)
        return
    rows = [
        [*(row[name] for name in COLUMNS[:-1]), "as expected" if row["expected"] else "NOT"]
        for row in results
    ]
    if output is Format.CSV:
        write_csv(COLUMNS, rows)
        return
    flush = [name if name in ("scenario", "status", "verdict") else f"{name}>" for name in COLUMNS]
    write_table(flush, rows)
    for row in results:
        for line in row["wrong"]:
            print(f"{row['scenario']}: {line}")
