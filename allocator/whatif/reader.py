"""Files to values: every problem of a file at once, each with its line and column."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from allocator.models.base import Value
from allocator.models.config import Config
from allocator.models.errors import Problem
from allocator.models.mandate import Mandate
from allocator.models.parts import Parts
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems, doubled_instruments, problems
from allocator.models.refusals_config import config_problems
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.whatif.document import Document, FileError, Located, Where, in_order, read
from allocator.whatif.messages import REQUIRED, validation_problems
from allocator.whatif.overrides import override
from allocator.whatif.schemas import ScenarioHead, unknown_keys
from allocator.whatif.shocks import ShockError, shocked

Store = Callable[[str], Any]
"""Gives the plain data of a stored snapshot by its name, e.g. ``latest``; None: no such one."""

V = TypeVar("V", bound=Value)
LOG = logging.getLogger(__name__)
HALVES = ("snapshot", "mandate")


class Reading:
    """Documents put together to one tree of data, with the way back from a path to its place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mounts = list[tuple[Where, Document]]()
        self.moved = dict[Where, Where]()
        self.found = list[Located]()
        self.meant = set[Where]()

    def mount(self, path: str | Path, at: Where = ()) -> Any:
        """Read a file as the part of the tree at a path; None, with problems, if it cannot be."""
        try:
            document = read(path)
        except FileError as error:
            self.found += [row for row in error.problems if isinstance(row, Located)]
            return None
        self.mounts.append((at, document))
        self.found += document.problems
        if not isinstance(document.data, dict):
            self.add([Problem(at, "a mapping is wanted")])
            return None
        return document.data

    def add(self, rows: Iterable[Problem], *, keys: bool = False) -> None:
        """Note problems with their places; `keys`: they concern keys, not values.

        What is wrong with a value whose text is refused already is no mistake of its own.
        """
        refused = {(d.file, path) for _, d in self.mounts for path in d.refused}
        located = (self._locate(row, keys) for row in rows)
        self.found += [row for row in located if keys or (row.file, row.path) not in refused]

    def add_unknown(self, kind: str, data: Any, at: Where = (), below: Where = ()) -> None:
        """Note the keys that a file's schema does not know, or those below a path only."""
        for row in unknown_keys(kind, data, at):
            if row.path[: len(below)] == below:
                self.add([row.problem], keys=True)
                if row.meant is not None:
                    self.meant.add(row.meant)

    def warn(self, rows: Iterable[Problem], remedy: str) -> None:
        """Log what is odd but has one sensible reading."""
        for row in rows:
            LOG.warning("%s; %s", self._locate(row, False), remedy)

    def _locate(self, row: Problem, keys: bool) -> Located:
        for end in range(len(row.path), 0, -1):
            place = self.moved.get(row.path[:end])
            if place is not None:
                return self._at(row.path, row.message, self.mounts[0][1], place, False)
        at, document = max(
            (m for m in self.mounts if row.path[: len(m[0])] == m[0]),
            key=lambda m: len(m[0]),
            default=self.mounts[0] if self.mounts else ((), Document(self.file)),
        )
        path = row.path[len(at) :]
        return self._at(path, row.message, document, path, keys)

    @staticmethod
    def _at(path: Where, message: str, document: Document, place: Where, keys: bool) -> Located:
        mark = document.mark(place, key=keys)
        return Located(path, message, document.file, mark.line, mark.column)

    def value(
        self, model: type[V], kind: str, data: Any, at: Where = (), *, whole: bool = True
    ) -> V | None:
        """Validate a part of the tree; None, with problems, if it is wrong.

        A required key that stands there misspelt is one mistake and is told once. `whole`:
        whether what concerns the part as a whole is told; it may have been told better before.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            self.add(
                row
                for row in validation_problems(error, data, at)
                if (row.message != REQUIRED or row.path not in self.meant)
                and (whole or row.path != at)
            )
        except (RecursionError, OverflowError) as error:
            self.add([Problem(at, f"is no {kind}: {error}")])
        return None

    def check(self, *values: object) -> None:
        """Raise what was found, if anything was or one of the values is missing.

        Raises
        ------
        FileError
            With every problem, in the order of the file.
        """
        if not self.found and None in values:
            self.add([Problem((), "cannot be used")])
        if self.found:
            raise FileError(in_order(self.found))


def _load(model: type[V], kind: str, path: str | Path) -> V:
    reading = Reading(str(path))
    data = reading.mount(path)
    value = None
    if data is not None:
        reading.add_unknown(kind, data)
        value = reading.value(model, kind, data)
    reading.check(value)
    assert value is not None
    return value


def load_plan(path: str | Path) -> Plan:
    """Read a plan.

    Raises
    ------
    FileError
        With every problem of the file.
    """
    return _load(Plan, "plan", path)


def load_config(path: str | Path) -> Config:
    """Read a configuration.

    Raises
    ------
    FileError
        With every problem of the file.
    """
    reading = Reading(str(path))
    data = reading.mount(path)
    value = None
    if data is not None:
        reading.add_unknown("config", data)
        references = list(config_problems(data))
        reading.add(references)
        value = reading.value(Config, "config", data, whole=not references)
    reading.check(value)
    assert value is not None
    return value


def load_snapshot(path: str | Path) -> Snapshot:
    """Read a snapshot; what only a mandate can tell is not checked.

    Raises
    ------
    FileError
        With every problem of the file.
    """
    snapshot, _ = _halves(path, None)
    assert snapshot is not None
    return snapshot


def load_mandate(path: str | Path) -> Mandate:
    """Read a mandate; whether the names in it exist is checked only together with a snapshot.

    Raises
    ------
    FileError
        With every problem of the file.
    """
    _, mandate = _halves(None, path)
    assert mandate is not None
    return mandate


def load_book(snapshot: str | Path, mandate: str | Path) -> tuple[Snapshot, Mandate]:
    """Read a snapshot and a mandate that belong together.

    Raises
    ------
    FileError
        With every problem of both files.
    """
    first, second = _halves(snapshot, mandate)
    assert first is not None
    assert second is not None
    return first, second


def _halves(
    snapshot: str | Path | None, mandate: str | Path | None
) -> tuple[Snapshot | None, Mandate | None]:
    reading = Reading(str(snapshot or mandate))
    tree = dict[str, Any]()
    for key, path in zip(HALVES, (snapshot, mandate), strict=True):
        if path is not None:
            tree[key] = reading.mount(path, (key,))
    for key in HALVES:
        if tree.get(key) is not None:
            reading.add_unknown(key, tree[key], (key,))
    out = _book(reading, tree)
    reading.check(*(out[i] for i, path in enumerate((snapshot, mandate)) if path is not None))
    return out


def _book(reading: Reading, tree: dict[str, Any]) -> tuple[Snapshot | None, Mandate | None]:
    """Validate the halves that are there, each alone and both together."""
    snapshot = mandate = None
    if tree.get("snapshot") is not None:
        snapshot = reading.value(Snapshot, "snapshot", tree["snapshot"], ("snapshot",))
    if tree.get("mandate") is not None:
        mandate = reading.value(Mandate, "mandate", tree["mandate"], ("mandate",))
    if snapshot is not None and mandate is not None:
        parts = Parts.of(snapshot, mandate)
    else:
        parts = Parts.read(tree.get("snapshot"), tree.get("mandate"))
    reading.add(problems(parts))
    twice = doubled_instruments(parts)
    reading.warn(twice, "the last one stands")
    if snapshot is not None and twice:
        rows = tuple(snapshot.instrument.values())
        snapshot = snapshot.model_copy(update={"instruments": rows})
    return snapshot, mandate


def load_scenario(path: str | Path, *, store: Store | None = None) -> Scenario:
    """Read a scenario, apply its overrides and then its shock.

    Parameters
    ----------
    path
        A YAML or JSON file.
    store
        Where ``snapshot: {stored: ...}`` is looked up.

    Returns
    -------
    The scenario with snapshot and mandate as they are after overrides and shock; `shock`,
    `override` and `grid` as the file has them.

    Raises
    ------
    FileError
        With every problem of the file and of the files that it refers to.
    """
    reading = Reading(str(path))
    data = reading.mount(path)
    if data is None:
        reading.check()
    assert data is not None
    reading.add_unknown("scenario", data)
    head_data = {key: value for key, value in data.items() if key not in HALVES}
    head = reading.value(ScenarioHead, "scenario", head_data)
    tree = {key: _half(reading, data, key, Path(path).parent, store) for key in HALVES}
    if isinstance(data.get("override"), dict):
        tree = _overridden(reading, tree, data["override"])
    snapshot, mandate = _book(reading, tree)
    reading.check(head, snapshot, mandate)
    assert head is not None
    assert snapshot is not None
    assert mandate is not None
    return _scenario(reading, data, head, snapshot, mandate)


def _scenario(
    reading: Reading, data: Any, head: ScenarioHead, snapshot: Snapshot, mandate: Mandate
) -> Scenario:
    if head.shock is not None:
        try:
            snapshot, mandate = shocked(snapshot, mandate, head.shock)
        except ShockError as error:
            reading.add(Problem(("shock", *row.path), row.message) for row in error.problems)
        else:
            rows = book_problems(snapshot, mandate)
            reading.add(Problem(("shock",), f"leaves a senseless book: {row}") for row in rows)
    reading.check()
    return Scenario(
        name=head.name or Path(reading.file).stem,
        description=head.description,
        snapshot=snapshot,
        mandate=mandate,
        shock=data.get("shock"),
        override=data.get("override"),
        grid=data.get("grid"),
        expect=head.expect,
    )


def _half(reading: Reading, data: dict[str, Any], key: str, base: Path, store: Store | None) -> Any:
    """Find the data of one half, inline or elsewhere."""
    half = data.get(key)
    if key not in data:
        reading.add([Problem((key,), "is required")])
        return None
    if not isinstance(half, dict):
        reading.add([Problem((key,), "a mapping is wanted")])
        return None
    if isinstance(half.get("file"), str):
        _alone(reading, half, (key, "file"))
        inner = reading.mount(base / half["file"], (key,))
        if inner is not None:
            reading.add_unknown(key, inner, (key,))
        return inner
    if key == "snapshot" and isinstance(half.get("stored"), str):
        _alone(reading, half, (key, "stored"))
        return _stored(reading, half["stored"], store)
    return half


def _alone(reading: Reading, half: dict[str, Any], path: Where) -> None:
    if len(half) > 1:
        reading.add([Problem(path, "is a reference: nothing else may stand beside it")])


def _stored(reading: Reading, name: str, store: Store | None) -> Any:
    path = ("snapshot", "stored")
    if store is None:
        message = "there is no store of snapshots here; refer to a file: {file: ...}"
        reading.add([Problem(path, message)])
        return None
    data = store(name)
    if data is None:
        reading.add([Problem(path, f"no snapshot {name!r} is stored")])
    return data


def _overridden(reading: Reading, tree: dict[str, Any], rows: dict[str, Any]) -> dict[str, Any]:
    """Put the overrides into the data; what is wrong with them is told where they stand."""
    for key, value in rows.items():
        place: Where = ("override", key)
        changed, where, message = override(tree, key, value)
        if message is not None:
            reading.add([Problem(place, message)])
        else:
            tree = changed
            reading.moved[where] = place
            half = str(where[0])
            reading.add_unknown(half, tree[half], (half,), below=where)
    return tree
