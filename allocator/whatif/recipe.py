"""A scenario file taken apart: what it starts from, what is done to it, what should come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from allocator.models.base import Value
from allocator.models.errors import InputError, Problem, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.refusals import book_problems
from allocator.models.scenario import Depth, Expect
from allocator.models.snapshot import Snapshot
from allocator.whatif.messages import validation_problems
from allocator.whatif.overrides import override
from allocator.whatif.schemas import unknown_keys
from allocator.whatif.shock import Shock
from allocator.whatif.shocks import shocked_by

V = TypeVar("V", bound=Value)
Book = tuple[Snapshot, Mandate]
HALVES = ("snapshot", "mandate")


@dataclass(frozen=True)
class Recipe:
    """A scenario file taken apart, from which any variant of its book can be made.

    Attributes
    ----------
    tree
        Plain data of snapshot and mandate before overrides, and ``shock``: the list of shocks.
    override
        Values by path.
    grid
        Values by path, for a sweep.
    depth
        How far a sweep decides its points.
    base, book
        The book as the file has it, and after overrides and shocks. Of a file without either
        they are the same value.
    """

    name: str
    description: str
    tree: Mapping[str, Any]
    override: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]]
    depth: Depth
    expect: Expect | None
    base: Book = field(repr=False)
    book: Book = field(repr=False)

    @property
    def changes(self) -> bool:
        """Whether overrides or shocks change the book at all."""
        return bool(self.override or self.tree["shock"])

    def notes(self) -> list[str]:
        """Say what is done to the book, in the order it is done."""
        out = [f"{path} = {_short(value)}" for path, value in self.override.items()]
        for row in self.tree["shock"]:
            parts = [f"{key} {_short(value)}" for key, value in row.items() if key != "note"]
            out.append(" - ".join(filter(None, (row.get("note", ""), ", ".join(parts)))))
        return out


def _short(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_short(row)}" for key, row in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_short, value)) + "]"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


class PathError(InputError):
    """A path that names nothing in a book."""

    code = "PATH"


class Variants:
    """Makes the books of a recipe's grid; halves that a point leaves alone are made once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        tree: dict[str, Any] = dict(recipe.tree)
        for path, value in recipe.override.items():
            tree = put(tree, path, value)
        self.tree = tree
        self.halves: Book = (
            _single(checked(Snapshot, tree["snapshot"], "snapshot")),
            checked(Mandate, tree["mandate"], "mandate"),
        )

    def book(self, point: Mapping[str, Any], *, check: bool = True) -> Book:
        """Make the book at a point of the grid.

        Parameters
        ----------
        check
            Whether it is checked that the book makes sense; an engine checks it again.

        Raises
        ------
        PathError
            When a path names nothing.
        SnapshotError
            When the point leaves a senseless book.
        InputError
            When a value cannot stand where the point puts it.
        """
        tree = self.tree
        for path, value in point.items():
            tree = put(tree, path, value)
        snapshot, mandate = self.halves
        if tree["snapshot"] is not self.tree["snapshot"]:
            snapshot = _single(checked(Snapshot, tree["snapshot"], "snapshot"))
        if tree["mandate"] is not self.tree["mandate"]:
            mandate = checked(Mandate, tree["mandate"], "mandate")
        shocks = [checked(Shock, row, "shock") for row in tree["shock"]]
        book = shocked_by(snapshot, mandate, shocks)
        problems = book_problems(*book) if check else []
        if problems:
            raise SnapshotError(problems)
        return book


def _single(snapshot: Snapshot) -> Snapshot:
    """Keep the last of instruments of one id, as a file's reader does."""
    if len(snapshot.instrument) == len(snapshot.instruments):
        return snapshot
    return snapshot.model_copy(update={"instruments": tuple(snapshot.instrument.values())})


def checked(model: type[V], data: Any, kind: str) -> V:
    """Validate plain data.

    Raises
    ------
    InputError
        With everything that is wrong with it.
    """
    try:
        out = model.model_validate(data)
    except ValidationError as error:
        raise InputError(list(validation_problems(error, data, (kind,)))) from error
    strange = [row.problem for row in unknown_keys(kind, data, (kind,))]
    if strange:
        raise InputError(strange)
    return out


def put(tree: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Put a value into the data of a recipe.

    A path into ``shock`` names a part of the only shock, or of the one at a position:
    ``shock.prices.BTC``, ``shock[1].prices.BTC``. A file without a shock gets one.

    Raises
    ------
    PathError
        When the path names nothing.
    """
    if path.startswith("shock.") and len(tree["shock"]) > 1:
        said = f"there are {len(tree['shock'])} shocks: name one by its position, as shock[0]"
        raise PathError([Problem((path,), said)])
    if path.startswith("shock."):
        tree = {**tree, "shock": tree["shock"] or [{}]}
        path = path.replace("shock.", "shock[0].", 1)
    changed, _, message = override(tree, path, value)
    if message is not None:
        raise PathError([Problem((path,), message)])
    out: dict[str, Any] = changed
    return out
