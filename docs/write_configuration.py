"""Writes configuration.md: every key of the configuration, from the values that read it.

Run from the root of the tree: ``make configuration``.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from allocator.models.config import Config

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "configuration.md"
HEAD = """\
# Every key of the configuration

`allocator init` writes the keys that a desk begins with, with comments; these are all. A mandate
has the keys below `mandate`, whether it stands in the configuration, in a file of its own or in a
scenario. This page is written by `make configuration` from the values that read the files; a test
keeps it true.

How to read it:

- `allocator validate --as config FILE` tells every mistake with its line, `allocator config show`
  the configuration with its defaults, `allocator schema config` the keys for editors and programs.
  A key that is not here is refused.
- Numbers are exact; in quotes they are taken as they stand. Money, where nothing else is said, is
  in the numeraire, which is USD; `_s` are seconds, `_h` hours, `_bps` hundredths of a percent,
  `_mb` a million bytes.
- **Default**: what holds where the key is left out; *required*: it cannot be; *none*: nothing holds
  or is known, and the words say what follows from that.
- Paths in the configuration are beside it, wherever a command is typed.
"""


def parts_of(kind: Any) -> Iterator[type[BaseModel]]:
    """Find the values that a field's type holds."""
    if isinstance(kind, type) and not typing.get_origin(kind) and issubclass(kind, BaseModel):
        yield kind
    for part in typing.get_args(kind):
        yield from parts_of(part)


def groups_of(kind: type[BaseModel]) -> list[tuple[list[str], str]]:
    """Read what the docstring of a value says of its attributes; some are told together."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes\n----------\n")[2]
    return [
        (
            names.split(", "),
            " ".join(words.split()).replace("``", "`").replace("None: ", "without: "),
        )
        for names, words in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?|\n)+)", text + "\n", re.M)
    ]


def sections(kind: type[BaseModel], before: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """List every value that a configuration is made of, with the path of its keys."""
    yield before, kind
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if before == "books" and key in {"mandate", "schedules", "triggers"}:
            continue
        for part in parts_of(field.annotation):
            yield from sections(part, f"{before}.{key}" if before else key)


def page() -> str:
    """Write the page's text."""
    out = [HEAD]
    for path, kind in sections(Config):
        summary = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].replace("``", "`")
        if path:
            out.append(f"## {path}\n\n{summary}\n")
        out.append("| key | default | what |\n|-|-|-|")
        out.extend(_row(path, names, words, kind) for names, words in groups_of(kind))
        out.append("")
    return "\n".join(out)


def _row(path: str, names: list[str], words: str, kind: type[BaseModel]) -> str:
    fields = [kind.model_fields[name] for name in names]
    keys = [field.alias or name for name, field in zip(names, fields, strict=True)]
    defaults = [_default(field) for field in fields]
    defaults = defaults if len(set(defaults)) > 1 else defaults[:1]
    choices = _choices(fields[0].annotation)
    told = [f"{_listed(choices)}." if len(choices) > 1 else "", words]
    if next(parts_of(fields[0].annotation), None) is not None:
        above = {"": "", "books": "service." if keys[0] in {"schedules", "triggers"} else ""}
        at = f"{above.get(path, f'{path}.')}{keys[0]}"
        told.append(f"{_how(fields[0].annotation)}[{at}](#{at.replace('.', '')}).")
    text = " ".join(filter(None, told)).replace("|", "\\|")
    return f"| {_listed(keys)} | {', '.join(defaults)} | {text} |"


def _how(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return "A list of "
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "By name: "
    return "See "


def _choices(kind: Any) -> list[str]:
    if typing.get_origin(kind) is typing.Literal:
        return [str(value).lower() for value in typing.get_args(kind)]
    if isinstance(kind, types.UnionType):
        return [value for part in typing.get_args(kind) for value in _choices(part)]
    return []


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if value is None or value in ((), {}, ""):
        return "*none*"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
