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
def explained(book: Book, found: Search, outcome: Outcome, *, conflicts: bool = True) -> Outcome:
    """Add to an outcome's proof what binds or, where something stays broken, why.

    Where something stays broken no rule has a price: what room for it is worth is that less stays
    missing, and the cost of a plan held at the least S tells nothing of that.

    Parameters
    ----------
    conflicts
        Whether rules in conflict are sought, which searches again for every rule.
    """
    if outcome.proof is None:
        return outcome
    after = shortfall(book, State.start(book).after(effects_of(book, outcome.sizes)))
    if after.total > EXACT:
        if not conflicts:
            return outcome
        against = conflicts_of(book, found, outcome.sizes)
        return replace(outcome, proof=replace(outcome.proof, against=against))
    binding = binding_of(book, found, outcome.sizes, tight_rules(book, outcome.actions))
    return replace(outcome, proof=replace(outcome.proof, binding=tuple(binding)))
