"""How often plans have a safe order of steps, and how fast it is found.

python -m bench.sequence orders [SEEDS]   random sizes on books of every flavour, and rotations
python -m bench.sequence value [SEEDS]    what the best plan loses to one that can be ordered
python -m bench.sequence speed            large plans
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from allocator.minimise import search
from allocator.minimise.choose import choose, wishes
from allocator.models.mandate import Mandate
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.lots_search import mended
from allocator.plan.sequence import Ordered, sequenced
from allocator.program.crossing import arrays_of
from allocator.state import Book
from tests.books import FLAVOURS, random_book
from tests.random_plans import random_sizes
from tests.rotations import book_of, rotation, rotations
from tests.shifts import shift

CENT = Decimal("0.01")
DESKS = ((2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (3, 3), (5, 3))
LARGE = ((100, 60, 0.05), (1000, 47, 0.02), (1000, 63, 0.0))
"""Accounts, coins and the share of accounts on hardly any margin."""


def orders(seeds: int) -> None:
    """Count how orders of steps are found."""
    for name, cases in _populations(seeds).items():
        ways = Counter[str]()
        begun = time.process_time()
        for book, sizes in cases():
            steps = sequenced(book, sizes)
            ways[steps.how if isinstance(steps, Ordered) else "none"] += 1
        print(f"{name:12} {dict(ways)} {time.process_time() - begun:.1f} s")


def _populations(seeds: int) -> dict[str, Callable[[], Iterator[tuple[Book, Sizes]]]]:
    def flavoured(flavour: str) -> Callable[[], Iterator[tuple[Book, Sizes]]]:
        def made() -> Iterator[tuple[Book, Sizes]]:
            for seed in range(seeds):
                scenario = Scenario.model_validate(random_book(seed, flavour))
                book = Book.of(scenario.snapshot, scenario.mandate)
                for draw in range(3):
                    sizes = random_sizes(random.Random(f"{flavour} {seed} {draw}"), book)
                    if sizes.count > 1:
                        yield book, sizes

        return made

    def rotated(accounts: int, coins: int) -> Callable[[], Iterator[tuple[Book, Sizes]]]:
        def made() -> Iterator[tuple[Book, Sizes]]:
            yield from rotations(range(5 * seeds), accounts, coins)

        return made

    out = {flavour: flavoured(flavour) for flavour in FLAVOURS}
    return out | {f"rotate {a}x{c}": rotated(a, c) for a, c in DESKS}


def value(seeds: int) -> None:
    """Add up what is lost where the best plan has no safe order."""
    for name in (*FLAVOURS, "shifts"):
        kept, lost, gain, loss = 0, 0, Decimal(0), Decimal(0)
        for seed in range(seeds):
            row = _loss(*_input(name, seed))
            if row is not None:
                kept, lost = kept + (row[1] <= CENT), lost + (row[1] > CENT)
                gain, loss = gain + row[0], loss + max(row[1], Decimal(0))
        print(f"{name:15} kept {kept} lost {lost}: {loss:.2f} of {gain:.2f}")


def _input(name: str, seed: int) -> tuple[Snapshot, Mandate]:
    if name == "shifts":
        return shift(seed)
    scenario = Scenario.model_validate(random_book(seed, name))
    return scenario.snapshot, scenario.mandate


def _loss(snapshot: Snapshot, mandate: Mandate) -> tuple[Decimal, Decimal] | None:
    """Compare the best plan, ordered or not, with the one that is chosen."""
    book = Book.of(snapshot, mandate)
    found = search(arrays_of(book))
    verdicts = [mended(book, *wish)[1] for wish in wishes(book, found)]
    fit = [verdict for verdict in verdicts if not verdict.broken]
    if not fit:
        return None
    best = min(fit, key=lambda verdict: verdict.rank)
    chosen, idle = judged(book, choose(book, found).sizes), judged(book, Sizes())
    if chosen.shortfall > best.shortfall + 1:
        return idle.total - best.total, max(CENT + CENT, chosen.total - best.total)
    return idle.total - best.total, chosen.total - best.total


def speed() -> None:
    """Time large plans."""
    for accounts, coins, tight in LARGE:
        data, sizes = rotation(1, accounts, coins, tight)
        book = book_of(data)
        begun = time.process_time()
        steps = sequenced(book, sizes)
        spent = time.process_time() - begun
        how = steps.how if isinstance(steps, Ordered) else str(steps)
        print(f"{sizes.count} actions of {accounts} accounts: {spent:.2f} s, {how}")


def main(words: list[str]) -> None:
    """Run what is asked for."""
    seeds = int(words[1]) if len(words) > 1 else 40
    match words[:1]:
        case ["orders"]:
            orders(seeds)
        case ["value"]:
            value(seeds)
        case ["speed"]:
            speed()
        case _:
            print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
