"""Transfers that came back before the record knows: it follows them when it is their turn.

Until then the record has their money on its way, while their source holds it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from allocator.execution.asking import look
from allocator.execution.attempts import Attempt, sender
from allocator.execution.expectation import Expected, may_have_cost
from allocator.execution.run import Run
from allocator.execution.transitions import State
from allocator.models.intents import Found


async def returned(run: Run, accounts: Collection[str]) -> tuple[Attempt, ...]:
    """Ask which transfers that left these accounts came back; what is told once stays so.

    Ask before the accounts are read: what is back by then is in the reading.
    """
    leaving = [
        row
        for row in run.attempts()
        if row.state is State.IN_TRANSIT and sender(row.intent) in accounts
    ]
    for row in leaving:
        if row.client_id not in run.back:
            finding = await look(run.shell, row)
            if isinstance(finding, Found) and finding.state == "returned":
                run.back.add(row.client_id)
    return tuple(row for row in leaving if row.client_id in run.back)


def expected_after(run: Run, back: Iterable[Attempt], without: Collection[str] = ()) -> Expected:
    """Work out what the accounts should hold now that these transfers are back.

    Parameters
    ----------
    without
        Client ids of attempts that are taken not to have happened.
    """
    rows = tuple(back)
    out = run.expected({*without, *(row.client_id for row in rows)})
    may_have_cost(out, rows)
    return out
