"""What is judged of sizes: the rules on accounts alone are among all rules."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from allocator.plan.judge import broken_account, broken_rules, judged
from allocator.plan.lots import Sizes
from allocator.state import Book
from tests.books import FLAVOURS
from tests.program.programs import scenario_of

ALONE = (
    " of initial margin",
    " margin with its buffer",
    " largest bracket ",
    "overdrawn",
    "stress",
)
"""Words that tell the rules on one account."""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_account_alone_breaks_what_it_breaks_of_the_whole_plan(flavour: str) -> None:
    rng = random.Random(flavour)
    for seed in range(4):
        scenario = scenario_of(seed, flavour)
        book = Book.of(scenario.snapshot, scenario.mandate)
        orders = {
            key: rng.choice((-1, 1)) * rng.randint(1, 4000) * book.instruments[key[1]].lot
            for key in (*book.pairs, *book.spot_pairs)
            if rng.random() < 0.6 and book.instruments[key[1]].bid is not None
        }
        sizes = Sizes(dict(sorted(orders.items())))
        whole = broken_rules(book, sizes)
        assert judged(book, sizes).broken == whole
        assert set(broken_account(book, sizes)) == {
            row for row in whole if any(word in row for word in ALONE)
        }
        apart = set[str]()
        for account in book.accounts:
            own = {key: size for key, size in sizes.orders.items() if key[0] == account}
            apart |= set(broken_account(book, Sizes(own)))
        assert apart == set(broken_account(book, sizes))


def test_an_order_without_margin_breaks_its_account() -> None:
    scenario = scenario_of(1, "plain")
    book = Book.of(scenario.snapshot, scenario.mandate)
    key = book.pairs[0]
    huge = book.instruments[key[1]].lot * Decimal(10**9)
    assert any(" margin" in row for row in broken_account(book, Sizes({key: huge})))
