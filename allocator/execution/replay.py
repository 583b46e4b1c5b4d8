"""Makes a past plan again from what was stored with it: the same bytes, or somebody is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from allocator.execution.history import History
from allocator.models.canonical import canonical_json
from allocator.models.errors import JournalError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Replay:
    """A plan as it was stored, and as it comes out now.

    Attributes
    ----------
    same_hash
        Whether status, inputs and actions are the same.
    same_bytes
        Whether costs, certificate and explanation are the same as well, byte for byte.
    """

    stored: Plan
    made: Plan

    @property
    def same_hash(self) -> bool:
        """Whether what an approval binds is the same."""
        return self.stored.plan_hash == self.made.plan_hash

    @property
    def same_bytes(self) -> bool:
        """Whether the whole text is the same."""
        texts = [canonical_json(row.to_json()) for row in (self.stored, self.made)]
        return texts[0] == texts[1]


def remake(snapshot: Snapshot, mandate: Mandate, preset: str = "") -> Plan:
    """Make a plan the way it was made: by deciding, or by a preset."""
    from allocator.decide import decide
    from allocator.presets import allocate, parsed

    return allocate(snapshot, mandate, parsed(preset)) if preset else decide(snapshot, mandate)


def replay_cycle(history: History, cycle_id: int) -> Replay:
    """Make the plan of a cycle again.

    Raises
    ------
    JournalError
        When there is no such cycle, it had no plan, or what is stored was changed.
    """
    hash_ = history.cycle(cycle_id).plan_hash
    if hash_ is None:
        raise JournalError(f"NO_PLAN: cycle={cycle_id}")
    return replay_plan(history, hash_)


def replay_plan(history: History, hash_: str) -> Replay:
    """Make a plan again that was carried out or proposed.

    Raises
    ------
    JournalError
        When it is not known, or what is stored was changed.
    """
    record = history.plan(hash_) or history.proposal(hash_)
    if record is None:
        raise JournalError(f"NO_PLAN: plan_hash={hash_}")
    made = remake(record.snapshot, record.mandate, record.plan.preset)
    return Replay(record.plan, made)
