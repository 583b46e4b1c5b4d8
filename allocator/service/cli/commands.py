"""The table of commands. A command's module is imported when the command is run.

To add one: write a function with typer's annotations (or a `typer.Typer` for a group) in a module
beside this one, and name it here. Its docstring is its help and ends in an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

HERE = "allocator.service.cli"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command and where it stands.

    Attributes
    ----------
    module
        Below this package.
    attribute
        The function or `typer.Typer`.
    brief
        The line in the list of commands.
    """

    name: str
    module: str
    attribute: str
    brief: str

    def load(self) -> Any:
        """Import the command."""
        found = getattr(import_module(f"{HERE}.{self.module}"), self.attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False)
            app.command(self.name)(found)
            found = app
        command: Any = typer.main.get_command(found)
        command.name = self.name
        for part in (command, *getattr(command, "commands", {}).values()):
            part.help = flowed(part.help or "")
        return command


def flowed(text: str) -> str:
    """Join the lines of paragraphs, so that they break where the screen ends."""
    parts = cleandoc(text).split("\n\n")
    return "\n\n".join(p if p.startswith("\b") else " ".join(p.split()) for p in parts)


COMMANDS = (
    Entry("demo", "demo", "demo", "Run the whole line once on bundled loopback exchanges."),
    Entry("validate", "files", "validate", "Check files and tell every mistake with its place."),
    Entry("plan", "plans", "plan", "Decide what to do about a book."),
    Entry("explain", "plans", "explain", "Tell a plan in plain words."),
    Entry("diff", "plans", "diff", "Compare two plans."),
    Entry("report", "plans", "report", "Write a plan as Markdown or as one HTML page."),
    Entry("what-if", "what_ifs", "what_if", "Set a book beside what a scenario makes of it."),
    Entry("sweep", "sweeps", "sweep", "Decide over the grid of a scenario."),
    Entry("frontier", "frontiers", "frontier", "Trade cost against actions, tracking or margin."),
    Entry("scenario", "scenarios", "app", "Resolve and run scenario files."),
    Entry("doctor", "doctor", "doctor", "Check everything a run stands on."),
    Entry("gather", "venues", "gather", "Read every account into one snapshot."),
    Entry("accounts", "venues", "accounts", "List accounts with equity and margin."),
    Entry("propose", "executing", "propose", "Decide, and store the plan for people to judge."),
    Entry("approve", "people", "approve", "Approve or reject a proposed plan."),
    Entry("execute", "executing", "execute", "Carry out an approved plan."),
    Entry("halt", "people", "halt", "Stop everything, a venue or an account."),
    Entry("resume", "people", "resume", "Let what was halted act again."),
    Entry("paid", "people", "paid", "Tell of a deposit or a withdrawal."),
    Entry("resolve", "resolving", "resolve", "Tell how a request ended that nobody could say of."),
    Entry("replay", "executing", "replay", "Make a past plan again, byte for byte."),
    Entry("history", "records", "history", "Read and verify the record of what was done."),
    Entry("db", "records", "db", "Look after the database: schema, backup, restore."),
    Entry("init", "configs", "init", "Write a configuration with comments."),
    Entry("config", "configs", "config", "See the configuration; version the mandate."),
    Entry("run", "service", "run", "Run the service: schedules, triggers, API, dashboard."),
    Entry("token", "service", "token", "Say who may use the API and the dashboard."),
    Entry("alerts", "service", "alerts", "See to it that alerts arrive."),
    Entry("schema", "files", "schema", "Print the JSON Schema of a file."),
)


class LazyGroup(TyperGroup):
    """A group that lists its commands from the table and imports only the one that is run."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for row in COMMANDS:
            self.add_command(TyperCommand(row.name, short_help=row.brief, help=row.brief))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command in the table, then import it."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = next((row for row in COMMANDS if row.name == name), None)
        return name, entry.load() if entry is not None else command, rest
