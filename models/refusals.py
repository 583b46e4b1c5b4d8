"""What problem.md refuses of a snapshot and a mandate that are each well-formed.

A single field is checked where it is defined. Here stands what crosses fields: references,
what tradable things must have, margin rules that are not convex, a mandate that makes no sense
for this book. Every check works on what could be read and says all it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from allocator.models.account import Account, Position
from allocator.models.errors import Problem
from allocator.models.mandate import Limit, Mandate
from allocator.models.market import Instrument, Tier, convexity_problems
from allocator.models.parts import Part, Parts, Path
from allocator.models.refusals_mandate import in_scope, mandate_problems, seen_before, unpriced
from allocator.models.snapshot import Snapshot

KINDS = frozenset({"spot", "perpetual", "future", "option"})
QUOTES = ("bid", "ask", "daily_volume")
"""What a tradable instrument needs, above zero."""


def book_problems(snapshot: Snapshot, mandate: Mandate) -> list[Problem]:
    """List everything that makes a snapshot and a mandate no sensible problem.

    Returns
    -------
    Problems with paths that start at ``snapshot`` or ``mandate``; empty: there are none.
    """
    parts = Parts.of(snapshot, mandate)
    return [*doubled_instruments(parts), *problems(parts)]


def doubled_instruments(parts: Parts) -> list[Problem]:
    """List the instruments that stand twice.

    A file that was put together from several sources may list one twice; its reader takes the
    last and says so. A value must be unambiguous.
    """
    return list(seen_before([(row.id, row.path) for row in parts.instruments], "instrument"))


def problems(parts: Parts) -> Iterator[Problem]:
    """Yield what crosses fields in the parts that could be read."""
    yield from parts.flaws
    yield from _doubles(parts)
    yield from _instruments(parts)
    for account in parts.accounts:
        if account.value is not None:
            yield from _references(parts, account, account.value)
            yield from _pairs(parts, account, account.value)
            yield from _spot(parts, account, account.value)
    yield from _quotes(parts)
    yield from _tiers(parts)
    yield from _convexity(parts)
    yield from _routes(parts)
    yield from _moves(parts)
    yield from mandate_problems(parts)


def _doubles(parts: Parts) -> Iterator[Problem]:
    for kind in ("account", "route"):
        rows = [(row.id, row.path) for row in getattr(parts, f"{kind}s")]
        yield from seen_before(rows, kind)
    pairs = Counter[tuple[str, str, str]]()
    for row in parts.moves:
        if row.value is not None:
            key = (row.value.source, row.value.target, row.value.instrument)
            pairs[key] += 1
            if pairs[key] > 1:
                yield Problem(row.path, f"a second move of {key[2]} from {key[0]} to {key[1]}")


def _instruments(parts: Parts) -> Iterator[Problem]:
    assets = parts.names("asset")
    for row in parts.instruments:
        inst = row.value
        if inst is None:
            continue
        cash = "quote" if inst.is_spot else "settle"
        yield from assets.unknown(inst.cash, (*row.path, cash))
        if inst.is_spot and inst.base is not None:
            yield from assets.unknown(inst.base, (*row.path, "base"))
        if inst.payoff == "inverse" and inst.quote not in (None, "USD"):
            yield from assets.unknown(inst.quote, (*row.path, "quote"))
        if inst.kind == "option" and inst.underlying is not None:
            yield from unpriced(parts, inst.underlying, (*row.path, "underlying"))


def _references(parts: Parts, row: Part[Account], account: Account) -> Iterator[Problem]:
    assets, instruments = parts.names("asset"), parts.names("instrument")
    for key in ("balances", "collateral", "ring_fenced"):
        for asset in getattr(account, key):
            yield from assets.unknown(asset, (*row.path, key, asset))
    for i, flight in enumerate(account.in_flight):
        yield from assets.unknown(flight.asset, (*row.path, "in_flight", i, "asset"))
    for i, order in enumerate(account.open_orders):
        yield from instruments.unknown(
            order.instrument, (*row.path, "open_orders", i, "instrument")
        )
    for name in sorted(set(account.fees.by) - KINDS):
        yield from instruments.unknown(name, (*row.path, "fees", "by", name))
    for i, scenario in enumerate(account.margin.scenarios):
        for name in scenario.pnl:
            path = (*row.path, "margin", "scenarios", i, "pnl", name)
            yield from instruments.unknown(name, path)


def _pairs(parts: Parts, row: Part[Account], account: Account) -> Iterator[Problem]:
    """Check each derivative of an account."""
    known, place = parts.by_id, (*row.path, "positions")
    for name, position in account.positions.items():
        part = known.get(name)
        if part is None:
            yield from parts.names("instrument").unknown(name, (*place, name))
        if part is None or part.value is None:
            continue
        if part.value.is_spot:
            text = "is spot: balances carry it; list it under `spot` to trade it"
            yield Problem((*place, name), text)
            continue
        if part.value.venue != account.venue:
            yield from _at_venue(account, part.value, (*place, name))
        if "margin" not in row.unread and _margined(position):
            yield from _margin(parts, account, part, position, (*place, name))


def _spot(parts: Parts, row: Part[Account], account: Account) -> Iterator[Problem]:
    """Check each spot instrument an account may trade."""
    names = parts.names("instrument")
    known = parts.by_id
    for i, name in enumerate(account.spot):
        path = (*row.path, "spot", i)
        yield from names.unknown(name, path)
        part = known.get(name)
        inst = part.value if part is not None else None
        if inst is not None and not inst.is_spot:
            yield Problem(path, f"{name} is not spot but a {inst.kind}; list it under `positions`")
        elif inst is not None:
            yield from _at_venue(account, inst, path)


def _at_venue(account: Account, inst: Instrument, path: Path) -> Iterator[Problem]:
    if inst.venue != account.venue:
        yield Problem(path, f"{inst.id} is not traded at {account.venue}")


def _margined(position: Position) -> bool:
    """Tell whether a pair has margin now or may come to have it."""
    legs = position.legs
    held = bool(position.net) or (legs is not None and bool(legs.long or legs.short))
    return held or position.may_trade


def _above_zero(value: object) -> str:
    """Word a figure that is given, but as zero."""
    return "" if value is None else " above 0"


def _quotes(parts: Parts) -> Iterator[Problem]:
    """Check that what may be traded is quoted; what lacks is told once, where it lacks."""
    traders: dict[str, list[str]] = {}
    for account in (row.value for row in parts.accounts if row.value is not None):
        pairs = [name for name, pair in account.positions.items() if pair.may_trade]
        for name in (*pairs, *account.spot):
            traders.setdefault(name, []).append(account.id)
    for name, part in parts.by_id.items():
        inst = part.value
        if inst is None or name not in traders:
            continue
        missing = [key for key in QUOTES if not getattr(inst, key)]
        missing += ["daily_volatility"] if inst.daily_volatility is None else []
        missing = [key for key in missing if key not in part.unread]
        if missing:
            told = [f"{key}{_above_zero(getattr(inst, key))}" for key in missing]
            message = f"has no {', '.join(told)}, but {_listed(traders[name])} may trade it"
            yield Problem(part.path, f"{message}; set tradable: false where that is not meant")


def _tiers(parts: Parts) -> Iterator[Problem]:
    """Check that there are brackets where a margin model needs them, told once likewise."""
    users: dict[str, list[str]] = {}
    for row in parts.accounts:
        account = row.value
        if account is None or account.margin.model == "scenario" or "margin" in row.unread:
            continue
        for name, position in account.positions.items():
            if not position.tiers and _margined(position):
                users.setdefault(name, []).append(account.id)
    for name, part in parts.by_id.items():
        inst = part.value
        if inst is None or inst.is_spot or inst.tiers or "tiers" in part.unread:
            continue
        if name in users:
            yield Problem(
                part.path, f"has no tiers, which the margin of {_listed(users[name])} needs"
            )


def _listed(names: list[str]) -> str:
    """Write a few names out."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _margin(
    parts: Parts, account: Account, part: Part[Instrument], position: Position, path: Path
) -> Iterator[Problem]:
    """Check that the margin of a pair can be computed, and stays bounded if it is traded."""
    inst = part.value
    assert inst is not None
    tiers = position.tiers or inst.tiers
    if account.margin.model == "scenario":
        yield from _in_scenarios(account, inst, position, path)
        if position.may_trade and not tiers and "tiers" not in part.unread:
            yield from _bounded(parts, account, inst, path)
    elif position.may_trade and position.leverage is None and tiers and tiers[0].initial is None:
        yield Problem(path, "leverage is required: the pair may be traded and its tiers need it")


def _in_scenarios(
    account: Account, inst: Instrument, position: Position, path: Path
) -> Iterator[Problem]:
    if not position.isolated:
        for i, scenario in enumerate(account.margin.scenarios):
            if inst.id not in scenario.pnl:
                yield Problem(path, f"margin.scenarios[{i}] of {account.id} has no pnl for it")


def _bounded(parts: Parts, account: Account, inst: Instrument, path: Path) -> Iterator[Problem]:
    rows = [row.value for row in parts.limits]
    unread = any(limit is None for limit in rows)
    if parts.has_mandate and not unread and not any(_bounds(x, account, inst) for x in rows if x):
        yield Problem(
            path,
            "is unbounded: under scenario margin it needs tiers, for their caps, or a limit "
            "on its quantity",
        )


def _bounds(limit: Limit, account: Account, inst: Instrument) -> bool:
    """Tell whether a quantity limit covers the pair."""
    of = limit.of
    return (
        limit.measure == "quantity"
        and limit.max is not None
        and "positions" in limit.counts
        and of.underlying in (None, inst.underlying)
        and of.instrument in (None, inst.id)
        and of.asset in (None, inst.cash)
        and in_scope(limit.scope, account)
    )


def _convexity(parts: Parts) -> Iterator[Problem]:
    """Check the marginal brackets that accounts use, each where it is written."""
    known, used = parts.by_id, set[str]()
    places = dict[Path, tuple[Tier, ...]]()
    for row in parts.accounts:
        account = row.value
        if account is None or account.margin.model != "tiered" or "margin" in row.unread:
            continue
        for name, position in account.positions.items():
            inst = known.get(name)
            if position.tiers:
                places[*row.path, "positions", name, "tiers"] = position.tiers
            elif inst is not None and inst.value is not None and name not in used:
                used.add(name)
                places[*inst.path, "tiers"] = inst.value.tiers
    for path, tiers in places.items():
        for message in convexity_problems(tiers):
            yield Problem(path, f"not convex, which margin model tiered needs: {message}")


def _routes(parts: Parts) -> Iterator[Problem]:
    assets, accounts = parts.names("asset"), parts.names("account")
    for row in parts.routes:
        route = row.value
        if route is None:
            continue
        yield from accounts.unknown(route.source, (*row.path, "from"))
        yield from accounts.unknown(route.target, (*row.path, "to"))
        yield from assets.unknown(route.asset, (*row.path, "asset"))
        if route.source == route.target:
            yield Problem((*row.path, "to"), f"leads from {route.source} to itself")
        if route.max is not None and route.min > route.max:
            yield Problem((*row.path, "min"), f"min {route.min} is above max {route.max}")


def _moves(parts: Parts) -> Iterator[Problem]:
    accounts, instruments = parts.names("account"), parts.names("instrument")
    known = {row.id: row.value for row in parts.accounts}
    spot = {row.id for row in parts.instruments if row.value is not None and row.value.is_spot}
    for row in parts.moves:
        rule = row.value
        if rule is None:
            continue
        yield from accounts.unknown(rule.source, (*row.path, "from"))
        yield from accounts.unknown(rule.target, (*row.path, "to"))
        yield from instruments.unknown(rule.instrument, (*row.path, "instrument"))
        if rule.instrument in spot:
            yield Problem((*row.path, "instrument"), "spot is not moved but transferred")
        if rule.source == rule.target:
            yield Problem((*row.path, "to"), f"leads from {rule.source} to itself")
        a, b = known.get(rule.source), known.get(rule.target)
        if a is not None and b is not None:
            yield from _one_house(a, b, row.path)


def _one_house(a: Account, b: Account, path: Path) -> Iterator[Problem]:
    if a.owner != b.owner:
        yield Problem(path, f"moves between owners {a.owner} and {b.owner}; one owner is wanted")
    if a.venue != b.venue:
        yield Problem(path, f"moves between venues {a.venue} and {b.venue}; one venue is wanted")
