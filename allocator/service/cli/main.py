"""The entry point: options of the whole program, errors to exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from allocator import __version__
from allocator.service.cli.commands import LazyGroup

USAGE = 2
"""As in `codes`, which is loaded only when an error has to be told apart."""

app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"allocator {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, on standard error.")
    ] = False,
) -> None:
    """Run many crypto-derivatives accounts as one book.

    Data goes to standard output, logs and errors to standard error.
    """
    del version
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s: %(message)s",
        force=True,
    )


def run(args: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    args
        Without the program's name; None: those of this process.

    Returns
    -------
    The exit status. A file or folder that the system refuses is a mistake of usage. An error that
    nobody planned for is raised as it is: it ends the process with a traceback and status 1.
    """
    command: Any = typer.main.get_command(app)
    try:
        command(args, prog_name="allocator")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except OSError as error:
        if error.filename is None:
            raise
        logging.getLogger(__name__).info("where it came from", exc_info=error)
        print(f"{error.filename}: cannot be used: {error.strerror}", file=sys.stderr)
        return USAGE
    except Exception as error:
        from allocator.models.errors import AllocatorError
        from allocator.service.cli.codes import of_error

        if not isinstance(error, AllocatorError):
            raise
        print(error, file=sys.stderr)
        return of_error(error)
    return 0
