"""What is shipped for running it refers to what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from allocator.service.cli.configs import init
from allocator.service.metrics import Metrics, Reading
from allocator.service.monitor.marks import marks_of
from tests.execution.book import START
from tests.service.monitor.watched import MANDATE, SHUT, snapshot

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAMES = re.compile(r"allocator_[a-z_]+")


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Names of every series that the service tells."""
    metrics = Metrics()
    metrics.observe("gather", 1)
    metrics.fired("drift")
    metrics.request("GET", 200)
    marks = marks_of(snapshot(a="1.1"), MANDATE, None, SHUT)
    reading = Reading(START, True, False, START, START, marks, 0, 0, 0, 0, 0)
    return set(NAMES.findall(metrics.render(reading).decode()))


def test_a_trigger_that_has_not_fired_is_told_as_none_so_that_its_first_is_an_increase() -> None:
    text = Metrics(["drift"]).render(Reading(START, True, False, None, None, None, 0, 0, 0, 0, 0))
    assert 'allocator_triggers_fired_total{book="",rule="drift"} 0.0' in text.decode()


def test_every_series_names_its_book_for_several_may_be_scraped_side_by_side() -> None:
    metrics = Metrics(["drift"], "carry")
    metrics.observe("gather", 1)
    marks = marks_of(snapshot(a="1.1"), MANDATE, None, SHUT)
    reading = Reading(START, True, False, START, START, marks, 0, 0, 0, 0, 0)
    told = [row for row in metrics.render(reading).decode().splitlines() if row[0] != "#"]
    assert len(told) > 40
    assert [row for row in told if 'book="carry"' not in row] == []


def test_alert_rules_watch_what_is_told(known: set[str]) -> None:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    named = set(NAMES.findall(" ".join(r["expr"] for g in rules["groups"] for r in g["rules"])))
    assert named
    assert named - known == set()


def test_grafana_draws_what_is_told(known: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/allocator.json").read_text())
    asked = [row["expr"] for panel in dashboard["panels"] for row in panel["targets"]]
    named = set(NAMES.findall(" ".join(asked)))
    assert len(named) > 10
    assert named - known == set()


def test_grafana_dashboard_has_its_source_and_no_panel_over_another() -> None:
    dashboard = json.loads((DEPLOY / "grafana/dashboards/allocator.json").read_text())
    sources: Any = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )
    known_sources = {row["uid"] for row in sources["datasources"]}
    panels = dashboard["panels"]
    assert dashboard["uid"]
    assert dashboard["title"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["type"] in ("timeseries", "stat", "table", "bargauge", "gauge", "heatmap")
        assert panel["datasource"]["uid"] in known_sources
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = any(
            a[at] + a[size] <= b[at]
            for a, b in ((one, other), (other, one))
            for at, size in (("x", "w"), ("y", "h"))
        )
        assert apart, (one, other)


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool that the machine may have."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_alerts_speak_after_their_time_and_not_before() -> None:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    tests = (DEPLOY / "prometheus/alerts_test.yml").read_text()
    names = {row["alert"] for group in rules["groups"] for row in group["rules"]}
    assert names == set(re.findall(r"alertname: (\w+)", tests))
    done = run("promtool", "test", "rules", str(DEPLOY / "prometheus/alerts_test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    (tmp_path / "token").write_text("x")
    text = text.replace("/etc/prometheus", str(DEPLOY / "prometheus"))
    (tmp_path / "prometheus.yml").write_text(
        text.replace("/run/secrets/metrics", str(tmp_path / "token"))
    )
    done = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_takes_its_configuration_and_has_its_address_from_a_file(
    tmp_path: Path,
) -> None:
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
    ((hook,),) = (row["webhook_configs"] for row in yaml.safe_load(text)["receivers"])
    assert hook == {"url_file": "/run/secrets/alerts"}
    # The tool reads a file's address from 0.26 on.
    text = text.replace("url_file: /run/secrets/alerts", "url: http://127.0.0.1:9/")
    (tmp_path / "alertmanager.yml").write_text(text)
    done = run("amtool", "check-config", str(tmp_path / "alertmanager.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_tell_an_alertmanager_that_compose_runs_with_its_secret() -> None:
    told: Any = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ((target,),) = (
        config["targets"]
        for row in told["alerting"]["alertmanagers"]
        for config in row["static_configs"]
    )
    service = compose["services"][target.partition(":")[0]]
    assert target.endswith(":9093")
    assert service["secrets"] == ["alerts"]
    assert compose["secrets"]["alerts"] == {"file": "secrets/alerts"}
    assert {row.partition(":")[0] for row in service["volumes"]} == {"./alertmanager", "silences"}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/allocator/bin/allocator", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = run("systemd-analyze", "verify", *(str(row) for row in sorted(tmp_path.iterdir())))
    assert (done.returncode, done.stderr) == (0, "")


def lines_of(unit: str) -> set[str]:
    """Lines of a unit's section of the service."""
    text = (DEPLOY / "systemd" / unit).read_text()
    return set(text.partition("[Service]")[2].partition("[Install]")[0].split("\n"))


@pytest.mark.parametrize("unit", ["allocator.service", "allocator-backup.service"])
def test_systemd_keeps_the_record_and_its_backups_from_others(unit: str) -> None:
    assert {"User=allocator", "StateDirectoryMode=0700", "UMask=0077"} <= lines_of(unit)


def test_systemd_backs_up_with_the_secrets_that_the_service_reads_the_database_by() -> None:
    """A password of PostgreSQL stays in PGPASSWORD, and so among the service's secrets."""
    service, backup = (
        {row for row in lines_of(unit) if row.startswith("EnvironmentFile=")}
        for unit in ("allocator.service", "allocator-backup.service")
    )
    assert service == backup != set()


def test_systemd_confines_the_backup_as_it_confines_the_service() -> None:
    words = (
        "Protect",
        "Private",
        "Restrict",
        "SystemCall",
        "Capability",
        "NoNew",
        "Lock",
        "Remove",
    )
    service, backup = (
        {row for row in lines_of(unit) if row.startswith(words)}
        for unit in ("allocator.service", "allocator-backup.service")
    )
    assert "SystemCallFilter=@system-service" in service
    assert service == backup


def test_compose_opens_nothing_but_loopback_and_keeps_secrets_in_files() -> None:
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ports = [port for row in compose["services"].values() for port in row.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for row in compose["services"].values():
        assert not any(
            "PASSWORD" in key and "FILE" not in key for key in row.get("environment", {})
        )


def test_compose_writes_nowhere_but_its_volume_and_memory() -> None:
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name in ("allocator-a", "allocator-b"):
        row = compose["services"][name]
        assert row["read_only"] is True
        assert row["tmpfs"] == ["/tmp"]
        assert row["environment"]["PGPASSFILE"].startswith("/tmp/")
        assert '> \\"$$PGPASSFILE\\"' in json.dumps(row["entrypoint"])


def test_compose_waits_for_the_database_where_the_service_reaches_it() -> None:
    """A server that sets itself up answers on its socket before it answers on its address."""
    compose: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert " -h 127.0.0.1 " in compose["services"]["postgres"]["healthcheck"]["test"][1]


def test_compose_gives_both_instances_a_dashboard_that_takes_forms() -> None:
    """One origin for two ports would have the forms of one of them refused."""
    head = (DEPLOY / "compose.yaml").read_text().partition("\nname:")[0]
    assert "service.http.host: 0.0.0.0" in head
    assert "origin" not in head


def test_compose_hands_the_service_all_that_init_writes_for_its_owner_alone(
    tmp_path: Path,
) -> None:
    init(tmp_path)
    (written,) = (path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077 == 0)
    head = (DEPLOY / "compose.yaml").read_text().partition("\nname:")[0]
    uid = re.findall(r"^USER (\d+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    handed = re.findall(rf"chown -R {uid[0]} (\S+)", head)
    assert any(Path("config", written.name).is_relative_to(place) for place in handed)


def test_image_does_not_run_as_root_and_may_write_its_volume() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    begin = lines.index("USER 10001")
    words = [line.split()[0] for line in lines[begin:] if line and line[0].isalpha()]
    assert words.index("RUN") < words.index("VOLUME") < words.index("ENTRYPOINT")
    assert "RUN mkdir -p var" in lines[begin:]


def test_image_is_built_from_what_is_named_and_no_secret_reaches_the_builder() -> None:
    ignored = (DEPLOY.parent / ".dockerignore").read_text().split()
    assert "*" in ignored
    kept = {row.removeprefix("!") for row in ignored if row.startswith("!")}
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [
        word.split("/")[0]
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    assert set(copied) == kept
