"""The published schemas describe the files, and say so in sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from allocator.whatif.document import parse
from allocator.whatif.schemas import FILES, fields_at, schema, unknown_keys

BOOK = Path(__file__).with_name("book.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_schema_is_the_same_every_time_and_refers_only_to_itself(name: str) -> None:
    first, second = json.dumps(schema(name)), json.dumps(schema(name))
    assert first == second
    data = schema(name)
    assert data["$schema"].startswith("https://json-schema.org/")
    assert data["additionalProperties"] is False
    for ref in references(data):
        assert ref.removeprefix("#/$defs/") in data["$defs"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for value in node for ref in references(value)] if isinstance(node, list) else []


def test_fields_carry_the_sentences_of_the_docstrings() -> None:
    defs = schema("snapshot")["$defs"]
    assert defs["Route"]["properties"]["latency_s"]["description"] == "Seconds until arrival."
    assert "from" in defs["Route"]["properties"]
    assert "source" not in defs["Route"]["properties"]
    assert defs["Account"]["properties"]["owner"]["description"].startswith("The legal entity")
    assert defs["Account"]["description"].endswith("One margin pool.")


def test_numbers_may_be_text_or_numbers() -> None:
    price = schema("snapshot")["$defs"]["Asset"]["properties"]["price"]
    assert {row["type"] for row in price["anyOf"]} == {"string", "number"}


def test_a_good_file_has_no_unknown_key() -> None:
    assert list(unknown_keys("scenario", parse(BOOK.read_text(), "b.yaml").data)) == []


def test_a_key_of_another_kind_of_action_is_unknown() -> None:
    order = {"seq": 1, "kind": "order", "route": "r"}
    found = list(unknown_keys("plan", {"actions": [order]}))
    assert [row.path for row in found] == [("actions", 0, "route")]


def test_fields_are_found_by_path() -> None:
    assert "margin_buffer" in fields_at("mandate", ("policy",))[0]
    assert fields_at("snapshot", ("accounts", 0, "balances")) == ([], True)
    assert fields_at("snapshot", ("assets", "BTC"))[0] == [
        "borrow_rate", "collateral", "haircut", "price", "underlying",
    ]  # fmt: skip
