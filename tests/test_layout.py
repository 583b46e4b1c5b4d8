"""The packages are where everybody expects them, however they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from shutil import copyfile

import pytest

ROOT = Path(__file__).resolve().parent.parent


def python(*args: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["models", "adapters"])
def test_folder_is_linked_into_the_package_by_a_relative_link(name: str) -> None:
    link = ROOT / "allocator" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert link.resolve() == ROOT / name


@pytest.mark.parametrize("name", ["models", "adapters"])
def test_folder_refuses_its_bare_name(name: str, tmp_path: Path) -> None:
    run = python("-c", f"import {name}", cwd=tmp_path, path=ROOT)
    assert run.returncode != 0
    assert f"import allocator.{name}" in run.stderr


@pytest.mark.parametrize("statement", ["import allocator", "import allocator.models.snapshot"])
def test_import_loads_neither_exchange_client_nor_solver(statement: str, tmp_path: Path) -> None:
    heavy = (
        "{'ccxt', 'cvxpy', 'sqlmodel', 'sqlalchemy', 'aiohttp', 'scipy', 'fastapi', 'polars', "
        "'duckdb', 'apscheduler', 'httpx2'}"
    )
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    run = python("-c", code, cwd=tmp_path, path=ROOT)
    assert run.stdout.strip() == "[]", run.stderr


def tracked_files() -> list[str]:
    """Every file and link of the source tree, build products left out."""
    tops = ["allocator", "adapters", "models", "pyproject.toml", "README.md", "LICENSE"]
    out = []
    for top in tops:
        root = ROOT / top
        rows = [root] if root.is_file() else [p for p in root.rglob("*") if not p.is_dir()]
        out += [str(p.relative_to(ROOT)) for p in rows if "__pycache__" not in p.parts]
    return sorted(out)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    for name in tracked_files():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(ROOT / name, target)
    for name in ("models", "adapters"):
        (copy / "allocator" / name).symlink_to(f"../{name}")
    run = python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), ".", cwd=copy)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_installs_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"allocator"}
    assert "allocator/models/plan.py" in names
    assert "allocator/models/py.typed" in names
    assert "allocator/adapters/__init__.py" in names
    for name in ("templates/book.html", "static/app.js", "static/licenses/htmx-LICENSE.txt"):
        assert f"allocator/service/dashboard/{name}" in names
    assert "allocator/service/config.yaml" in names
    assert [name for name in names if name.endswith("echarts.min.js")] == [
        "allocator/whatif/static/echarts.min.js"
    ]
    assert "allocator/whatif/static/echarts.LICENSE" in names
    assert "allocator/whatif/templates/page.html.j2" in names


def test_wheel_works_beside_a_consumer_that_owns_models(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    consumer = tmp_path / "consumer"
    (consumer / "models").mkdir(parents=True)
    (consumer / "models" / "__init__.py").write_text("NAME = 'the consumer'\n")
    (consumer / "main.py").write_text(
        textwrap.dedent(
            """
            import allocator.models.plan
            import models
            print(models.NAME, allocator.models.plan.__file__, sep="|")
            """
        )
    )
    run = python("main.py", cwd=consumer, path=site)
    assert run.returncode == 0, run.stderr
    name, file = run.stdout.strip().split("|")
    assert name == "the consumer"
    assert Path(file).is_relative_to(site)


@pytest.mark.parametrize(
    "before",
    [
        "allocator.decide; allocator.verify",
        "allocator.Engine",
        "import allocator.decide, allocator.verify.replay",
        "from allocator.decide import decide",
        "from allocator.verify import verify",
    ],
)
def test_public_names_are_not_hidden_by_modules_of_that_name(before: str, tmp_path: Path) -> None:
    code = f"""
        import allocator
        {before}
        from allocator import decide, verify
        from allocator.decide import decide as inner
        print(callable(allocator.decide), allocator.decide is decide is inner)
        print(callable(allocator.verify), allocator.verify is verify)
    """
    run = python("-c", textwrap.dedent(code), cwd=tmp_path, path=ROOT)
    assert run.stdout.split() == ["True"] * 4, run.stderr
