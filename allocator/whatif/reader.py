"""Files to values: every problem of a file at once, each with its line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allocator.models.books import book_config
from allocator.models.config import Config
from allocator.models.errors import ConfigError, Problem
from allocator.models.mandate import Mandate
from allocator.models.parts import Parts
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems, doubled_instruments, problems
from allocator.models.refusals_config import config_problems
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.whatif.axes import check_axes
from allocator.whatif.document import Where, suggest
from allocator.whatif.grid import MOST_POINTS, count_of
from allocator.whatif.overrides import override
from allocator.whatif.reading import Reading, V
from allocator.whatif.recipe import HALVES, Book, Recipe
from allocator.whatif.references import Files, ShockFrom, Shocks, Store
from allocator.whatif.schemas import ScenarioHead
from allocator.whatif.shocks import ShockError, shocked_by
from allocator.whatif.shocks.names import underlyings


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


def load_config(path: str | Path, *, whole: bool = False) -> Config:
    """Read a configuration; of several books the one that is named after a ``#``.

    Parameters
    ----------
    whole
        Whether all books together may be meant.

    Raises
    ------
    FileError
        With every problem of the file.
    ConfigError
        When there are several books and none of them is named, or there is no such book.
    """
    file, name = str(path), ""
    if "#" in file and not Path(file).exists():
        file, _, name = file.rpartition("#")
    config = _load_config(file)
    if not name and (whole or not config.books):
        return config
    try:
        return book_config(config, name)
    except KeyError as error:
        known = ", ".join(row.id for row in config.books) or "no books"
        raise ConfigError(f"{file} has {known}: name one, as in -c {file}#NAME") from error


def _load_config(path: str | Path) -> Config:
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


def load_scenario(
    source: str | Path | Mapping[str, Any], *, store: Store | None = None
) -> Scenario:
    """Read a scenario, apply its overrides and then its shocks.

    Parameters
    ----------
    source
        A YAML or JSON file, or the data of one.
    store
        Where ``snapshot: {stored: ...}`` is looked up.

    Returns
    -------
    The scenario with snapshot and mandate as they are after overrides and shocks; `shock`,
    `override` and `grid` as the file has them.

    Raises
    ------
    FileError
        With every problem of the file and of the files that it refers to.
    """
    reading, data, recipe = _recipe(source, store, More())
    reading.check()
    assert recipe is not None
    return Scenario(
        name=recipe.name,
        description=recipe.description,
        snapshot=recipe.book[0],
        mandate=recipe.book[1],
        shock=data.get("shock"),
        override=data.get("override"),
        grid=data.get("grid"),
        depth=recipe.depth,
        expect=recipe.expect,
    )


def load_recipe(
    source: str | Path | Mapping[str, Any],
    *,
    shocks: Sequence[ShockFrom] = (),
    override: Mapping[str, Any] | None = None,
    store: Store | None = None,
    most_points: int | None = None,
) -> Recipe:
    """Read a scenario and keep apart what it starts from and what is done to it.

    Parameters
    ----------
    source
        A YAML or JSON file, or the data of one.
    shocks, override
        What more is done, after the scenario's own.
    store
        Where ``snapshot: {stored: ...}`` is looked up.
    most_points
        How many points its grid may have; None: any number, for it is not to be swept.

    Raises
    ------
    FileError
        With every problem of the file and of the files that it refers to, values of its grid
        included: each must fit where it is put while the others stay as the file has them.
    """
    more = More(shocks, override or {}, base=True)
    reading, _, recipe = _recipe(source, store, more)
    if recipe is not None:
        check_axes(reading, recipe, most_points)
    reading.check()
    assert recipe is not None
    return recipe


def check_scenario(path: str | Path, most_points: int = MOST_POINTS) -> int:
    """Check a scenario with every value of its grid.

    Parameters
    ----------
    most_points
        How many points its grid may have.

    Returns
    -------
    How many it has; 0: it has no grid.

    Raises
    ------
    FileError
        With every problem of the file and of the files that it refers to.
    """
    reading, _, recipe = _recipe(path, None, More())
    if recipe is not None:
        check_axes(reading, recipe, most_points)
    reading.check()
    assert recipe is not None
    return count_of(recipe.grid)


@dataclass(frozen=True, slots=True)
class More:
    """What is done beside what a file says.

    Attributes
    ----------
    base
        Whether the book before overrides and shocks must make sense as well.
    """

    shocks: Sequence[ShockFrom] = ()
    override: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: bool = False


def _recipe(
    source: str | Path | Mapping[str, Any], store: Store | None, more: More
) -> tuple[Reading, dict[str, Any], Recipe | None]:
    at_hand = isinstance(source, Mapping)
    reading = Reading("scenario" if at_hand else str(source))
    data = reading.mount(source)
    if data is None:
        reading.check()
    assert data is not None
    base = None if at_hand else Path(str(source)).parent
    reading.add_unknown("scenario", data)
    head_data = {key: value for key, value in data.items() if key not in (*HALVES, "shock")}
    head = reading.value(ScenarioHead, "scenario", head_data)
    files = Files(reading, base, store)
    tree = {key: files.half(data, key) for key in HALVES}
    shocks = files.shocks(data, more.shocks)
    own = data.get("override")
    rows = {**(own if isinstance(own, dict) else {}), **more.override}
    changed = _overridden(reading, tree, rows) if rows else tree
    after = _book(reading, changed)
    reading.check(head, *after)
    assert head is not None
    before = after
    if more.base and changed is not tree:
        reading.moved.clear()  # what is wrong without the overrides stands where the file has it
        before = _book(reading, tree)
        reading.check(*before)
    book = _shocked(reading, _both(after), shocks)
    _check_expect(reading, head, *book)
    reading.check()
    recipe = Recipe(
        name=head.name or Path(reading.file).stem,
        description=head.description,
        tree={**tree, "shock": shocks.data},
        override=rows,
        grid={path: tuple(values) for path, values in head.grid.items()},
        depth=head.depth,
        expect=head.expect,
        base=_both(before),
        book=book,
    )
    return reading, data, recipe


def _both(book: tuple[Snapshot | None, Mandate | None]) -> Book:
    snapshot, mandate = book
    assert snapshot is not None
    assert mandate is not None
    return snapshot, mandate


def _shocked(reading: Reading, book: Book, shocks: Shocks) -> Book:
    try:
        after = shocked_by(*book, shocks.values)
    except ShockError as error:
        for row in error.problems:
            number, *path = row.path
            assert isinstance(number, int)
            reading.add([Problem((*shocks.places[number], *path), row.message)])
        return book
    if shocks.values:
        rows = book_problems(*after)
        at = shocks.places[0][:1]
        reading.add(Problem(at, f"leaves a senseless book: {row}") for row in rows)
    return after


def _check_expect(
    reading: Reading, head: ScenarioHead, snapshot: Snapshot, mandate: Mandate
) -> None:
    """Look for exposures that no plan about the book can tell."""
    known = underlyings(snapshot) | {row.underlying for row in mandate.targets}
    for name in head.expect.exposure if head.expect is not None else ():
        if name not in known:
            said = f"unknown underlying {name!r}{suggest(name, known)}"
            reading.add([Problem(("expect", "exposure", name), said)])


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
