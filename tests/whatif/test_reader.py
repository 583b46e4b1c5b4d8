"""Files are read exactly, and everything that is wrong with them is told at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.models.errors import InputError
from allocator.whatif import yaml_text
from allocator.whatif.document import FileError, parse
from allocator.whatif.reader import (
    load_book,
    load_mandate,
    load_plan,
    load_scenario,
    load_snapshot,
)

BOOK = Path(__file__).with_name("book.yaml").read_text()


def write(folder: Path, text: str, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def errors(path: Path) -> list[str]:
    with pytest.raises(FileError) as caught:
        load_scenario(path)
    return [str(row).removeprefix(f"{path}:") for row in caught.value.problems]


def broken(folder: Path, *changes: tuple[str, str]) -> list[str]:
    text = BOOK
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return errors(write(folder, text))


def test_a_scenario_without_a_name_has_its_file_s(tmp_path: Path) -> None:
    assert load_scenario(write(tmp_path, BOOK.replace("name: small\n", ""), "b.yaml")).name == "b"


def test_a_good_book_is_read_exactly(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, BOOK))
    assert scenario.snapshot.instruments[0].tick == Decimal("0.1")
    assert str(scenario.snapshot.instruments[0].tick) == "0.1"
    assert scenario.mandate.policy.margin_buffer == Decimal("0.25")
    assert scenario.snapshot.account["bybit-a"].balances["BTC"].wallet == 2


def test_five_mistakes_are_five_located_errors(tmp_path: Path) -> None:
    assert broken(
        tmp_path,
        ("owner: fund", "ownr: fund"),
        ('lot: "0.001"', 'lot: "0,001"'),
        ("bybit-b, asset: BTC", "bybit-c, asset: BTC"),
        ("measure: gross_notional", "measure: gross"),
        ("  policy:\n    margin_buffer: 0.25", "  policy:\n    margin_bufer: 0.25"),
    ) == [
        "15:12: snapshot.instruments[0].lot: not a number: '0,001'",
        "56:7: snapshot.accounts[0].ownr: unknown key 'ownr' - did you mean 'owner'?",
        "78:36: snapshot.routes[0].to: unknown account 'bybit-c' - did you mean 'bybit-b'?",
        "86:26: mandate.limits[0].measure: one of long_notional, short_notional, gross_notional, "
        "net_notional, quantity, leverage, equity, orders, turnover, transfer_out is wanted, "
        "not 'gross'",
        "88:5: mandate.policy.margin_bufer: unknown key 'margin_bufer' "
        "- did you mean 'margin_buffer'?",
    ]


NAMES = {"id", "name", "venue", "owner", "underlying"}


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list) and node:
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from leaves(node[key], (*path, key))
    else:
        yield path


def test_one_wrong_value_is_one_problem_at_its_place(tmp_path: Path) -> None:
    tree = parse(BOOK, "b.yaml").data
    for path in leaves(tree):
        if path[-1] in NAMES:
            continue
        wrong = deepcopy(tree)
        node = wrong
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = {"odd": 1}
        with pytest.raises(FileError) as caught:
            load_scenario(write(tmp_path, json.dumps(wrong, default=str), "x.json"))
        (problem,) = caught.value.problems
        assert problem.path[: len(path)] == path


@pytest.mark.parametrize("odd", [".nan", "1_000", "010", "1:30", "0x10", "yes"])
def test_a_number_that_readers_disagree_about_is_told_once(odd: str, tmp_path: Path) -> None:
    changed = BOOK.replace('price: "1"', f"price: {odd}", 1)
    (told,) = errors(write(tmp_path, changed))
    assert f"7:19: snapshot.assets.USDT.price: {odd}: " in told


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('price: "1"', "price: .nan", ".nan: not a finite"),
        ('price: "1"', "price: 010", "7:19: snapshot.assets.USDT.price: 010: a number with a l"),
        ('price: "1"', "price: 1_000", "underscores in numbers"),
        ('price: "1"', "price: 1:30", "some readers count this in sixties"),
        ('price: "1"', "price: 0x10", "numbers are written in decimal"),
        ('price: "1"', 'price: "1_000"', "not a number: '1_000'"),
        ('price: "1"', "price: true", "a number is wanted"),
        ('price: "1"', "price: [1]", "a number is wanted"),
        ('price: "1"', "price: 1e999", "no market has a number like"),
        ("owner: fund", "owner: 12", "text is wanted, not 12; write it in quotes"),
        ("owner: fund", "owner: no", "a truth value to some readers"),
        ("order_budget: 5", "order_budget: five", "a whole number is wanted, not 'five'"),
        ("order_budget: 5", "order_budget: -1", "must not be below 0, not -1"),
        ("order_budget: 5", "state: closed", "one of open, reduce_only, frozen is wanted"),
        ("as_of: 2026-11-20T08:00:00Z", "as_of: yesterday", "a time like"),
        ('fees: {maker: "0.0002", taker: "0.0005"}', "fees: {}", "fees.taker: is required"),
        ('spot: ["binance:BTC/USDT"]', "spot: x", "a list is wanted, not 'x'"),
        ("balances: {USDT: {", "balances: {USDT: {wallet: 1, ", "stands here twice"),
        ("version: 1", "version: 2", "version: must not be above 1, not 2"),
        ("name: small", "title: small", "unknown key 'title'"),
    ],
)
def test_a_wrong_value_is_told_in_words(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert any(message in row for row in broken(tmp_path, (old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a mapping is wanted"),
        ("- 1", "a mapping is wanted"),
        ("a: [", "1:5: not YAML"),
        ("a: *b", "found undefined alias"),
        ("a: &a [*a]", "an alias stands inside what it repeats"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: !!python/object:os.system x", "is not read"),
        ("? [a]\n: b", "a key must be text"),
        ("\t- a", "not YAML"),
        ("a: " + "[" * 500, "nested too deep"),
    ],
)
def test_broken_yaml_is_a_file_error(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in row for row in errors(write(tmp_path, text)))


def test_aliases_that_grow_without_bound_are_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(FileError, match="too large once its aliases are written out"):
        yaml_text.read_yaml("\n".join(rows), "grown.yaml", most_parts=10_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "1:7: not JSON: NaN is not a value"),
        ('{"a": -Infinity}', "not JSON: -Infinity is not a value"),
        ('{"a": 1,}', "1:9: not JSON: a key in double quotes is wanted here"),
        ('{"a" 1}', "1:6: not JSON: a colon is wanted here"),
        ('{"a": 1} x', "1:10: not JSON: something follows the end of the document"),
        ("{'a': 1}", "a key in double quotes"),
        ('{"a": "x\n"}', "not JSON: Invalid control character"),
        ('{"a": [1 2]}', "1:10: not JSON: a comma or ] is wanted here"),
        ('{"a": 01}', "not JSON"),
        ('{"a": ' + "[" * 100, "nested too deep"),
    ],
)
def test_broken_json_is_a_file_error(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in row for row in errors(write(tmp_path, text, "x.json")))


def test_json_numbers_keep_their_text(tmp_path: Path) -> None:
    data = parse(
        '{"a": 0.1, "b": 1e-7, "c": 0.30000000000000004, "d": 12345678901234567890}', "j.json"
    )
    assert data.data == {
        "a": Decimal("0.1"),
        "b": Decimal("1e-7"),
        "c": Decimal("0.30000000000000004"),
        "d": Decimal("12345678901234567890"),
    }
    assert not any(isinstance(value, float) for value in data.data.values())


def test_json_double_keys_are_told_with_their_place() -> None:
    (problem,) = parse('{"a": 1,\n "a": 2}', "j.json").problems
    assert str(problem) == "j.json:2:2: the key 'a' stands here twice, first in line 1"


def test_halves_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    whole = parse(BOOK, "b.yaml").data
    write(tmp_path, json.dumps(whole["snapshot"], default=str), "s.json")
    write(tmp_path, json.dumps({**whole["mandate"], "limit": []}, default=str), "m.json")
    path = write(tmp_path, "name: x\nsnapshot: {file: s.json}\nmandate: {file: m.json}\n")
    (row,) = errors(path)
    assert row.startswith(f"{tmp_path / 'm.json'}:1:")
    assert row.endswith("limit: unknown key 'limit' - did you mean 'limits'?")
    write(tmp_path, json.dumps(whole["mandate"], default=str), "m.json")
    assert load_scenario(path).mandate == load_mandate(tmp_path / "m.json")
    snapshot, mandate = load_book(tmp_path / "s.json", tmp_path / "m.json")
    assert snapshot == load_snapshot(tmp_path / "s.json")
    assert mandate.targets[0].underlying == "BTC"


def test_a_missing_file_is_told_where_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\nsnapshot: {file: gone.json}\nmandate: {}\n")
    gone = f"there is no file {tmp_path / 'gone.json'}; a path counts from this file's folder"
    assert errors(path) == [f"2:18: snapshot.file: {gone}"]


def test_a_stored_snapshot_needs_a_store(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\nsnapshot: {stored: latest}\nmandate: {}\n")
    assert errors(path) == [
        "2:20: snapshot.stored: there is no store of snapshots here; refer to a file: {file: ...}"
    ]
    snapshot = parse(BOOK, "b.yaml").data["snapshot"]
    stored = load_scenario(path, store={"latest": snapshot}.get)
    assert [account.id for account in stored.snapshot.accounts] == [
        "binance-main", "bybit-a", "bybit-b",
    ]  # fmt: skip


def test_an_instrument_listed_twice_is_logged_and_the_last_one_stands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start = BOOK.index("    - id: binance:BTC/USDT\n")
    entry = BOOK[start : BOOK.index("    - id: bybit:BTC/USD:BTC")]
    text = BOOK.replace(entry, entry + entry.replace('mark: "64000"', 'mark: "64000.5"'))
    scenario = load_scenario(write(tmp_path, text))
    assert scenario.snapshot.instrument["binance:BTC/USDT"].mark == Decimal("64000.5")
    assert len(scenario.snapshot.instruments) == 3
    assert "a second instrument 'binance:BTC/USDT'; the last one stands" in caplog.text


def test_overrides_name_elements_by_id_and_by_position(tmp_path: Path) -> None:
    extra = (
        "override:\n"
        "  mandate.policy.margin_buffer: 0.4\n"
        "  mandate.policy.order_cost: 1.5\n"
        "  mandate.targets.BTC.delta: 7\n"
        "  snapshot.accounts.bybit-a.state: reduce_only\n"
        "  snapshot.instruments[0].funding.rate: 0.001\n"
        "  snapshot.accounts.binance-main.balances.USDT.wallet: 1\n"
        "  snapshot.accounts.binance-main.positions.binance:BTC/USDT:USDT.leverage: 5\n"
    )
    got = load_scenario(write(tmp_path, BOOK + extra))
    assert got.mandate.policy.margin_buffer == Decimal("0.4")
    assert got.mandate.policy.order_cost == Decimal("1.5")
    assert got.mandate.targets[0].delta == 7
    assert got.snapshot.account["bybit-a"].state == "reduce_only"
    assert got.snapshot.instruments[0].funding is not None
    assert got.snapshot.instruments[0].funding.rate == Decimal("0.001")
    assert got.snapshot.accounts[0].balances["USDT"].wallet == 1
    assert got.snapshot.accounts[0].positions["binance:BTC/USDT:USDT"].leverage == 5


def test_a_wrong_override_is_told_where_it_stands(tmp_path: Path) -> None:
    extra = (
        "override:\n"
        "  mandate.policy.margin_bufer: 0.4\n"
        "  mandate.policy.order_cost: -1\n"
        "  snapshot.accounts.bybit-aa.state: open\n"
        "  snapshot.routes[7].fee: 1\n"
        "  snapshot: {}\n"
    )
    line = BOOK.count("\n") + 2
    assert errors(write(tmp_path, BOOK + extra)) == [
        f"{line}:32: override.mandate.policy.margin_bufer: nothing is called 'margin_bufer' there "
        "- did you mean 'margin_buffer'?",
        f"{line + 1}:30: mandate.policy.order_cost: must not be below 0, not -1",
        f"{line + 2}:37: override.snapshot.accounts.bybit-aa.state: no element is called "
        "'bybit-aa.state' - did you mean 'bybit-a'?",
        f"{line + 3}:27: override.snapshot.routes[7].fee: there is no position 7: the list has "
        "2 elements",
        f"{line + 4}:13: override.snapshot: a value inside snapshot or mandate is wanted",
    ]


def test_plan_and_config_are_read_with_their_own_errors(tmp_path: Path) -> None:
    plan = write(
        tmp_path,
        '{"schema": "allocator.plan/1", "status": "act", "actions": [\n'
        '{"seq": 1, "kind": "order", "account": "a", "instrument": "i", "side": "by",\n'
        ' "quantity": "1", "limit_price": "2", "limt": 1}]}',
        "p.json",
    )
    with pytest.raises(InputError) as caught:
        load_plan(plan)
    assert [str(row).removeprefix(f"{plan}:") for row in caught.value.problems] == [
        "2:72: actions[0].side: one of buy, sell is wanted, not 'by' - did you mean 'buy'?",
        "3:39: actions[0].limt: unknown key 'limt'",
    ]
