"""Exit codes, and which error ends in which."""

from __future__ import annotations

from enum import IntEnum

from allocator.models.errors import AllocatorError, InputError, RefusedError, StaleError
from allocator.models.plan import Plan


class ExitCode(IntEnum):
    """What the exit status of a command says."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    CHANGES = 3
    INFEASIBLE = 4
    STALE = 5
    REFUSED = 6
    PARTIAL = 7
    UNEXPECTED = 8


def of_error(error: AllocatorError) -> ExitCode:
    """Choose the code of an error that ends a command."""
    match error:
        case InputError():
            return ExitCode.USAGE
        case StaleError():
            return ExitCode.STALE
        case RefusedError():
            return ExitCode.REFUSED
        case _:
            return ExitCode.INTERNAL


def of_plan(plan: Plan, *, detailed: bool) -> ExitCode:
    """Choose the code of a plan.

    Parameters
    ----------
    detailed
        Whether a plan that acts is told from one that does nothing.
    """
    match plan.status:
        case "act":
            return ExitCode.CHANGES if detailed else ExitCode.OK
        case "nothing":
            return ExitCode.OK
        case "infeasible":
            return ExitCode.INFEASIBLE
        case "refused":
            return ExitCode.REFUSED
