"""What is shipped for running it refers to what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from allocator.service.metrics import Metrics, Reading
from allocator.service.monitor.marks import marks_of
from tests.execution.book import START
from tests.service.monitor.test_monitor import MANDATE, snapshot

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAMES = re.compile(r"allocator_[a-z_]+")


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Names of every series that the service tells."""
    metrics = Metrics()
    metrics.observe("gather", 1)
    metrics.fired("drift")
    metrics.request("GET", 200)
    marks = marks_of(snapshot(a="1.1"), MANDATE)
    reading = Reading(START, True, False, START, START, marks, 0, 0, 0, 0)
    return set(NAMES.findall(metrics.render(reading).decode()))


def test_alert_rules_watch_what_is_told(known: set[str]) -> None:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    named = set(NAMES.findall(" ".join(r["expr"] for g in rules["groups"] for r in g["rules"])))
    assert named
    assert named - known == set()


def test_grafana_draws_what_is_told(known: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/allocator.json").read_text())
    named = set(NAMES.findall(" ".join(p["targets"][0]["expr"] for p in dashboard["panels"])))
    assert len(named) > 10
    assert named - known == set()
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(places) == len(set(places))


def test_compose_opens_nothing_but_loopback_and_keeps_secrets_in_files() -> None:
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ports = [port for row in compose["services"].values() for port in row.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for row in compose["services"].values():
        assert not any(
            "PASSWORD" in key and "FILE" not in key for key in row.get("environment", {})
        )


def test_image_does_not_run_as_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert lines.index("USER 10001") < next(
        i for i, line in enumerate(lines) if line.startswith("ENTRYPOINT")
    )
