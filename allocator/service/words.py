"""Holds plans against what venues have said of themselves since they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from allocator.execution.release import accounts_of
from allocator.models.base import stamp
from allocator.models.config import GatherConfig
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.models.status import Told
from allocator.risk.breaker import reduces
from allocator.service.monitor.memory import Memory
from allocator.state import Book

STRICTNESS = {"open": 0, "reduce_only": 1, "frozen": 2}


class VenueShutError(RefusedError):
    """A venue has said, since the plan was made, that it does not take what the plan sends."""

    code = "VENUE_SHUT"


@dataclass(frozen=True, slots=True)
class Words:
    """What venues said last, as far as the configuration follows them.

    Parameters
    ----------
    memory
        Holds what the leader heard, whichever instance asks.
    """

    memory: Memory
    config: GatherConfig

    def check(self, plan: Plan, snapshot: Snapshot, mandate: Mandate) -> None:
        """Refuse a plan of which a venue would refuse a part by its own word.

        Half a plan is worse than none: the other venues' legs would go alone. What the plan was
        made around already does not stand in its way.

        Raises
        ------
        VenueShutError
            With the venue's words and when they were read.
        """
        told = {
            name: row
            for name, row in self.memory.told().items()
            if row.status.barred and self.config.follows(name)
        }
        shut = sorted(set(_shut(told, plan, snapshot, mandate))) if told else []
        if not shut:
            return
        words = "; ".join(
            f"venue={venue} said_at={stamp(told[venue].at)} says={told[venue].status.words}"
            for venue in dict.fromkeys(name for name, _ in shut)
        )
        raise VenueShutError(
            f"{VenueShutError.code}: plan_hash={plan.plan_hash} {words}; "
            f"accounts={', '.join(account for _, account in shut)}; plan anew around it"
        )


def _shut(
    told: Mapping[str, Told], plan: Plan, snapshot: Snapshot, mandate: Mandate
) -> Iterator[tuple[str, str]]:
    """Name venue and account of what cannot be sent any longer."""
    book = Book.of(snapshot, mandate)
    for action in plan.actions:
        for name in accounts_of(action):
            account = snapshot.account[name]
            word = told.get(account.venue)
            reducing = reduces(book, action)
            if word is not None and not _may(word, account.state, reducing=reducing):
                yield account.venue, name


def _may(told: Told, made_for: str, *, reducing: bool) -> bool:
    """Whether an account may do what a plan that was made for its state wants of it."""
    now = told.status.accounts
    if STRICTNESS[now] <= STRICTNESS[made_for]:
        return True
    return now == "reduce_only" and reducing
