"""What a shock names, and whether the book has it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from allocator.models.errors import Problem
from allocator.models.mandate import Mandate
from allocator.models.market import Asset, Instrument
from allocator.models.snapshot import Snapshot
from allocator.whatif.document import suggest
from allocator.whatif.shock import Change, Scale, Shock

MARKET: Final = frozenset({"underlying", "venue", "instrument"})
REACH: Final = {
    "volatility": MARKET,
    "correlation": frozenset({"underlying"}),
    "volume": MARKET,
    "spreads": MARKET,
    "funding": MARKET,
    "fees": frozenset({"account", "venue"}),
    "margin": MARKET | {"account"},
    "brackets": MARKET | {"account"},
    "haircuts": frozenset({"asset", "account", "venue"}),
}
"""What the `only` of a change may name."""


def underlyings(snapshot: Snapshot) -> set[str]:
    """Name the underlyings of instruments and assets."""
    rows: list[Instrument | Asset] = [*snapshot.instruments, *snapshot.assets.values()]
    return {row.underlying for row in rows if row.underlying is not None}


def named(only: Iterable[str], *names: str | None) -> bool:
    """Tell whether a limited change covers something called by these names."""
    chosen = set(only)
    return not chosen or bool(chosen & {name for name in names if name is not None})


def unknown(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> Iterator[Problem]:
    """Yield what the shock names and the book does not have; paths start inside the shock."""
    known = {
        "asset": set(snapshot.assets),
        "underlying": underlyings(snapshot),
        "venue": {r.venue for r in snapshot.accounts} | {r.venue for r in snapshot.instruments},
        "account": {row.id for row in snapshot.accounts},
        "instrument": {row.id for row in snapshot.instruments},
        "target": {row.underlying for row in mandate.targets},
        "limit": {row.id for row in mandate.limits},
    }
    yield from _keys("prices", shock.prices, known, ("asset", "underlying"))
    for key, kind in (("venues", "venue"), ("accounts", "account"), ("limits", "limit")):
        yield from _keys(key, getattr(shock, key), known, (kind,))
    yield from _keys("targets", shock.targets, known, ("target",))
    for key in ("deposits", "withdrawals", "positions"):
        for i, row in enumerate(getattr(shock, key)):
            for field in ("account", "asset", "instrument"):
                name = getattr(row, field, None)
                if name is not None:
                    yield from _one((key, i, field), name, known, (field,))
    for key, kinds in REACH.items():
        change: Change | Scale | None = getattr(shock, key)
        for i, name in enumerate(change.only if change is not None else ()):
            yield from _one((key, "only", i), name, known, sorted(kinds))


def _keys(
    key: str, names: Iterable[str], known: dict[str, set[str]], kinds: Collection[str]
) -> Iterator[Problem]:
    for name in names:
        yield from _one((key, name), name, known, kinds)


def _one(
    path: tuple[str | int, ...], name: str, known: dict[str, set[str]], kinds: Collection[str]
) -> Iterator[Problem]:
    fitting = set[str]().union(*(known[kind] for kind in kinds))
    if name not in fitting:
        hint = suggest(name, fitting)
        other = next((kind for kind, names in known.items() if name in names), None)
        what = " or ".join([", ".join(list(kinds)[:-1]), list(kinds)[-1]]) if len(kinds) > 1 else ""
        said = f"unknown {what or next(iter(kinds))} {name!r}{hint}"
        if other is not None and other not in ("target", "limit"):
            said = f"{name!r} is {_article(other)} {other}; {what or next(iter(kinds))} is wanted"
        yield Problem(path, said)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aiu" else "a"
