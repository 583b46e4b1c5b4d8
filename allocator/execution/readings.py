"""Reading accounts, and the guard: nothing goes on while something is not as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.asking import NOT_OPENED, read_account
from allocator.execution.attempts import Attempt
from allocator.execution.clocks import Onward
from allocator.execution.expectation import Break
from allocator.execution.returns import expected_after, returned
from allocator.execution.run import Abort, OutsideChange, Run, Shell
from allocator.execution.together import together
from allocator.execution.waits import meanwhile, pause
from allocator.models.intents import AccountReading

PATIENCE_S = Decimal(10)
"""Seconds for which a reading may stay incomplete before the plan is given up."""


async def read_all(shell: Shell, accounts: Iterable[str]) -> dict[str, AccountReading]:
    """Read accounts at the same time, complete or not."""
    names = sorted(set(accounts))
    rows = await meanwhile(shell, together(read_account(shell, name) for name in names))
    return dict(zip(names, rows, strict=True))


async def read_complete(shell: Shell, accounts: Iterable[str]) -> dict[str, AccountReading]:
    """Read accounts until every reading is complete: a missing position is not flat.

    Raises
    ------
    Abort
        When one stays incomplete, or is not opened here.
    """
    names, clock = sorted(set(accounts)), Onward(shell.clock, shell.clock.now())
    if gone := [name for name in names if name not in shell.venues]:
        raise Abort(f"not read: {', '.join(gone)}: {NOT_OPENED}")
    until = clock.now() + timedelta(seconds=float(PATIENCE_S))
    while True:
        rows = await read_all(shell, names)
        missing = [name for name, row in rows.items() if not row.complete]
        if not missing:
            return rows
        if clock.now() >= until:
            # One cause tells enough: a venue that is down fails in every part of every account.
            causes = [cause for name in missing for cause in rows[name].missing]
            first = f" ({causes[0]})" if causes else ""
            rest = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
            raise Abort(f"not read completely: {', '.join(missing)}{first}{rest}")
        await pause(shell)


def lag_s(shell: Shell, accounts: Iterable[str]) -> Decimal:
    """Tell after how many seconds every one of these venues shows what it did."""
    return max((shell.venue(name).capabilities.read_lag_s for name in accounts), default=Decimal(0))


async def differences(run: Run, accounts: Iterable[str]) -> tuple[Break, ...]:
    """Compare accounts with what they should hold, allowing for the lag of reads.

    Raises
    ------
    Abort
        When an account cannot be read completely.
    """
    names = sorted(set(accounts) & set(run.baseline))
    clock = Onward(run.shell.clock, run.shell.clock.now())
    until: datetime | None = None
    back: tuple[Attempt, ...] = ()
    while True:
        rows = await read_complete(run.shell, names)
        run.seen.update(rows)
        expected = expected_after(run, back)
        breaks = tuple(row for name in names for row in expected.breaks(rows[name]))
        if not breaks:
            return ()
        known, back = back, await returned(run, names)
        now = clock.now()
        if until is None:
            until = now + timedelta(seconds=float(lag_s(run.shell, names)))
        if now >= until and back == known:
            return breaks
        await pause(run.shell)


async def guard(run: Run, accounts: Iterable[str]) -> None:
    """Refuse to go on after a change that is not ours.

    Raises
    ------
    OutsideChange
        When an account holds what we did not cause.
    Abort
        When an account is frozen or cannot be read.
    """
    names = set(accounts)
    frozen = run.shell.journal.history.frozen()
    if stopped := sorted(names & set(frozen)):
        raise Abort(f"frozen: {', '.join(f'{name} ({frozen[name]})' for name in stopped)}")
    breaks = await differences(run, names)
    if breaks:
        told = "; ".join(str(row) for row in breaks)
        raise OutsideChange(f"outside change: {told}", {row.account for row in breaks})
