"""What no plan shows is told beside it: caps exceeded, ways reopened, orders overtaken."""

from __future__ import annotations

from pathlib import Path

import pytest

import allocator
from allocator.models.bodies import Case
from allocator.service.cli.main import run
from allocator.service.http.cases import decided_case
from allocator.whatif.comparison import WhatIf
from allocator.whatif.reader import load_scenario

FILE = Path(__file__).with_name("book.yaml")
BOOK = FILE.read_text()
ORDERS = """      open_orders:
        - {instrument: "binance:BTC/USDT:USDT", side: buy, quantity: 1, price: "60000"}
        - {instrument: "binance:BTC/USDT:USDT", side: buy, quantity: 1, price: "50000"}
        - {instrument: "binance:BTC/USDT:USDT", side: sell, quantity: 2, price: "70000"}
        - {instrument: "binance:BTC/USDT:USDT", side: sell, quantity: 2}
      order_budget: 5
"""
OVERTAKEN = "is crossed by the price, {}: open orders are left as they are"


def done(folder: Path, shock: str, book: str = BOOK) -> WhatIf:
    path = folder / "x.yaml"
    path.write_text(f"{book}shock: {shock}\n")
    return allocator.what_if(path)


@pytest.mark.parametrize(
    ("factor", "cap"),
    [("0.29", None), ("0.2", "160,000.00"), ("0.27", "216,000.00"), ("1", None)],
)
def test_a_position_above_its_new_cap_is_told(tmp_path: Path, factor: str, cap: str | None) -> None:
    """3.5 contracts of 64,000 are 224,000 USD; the largest bracket ends at 800,000."""
    found = done(tmp_path, f"{{brackets: {{multiply: {factor}, only: [binance]}}}}").remarks
    told = (
        "position of -3.5 binance:BTC/USDT:USDT in binance-main, 224,000.00 USD, exceeds the new "
        f"cap of its brackets, {cap} USD"
    )
    assert found == (() if cap is None else (told,))


def test_a_cap_that_was_exceeded_before_is_no_news(tmp_path: Path) -> None:
    book = BOOK.replace("-3.5", "-35")
    assert done(tmp_path, "{brackets: {multiply: 0.5}}", book).remarks == ()


@pytest.mark.parametrize(
    ("shock", "crossed"),
    [
        ("{prices: {BTC: -5%}}", ()),
        ("{prices: {BTC: -10%}}", ("buy 1 binance:BTC/USDT:USDT at 60000", "57600.09")),
        ("{prices: {BTC: 10%}}", ("sell 2 binance:BTC/USDT:USDT at 70000", "70399.89")),
    ],
)
def test_an_order_that_the_price_crosses_is_told_and_stays(
    tmp_path: Path, shock: str, crossed: tuple[str, ...]
) -> None:
    after = done(tmp_path, shock, BOOK.replace("      order_budget: 5\n", ORDERS))
    orders = after.shocked.snapshot.account["binance-main"].open_orders
    assert orders == after.base.snapshot.account["binance-main"].open_orders
    if not crossed:
        assert after.remarks == ()
    else:
        what, price = crossed
        told = f"open order in binance-main to {what} {OVERTAKEN.format(price)}"
        assert after.remarks == (told,)
        assert after.to_json()["remarks"] == [told]


@pytest.mark.parametrize("price", ["", ', price: "62000"'])
def test_of_an_order_that_waits_for_a_trigger_nobody_says_that_the_price_crosses_it(
    tmp_path: Path, price: str
) -> None:
    waits = f'{{instrument: "binance:BTC/USDT:USDT", side: buy, quantity: 1{price}, waits: true}}'
    orders = f"      open_orders: [{waits}]\n      order_budget: 5\n"
    book = BOOK.replace("      order_budget: 5\n", orders)
    assert done(tmp_path, "{funding: {multiply: 2}}", book).remarks == ()
    assert done(tmp_path, "{prices: {BTC: -10%}}", book).remarks == (
        "order in binance-main to buy 1 binance:BTC/USDT:USDT waits for a trigger that the mark, "
        "moved from 64000 to 57600, may have fired: open orders are left as they are",
    )


def test_a_way_that_the_book_has_closed_is_told_when_it_opens(tmp_path: Path) -> None:
    book = BOOK.replace('fee: "0.0005"}', 'fee: "0.0005", enabled: false}')
    shock = "{venues: {binance: {withdrawals: open}}}"
    assert done(tmp_path, shock, book).remarks == ("route out, which the book has closed, is open",)


def test_remarks_stand_in_the_table_the_page_and_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shock = {"brackets": {"multiply": "0.2", "only": ["binance"]}}
    compared = done(tmp_path, "{brackets: {multiply: 0.2, only: [binance]}}")
    (told,) = compared.remarks
    assert told in compared.report(tmp_path / "x.md").read_text()
    assert run(["what-if", str(tmp_path / "x.yaml")]) == 0
    assert told in " ".join(capsys.readouterr().out.split())
    book = load_scenario(FILE)
    case = Case.model_validate({"name": "cut", "shock": [shock]})
    assert decided_case(book.snapshot, book.mandate, case).remarks == (told,)
