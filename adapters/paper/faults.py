"""Faults a test may order: which call, of which account, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Call = Literal[
    "order", "transfer", "move", "cancel", "dead_man", "find", "read", "quote", "time", "gather"
]
How = Literal[
    "lost_before", "lost_after", "late", "rejected", "partial", "stuck", "returned", "error"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    call
        Which call: a kind of action sent, or a kind of question.
    how
        Of actions: ``lost_before`` and ``lost_after`` lose the request or the reply; ``late``
        delivers the request `delay_s` later (or never, past the receive window) while the reply
        is lost; ``rejected`` refuses it; ``partial`` fills the part `share` of an order;
        ``stuck`` and ``returned`` keep a transfer under way for ever, or send it back; a position
        move that is ``returned`` is taken, and then rejected.
        Of questions: ``error`` answers with nothing usable.
    account
        Whose calls; None: everybody's.
    nth, times
        The first call that fails, counted from one, and how many fail in a row.
    """

    call: Call
    how: How
    account: str | None = None
    nth: int = 1
    times: int = 1
    delay_s: Decimal = Decimal(0)
    share: Decimal = Decimal("0.5")
    code: str = "PAPER_REJECTED"


class Faults:
    """The faults ordered so far, each with the calls it has seen."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._rules = list(rules)
        self._seen = Counter[int]()

    def add(self, fault: Fault) -> None:
        """Order one more; it counts calls from now on."""
        self._rules.append(fault)

    def next(self, call: Call, account: str) -> Fault | None:
        """Count a call and tell the first fault that hits it."""
        hit: Fault | None = None
        for position, rule in enumerate(self._rules):
            if rule.call != call or rule.account not in (None, account):
                continue
            self._seen[position] += 1
            if hit is None and rule.nth <= self._seen[position] < rule.nth + rule.times:
                hit = rule
        return hit
