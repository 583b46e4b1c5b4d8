"""The errors of the allocator, one tree.

::

    AllocatorError
    +-- InputError            a file, a value or a reference is wrong (exit 2)
    |   +-- SnapshotError     the snapshot and mandate make no sensible problem
    |   +-- ConfigError       the configuration cannot be used
    +-- StaleError            data is too old, or a venue is down (exit 5)
    +-- RefusedError          the verifier, a limit or an approval said no (exit 6)
    +-- SolverError           no solver gave an answer that could be certified
    +-- JournalError          the durable record contradicts itself
    +-- VenueError            a venue's answer cannot be understood

Infeasible, denied and partial are values, not errors. Anything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allocator.models.base import legible


class AllocatorError(Exception):
    """Base of every error that the allocator raises on purpose."""

    code = "ERROR"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes
    ----------
    path
        Keys and list positions from the root of the value to the place.
    message
        What is wrong, with the remedy where one is known.
    """

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as ``snapshot.accounts[0].state``."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


class InputError(AllocatorError):
    """An input is wrong; carries every problem found, not only the first.

    Parameters
    ----------
    problems
        What is wrong and where.
    """

    code = "INPUT"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        rows = (Problem((), problems),) if isinstance(problems, str) else tuple(problems)
        self.problems: tuple[Problem, ...] = rows
        super().__init__("\n".join(str(row) for row in rows))


class SnapshotError(InputError):
    """A snapshot and a mandate that make no sensible problem."""

    code = "SNAPSHOT"


class ConfigError(InputError):
    """A configuration that cannot be used."""

    code = "CONFIG"


class StaleError(AllocatorError):
    """Data that is too old to act on, or a venue that does not answer."""

    code = "STALE"


class RefusedError(AllocatorError):
    """A plan, limit or approval check that says no."""

    code = "REFUSED"


class SolverError(AllocatorError):
    """No solver gave an answer that could be certified."""

    code = "SOLVER"


class JournalError(AllocatorError):
    """The durable record of actions contradicts itself or the venue."""

    code = "JOURNAL"


class VenueError(AllocatorError):
    """A venue's answer cannot be understood, or the venue cannot do what is asked."""

    code = "VENUE"

    def __str__(self) -> str:
        return legible(super().__str__())
