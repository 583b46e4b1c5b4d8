"""Reports are pages of their own: they need no network, say what they show, and escape all text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import allocator
from allocator.models.errors import ConfigError
from allocator.models.explain import money
from allocator.models.plan import Plan, Transfer
from allocator.service.cli.main import run
from allocator.whatif import frontier_page
from allocator.whatif.charts import sankeys
from allocator.whatif.page import Chart, Page, Table, html, markdown, script_json
from allocator.whatif.report import write_page
from tests.whatif.grids import CRASH, SCENARIOS, with_grid

CHROMIUM = Path("/usr/bin/chromium")
STATIC = Path(__file__).parents[2] / "allocator" / "whatif" / "static"
ADDRESS = re.compile(r"""(?:src|href)\s*=|url\(|@import|fetch\(|XMLHttpRequest""")


@pytest.fixture(scope="module")
def plan() -> Plan:
    scenario = allocator.load_scenario(CRASH)
    return allocator.decide(scenario.snapshot, scenario.mandate)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> dict[str, Path]:
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    scenario = allocator.load_scenario(SCENARIOS / "two-venue-delta-move.yaml")
    curve = allocator.frontier(scenario.snapshot, scenario.mandate)
    grid = allocator.sweep(with_grid(folder), backend="serial")
    return {
        "plan": plan.report(folder / "plan.html"),
        "what-if": allocator.what_if(CRASH).report(folder / "what-if.html"),
        "sweep": grid.report(folder / "sweep.html"),
        "frontier": write_page(
            frontier_page.page(curve, "x"), curve.to_json(), folder / "frontier.html"
        ),
    }


@pytest.fixture(scope="module")
def browser() -> Browser:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.mark.parametrize("kind", ["plan", "what-if", "sweep", "frontier"])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_page_draws_in_a_browser_without_a_network(
    browser: Browser, pages: dict[str, Path], kind: str, look: str
) -> None:
    context = browser.new_context(color_scheme=look, offline=True)
    tab = context.new_page()
    asked, said = list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(pages[kind].as_uri())
    tab.wait_for_selector(".chart svg")
    assert asked == [pages[kind].as_uri()]
    assert said == []
    assert tab.locator(".chart svg").count() == tab.locator(".chart").count() > 0
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (look == "light")
    tab.click("#look")
    other = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert other != ground
    assert tab.locator(".chart svg").count() == tab.locator(".chart").count()
    assert said == []
    context.close()


def test_a_page_reads_without_scripts(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(pages["what-if"].as_uri())
    assert tab.locator("table").count() > 5
    assert "Cost by part (USD)" in tab.locator("noscript").first.inner_text()
    context.close()


@pytest.mark.parametrize("kind", ["plan", "what-if", "sweep", "frontier"])
def test_a_page_names_no_address_outside_its_library(pages: dict[str, Path], kind: str) -> None:
    text = pages[kind].read_text().replace((STATIC / "echarts.min.js").read_text(), "")
    assert ADDRESS.findall(text) == []
    assert "default-src 'none'" in text


def test_text_cannot_become_markup_or_script() -> None:
    bad = "</script><script>alert(1)</script>"
    told = Page(bad, [bad], [Table(bad, (bad,), [(bad,)]), Chart(bad, {"x": bad}, bad)], [bad])
    text = html(told)
    assert bad not in text
    assert json.loads(script_json({"x": bad})) == {"x": bad}


def test_markdown_has_every_table_of_the_page(plan: Plan, tmp_path: Path) -> None:
    text = plan.report(tmp_path / "plan.md").read_text()
    for heading in ("Actions", "Exposure (USD)", "Accounts (USD)", "Cost (USD)"):
        assert f"## {heading}\n" in text
    assert markdown(Page("t", [], [Table("h", ("a",), [("x|y",)])])).count(r"x\|y") == 1


def test_json_is_the_plan_itself(plan: Plan, tmp_path: Path) -> None:
    path = plan.report(tmp_path / "plan.json")
    assert json.loads(path.read_text()) == plan.to_json()


def test_an_ending_that_says_nothing_is_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a report ends in \.html, \.md or \.json"):
        plan.report(tmp_path / "plan.pdf")


def test_a_frame_has_a_row_an_action(plan: Plan) -> None:
    frame = plan.to_frame()
    assert frame["kind"].to_list() == ["transfer"]
    assert frame["amount"].to_list() == ["20320.05"]
    assert frame["after"].to_list() == [[]]


def test_money_that_goes_in_a_circle_can_still_be_drawn(plan: Plan) -> None:
    rows = [
        {"seq": 1, "route": "x", "from": "a", "to": "b", "asset": "USDT", "amount": "5"},
        {"seq": 2, "route": "y", "from": "b", "to": "a", "asset": "USDT", "amount": "3"},
        {"seq": 3, "route": "z", "from": "a", "to": "b", "asset": "BTC", "amount": "1"},
    ]
    sent = tuple(Transfer.model_validate(row) for row in rows)
    charts = sankeys(plan.model_copy(update={"actions": sent}))
    assert [chart.heading for chart in charts] == ["Transfers of BTC", "Transfers of USDT"]
    links = charts[1].options["series"][0]["links"]
    assert {link["source"] for link in links}.isdisjoint({link["target"] for link in links})


def test_the_library_draws_what_the_pages_need_and_carries_its_licences() -> None:
    text = (STATIC / "echarts.min.js").read_text()
    assert "</script" not in text, "pages have it inside a script element"
    assert text.startswith("/*!\nApache ECharts\n")
    for kind in ("sankey", "heatmap", "bar", "line"):
        assert f'"series.{kind}"' in text or f'"{kind}"' in text
    for name in ("LICENSE", "NOTICE", "LICENSE-d3", "LICENSE-zrender", "LICENSE-tslib"):
        assert (STATIC / f"echarts.{name}").stat().st_size > 100


def test_the_frontier_command_writes_its_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.html"
    file = str(SCENARIOS / "margin-rescue-by-transfer.yaml")
    assert run(["frontier", file, "--along", "margin_buffer", "--points", "3",
                "--report", str(out), "-o", "csv"]) == 0  # fmt: skip
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.startswith("margin_buffer,count,total,price,worst_margin_ratio")
    assert [row.split(",")[0] for row in rows] == ["0", "0.25", "0.5"]
    assert "Cost against the margin buffer" in out.read_text()


def test_the_sweep_command_writes_points_page_and_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = with_grid(tmp_path), tmp_path / "out"
    args = ["sweep", str(path), "--backend", "serial", "--out", str(out)]
    assert run(args) == 8
    first = capsys.readouterr()
    assert "results hash" in first.out
    names = sorted(file.name for file in out.iterdir())
    assert names == ["points.jsonl", "points.parquet", "report.html"]
    assert run([*args, "-o", "json"]) == 8
    data = json.loads(capsys.readouterr().out)
    assert data["results_hash"] in first.out
    assert len(data["points"]) == 6
    assert run([*args, "--fresh", "-o", "csv"]) == 8
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert run(["sweep", str(CRASH)]) == 2


def test_a_tracking_frontier_falls_as_more_is_paid_for_it_and_prices_its_ends_alike() -> None:
    scenario = allocator.load_scenario(SCENARIOS / "two-venue-delta-move.yaml")
    curve = allocator.frontier(scenario.snapshot, scenario.mandate, along="tracking", points=5)
    told = frontier_page.page(curve, "x")
    first, *_ = (part for part in told.parts if isinstance(part, Chart))
    drawn = first.options["series"][0]["data"]
    assert len(drawn) > 1
    across, down = zip(*sorted(drawn), strict=True)
    assert list(down) == sorted(down, reverse=True), "what tracks better costs more elsewhere"
    assert across[0] < 0, "funding that is received counts"

    table = next(part for part in told.parts if part.heading.startswith("From one end"))
    assert isinstance(table, Table)
    cells = {row[0]: row[1:] for row in table.rows}
    ends = [money(curve.points[at].cost.total) for at in (0, -1)]
    assert list(cells["cost total"]) == ends
    assert "cost do_nothing" not in cells, "one book, one mandate"
