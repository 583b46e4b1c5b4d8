"""What the documentation names is there: pages, commands, keys, series, paths, codes.

Generated pages are held to the code by `test_documentation`; what they quote is held to it here.
"""

from __future__ import annotations

import re
import shlex
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from allocator.models.config import Config
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md")),
    *(ROOT / name / "README.md" for name in ("deploy", "scenarios")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDERS = "docs|allocator|models|adapters|bench|tests|deploy|scenarios|requirements"
PATH = re.compile(rf"(?<![\w/.:-])(?:{FOLDERS})/[\w./*-]*\w")
SHELL = {">", "|", ";", "&&", "#", "2>&1"}
SOURCES = [ROOT / top for top in ("allocator", "models", "adapters")]


def each(found: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", found, ids=[str(row.relative_to(ROOT)) for row in found])


pages = each(PAGES)
# The paths that the others name are those of scenarios.
of_configuration = each(
    [row for row in PAGES if row.parent.name != "scenarios" and row.name != "what-if.md"]
)


def spans(page: Path) -> list[str]:
    """What stands in a page as code within a line; a span may go over the end of a line."""
    text = FENCE.sub("", page.read_text()).replace("``", "`")
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def fenced(page: Path, *languages: str) -> list[str]:
    found = FENCE.findall(page.read_text())
    return [body for language, body in found if language in languages]


def everywhere() -> set[str]:
    return {span for page in PAGES for span in spans(page)}


def linked(page: Path) -> Iterator[Path]:
    for target in LINK.findall(page.read_text()):
        if not target.startswith(("http", "#")):
            yield (page.parent / target.partition("#")[0]).resolve()


@pages
def test_links_lead_somewhere(page: Path) -> None:
    assert [str(target) for target in linked(page) if not target.exists()] == []


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    named = PATH.findall(page.read_text())
    bases = (ROOT, page.parent)
    assert [name for name in named if not any(list(base.glob(name)) for base in bases)] == []


def test_every_page_is_reached_from_the_first() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting.extend(linked(page))
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def commands_in(text: str) -> Iterator[list[str]]:
    """Take a line of shell apart into the words of its `allocator` commands."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words, inside, before = list[str](), False, ";"
    for word in lexer:
        first, before = before in SHELL, word
        if (first and word == "allocator") or word.endswith("/bin/allocator"):
            words, inside = [], True
        elif inside and word in SHELL:
            yield words
            inside = False
        elif inside:
            words.append(word)
    if inside:
        yield words


def typed(page: Path) -> Iterator[list[str]]:
    """Find every command that a page has people type."""
    for block in fenced(page, "", "sh"):
        for line in block.splitlines():
            if re.search(r"(^|[\s/])allocator ", line):
                yield from commands_in(line.removeprefix("$ "))
    for span in spans(page):
        if re.match(r"allocator [a-z]", span):
            yield from commands_in(span.replace("[", "").replace("]", "").replace("|", "/"))


def unknown_words(words: Sequence[str]) -> list[str]:
    """Find commands and options among the words that the command line does not know."""
    entry = next((row for row in COMMANDS if row.name == words[0].split(",")[0]), None)
    if entry is None:
        return [words[0]]
    at, options, rest = entry.load(), set[str](), list(words[1:])
    while True:
        options |= {name for option in at.params for name in (*option.opts, *option.secondary_opts)}
        inner: Mapping[str, Any] = getattr(at, "commands", {})
        names = [word for word in rest if re.fullmatch(r"[a-z][a-z/-]*", word)][:1] if inner else []
        parts = [part for name in names for part in name.split("/")]
        if not parts:
            break
        if missing := [part for part in parts if part not in inner]:
            return missing
        at, rest = inner[parts[0]], rest[rest.index(names[0]) + 1 :]
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [word for word in given if word not in {*options, "--help"}]


@pages
def test_commands_that_are_shown_exist(page: Path) -> None:
    told = [(words, unknown_words(words)) for words in typed(page) if words]
    assert [(" ".join(words), wrong) for words, wrong in told if wrong] == []


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert unknown_words(["plna", "FILE"]) == ["plna"]
    assert unknown_words(["config", "draft/publihs", "-c", "FILE"]) == ["publihs"]
    assert unknown_words(["plan", "FILE", "--comparre"]) == ["--comparre"]
    assert unknown_words(["history", "-d", "URL", "verify", "--anchor", "FILE"]) == []


def test_every_command_stands_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## On the command line")[2]
    named = set(re.findall(r"`(?:allocator )?([a-z-]+)", table))
    assert {row.name for row in COMMANDS} - named == set()


def test_the_readme_tells_every_exit_code() -> None:
    told = (ROOT / "README.md").read_text().partition("Exit codes:")[2].partition("\n\n")[0]
    assert [int(code) for code in re.findall(r"(?<!\w)(\d+) ", told)] == [*map(int, ExitCode)]


def inner(kind: Any) -> Iterator[type[BaseModel]]:
    """Find the values that a field's type holds, and whether it is by name."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif isinstance(kind, types.GenericAlias | types.UnionType) or typing.get_origin(kind):
        for part in typing.get_args(kind):
            yield from inner(part)


def fields(kind: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def resolves(path: Sequence[str], kind: type[BaseModel]) -> bool:
    """Tell whether a path of keys leads to a field of a configuration."""
    if not path:
        return True
    known = fields(kind)
    if path[0] not in known:
        return False
    below, rest = list(inner(known[path[0]])), path[1:]
    if not below:
        return True
    if typing.get_origin(known[path[0]]) is not None and issubclass(
        typing.get_origin(known[path[0]]), Mapping
    ):
        rest = rest[1:]
    return any(resolves(rest, part) for part in below)


SECTIONS = {*fields(Config), *(key for part in ("service", "mandate") for kind in inner(
    fields(Config)[part]) for key in fields(kind))}  # fmt: skip


def keys_in(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the paths of a mapping's keys."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield (*before, str(key))
            yield from keys_in(part, (*before, str(key)))
    elif isinstance(value, list):
        for part in value:
            yield from keys_in(part, before)


@of_configuration
def test_keys_of_the_configuration_that_are_named_exist(page: Path) -> None:
    paths = {
        tuple(part.split("."))
        for span in spans(page)
        for part in re.split(r", |: ", span)
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", part) and part.split(".")[0] in SECTIONS
    }
    yaml = YAML(typ="safe")
    shown = [yaml.load(span) for span in spans(page) if re.match(r"[a-z_]+: \S", span)]
    shown += [yaml.load(block) for block in fenced(page, "yaml")]
    for value in shown:
        paths |= {path for path in keys_in(value) if "." not in path[0] and path[0] in SECTIONS}
    assert sorted(".".join(path) for path in paths if not resolves(path, Config)) == []


def test_a_key_that_is_not_there_is_noticed() -> None:
    assert resolves(["service", "alerts", "to"], Config)
    assert resolves(["gather", "status", "binance"], Config)
    assert resolves(["books", "mandate", "targets", "band"], Config)
    assert resolves(["routes", "from"], Config)
    assert not resolves(["alerts", "to"], Config)
    assert not resolves(["routes", "source"], Config)


def sources() -> str:
    files = (file for top in SOURCES for file in top.rglob("*.py"))
    return "\n".join(file.read_text() for file in files)


def test_codes_that_are_told_stand_in_the_code() -> None:
    code = sources()
    known = set(re.findall(r"[A-Z][A-Z_]{2,}", code))
    known |= {word.upper() for word in re.findall(r"[a-z_]{3,}", code)}
    told = {span for span in everywhere() if re.fullmatch(r"[A-Z]+_[A-Z_]+", span)}
    assert told
    assert told - known == set()


def test_paths_of_the_service_that_are_told_are_served() -> None:
    from allocator.service.http import acting, events, routes

    parts = acting.router, acting.planning_router, acting.long_router, events.router, routes.router
    paths: list[str] = [row.path for part in parts for row in part.routes]  # type: ignore[attr-defined]
    known = {re.sub(r"{\w+}", "{}", path) for path in paths}
    told = {
        re.sub(r"{\w+}", "{}", path)
        for span in everywhere()
        for path in re.findall(r"(?<![\w.])/v1/[a-z/{}._-]*[a-z}]", span)
    }
    assert told
    assert told - known - {"/v1/openapi.json"} == set()


def test_what_make_is_told_to_make_it_makes() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    typed_in = [*everywhere(), *(line for page in PAGES for line in fenced(page, ""))]
    told = {name for text in typed_in for name in re.findall(r"^make ([a-z-]+)", text, re.M)}
    assert told
    assert told - known == set()
