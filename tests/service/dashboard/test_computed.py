"""What a form asks to be computed: cases of what-if, and a frontier."""

from __future__ import annotations

import itertools

import pytest

from allocator.models.errors import InputError
from allocator.service.http.cases import case_of
from tests.service.sites import Place
from tests.service.visitor import answered, log_in, send, the_plan

SCENARIO = """shock:
- {prices: {BTC: -10%}}
- {funding: {multiply: 3}}
override: {mandate.policy.order_cost: 2}
expect: {actions: {max: 0}}
"""


def test_what_if_takes_a_whole_scenario_beside_the_fields(place: Place) -> None:
    csrf = log_in(place)
    fields = {"name": "bad day", "volatility": "1.5", "scenario": SCENARIO}
    response = send(place, "/what-if", csrf, **fields)
    assert response.status_code == 303
    page = answered(place, response.headers["location"])
    for words in ("bad day", "mandate.policy.order_cost = 2; then volatility {multiply: 1.5}; then "
                  "prices {BTC: -10%}; then funding {multiply: 3}",
                  "not as expected: actions"):  # fmt: skip
        assert words in page
    assert "- {funding: {multiply: 3}}" in page, "the text stays in the form"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shock: {prices: {BTC: -10%}", "scenario:1:"),
        ("shok: {prices: {BTC: -10%}}", "unknown key &#39;shok&#39; - did you mean &#39;shock"),
        ("snapshot: {file: /etc/hostname}", "a case is about the book as it is"),
        ("grid: {mandate.policy.order_cost: [1]}", "is for sweeps"),
        ("- 1", "a mapping is wanted"),
        ("shock: 5", "shock"),
    ],
)
def test_a_text_that_is_no_scenario_is_told_and_kept(place: Place, text: str, told: str) -> None:
    csrf = log_in(place)
    response = send(place, "/what-if", csrf, name="x", scenario=text)
    assert response.status_code == 422
    assert told in response.text
    assert text in response.text


def aliased(levels: int, across: int) -> str:
    """A short text whose aliases make across ** levels parts."""
    rows = ["override:", f"  a: &a [{','.join('x' * across)}]"]
    for before, name in itertools.pairwise("abcdefgh"[:levels]):
        rows.append(f"  {name}: &{name} [{','.join([f'*{before}'] * across)}]")
    return "\n".join(rows)


def test_a_short_text_that_becomes_a_large_one_is_refused(place: Place) -> None:
    csrf = log_in(place)
    text = aliased(8, 9)
    response = send(place, "/what-if", csrf, name="x", scenario=text)
    assert len(text) < 400
    assert response.status_code == 422
    assert "too large once its aliases are written out" in response.text
    with pytest.raises(InputError, match="too large"):
        case_of(aliased(5, 9))
    assert len(case_of(aliased(3, 9))["override"]) == 3


def test_the_frontier_along_the_margin_buffer_is_shown_with_the_plan(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    there = send(place, f"/plan/{plan}/frontier", csrf, along="margin_buffer").headers["location"]
    page = answered(place, there.split("#", maxsplit=1)[0])
    assert '<option value="margin_buffer" selected>margin buffer</option>' in page
    assert '<th class="n">margin buffer</th><th class="n">total cost, USD</th>' in page
