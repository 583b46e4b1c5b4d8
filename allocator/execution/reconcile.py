"""Compare, at the end, what the venues hold with what the journal says they hold.

Positions are compared exactly, wallets within the tolerances of `expectation`. A difference is
recorded, and its account stands still until somebody explains it.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from allocator.execution.expectation import Break
from allocator.execution.readings import differences
from allocator.execution.run import Abort, Run


async def reconcile(run: Run, *, explained: AbstractSet[str]) -> tuple[tuple[Break, ...], bool]:
    """Compare every account of a plan with the journal, and freeze where they differ.

    Parameters
    ----------
    explained
        Accounts in which a change from outside is known to have happened: their differences are
        recorded and the next snapshot takes them in, without a freeze.

    Returns
    -------
    tuple
        The differences, and whether every account could be read.
    """
    if not run.baseline:
        return (), False
    journal, subject = run.shell.journal, f"plan:{run.plan.plan_hash}"
    try:
        # What can be read is compared, whatever is not opened here any more.
        opened = [name for name in run.accounts if name in run.shell.venues]
        breaks = await differences(run, opened)
    except Abort as error:
        journal.note(subject, "not_reconciled", why=str(error))
        return (), False
    gone = {"without": rest} if (rest := sorted(set(run.accounts) - set(opened))) else {}
    journal.note(subject, "reconciled", breaks=[str(row) for row in breaks], **gone)
    for account in sorted({row.account for row in breaks} - explained):
        mine = "; ".join(str(row) for row in breaks if row.account == account)
        # How an open request ended explains no difference beside it.
        if account not in journal.history.unexplained():
            journal.freeze(account, f"break: {mine}")
    return breaks, not gone
