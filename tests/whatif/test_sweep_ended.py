"""How a sweep of processes ends when it is interrupted, asked to end or killed."""

from __future__ import annotations

import signal
from pathlib import Path

import allocator
from tests.whatif.grids import python, with_grid


def test_a_sweep_that_is_asked_to_end_takes_its_workers_along(tmp_path: Path) -> None:
    """The command asks itself when it has kept its first point; a worker would hold the pipe."""
    code = """
import os, signal, sys
import allocator.whatif.sweep as home
from allocator.service.cli.main import run
original = home.Ledger.append
def append(self, rows):
    original(self, rows)
    os.kill(os.getpid(), signal.SIGTERM)
home.Ledger.append = append
sys.exit(run(["sweep", sys.argv[1], "--backend", "processes", "-j", "2", "--out", sys.argv[2]]))
"""
    (tmp_path / "run.py").write_text(code)
    run = python(str(tmp_path / "run.py"), str(with_grid(tmp_path)), str(tmp_path / "out"))
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    again = allocator.sweep(with_grid(tmp_path), backend="serial", out=tmp_path / "out")
    assert again.resumed >= 1


def test_a_worker_leaves_an_interrupt_to_the_sweep(tmp_path: Path) -> None:
    """Wherever it stands as the group is interrupted: at its work, or between."""
    code = """
import signal
import joblib
from allocator.whatif.backends import ready
with ready("processes", 2, None, None) as config, joblib.parallel_config(**config):
    asked = joblib.delayed(signal.getsignal)(signal.SIGINT)
    print({*joblib.Parallel()([asked] * 4)} == {signal.SIG_IGN})
"""
    (tmp_path / "run.py").write_text(code)
    run = python(str(tmp_path / "run.py"), alone=True)
    assert (run.stdout, run.stderr) == ("True\n", "")


def test_no_interrupt_reaches_a_worker_that_is_starting(tmp_path: Path) -> None:
    """It is blocked from before the first line that a worker runs."""
    code = """
import signal, sys
import allocator.whatif.sweep as home
def told(study, points):
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)
    return [{"key": point.key} for point in points]
home.solve = told
home.sweep(sys.argv[1], backend="processes", jobs=2)
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""
    (tmp_path / "run.py").write_text(code)
    run = python(str(tmp_path / "run.py"), str(with_grid(tmp_path)), alone=True)
    assert (run.stdout, run.stderr) == ("True\n" * 6 + "False\n", "")


def test_what_an_interrupted_sweep_leaves_over_is_cleared_away_in_silence(tmp_path: Path) -> None:
    code = """
from joblib.externals.loky.backend import resource_tracker
from allocator.whatif.backends import ready
with ready("processes", 2, None, None):
    resource_tracker.register("/loky-nobody", "semlock")
"""
    (tmp_path / "run.py").write_text(code)
    run = python(str(tmp_path / "run.py"), alone=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_an_interrupted_sweep_ends_with_one_line_and_goes_on(tmp_path: Path) -> None:
    """The whole group is interrupted, as by Ctrl-C, when the first point is kept."""
    code = """
import os, signal, sys
import allocator.whatif.sweep as home
from allocator.service.cli.main import run
original = home.Ledger.append
def append(self, rows):
    original(self, rows)
    os.killpg(0, signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores it
home.Ledger.append = append
sys.exit(run(["sweep", sys.argv[1], "--backend", "processes", "-j", "2", "--out", sys.argv[2]]))
"""
    (tmp_path / "run.py").write_text(code)
    file, out = str(with_grid(tmp_path)), str(tmp_path / "out")
    run = python(str(tmp_path / "run.py"), file, out, alone=True)
    again = allocator.sweep(file, backend="serial", out=out)
    assert again.resumed >= 1
    told = f"stopped after {again.resumed} of 6 points; the same command goes on\n"
    assert (run.returncode, run.stdout, run.stderr) == (130, "", told)


def test_a_worker_that_waits_on_its_own_pipe_ends_with_a_killed_sweep() -> None:
    """What it was told of its work is cut short; until it ends it holds the pipe of this test."""
    code = """
import os, signal
from allocator.whatif.backends import end_with
inner, outer = os.pipe()
parent = os.getpid()
if os.fork() == 0:
    end_with(parent)
    os.read(inner, 1)
os.kill(parent, signal.SIGKILL)
"""
    assert python("-c", code).returncode == -signal.SIGKILL
