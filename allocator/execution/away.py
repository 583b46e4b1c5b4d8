"""Requests of accounts that are not opened here: nobody can ask about them, so they stay open.

Nothing is believed of them, and they hold nothing else up. Their accounts stand still until they
are opened again, and the requests are settled, or until a person ends them by evidence.
"""

from __future__ import annotations

from collections import defaultdict

from allocator.execution.attempts import Attempt, sender
from allocator.execution.entries import freeze_account, freezes_of, lift
from allocator.execution.run import Shell


def is_away(shell: Shell, attempt: Attempt) -> bool:
    """Whether nobody is here to ask about a request."""
    return sender(attempt.intent) not in shell.venues


def away(shell: Shell) -> tuple[Attempt, ...]:
    """List the open requests about which nobody is here to ask, the oldest first."""
    return tuple(row for row in shell.journal.history.open_attempts() if is_away(shell, row))


def how_left(attempt: Attempt) -> str:
    """Say what became of such a request, and what to do."""
    account, id_ = sender(attempt.intent), attempt.client_id
    return (
        f"NO_VENUE: account={account}; it is not opened here, so its {attempt.kind} {id_} "
        f"({attempt.state}) may stand and is left open, and the account frozen: put it back into "
        f"the configuration, or look at its venue and end it by `allocator resolve {id_}`"
    )


def leave(shell: Shell) -> tuple[Attempt, ...]:
    """Freeze the accounts of such requests, each told once, and thaw those opened again.

    Returns
    -------
    tuple
        The requests that are left open.
    """
    rows = shell.journal.history.open_attempts()
    if not rows:
        return ()
    with shell.journal.write() as entry:
        frozen = defaultdict[str, list[str]](list)
        for row in rows:
            account, held = sender(row.intent), freezes_of(entry.session, row.client_id)
            if is_away(shell, row) and not held:
                freeze_account(entry, account, how_left(row), row.client_id)
                frozen[account].append(how_left(row))
            elif held and not is_away(shell, row):
                # Whoever settles it freezes it anew where nobody can say how it ended.
                for freeze in held:
                    lift(entry, freeze, "allocator", "it is opened again: its request is settled")
                entry.alert("thawed", account=account, evidence="it is opened again")
        for account, why in frozen.items():
            more = f"; and {len(why) - 1} more" if len(why) > 1 else ""
            entry.alert("frozen", account=account, reason=why[0] + more)
    return tuple(row for row in rows if is_away(shell, row))
