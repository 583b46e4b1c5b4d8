"""Whose name a name is."""

from __future__ import annotations

import pytest

from allocator.risk.approvals import person

UNSEEN = "\u00ad\u034f\u061c\u115f\u17b5\u180e\u200d\u202e\u2060\u2800\u3164\ufe0f\uffa0\U000e0041"


@pytest.mark.parametrize("mark", UNSEEN, ids=ascii)
@pytest.mark.parametrize("name", ["ann{}", "{}ann", "a{}nn"])
def test_what_cannot_be_seen_makes_nobody_else_of_a_name(name: str, mark: str) -> None:
    assert person(name.format(mark)) == person("ann")
    assert person(mark) == ""


@pytest.mark.parametrize("other", ["anne", "an", "\u0430nn", "a\u0301nn", "a.nn", "ann\u20e3"])
def test_what_can_be_seen_does(other: str) -> None:
    assert person(other) != person("ann")
