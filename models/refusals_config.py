"""What makes a configuration unusable though each of its parts is well-formed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allocator.models.errors import Problem
from allocator.models.parts import Names, Path
from allocator.models.pools import Pool, pool_problems
from allocator.models.refusals_mandate import seen_before


def config_problems(data: Any) -> Iterator[Problem]:
    """Yield references of a configuration that lead nowhere, from its plain data."""
    config = _dict(data)
    logins, accounts = _dict(config.get("logins")), _rows(config.get("accounts"))
    ids = [(_text(row.get("id")), ("accounts", i)) for i, row in accounts]
    yield from seen_before([(name, path) for name, path in ids], "account")
    known_logins = Names("login", frozenset(logins))
    known_accounts = Names("account", frozenset(name for name, _ in ids if name))
    for i, row in accounts:
        yield from _known(known_logins, row, ("accounts", i, "login"))
    for name, row in logins.items():
        yield from _known(known_logins, _dict(row), ("logins", name, "master"))
    pools = [_pool(logins, row) for _, row in accounts]
    yield from (Problem(("accounts", i), what) for i, what in pool_problems(pools))
    for key in ("routes", "moves"):
        for i, row in _rows(config.get(key)):
            for end in ("from", "to"):
                yield from _known(known_accounts, row, (key, i, end))
    routes = frozenset(_text(row.get("id")) for _, row in _rows(config.get("routes")))
    for name in _dict(config.get("addresses")):
        yield from Names("route", routes).unknown(name, ("addresses", name))
    yield from _unheeded(config, logins)
    yield from _unwatched(config, logins, accounts)
    if config.get("mode") == "loopback" and not config.get("loopback_url"):
        yield Problem(("mode",), "mode loopback needs loopback_url")


def _pool(logins: dict[str, Any], row: dict[str, Any]) -> Pool:
    """Tell whose an account is."""
    name = _text(row.get("login"))
    login = _dict(logins.get(name))
    return Pool(
        account=_text(row.get("id")),
        wallet=_text(row.get("wallet")),
        login=name,
        venue=_text(login.get("venue")),
        key=_text(login.get("key")),
        member=_text(login.get("member")),
        root=_text(login.get("master")) or name,
    )


def _unheeded(config: dict[str, Any], logins: dict[str, Any]) -> Iterator[Problem]:
    """Yield venues without a login of which it is said what their own word is worth."""
    venues = Names("venue", frozenset(_text(_dict(row).get("venue")) for row in logins.values()))
    for name in _dict(_dict(config.get("gather")).get("status")):
        yield from venues.unknown(str(name), ("gather", "status", name))


def _unwatched(
    config: dict[str, Any], logins: dict[str, Any], accounts: list[tuple[int, dict[str, Any]]]
) -> Iterator[Problem]:
    """Yield what triggers are to watch and is not there: they would never fire."""
    books = _rows(config.get("books"))
    parts: list[tuple[dict[str, Any], Any, Path]] = [
        (row, row.get("triggers"), ("books", i, "triggers")) for i, row in books
    ]
    whole = _dict(config.get("service")).get("triggers")
    parts.append((config, whole, ("service", "triggers")))
    for part, rules, path in parts:
        mine = part.get("accounts") if part is not config else None
        held = [row for _, row in accounts if not isinstance(mine, list) or row.get("id") in mine]
        known = _watchable(config, logins, held, _dict(part.get("mandate")))
        # Limits are the mandate's that holds, which may be another: a service tells as it starts.
        for i, rule in _rows(rules):
            names = known.get(_text(rule.get("on")))
            if names is not None:
                yield from _known(names, rule, (*path, i, "of"))


def _watchable(
    config: dict[str, Any],
    logins: dict[str, Any],
    accounts: list[dict[str, Any]],
    mandate: dict[str, Any],
) -> dict[str, Names]:
    """Name what there is to watch of a book, by kind of trigger.

    Where an account does not list its instruments, any may come with what it holds.
    """
    lists = bool(accounts) and all(row.get("instruments") for row in accounts)
    traded, venues = set[str](), set[str]()
    for row in accounts:
        venue = _text(_dict(logins.get(_text(row.get("login")))).get("venue"))
        venues.add(venue)
        rows = row.get("instruments")
        symbols = [name for name in rows if isinstance(name, str)] if isinstance(rows, list) else []
        traded |= {f"{venue}:{symbol}" for symbol in symbols}
    assets = [_dict(row) for row in _dict(config.get("assets")).values()]
    targets = [row for _, row in _rows(mandate.get("targets"))]
    # An instrument's name begins with what it is of, where the assets do not say it.
    underlyings = {name.partition(":")[2].partition("/")[0] for name in traded}
    underlyings |= {_text(row.get("underlying")) for row in (*assets, *targets)}
    held = frozenset(_text(row.get("id")) for row in accounts)
    return {
        "drift": Names("underlying", frozenset(filter(None, underlyings)), lists),
        "funding": Names("instrument", frozenset(traded), lists),
        "venue": Names("venue", frozenset(filter(None, venues))),
        "margin_ratio": Names("account", held),
        "liquidation_distance": Names("account", held),
    }


def _known(names: Names, row: dict[str, Any], path: Path) -> Iterator[Problem]:
    name = _text(row.get(str(path[-1])))
    if name:
        yield from names.unknown(name, path)


def _dict(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _rows(raw: Any) -> list[tuple[int, dict[str, Any]]]:
    return [(i, _dict(row)) for i, row in enumerate(raw if isinstance(raw, list) else [])]


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else ""
