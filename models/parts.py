"""What could be read of a snapshot and a mandate, whole or in part.

A file with a mistake in one account is still checked everywhere else, so that all its mistakes
are told at once. A part that could not be read has the value None but keeps its id: a reference
to it is not a second mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from allocator.models.account import Account
from allocator.models.base import Value
from allocator.models.errors import Problem
from allocator.models.mandate import Limit, Mandate, Policy, Target
from allocator.models.market import Asset, Instrument
from allocator.models.snapshot import MoveRule, Route, Snapshot

Path = tuple[str | int, ...]
V = TypeVar("V", bound=Value)


@dataclass(frozen=True, slots=True)
class Part(Generic[V]):
    """One entry of a list or mapping.

    Attributes
    ----------
    value
        None: it could not be read.
    unread
        Fields of it that could not be read and stand at their defaults.
    flaw
        What is wrong with it as a whole, apart from these fields.
    """

    path: Path
    id: str
    value: V | None
    unread: frozenset[str] = frozenset()
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one kind that may be referred to.

    Attributes
    ----------
    complete
        Whether there can be no others; if not, nothing is called unknown.
    """

    kind: str
    known: frozenset[str]
    complete: bool = True

    def unknown(self, name: str, path: Path) -> Iterator[Problem]:
        """Yield a problem if the name is not known."""
        if self.complete and name not in self.known:
            close = get_close_matches(name, sorted(self.known), n=1)
            hint = f" - did you mean {close[0]!r}?" if close else ""
            yield Problem(path, f"unknown {self.kind} {name!r}{hint}")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that cross-field checks look at; lists are None where a file has no such half."""

    assets: Mapping[str, Part[Asset]]
    instruments: tuple[Part[Instrument], ...]
    accounts: tuple[Part[Account], ...]
    routes: tuple[Part[Route], ...]
    moves: tuple[Part[MoveRule], ...]
    targets: tuple[Part[Target], ...]
    limits: tuple[Part[Limit], ...]
    policy: Part[Policy]
    has_snapshot: bool
    has_mandate: bool
    unnamed: frozenset[str] = frozenset()
    underlyings: frozenset[str] = field(default=frozenset())
    looked_up: dict[str, Names] = field(default_factory=dict[str, Names], repr=False)
    by_id: Mapping[str, Part[Instrument]] = field(init=False)

    def __post_init__(self) -> None:
        """Look instruments up by id; of two with one id the last."""
        object.__setattr__(self, "by_id", {row.id: row for row in self.instruments})

    @classmethod
    def of(cls, snapshot: Snapshot, mandate: Mandate) -> Parts:
        """Take valid values apart."""
        s, m = ("snapshot",), ("mandate",)
        named: list[Instrument | Asset] = [*snapshot.instruments, *snapshot.assets.values()]
        return cls(
            assets={k: Part((*s, "assets", k), k, v) for k, v in snapshot.assets.items()},
            instruments=_listed((*s, "instruments"), snapshot.instruments, "id"),
            accounts=_listed((*s, "accounts"), snapshot.accounts, "id"),
            routes=_listed((*s, "routes"), snapshot.routes, "id"),
            moves=_listed((*s, "moves"), snapshot.moves, "instrument"),
            targets=_listed((*m, "targets"), mandate.targets, "underlying"),
            limits=_listed((*m, "limits"), mandate.limits, "id"),
            policy=Part((*m, "policy"), "", mandate.policy),
            has_snapshot=True,
            has_mandate=True,
            underlyings=frozenset(v.underlying for v in named if v.underlying is not None),
        )

    @classmethod
    def read(cls, snapshot: Any, mandate: Any) -> Parts:
        """Take plain data apart; None for a half that is not there."""
        s, m = _dict(snapshot), _dict(mandate)
        assets = {
            name: _part(Asset, ("snapshot", "assets", name), name, raw)
            for name, raw in _dict(s.get("assets")).items()
        }
        lists = {key: _list(s.get(key)) for key in ("instruments", "accounts", "routes", "moves")}
        unnamed = {
            key
            for key, rows in lists.items()
            if not all(isinstance(_dict(row).get("id"), str) for row in rows)
        } | {key for key in ("assets", "accounts") if not s.get(key)}
        named = [*lists["instruments"], *_dict(s.get("assets")).values()]
        return cls(
            assets=assets,
            instruments=_parts(Instrument, ("snapshot", "instruments"), lists["instruments"], "id"),
            accounts=_parts(Account, ("snapshot", "accounts"), lists["accounts"], "id"),
            routes=_parts(Route, ("snapshot", "routes"), lists["routes"], "id"),
            moves=_parts(MoveRule, ("snapshot", "moves"), lists["moves"], "instrument"),
            targets=_parts(Target, ("mandate", "targets"), _list(m.get("targets")), "underlying"),
            limits=_parts(Limit, ("mandate", "limits"), _list(m.get("limits")), "id"),
            policy=_part(Policy, ("mandate", "policy"), "", m.get("policy") or {}),
            has_snapshot=snapshot is not None,
            has_mandate=mandate is not None,
            unnamed=frozenset(unnamed),
            underlyings=frozenset(
                name for row in named if isinstance(name := _dict(row).get("underlying"), str)
            ),
        )

    @property
    def flaws(self) -> Iterator[Problem]:
        """Problems of parts as a whole that were hidden by those of their fields."""
        rows: list[Part[Any]] = [*self.assets.values(), *self.instruments, *self.accounts]
        rows += [*self.routes, *self.moves, *self.targets, *self.limits, self.policy]
        for row in rows:
            if row.flaw is not None:
                yield Problem(row.path, row.flaw)

    def names(self, kind: str) -> Names:
        """Names of assets, instruments or accounts; `kind` is the word for one of them."""
        if kind not in self.looked_up:
            key = f"{kind}s"
            rows = self.assets.values() if kind == "asset" else getattr(self, key)
            known = frozenset(row.id for row in rows if row.id)
            complete = self.has_snapshot and key not in self.unnamed
            self.looked_up[kind] = Names(kind, known, complete)
        return self.looked_up[kind]


def _listed(path: Path, rows: Iterable[V], key: str) -> tuple[Part[V], ...]:
    return tuple(Part((*path, i), getattr(row, key), row) for i, row in enumerate(rows))


def _parts(model: type[V], path: Path, rows: list[Any], key: str) -> tuple[Part[V], ...]:
    out = list[Part[V]]()
    for i, raw in enumerate(rows):
        name = _dict(raw).get(key)
        out.append(_part(model, (*path, i), name if isinstance(name, str) else "", raw))
    return tuple(out)


STAND_INS: Mapping[str, Any] = {
    "fees": {"taker": "0"},
    **dict.fromkeys(("lot", "tick", "mark", "price"), "1"),
}
"""What takes the place of a required part that could not be read and that no check looks at."""


def _part(model: type[V], path: Path, name: str, raw: Any) -> Part[V]:
    """Read what can be read of one entry, leaving out the fields that are wrong."""
    data = {key: value for key, value in _dict(raw).items() if key in _file_keys(model)}
    unread = set[str]()
    while True:
        try:
            return Part(path, name, model.model_validate(data), frozenset(unread))
        except ValidationError as error:
            changed = _without_errors(data, error)
            if changed is None:
                return Part(path, name, None, frozenset(unread), _flaw(error, unread))
            data, dropped = changed
            unread |= dropped


def _without_errors(
    data: dict[str, Any], error: ValidationError
) -> tuple[dict[str, Any], set[str]] | None:
    """Drop what an error stands in; None if that leaves nothing to read."""
    out, dropped = dict(data), set[str]()
    for row in error.errors(include_url=False, include_context=False, include_input=False):
        if not row["loc"]:
            return None
        name, *rest = row["loc"]
        name = str(name)
        dropped.add(name)
        inner = out.get(name)
        if isinstance(inner, dict) and rest and rest[0] in inner:
            out[name] = {key: value for key, value in inner.items() if key != rest[0]}
        elif name in out:
            del out[name]
        if name not in out and (row["type"] == "missing" or name in STAND_INS):
            if name not in STAND_INS:
                return None
            out[name] = STAND_INS[name]
    return out, dropped


def _flaw(error: ValidationError, unread: set[str]) -> str | None:
    """Tell what is wrong with a part as a whole, unless the fields left out explain it."""
    for row in error.errors(include_url=False, include_input=False):
        if not row["loc"] and row["type"] == "value_error" and unread:
            text = str(row.get("ctx", {}).get("error", row["msg"]))
            return None if any(name in text for name in unread) else text
    return None


def _file_keys(model: type[Value]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _dict(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []
