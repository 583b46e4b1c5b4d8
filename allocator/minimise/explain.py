"""What the search knows that explains a choice: rules that bind, and rules in conflict."""

from __future__ import annotations

from dataclasses import replace

from allocator.minimise.conflicts import conflicts_of
from allocator.minimise.prices import binding_of
from allocator.minimise.search import Search
from allocator.plan.judge import EXACT
from allocator.plan.outcome import Outcome
from allocator.plan.reasons import effects_of
from allocator.plan.tight import tight_rules
from allocator.state import Book, State, lawful
from allocator.verify import shortfall


@lawful
def explained(book: Book, found: Search, outcome: Outcome) -> Outcome:
    """Add to an outcome's proof what binds and, where something stays broken, why.

    What is broken has no price: room for it would not make the rest cheaper, but mend it.
    """
    if outcome.proof is None:
        return outcome
    after = shortfall(book, State.start(book).after(effects_of(book, outcome.sizes)))
    broken = {row.what.removeprefix("limit ") for row in after.parts}
    tight = tight_rules(book, outcome.actions) - broken
    binding = binding_of(book, found, outcome.sizes, tight)
    against = {}
    if after.total > EXACT:
        against = conflicts_of(book, found, outcome.sizes)
    return replace(outcome, proof=replace(outcome.proof, binding=tuple(binding), against=against))
