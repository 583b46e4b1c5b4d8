"""How many seeded faults in a module its tests notice: the mutation score.

    python -m bench.mutants allocator/execution/transitions.py --tests tests/execution/...
    python -m bench.mutants allocator/verify --sample 100 --tests tests/verify

Each mutant is one small change of the module's syntax tree: a comparison, a connective, a sign, a
constant, a condition, an element of a set, a raise, a return. It lives in a forked process alone,
whose import of the module is given the changed source; no file is touched. A mutant that no test
notices has survived. Those that `bench/equivalent.toml` shows to change nothing, each with its
reason, are left out of the count.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import random
import resource
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU_S = 240
"""Processor time after which a mutant is taken for an endless loop, which counts as noticed."""

Swap = dict[type[ast.AST], type[ast.AST]]
COMPARISONS: Swap = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
SIGNS: Swap = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one change.

    Attributes
    ----------
    what
        The change, with its line.
    name
        The change and what it was made to, which stay when lines move.
    """

    module: str
    what: str
    name: str
    source: str


class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives one module another source."""

    def __init__(self, mutant: Mutant, path: Path) -> None:
        self._mutant, self._path = mutant, path

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        """Take the one module over."""
        del path, target
        if fullname != self._mutant.module:
            return None
        package = self._path.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            fullname,
            self._path,
            loader=self,
            submodule_search_locations=[str(self._path.parent)] if package else None,
        )

    def get_source(self, _fullname: str) -> str:
        """Give the changed source."""
        return self._mutant.source

    def is_package(self, _fullname: str) -> bool:
        """Tell whether it is a package's own module."""
        return self._path.name == "__init__.py"


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    nodes = list(ast.walk(tree))
    # Annotations and the options of dataclasses declare; nothing is worked out by them.
    told = {id(row) for node in nodes for part in _declared(node) for row in ast.walk(part)}
    for place, node in enumerate(nodes):
        if id(node) in told:
            continue
        for what, change in changes(node):
            copied = copy.deepcopy(tree)
            change(list(ast.walk(copied))[place])
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            name = f"{path.name}: {what}: {ast.unparse(node).splitlines()[0]}"
            with suppress(ValueError):
                source = ast.unparse(ast.fix_missing_locations(copied))
                yield Mutant(module, f"{where}: {name.partition(': ')[2]}", name, source)


def _declared(node: ast.AST) -> list[ast.AST]:
    parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    match node:
        case ast.Call(func=ast.Name(id="dataclass" | "field"), keywords=keywords):
            parts += [word.value for word in keywords if isinstance(word.value, ast.Constant)]
        case _:
            pass
    return [part for part in parts if part is not None]


Change = tuple[str, Callable[[ast.AST], None]]


def changes(node: ast.AST) -> Iterator[Change]:
    """List what may be changed of one node."""
    yield from _operators(node)
    yield from _values(node)
    yield from _bodies(node)


def _operators(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                if type(op) in COMPARISONS:
                    yield f"compare {place}", _swap("ops", place, COMPARISONS[type(op)])
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield "connective", _set("op", other)
        case ast.BinOp() if type(node.op) in SIGNS:
            yield "sign", _set("op", SIGNS[type(node.op)])
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition", _negate
        case _:
            return


def _values(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool() as truth):
            yield "truth", _value(not truth)
        case ast.Constant(value=int() as number):
            yield "number", _value(number + 1)
        case ast.Set(elts=elements) if len(elements) > 1:
            for place in range(len(elements)):
                yield f"without element {place}", _drop(place)
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield name, _rename(NAMES[name])
        case ast.Return(value=ast.Constant(value=None)):
            return  # it returns nothing as it is
        case ast.Return(value=value) if value is not None:
            yield "returns nothing", _value(None, whole=True)
        case _:
            return


def _bodies(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.FunctionDef | ast.For | ast.With | ast.If):
        for place, row in enumerate(node.body):
            if isinstance(row, ast.Raise | ast.AugAssign):
                yield f"without line {row.lineno}", _pass(place)


def _swap(field: str, place: int, to: type[ast.AST]) -> Callable[[ast.AST], None]:
    return lambda node: getattr(node, field).__setitem__(place, to())


def _set(field: str, to: type[ast.AST]) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, to())


def _value(value: bool | int | None, *, whole: bool = False) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, "value", ast.Constant(value) if whole else value)


def _negate(node: ast.AST) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)  # type: ignore[attr-defined]


def _drop(place: int) -> Callable[[ast.AST], None]:
    return lambda node: node.elts.pop(place)  # type: ignore[attr-defined]


def _rename(name: str) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node.func, "id", name)  # type: ignore[attr-defined]


def _pass(place: int) -> Callable[[ast.AST], None]:
    return lambda node: node.body.__setitem__(place, ast.Pass())  # type: ignore[attr-defined]


def equivalent() -> dict[str, str]:
    """Read which mutants change nothing, by name, and why."""
    rows = tomllib.loads((ROOT / "bench" / "equivalent.toml").read_text())
    return {row["mutant"]: row["why"] for row in rows["equivalent"]}


def noticed(mutant: Mutant, path: Path, tests: Sequence[str]) -> bool:
    """Run the tests on a mutant in a process of its own; tell whether any failed."""
    child = os.fork()
    if child == 0:
        _be_tested(mutant, path, tests)
    return os.waitpid(child, 0)[1] != 0


def _be_tested(mutant: Mutant, path: Path, tests: Sequence[str]) -> None:
    code = 1
    try:
        import pytest

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))

        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        sys.meta_path.insert(0, Finder(mutant, path))  # type: ignore[arg-type]
        # What the parent has loaded already cannot be rewritten, and need not be.
        loaded = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
        code = int(pytest.main(["-x", "-q", "--no-header", *loaded, *tests]))
    finally:
        os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the survivors and the score; ends with 1 below the bar."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutants")
    parser.add_argument("targets", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, default=0, help="how many; all by default")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bar", type=float, default=0.9)
    args = parser.parse_args(arguments)
    files = [
        file.resolve()
        for target in args.targets
        for file in (sorted(target.rglob("*.py")) if target.is_dir() else [target])
    ]
    found = [(mutant, file) for file in files for mutant in mutants(file)]
    same = equivalent()
    left_out = [mutant.what for mutant, _ in found if mutant.name in same]
    found = [row for row in found if row[0].name not in same]
    chosen = found
    if args.sample and args.sample < len(found):
        chosen = random.Random(args.seed).sample(found, args.sample)
    import hypothesis
    import pydantic
    import pytest
    import sqlmodel

    del hypothesis, pydantic, pytest, sqlmodel
    control = Mutant("nothing", "unchanged", "unchanged", "")
    if noticed(control, files[0], args.tests):
        print("the tests fail on the unchanged code")
        return 2
    survived = list[str]()
    for mutant, file in chosen:
        if not noticed(mutant, file, args.tests):
            survived.append(mutant.what)
            print(f"survived: {mutant.what}", flush=True)
    score = 1 - len(survived) / max(1, len(chosen))
    told = f"{len(chosen)} of {len(found)} mutants, {len(survived)} survived: {score:.1%}"
    print(f"{told}; {len(left_out)} that change nothing were left out")
    return int(score < args.bar)


if __name__ == "__main__":
    sys.exit(main())
