"""What is told of the mandate that holds: triggers on limits that it has not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.service.holding import Holding
from allocator.service.mandates import Mandates
from tests.execution.book import START
from tests.service.sites import MANDATE, config

BOOK = {"scope": {"portfolio": True}, "source": "a rule"}
GROSS = {"id": "gross", "measure": "gross_notional", "max": "9000000", **BOOK}
TURNOVER = {"id": "turnover", "measure": "turnover", "max": "9000000", **BOOK}
NEAR = TriggerRule.model_validate(
    {"id": "near", "on": "utilisation", "of": "gross", "threshold": "0.9"}
)


def mandate(*limits: Mapping[str, Any]) -> Mandate:
    return Mandate.model_validate({**MANDATE, "limits": limits})


class Held:
    """A book's mandates, and what is told of the one that holds."""

    def __init__(self, engine: Engine, folder: Path, *rules: TriggerRule) -> None:
        self.told = list[tuple[str, Mapping[str, Any]]]()
        self.mandates = Mandates(engine, "desk", config(folder))
        self.holding = Holding(
            self.mandates, rules, lambda topic, facts: self.told.append((topic, facts))
        )

    def unknown(self) -> list[tuple[str, str]]:
        rows = [facts for topic, facts in self.told if topic == "limit_unknown"]
        return [(row["trigger"], row["limit"]) for row in rows]

    def publish(self, made: Mandate) -> None:
        draft = self.mandates.draft(made, "ann", "", START)
        self.mandates.publish(draft.version, "bob", START)


@pytest.fixture
def held(lite: Engine, tmp_path: Path) -> Held:
    return Held(lite, tmp_path, NEAR)


def test_a_limit_that_a_new_version_drops_is_told_once_it_holds(held: Held) -> None:
    held.holding.take_in(mandate(GROSS), START)
    held.holding.look(None)
    assert held.unknown() == []
    held.publish(mandate())
    held.holding.look(None)
    assert held.unknown() == [("near", "gross")]
    held.holding.look(None)
    assert held.unknown() == [("near", "gross")], "and once only"


def test_a_limit_that_a_new_version_brings_is_not_told(held: Held) -> None:
    held.holding.take_in(mandate(), START)
    assert held.unknown() == [("near", "gross")]
    held.publish(mandate(GROSS))
    held.holding.look(None)
    assert held.unknown() == [("near", "gross")]


def test_a_limit_of_plans_is_told_since_the_book_never_uses_it(
    lite: Engine, tmp_path: Path
) -> None:
    rule = NEAR.model_copy(update={"of": "turnover"})
    held = Held(lite, tmp_path, rule)
    held.holding.take_in(mandate(TURNOVER), START)
    assert held.unknown() == [("near", "turnover")]
    assert "turnover" in held.told[0][1]["why"]
