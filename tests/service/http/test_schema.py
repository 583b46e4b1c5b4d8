"""The API under generated requests: no 5xx, and answers as its description has them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.execution.databases import lite_at
from tests.service.sites import Place

EXAMPLES = int(os.environ.get("ALLOCATOR_EXAMPLES", "10"))
PATIENCE_S = 600
"""Seconds for one answer; by default it is ten, which a loaded machine exceeds."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One site for all requests: it has to bear what they leave behind."""
    folder = tmp_path_factory.mktemp("schema")
    engine = lite_at(folder / "journal.db")
    made = Place(engine, Path(folder))
    made.gather()
    yield made
    asgi._shutdown()  # the loop that carried the requests lives until then
    made.site.jobs.close()
    engine.dispose()


def test_api_answers_anything_as_it_says(place: Place) -> None:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", place.app, timeout=PATIENCE_S)
    asked, wrong = Counter[str](), list[str]()

    def ask(case: schemathesis.Case) -> None:
        if case.path == "/v1/events":
            case.query = {**(case.query or {}), "for_s": 0}
        response = case.call(headers=place.headers("alice"), timeout=PATIENCE_S)
        asked[f"{case.method} {case.path} {response.status_code}"] += 1
        case.validate_response(response, checks=CHECKS)

    for row in schema.get_all_operations():
        operation = row.ok()
        test = given(operation.as_strategy())(ask)
        try:
            settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(test)()
        except Exception as error:  # noqa: BLE001 - told all together
            wrong.append(f"{operation.label}: {error}")
    out = os.environ.get("ALLOCATOR_SCHEMA_OUT")
    if out:
        lines = [f"{count:6} {what}" for what, count in sorted(asked.items())]
        Path(out).write_text("\n".join(lines) + f"\n{sum(asked.values())} requests\n")
    assert wrong == []
    assert not any(what.split()[-1].startswith("5") for what in asked)
    operations = {tuple(what.split()[:2]) for what in asked}
    assert len(operations) == len(list(schema.get_all_operations()))
    assert any(what.endswith(" 201") for what in asked)
