"""A sweep decides every point once, and comes to the same whatever computes it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib._parallel_backends import SequentialBackend

import allocator
from allocator.models.errors import ConfigError, InputError
from allocator.service.cli.main import run as command
from allocator.whatif.document import FileError
from allocator.whatif.grid import Study
from allocator.whatif.ledger import Ledger
from allocator.whatif.reader import load_recipe
from allocator.whatif.sweep import POINTS_FILE, Sweep
from allocator.whatif.sweep_tables import chosen, heat_table, page, points_table, summary
from tests.whatif.grids import CRASH, GRID, python, with_grid


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return allocator.sweep(with_grid(tmp_path_factory.mktemp("grid")), backend="serial")


def test_every_point_is_what_decide_says_of_its_book(done: Sweep, tmp_path: Path) -> None:
    for row in done.rows:
        point = row["point"]
        text = CRASH.read_text().replace("BTC: -25%", f"BTC: {point['shock.prices.BTC']}")
        text = text.replace('buffer: "0.4"', f'buffer: "{point["mandate.policy.margin_buffer"]}"')
        (tmp_path / "one.yaml").write_text(text)
        scenario = allocator.load_scenario(tmp_path / "one.yaml")
        assert row["plan_hash"] == allocator.decide(scenario.snapshot, scenario.mandate).plan_hash


def test_points_stand_in_the_order_of_the_grid(done: Sweep) -> None:
    assert [row["index"] for row in done.rows] == list(range(6))
    assert [row["point"]["shock.prices.BTC"] for row in done.rows[::2]] == ["-5%", "-15%", "-25%"]
    assert len({row["key"] for row in done.rows}) == 6


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_threads_and_processes_come_to_the_same_bytes(
    done: Sweep, tmp_path: Path, backend: str
) -> None:
    other = allocator.sweep(with_grid(tmp_path), backend=backend, jobs=2)
    assert other.rows == done.rows
    assert other.results_hash == done.results_hash


def test_a_dask_cluster_on_the_loopback_comes_to_the_same_bytes(tmp_path: Path) -> None:
    """In a process of its own: what the cluster leaves behind ends with it."""
    code = """
import sys
import allocator
import dask
from allocator.whatif.backends import ready
if __name__ == "__main__":
    file = sys.argv[1]
    one = allocator.sweep(file, backend="serial")
    two = allocator.sweep(file, backend="dask", jobs=2)
    with ready("dask", 1, None, None) as config:
        address = config["client"].scheduler.address
        assert address.startswith("tcp://127.0.0.1:"), address
        samples = config["client"].run(dask.config.get, "distributed.worker.profile.enabled")
        assert set(samples.values()) == {False}, "a worker's memory would grow"
        three = allocator.sweep(file, backend="dask", cluster=address)
    print(one.results_hash == two.results_hash == three.results_hash, len(two.rows))
"""
    (tmp_path / "run.py").write_text(code)
    run = python(str(tmp_path / "run.py"), str(with_grid(tmp_path)))
    assert run.stdout.split() == ["True", "6"], run.stderr


@pytest.mark.parametrize("one_by_one", [True, False])
def test_any_back_end_that_joblib_knows_is_called_through_the_same_hook(
    done: Sweep, tmp_path: Path, one_by_one: bool
) -> None:
    """Ray's gives its results only when all of them are done."""
    used = list[int]()

    class Counting(SequentialBackend):
        supports_return_generator = one_by_one

        def configure(self, *args: Any, **more: Any) -> int:
            used.append(1)
            return super().configure(*args, **more)

    joblib.register_parallel_backend("counting", Counting)
    seen = list[int]()
    other = allocator.sweep(
        with_grid(tmp_path), backend="counting", jobs=1, watch=lambda n, _: seen.append(n)
    )
    assert other.results_hash == done.results_hash
    assert used
    assert seen == [0, 1, 2, 3, 4, 5, 6]


def test_ray_is_asked_for_by_name_and_missed_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ray: ray is not installed: pip install ray"):
        allocator.sweep(with_grid(tmp_path), backend="ray")


def test_a_back_end_that_nobody_knows_is_told_with_the_ones_there_are(tmp_path: Path) -> None:
    said = "no back end is called 'thread' - did you mean 'threads'"
    with pytest.raises(ConfigError, match=said):
        allocator.sweep(with_grid(tmp_path), backend="thread")


def test_a_sweep_goes_on_where_a_kill_left_it(done: Sweep, tmp_path: Path) -> None:
    """The process kills itself, without a chance to clean up, when it has kept its third point."""
    code = """
import os, signal, sys
import allocator
def watch(count, total):
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
allocator.sweep(sys.argv[1], backend="serial", out=sys.argv[2], watch=watch)
"""
    out = tmp_path / "out"
    run = python("-c", code, str(with_grid(tmp_path)), str(out))
    assert run.returncode == -signal.SIGKILL
    seen = list[int]()
    again = allocator.sweep(
        with_grid(tmp_path), backend="serial", out=out, watch=lambda n, _: seen.append(n)
    )
    assert again.resumed == 3
    assert seen == [3, 4, 5, 6]
    assert again.results_hash == done.results_hash
    assert allocator.sweep(with_grid(tmp_path), backend="serial", out=out).resumed == 6


def test_a_grid_larger_than_anybody_would_wait_for_is_refused_unless_told(tmp_path: Path) -> None:
    axis = ", ".join(map(str, range(400)))
    grid = f"\ngrid:\n  mandate.policy.order_cost: [{axis}]\n"
    file = with_grid(tmp_path, f"{grid}  mandate.policy.transfer_cost: [{axis}]\n")
    told = f"{file}:{len_of(CRASH) + 3}:3: grid: a grid of 160,000 points, 100,000 at most; "
    with pytest.raises(FileError) as caught:
        allocator.sweep(file, backend="serial")
    assert str(caught.value) == f"{told}--most-points 160000 if it is meant"
    assert load_recipe(file, most_points=160_000).grid


def test_a_grid_is_valid_with_the_number_of_its_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = with_grid(tmp_path)
    assert command(["validate", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: a good scenario, a grid of 6 points\n"
    for name in ("validate", "sweep"):
        assert command([name, str(file), "--most-points", "5"]) == 2
        assert "grid: a grid of 6 points, 5 at most" in capsys.readouterr().err


def test_a_torn_last_line_is_cut_off_and_decided_again(done: Sweep, tmp_path: Path) -> None:
    path = with_grid(tmp_path)
    allocator.sweep(path, backend="serial", out=tmp_path / "out")
    file = tmp_path / "out" / POINTS_FILE
    file.write_bytes(file.read_bytes()[:-20])
    again = allocator.sweep(path, backend="serial", out=tmp_path / "out")
    assert (again.resumed, again.results_hash) == (5, done.results_hash)


def test_a_damaged_line_is_refused_with_its_number(done: Sweep, tmp_path: Path) -> None:
    with Ledger(tmp_path / POINTS_FILE, done.study) as ledger:
        ledger.append(done.rows)
    file = tmp_path / POINTS_FILE
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"feasible":true', b'"feasible":false')
    file.write_bytes(b"".join(lines))
    with pytest.raises(ConfigError, match=r"points.jsonl:3: is damaged"):
        Ledger(file, done.study)


def test_a_folder_of_another_sweep_is_refused(done: Sweep, tmp_path: Path) -> None:
    with Ledger(tmp_path / POINTS_FILE, done.study):
        pass
    other = with_grid(tmp_path, "\ngrid: {shock.prices.BTC: [-1%]}\n")
    with pytest.raises(InputError, match="holds another sweep"):
        allocator.sweep(other, backend="serial", out=tmp_path)


def test_two_sweeps_do_not_write_one_file(done: Sweep, tmp_path: Path) -> None:
    with (
        Ledger(tmp_path / POINTS_FILE, done.study),
        pytest.raises(ConfigError, match="another sweep writes it now"),
    ):
        Ledger(tmp_path / POINTS_FILE, done.study)


def test_the_order_of_deciding_keeps_points_of_one_mandate_together(done: Sweep) -> None:
    rows = done.study.in_order()
    wishes = [str(point.values["mandate.policy.margin_buffer"]) for point in rows]
    assert wishes == ["0"] * 3 + ["0.4"] * 3


def test_a_relaxed_sweep_bounds_every_plan_from_below(done: Sweep, tmp_path: Path) -> None:
    loose = allocator.sweep(with_grid(tmp_path), backend="serial", depth="relaxed")
    assert {row["status"] for row in loose.rows} == {"relaxed"}
    for low, high in zip(loose.rows, done.rows, strict=True):
        assert float(low["lower_bound"]) <= float(high["total"]) + 0.01
    assert loose.study.hash != done.study.hash
    assert "no plans" in " ".join(page(loose).lead)


def test_what_a_point_makes_senseless_is_its_own_row(tmp_path: Path) -> None:
    grid = "\ngrid:\n  shock.volume.multiply: [0, 1]\n  mandate.policy.order_cost: [0, 1]\n"
    mixed = allocator.sweep(with_grid(tmp_path, grid), backend="serial")
    states = [row["status"] for row in mixed.rows]
    assert states[:2] == ["invalid"] * 2
    assert "invalid" not in states[2:]
    assert "daily_volume" in mixed.rows[0]["error"]
    assert len(mixed.invalid) == 2


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("{shock.prices.BTX: [-5%]}",
         "grid.shock.prices.BTX[0]: cannot stand there: [0].prices.BTX: unknown asset or "
         "underlying 'BTX' - did you mean 'BTC'?"),
        ("{'shock[1].prices.BTC': [-5%]}", "there is no position 1: the list has 1 elements"),
        ("{shock.price.BTC: [-5%]}",
         "grid.shock.price.BTC: nothing is called 'price' there - did you mean 'prices'?"),
        ("{mandate.policy.order_cots: [1]}", "did you mean 'order_cost'?"),
        ("{mandate.policy.order_cost: [1, -1]}",
         "[1]: cannot stand there: mandate.policy.order_cost: must not be below 0, not -1"),
        ("{mandate.policy.order_cost: []}", "an axis has at least one value"),
        ("{mandate.policy.order_cost: 5}", "a list is wanted, not 5"),
        ("{mandate.policy.order_cost: [5, 1, '5.0']}",
         "grid.mandate.policy.order_cost[2]: 5.0 stands on this axis already, at [0]"),
        ("{shock.prices.BTC: [-5%, -4%, -0.05]}",
         "grid.shock.prices.BTC[2]: -0.05 stands on this axis already, at [0]"),
    ],
)  # fmt: skip
def test_a_wrong_grid_is_told_where_it_stands(tmp_path: Path, grid: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        load_recipe(with_grid(tmp_path, f"\ngrid: {grid}\n"))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/crash-grid.yaml:{len_of(CRASH) + 2}:")


def test_one_of_several_shocks_is_named_by_its_position(tmp_path: Path) -> None:
    book = CRASH.read_text().replace("shock:\n  prices", "shock:\n- fees: {set: 0}\n- prices")
    path = tmp_path / "two.yaml"
    path.write_text(f"{book}\ngrid: {{'shock[1].prices.BTC': [-1%, -2%]}}\n")
    rows = allocator.sweep(path, backend="serial").rows
    assert [row["point"]["shock[1].prices.BTC"] for row in rows] == ["-1%", "-2%"]
    path.write_text(f"{book}\ngrid: {{shock.prices.BTC: [-1%]}}\n")
    with pytest.raises(FileError, match="there are 2 shocks: name one by its position"):
        load_recipe(path)


def len_of(path: Path) -> int:
    return path.read_text().count("\n")


def test_a_scenario_without_a_grid_cannot_be_swept() -> None:
    with pytest.raises(InputError, match="has no grid to sweep over"):
        allocator.sweep(CRASH, backend="serial")


def test_the_summary_adds_up(done: Sweep) -> None:
    rows = summary(done)
    whole = rows[0]
    assert whole["points"] == 6
    assert whole["unexpected"] == len(done.unexpected) == 4
    for path in done.study.axes:
        assert sum(row["points"] for row in rows if row["axis"] == path) == 6
    assert whole["worst_margin"] == min(row["worst_margin"] for row in rows)
    assert json.dumps(rows)


def test_a_heat_map_merges_what_it_does_not_show(tmp_path: Path) -> None:
    grid = "\ngrid:\n  shock.prices.BTC: [-20%, -25%]\n  mandate.policy.order_cost: [0, 1]\n"
    grid += "  mandate.policy.transfer_cost: [0, 2, 4]\n"
    three = allocator.sweep(with_grid(tmp_path, grid), backend="serial")
    table = heat_table(three, "shock.prices.BTC", "mandate.policy.order_cost", "total")
    assert table.columns == ("mandate.policy.order_cost", "-20%", "-25%")
    assert [row[2] for row in table.rows] == ["2.00", "2.00"], "the mean of 0, 2 and 4"
    assert len(points_table(three, most=5).rows) == 5


def test_axes_and_figures_are_asked_for_by_name(done: Sweep) -> None:
    axes = done.study.axes
    assert chosen(axes, None, None, "total") == (*axes, "total")
    with pytest.raises(InputError, match=r"no axis 'shock\.prices\.BTX' - did you mean"):
        chosen(axes, "shock.prices.BTX", None, "total")
    with pytest.raises(InputError, match="no figure 'totl' - did you mean 'total'"):
        chosen(axes, None, None, "totl")
    with pytest.raises(InputError, match=r"x and y: two axes are wanted, not 'shock.* twice"):
        chosen(axes, "shock.prices.BTC", "shock.prices.BTC", "total")


def test_parquet_keeps_the_rows(done: Sweep, tmp_path: Path) -> None:
    import polars

    done.report(tmp_path / "points.parquet")
    frame = polars.read_parquet(tmp_path / "points.parquet")
    assert frame.height == 6
    assert frame["shock.prices.BTC"].to_list() == [-0.05, -0.05, -0.15, -0.15, -0.25, -0.25]
    assert frame["plan_hash"].to_list() == [row["plan_hash"] for row in done.rows]
    assert frame["total"].to_list() == [float(row["total"]) for row in done.rows]


def test_equal_studies_have_equal_hashes_and_others_have_others(tmp_path: Path) -> None:
    one = Study.of(load_recipe(with_grid(tmp_path)), "plan")
    two = Study.of(load_recipe(with_grid(tmp_path)), "plan")
    assert one.hash == two.hash
    assert Study.of(load_recipe(with_grid(tmp_path)), "relaxed").hash != one.hash


def test_a_quick_sweep_has_verified_plans_that_cost_no_less_than_their_bounds(
    done: Sweep, tmp_path: Path
) -> None:
    rows = allocator.sweep(with_grid(tmp_path), backend="serial", depth="quick").rows
    for fast, full in zip(rows, done.rows, strict=True):
        assert fast["status"] == full["status"]
        assert fast["snapshot_hash"] == full["snapshot_hash"]
        assert float(fast["lower_bound"]) <= float(full["total"]) + 0.01
        assert float(full["lower_bound"]) <= float(fast["total"]) + 0.01
    recipe = load_recipe(with_grid(tmp_path))
    snapshot, mandate = recipe.book
    plan = allocator.Engine(mandate).quick(snapshot)
    assert plan.actions
    assert not plan.reasons
    assert allocator.verify(snapshot, mandate, plan) == ()


def test_the_file_says_how_far_points_are_decided_and_the_caller_says_otherwise(
    tmp_path: Path,
) -> None:
    path = with_grid(tmp_path, f"{GRID}depth: relaxed\n")
    told = allocator.sweep(path, backend="serial")
    assert {row["status"] for row in told.rows} == {"relaxed"}
    assert allocator.load_scenario(path).depth == "relaxed"
    other = allocator.sweep(path, backend="serial", depth="quick")
    assert (
        other.study.hash
        == allocator.sweep(with_grid(tmp_path), backend="serial", depth="quick").study.hash
    )
    with pytest.raises(FileError, match="depth: one of plan, quick, relaxed is wanted, not 'fast'"):
        load_recipe(with_grid(tmp_path, f"{GRID}depth: fast\n"))
