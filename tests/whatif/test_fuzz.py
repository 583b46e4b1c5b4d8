"""Whatever stands in a file, reading it ends in a value or in a FileError with a place."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from allocator.whatif.document import FileError, Located, parse
from allocator.whatif.reader import load_scenario

BOOK = Path(__file__).with_name("book.yaml").read_text()
SETTINGS = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
PIECES = st.sampled_from(
    ["{", "}", "[", "]", ":", ",", "-", "\n", "  ", "\t", "&a ", "*a", "<<: ", "!x ", "!!float ",
     "'", '"', "|\n", "? ", "# ", "%Y", "---\n", "...", "\\", "\x00", "\ud7ff", "é", "null", "~",
     "true", "yes", ".nan", ".inf", "1e9999", "0o7", "010", "1_0", "9" * 50, "-", "0.1", "snapshot"]
)  # fmt: skip


def read_any(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            load_scenario(path)
        except FileError as caught:
            error = caught
        else:
            return
    assert error.problems
    for row in error.problems:
        assert isinstance(row, Located)
        assert row.file
        assert str(row).count("\n") == 0


@SETTINGS
@given(st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join))
@example("a: |\n\x85")
def test_any_text(text: str) -> None:
    read_any(text, "x.yaml")
    read_any(text, "x.json")


@SETTINGS
@given(st.integers(0, len(BOOK)), st.integers(0, 60), PIECES | st.text(max_size=8))
def test_a_book_with_a_piece_replaced(at: int, length: int, piece: str) -> None:
    read_any(BOOK[:at] + piece + BOOK[at + length :], "x.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["1", "BTC"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@SETTINGS
@given(st.data())
def test_a_book_with_a_value_of_another_shape(data: st.DataObject) -> None:
    import json

    tree = parse(BOOK, "b.yaml").data
    node, path = tree, list[str | int]()
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        path.append(key)
        if data.draw(st.booleans()) and len(path) > 1:
            break
        if not isinstance(node[key], dict | list):
            break
        node = node[key]
    node[path[-1]] = data.draw(VALUES)
    read_any(json.dumps(tree, default=str), "x.json")
