"""What measures is itself right: books that tick, plans to compare with, the page."""

from __future__ import annotations

import sys

from allocator.models.mandate import Mandate
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.program.build import build
from allocator.program.crossing import arrays_of
from allocator.program.solve import solve
from allocator.state import Book
from bench.books import Size, book_of
from bench.netting import netted
from bench.report import page
from bench.reweighted import plain, reweighted
from bench.stages import Stages
from bench.ticks import ticking

SMALL = Size(6, 12, 30, 2)


def test_a_book_that_ticks_is_a_book_of_the_same_shape_with_other_prices() -> None:
    rows, wanted = ticking(SMALL, 2)
    mandate = Mandate.model_validate(wanted)
    books = [Snapshot.model_validate(row) for row in rows]
    assert all(book_problems(book, mandate) == [] for book in books)
    assert len({str(book.instruments[0].mark) for book in books}) == 3
    assert len({tuple(row.id for row in book.instruments) for book in books}) == 1


def test_greedy_netting_comes_nearer_to_the_targets_in_sizes_that_can_be_sent() -> None:
    book = Book.of(*book_of(SMALL, 1))
    idle, other = judged(book, Sizes()), judged(book, netted(book))
    assert other.total < idle.total
    # stress cases are beyond what netting looks at
    assert not [text for text in other.broken if "in stress " not in text]


def test_supports_by_reweighting_are_no_dearer_than_every_action() -> None:
    form = build(arrays_of(Book.of(*book_of(SMALL))), None).form
    every, fewer = plain(form), reweighted(form)
    assert every is not None
    assert fewer is not None
    assert fewer.used.sum() <= every.used.sum()
    assert solve(form.relaxed()).bound <= fewer.value <= every.value


def test_stages_are_timed_apart_and_the_functions_put_back() -> None:
    module = sys.modules["allocator.program.crossing"]
    before = module.arrays_of
    book = Book.of(*book_of(SMALL))
    with Stages() as stages:
        module.arrays_of(book)
    assert module.arrays_of is before
    assert set(stages.seconds) == {"cross"}


def test_the_page_says_what_failed() -> None:
    found = {"sizes": {"10x40": {"failed": "out of memory"}}, "note": "A note."}
    text = page(found)
    assert "out of memory" in text
    assert "A note." in text
