"""What problem.md refuses of a mandate, alone or for the book it is meant for."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext

from allocator.models.account import Account
from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem
from allocator.models.mandate import Limit, Policy, Risk, Scope
from allocator.models.parts import Names, Part, Parts, Path

DEFAULT_VOLATILITY = Decimal("0.03")
ROUNDING = Decimal("1e-12")
"""A pivot this far below zero, relative to the largest variance, is rounding."""


def mandate_problems(parts: Parts) -> Iterator[Problem]:
    """Yield what is wrong with targets, limits and policy."""
    underlyings = Names("underlying", parts.underlyings, _all_known(parts))
    yield from _targets(parts, underlyings)
    yield from _limits(parts, underlyings)
    policy = parts.policy.value
    if policy is not None:
        yield from _policy(parts, policy, underlyings)
        yield from _risk(parts, policy.risk, underlyings)


def _all_known(parts: Parts) -> bool:
    return parts.has_snapshot and "assets" not in parts.unnamed


def seen_before(names: list[tuple[str, Path]], kind: str) -> Iterator[Problem]:
    """Yield a problem for every name that stands a second time."""
    seen = Counter[str]()
    for name, path in names:
        seen[name] += 1
        if name and seen[name] > 1:
            yield Problem(path, f"a second {kind} {name!r}")


def _targets(parts: Parts, underlyings: Names) -> Iterator[Problem]:
    yield from seen_before([(row.id, row.path) for row in parts.targets], "target for")
    for row in parts.targets:
        if row.value is None:
            continue
        path = (*row.path, "underlying")
        unknown = list(underlyings.unknown(row.value.underlying, path))
        yield from unknown
        if row.value.unit == "base" and not unknown:
            yield from unpriced(parts, row.value.underlying, path)


def unpriced(parts: Parts, underlying: str, path: Path) -> Iterator[Problem]:
    """Yield a problem if no single asset gives the price of an underlying."""
    if not parts.has_snapshot or underlying in parts.assets or "assets" in parts.unnamed:
        return
    rows = parts.assets.items()
    if any(row.value is None for _, row in rows):
        return
    named = sorted(k for k, row in rows if row.value and row.value.underlying == underlying)
    if len(named) != 1:
        which = f"{', '.join(named)} all carry it" if named else "none carries it"
        yield Problem(path, f"no single asset gives the price of {underlying}: {which}")


def _limits(parts: Parts, underlyings: Names) -> Iterator[Problem]:
    yield from seen_before([(row.id, row.path) for row in parts.limits], "limit")
    assets, instruments = parts.names("asset"), parts.names("instrument")
    for row in parts.limits:
        limit = row.value
        if limit is None:
            continue
        of = (*row.path, "of")
        if limit.of.underlying is not None:
            yield from underlyings.unknown(limit.of.underlying, (*of, "underlying"))
        if limit.of.instrument is not None:
            yield from instruments.unknown(limit.of.instrument, (*of, "instrument"))
        if limit.of.asset is not None:
            yield from assets.unknown(limit.of.asset, (*of, "asset"))
        if limit.max is not None and limit.min is not None and limit.min > limit.max:
            yield Problem((*row.path, "min"), f"min {limit.min} is above max {limit.max}")
        yield from _scope(parts, row, limit)


def _scope(parts: Parts, row: Part[Limit], limit: Limit) -> Iterator[Problem]:
    """Refuse a scope that names no account: it would bind nothing and look as if it did."""
    accounts = [part.value for part in parts.accounts]
    if not parts.has_snapshot or "accounts" in parts.unnamed:
        return
    read = [account for account in accounts if account is not None]
    if any(in_scope(limit.scope, account) for account in read):
        return
    if limit.scope.account is not None:
        yield from parts.names("account").unknown(
            limit.scope.account, (*row.path, "scope", "account")
        )
    elif len(read) == len(accounts):
        yield from _nameless(limit.scope, read, (*row.path, "scope"))


def _nameless(scope: Scope, accounts: list[Account], path: Path) -> Iterator[Problem]:
    owners = frozenset(a.owner for a in accounts)
    venues = frozenset(a.venue for a in accounts)
    groups = frozenset(a.group for a in accounts)
    found = list[Problem]()
    if scope.owner is not None:
        found += Names("owner", owners).unknown(scope.owner, (*path, "owner"))
    if scope.venue is not None:
        found += Names("venue", venues).unknown(scope.venue, (*path, "venue"))
    if scope.control_group is not None:
        found += Names("control group", groups).unknown(
            scope.control_group, (*path, "control_group")
        )
    yield from found or [Problem(path, "names no account")]


def in_scope(scope: Scope, account: Account) -> bool:
    """Tell whether a scope covers an account."""
    return (
        scope.account in (None, account.id)
        and scope.owner in (None, account.owner)
        and scope.venue in (None, account.venue)
        and scope.control_group in (None, account.group)
    )


def _policy(parts: Parts, policy: Policy, underlyings: Names) -> Iterator[Problem]:
    path = parts.policy.path
    instruments = parts.names("instrument")
    read = [row.value for row in parts.accounts]
    venues = Names(
        "venue",
        frozenset(a.venue for a in read if a is not None),
        parts.has_snapshot and "accounts" not in parts.unnamed and None not in read,
    )
    for name in policy.alpha:
        yield from instruments.unknown(name, (*path, "alpha", name))
    for name in policy.venue_risk:
        yield from venues.unknown(name, (*path, "venue_risk", name))
    stresses = [(row.id, (*path, "stress", i)) for i, row in enumerate(policy.stress)]
    yield from seen_before([(name, at) for name, at in stresses], "stress")
    for i, stress in enumerate(policy.stress):
        for name in stress.prices:
            yield from underlyings.unknown(name, (*path, "stress", i, "prices", name))


def _risk(parts: Parts, risk: Risk, underlyings: Names) -> Iterator[Problem]:
    path = (*parts.policy.path, "risk")
    for name in risk.daily_volatility:
        yield from underlyings.unknown(name, (*path, "daily_volatility", name))
    rho, unknown = dict[frozenset[str], Decimal](), list[Problem]()
    for i, (u, v, value) in enumerate(risk.correlation):
        at = (*path, "correlation", i)
        unknown += [p for j, name in enumerate((u, v)) for p in underlyings.unknown(name, (*at, j))]
        if rho.setdefault(frozenset((u, v)), value) != value:
            unknown.append(Problem(at, f"a second correlation of {u} and {v}"))
        if u == v and value != ONE:
            unknown.append(Problem(at, f"the correlation of {u} with itself is one"))
    yield from unknown
    if not unknown:
        yield from _covariance(parts, risk, rho, path)


def _covariance(
    parts: Parts, risk: Risk, rho: dict[frozenset[str], Decimal], path: Path
) -> Iterator[Problem]:
    """Refuse correlations of some pairs only, and a covariance that is no covariance.

    One correlation between zero and one for all pairs always makes one.
    """
    if not rho:
        return
    names = sorted(parts.underlyings)
    if not parts.has_snapshot:
        targets = {row.id for row in parts.targets if row.id}
        names = sorted({*targets, *risk.daily_volatility, *(name for pair in rho for name in pair)})
    pairs = [frozenset(pair) for pair in itertools.combinations(names, 2)]
    missing = [" and ".join(sorted(pair)) for pair in pairs if pair not in rho]
    if missing:
        yield Problem(
            (*path, "correlation"),
            f"given for some pairs only; missing: {', '.join(missing[:5])}"
            + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
        )
        return
    volatility = [risk.daily_volatility.get(name, DEFAULT_VOLATILITY) for name in names]
    matrix = [
        [
            volatility[i] * volatility[j] * (ONE if i == j else rho[frozenset((u, v))])
            for j, v in enumerate(names)
        ]
        for i, u in enumerate(names)
    ]
    if not is_semidefinite(matrix):
        yield Problem(path, "the covariance is not positive semidefinite")


def is_semidefinite(matrix: list[list[Decimal]]) -> bool:
    """Tell whether a symmetric matrix has no negative eigenvalue, by exact elimination.

    A matrix is positive semidefinite when no pivot is negative and a pivot of zero has nothing
    but zeros beside it; `ROUNDING` relative to the largest diagonal counts as zero.
    """
    rows = [list(row) for row in matrix]
    tiny = max((rows[i][i] for i in range(len(rows))), default=ZERO) * ROUNDING
    with localcontext(Context(prec=50)):
        for k, row in enumerate(rows):
            pivot = row[k]
            rest = range(k + 1, len(rows))
            if pivot < -tiny or (pivot <= tiny and any(abs(row[i]) > tiny for i in rest)):
                return False
            if pivot > tiny:
                for i in rest:
                    factor, below = row[i] / pivot, rows[i]
                    for j in range(i, len(rows)):
                        below[j] -= factor * row[j]
    return True
