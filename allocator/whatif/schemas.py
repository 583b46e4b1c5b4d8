"""JSON Schemas of the files, and what they say about unknown keys."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema

from allocator.models.base import Value
from allocator.models.config import Config
from allocator.models.errors import Problem
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.scenario import Depth, Expect
from allocator.models.snapshot import Snapshot
from allocator.whatif.document import Where, closest
from allocator.whatif.shock import Shock, ShockSource

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class SnapshotSource(Value):
    """A snapshot that stands elsewhere: in a file (relative to this one), or in the store."""

    file: str | None = Field(default=None)
    stored: str | None = Field(default=None)


class MandateSource(Value):
    """A mandate that stands in a file of its own (relative to this one)."""

    file: str


class ScenarioHead(Value):
    """What a scenario file holds beside snapshot, mandate and shock.

    Attributes
    ----------
    version
        Of the format; 1.
    name
        By default the file's own, without its ending.
    override
        Values in place of others, by path: ``mandate.policy.margin_buffer: "0.4"``. Overrides
        come before the shock.
    grid
        Lists of values by path, for a sweep over all combinations.
    depth
        How far a sweep decides each point: plan (as one decision is made), quick (a verified plan
        with less effort and a looser bound) or relaxed (the relaxed program's bound alone).
    expect
        What a run must come to.
    """

    version: int = Field(default=1, ge=1, le=1)
    name: str = ""
    description: str = ""
    override: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    grid: Mapping[str, list[Any]] = Field(default_factory=dict[str, list[Any]])
    depth: Depth = "plan"
    expect: Expect | None = None


class ScenarioFile(ScenarioHead):
    """A scenario file: a book, what is wanted of it, what is done to it, what should come of it.

    Attributes
    ----------
    version
        Of the format; 1.
    name
        By default the file's own, without its ending.
    snapshot, mandate
        Inline, or a reference.
    shock
        What happens to the book before anything is decided; a list: one after the other. One
        that is a ``file`` stands elsewhere.
    override
        Values in place of others, by path: ``mandate.policy.margin_buffer: "0.4"``. Overrides
        come before the shock.
    grid
        Lists of values by path, for a sweep over all combinations.
    depth
        How far a sweep decides each point: plan (as one decision is made), quick (a verified plan
        with less effort and a looser bound) or relaxed (the relaxed program's bound alone).
    expect
        What a run must come to.
    """

    snapshot: Snapshot | SnapshotSource
    mandate: Mandate | MandateSource
    shock: Shock | ShockSource | list[Shock | ShockSource] | None = None


FILES: Final[Mapping[str, type[BaseModel]]] = {
    "snapshot": Snapshot,
    "mandate": Mandate,
    "scenario": ScenarioFile,
    "plan": Plan,
    "config": Config,
}
"""The files that have a schema, by name."""


class _Described(GenerateJsonSchema):
    """Takes the sentences of the docstrings for descriptions of models and fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Leave out titles that only repeat the key."""
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Add the text of the Attributes section to the fields it names."""
        out = super().model_schema(schema)
        doc = inspect.getdoc(schema["cls"]) or ""
        head, _, attributes = doc.partition("\nAttributes\n----------\n")
        out["description"] = " ".join(head.split())
        for names, text in _sections(attributes):
            for name in names:
                field = schema["cls"].model_fields.get(name)
                key = (field.alias or name) if field is not None else name
                if key in out.get("properties", {}):
                    out["properties"][key]["description"] = text
        out.pop("title", None)
        return out


def _sections(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield field names and their description from a numpydoc section."""
    names, words = list[str](), list[str]()
    for line in text.splitlines():
        if line and not line.startswith(" "):
            if names:
                yield names, " ".join(words)
            names, words = [name.strip().rstrip("_") for name in line.split(",")], []
        elif line.strip():
            words.append(line.strip())
    if names:
        yield names, " ".join(words)


@cache
def _schema(name: str) -> dict[str, Any]:
    models: Mapping[str, type[BaseModel]] = {**FILES, "shock": Shock}
    return models[name].model_json_schema(by_alias=True, schema_generator=_Described)


def schema(name: str) -> dict[str, Any]:
    """Build the JSON Schema of a file.

    Parameters
    ----------
    name
        One of `FILES`.

    Returns
    -------
    Plain JSON data, the same at every call.
    """
    return {"$schema": DIALECT, "title": name, **_schema(name)}


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that no schema has.

    Attributes
    ----------
    meant
        Path of the key that was probably meant, if one is close.
    """

    path: Where
    meant: Where | None

    @property
    def problem(self) -> Problem:
        """Say it."""
        hint = f" - did you mean {self.meant[-1]!r}?" if self.meant else ""
        return Problem(self.path, f"unknown key {self.path[-1]!r}{hint}")


def unknown_keys(name: str, data: Any, at: Where = ()) -> Iterator[UnknownKey]:
    """Yield every key of a file that its schema does not know.

    Parameters
    ----------
    name
        One of `FILES`.
    at
        Path that their paths start with.
    """
    root = _schema(name)
    yield from _walk(root, [root], data, at)


def _walk(root: Any, options: list[Any], data: Any, at: Where) -> Iterator[UnknownKey]:
    if isinstance(data, dict):
        yield from _walk_mapping(root, _forms(root, options), data, at)
    elif isinstance(data, list):
        forms = _forms(root, options)
        for i, item in enumerate(data):
            inner = [form["items"] for form in forms if "items" in form]
            yield from _walk(root, inner, item, (*at, i))


def _walk_mapping(
    root: Any, forms: list[Any], data: dict[str, Any], at: Where
) -> Iterator[UnknownKey]:
    """Check the keys against the forms that the value may have."""
    objects = [f for f in forms if "properties" in f or "additionalProperties" in f]
    tagged = [f for f in objects if _tag(f) in (None, data.get("kind"))]
    objects = tagged or objects
    if not objects:
        return
    free = [f["additionalProperties"] for f in objects if f.get("additionalProperties")]
    known = {key for f in objects for key in f.get("properties", {})}
    for key, value in data.items():
        inner = [f["properties"][key] for f in objects if key in f.get("properties", {})]
        inner = inner or [f for f in free if isinstance(f, dict)]
        if inner or free:
            yield from _walk(root, inner, value, (*at, key))
        else:
            meant = closest(key, known)
            yield UnknownKey((*at, key), (*at, meant) if meant is not None else None)


def _tag(form: Any) -> Any:
    """Name the kind of action that a form is for, if it is for one."""
    return form.get("properties", {}).get("kind", {}).get("const")


def _forms(root: Any, options: list[Any]) -> list[Any]:
    """Follow references and alternatives to the forms themselves."""
    out = list[Any]()
    for option in options:
        if "$ref" in option:
            name = option["$ref"].rsplit("/", 1)[1]
            out += _forms(root, [root["$defs"][name]])
        elif "anyOf" in option or "oneOf" in option:
            out += _forms(root, option.get("anyOf", []) + option.get("oneOf", []))
        else:
            out.append(option)
    return out


def fields_at(name: str, path: Where) -> tuple[list[str], bool]:
    """Tell which keys a mapping at a path may have.

    Returns
    -------
    keys, free
        The keys that the schema names, and whether any other may stand there.
    """
    root = _schema(name)
    forms = _forms(root, [root])
    for part in path:
        inner = list[Any]()
        for form in forms:
            if isinstance(part, int):
                inner += [form["items"]] if "items" in form else []
            elif part in form.get("properties", {}):
                inner.append(form["properties"][part])
            elif isinstance(form.get("additionalProperties"), dict):
                inner.append(form["additionalProperties"])
        forms = _forms(root, inner)
    keys = sorted({key for form in forms for key in form.get("properties", {})})
    return keys, any(form.get("additionalProperties") for form in forms)
