"""What the audit says of each row of the record in the end, gathered line by line.

Earlier releases told less: not what a request set aside, nor of alerts, of leaders and of drafts of
the mandate. What a line does not say is left out here, and the rows cannot be held against it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from allocator.execution.transitions import State
from allocator.models.base import stamp
from allocator.models.records import EventRow

CHANGES = {
    "attempt": frozenset({"state"}),
    "action": frozenset({"stage"}),
    "plan": frozenset({"recorded", "approved", "baseline"}),
    "shortfall": frozenset({"measured"}),
    "proposal": frozenset({"proposed", "dropped"}),
    "verdict": frozenset({"approved", "rejected", "retracted"}),
    "breaker": frozenset({"tripped", "reset"}),
    "cycle": frozenset({"opened", "open", "parked", "ended", "superseded", "failed"}),
    "alert": frozenset({"raised", "delivered"}),
    "leader": frozenset({"leads"}),
    "mandate": frozenset({"drafted", "published", "retired", "dropped"}),
    "installation": frozenset({"bound"}),
}
"""Events that tell of a change to their subject's row; others are notes beside it."""

STATUS = {"opened": "open", "drafted": "draft"}
"""What a cycle or a version of the mandate becomes by an event, where that is not its name."""

MOMENTS = {
    "opened": "opened_at",
    **dict.fromkeys(("ended", "superseded", "failed"), "ended_at"),
    "approved": "at",
    "rejected": "at",
    "retracted": "at",
    "proposed": "at",
    "tripped": "at",
    "reset": "at",
    "raised": "at",
    "delivered": "delivered_at",
    "leads": "since",
    "drafted": "created_at",
    "published": "published_at",
    "bound": "bound_at",
}
"""What the time of an event is of its subject's row."""


Facts = Mapping[str, Any]


class Told:
    """What the audit says of each subject in the end.

    Attributes
    ----------
    frozen, thawed
        Facts of what was said of each account's freezes, in order.
    reserved
        What each request set aside, by its client id, where its line tells it.
    """

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, Any]] = {}
        self.frozen = defaultdict[str, list[dict[str, Any]]](list)
        self.thawed = defaultdict[str, list[dict[str, Any]]](list)
        self.reserved: dict[str, list[dict[str, Any]]] = {}

    def add(self, row: EventRow) -> None:
        """Take in an event; later ones prevail."""
        try:
            data: dict[str, Any] = dict(json.loads(row.facts_json))
        except (ValueError, TypeError):
            return
        kind, _, name = row.subject.partition(":")
        if kind == "account" and row.what in ("frozen", "thawed"):
            rows = self.frozen if row.what == "frozen" else self.thawed
            rows[name].append(data | {"at": stamp(row.at)})
        # What was told before the day's first plan moved no opening.
        if kind == "portfolio" and row.what in ("opening", "paid") and "equity" in data:
            self._facts.setdefault(f"{row.subject}:{data.get('day')}", {}).update(data)
        if row.what not in CHANGES.get(kind, ()):
            return
        if kind == "mandate" and ":" not in name:
            # Earlier releases told of a publication by a note that did not name the portfolio.
            return
        if row.what == "dropped":
            self._facts.pop(row.subject, None)
            return
        if kind == "attempt" and "reserves" in data:
            self.reserved[name] = data.pop("reserves")
        data |= _told_by_itself(row, kind, data, self._facts.get(row.subject, {}))
        self._facts.setdefault(row.subject, {}).update(data)

    def take(self, subject: str) -> dict[str, Any]:
        """Tell what is said of a subject that has a row; what is left in the end has none."""
        return self._facts.pop(subject, {})

    def first(self, kind: str, what: str) -> dict[str, int]:
        """Tell the lowest number that a fact is told of, by the rest of the subject.

        Of rows with lower ones an earlier release has told nothing.
        """
        out = dict[str, int]()
        for subject, facts in self._facts.items():
            head, _, number = subject.rpartition(":")
            if head.partition(":")[0] == kind and what in facts and number.isdigit():
                out[head] = min(int(number), out.get(head, int(number)))
        return out

    def left(self) -> list[str]:
        """Name subjects that no row was found for."""
        return sorted(self._facts)


def _told_by_itself(row: EventRow, kind: str, data: Facts, before: Facts) -> dict[str, Any]:
    """Tell what a line says by its kind, its time and its epoch."""
    out = dict[str, Any]()
    if kind == "cycle":
        out["ended_at"] = None
    if kind in ("cycle", "mandate"):
        out["status"] = STATUS.get(row.what, row.what)
    if kind == "verdict":
        out["verdict"] = row.what
    sends = kind == "attempt" and data.get("from") == State.CHECKED
    if sends or row.what in ("opened", "leads"):
        out["epoch"] = row.epoch
    if row.what == "raised":
        # Deleted, its number may be given to the next one.
        out["times"] = before.get("times", 0) + 1
    moment = "intended" if sends else MOMENTS.get(row.what)
    return out if moment is None else out | {moment: stamp(row.at)}
