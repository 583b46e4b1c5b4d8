"""Ten scenario files that are wrong, and what is said of each: file, line, column, remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.service.cli.main import run

BOOK = Path(__file__).with_name("book.yaml").read_text()
END = BOOK.count("\n") + 1

BAD = {
    "a shock nobody knows": (
        "shock: {price: {BTC: -20%}}\n",
        f"{END}:9: shock.price: unknown key 'price' - did you mean 'prices'?",
    ),
    "a name the book does not have": (
        "shock: {venues: {binanse: {outage: true}}}\n",
        f"{END}:27: shock.venues.binanse: unknown venue 'binanse' - did you mean 'binance'?",
    ),
    "a fall below nothing": (
        "shock:\n  prices: {BTC: -120%}\n",
        f"{END + 1}:17: shock.prices.BTC: must be above -1, not '-120%'",
    ),
    "two changes in one": (
        "shock:\n  funding: {set: 0, add: 1}\n",
        f"{END + 1}:12: shock.funding: a change is exactly one of multiply, add and set",
    ),
    "a name of the wrong kind": (
        "shock:\n  - fees: {multiply: 2, only: [BTC]}\n",
        f"{END + 1}:32: shock[0].fees.only[0]: 'BTC' is an asset; account or venue is wanted",
    ),
    "more money than there is": (
        "shock:\n  withdrawals:\n    - {account: bybit-a, asset: BTC, amount: 20}\n",
        f"{END + 2}:46: shock.withdrawals[0].amount: 20 BTC cannot leave bybit-a, which holds 2",
    ),
    "an override into nowhere": (
        "override:\n  mandate.policy.margin_bufer: 1\n",
        f"{END + 1}:32: override.mandate.policy.margin_bufer: nothing is called 'margin_bufer' "
        "there - did you mean 'margin_buffer'?",
    ),
    "an axis into nowhere": (
        "grid:\n  shock.volatility.multply: [1, 2]\n",
        f"{END + 1}:29: grid.shock.volatility.multply: nothing is called 'multply' there "
        "- did you mean 'multiply'?",
    ),
    "a value that cannot stand on its axis": (
        "grid:\n  mandate.policy.order_cost: [1, free]\n",
        f"{END + 1}:34: grid.mandate.policy.order_cost[1]: cannot stand there: "
        "mandate.policy.order_cost: not a number: 'free'",
    ),
    "an expectation nobody can check": (
        "expect: {feasable: true}\n",
        f"{END}:10: expect.feasable: unknown key 'feasable' - did you mean 'feasible'?",
    ),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_file_is_told_in_one_line(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = BAD[kind]
    path = tmp_path / "bad.yaml"
    path.write_text(BOOK + text)
    for command in ("what-if", "validate"):
        assert run([command, str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == f"{path}:{message}\n"


def test_there_are_ten_of_them() -> None:
    assert len(BAD) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expect: {actions: {min: 3, max: 1}}", "19: expect.actions: min 3 is above max 1"),
        (
            "expect: {exposure: {BTX: {min: 1}}}",
            "26: expect.exposure.BTX: unknown underlying 'BTX' - did you mean 'BTC'?",
        ),
        ("shock: {haircuts: {set: 2}}", "25: shock.haircuts.set: must not be above 1, not 2"),
        ("shock: {haircuts: {set: -1}}", "25: shock.haircuts.set: must not be below 0, not -1"),
        ("shock: {correlation: {set: 2}}", "28: shock.correlation.set: must not be above 1, not 2"),
        ("shock: {volume: {set: -1}}", "23: shock.volume.set: must not be below 0, not -1"),
        ("shock: {volatility: {set: -1}}", "27: shock.volatility.set: must not be below 0, not -1"),
        (
            "shock: {prices: {BTC: 20}}",
            "23: shock.prices.BTC: 20 is a rise to 21 times; write 20% or, if it is meant, 2000%",
        ),
    ],
)
def test_figures_that_cannot_be_meant_are_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BOOK + text + "\n")
    assert run(["validate", str(path)]) == 2
    assert capsys.readouterr().err == f"{path}:{END}:{message}\n"
