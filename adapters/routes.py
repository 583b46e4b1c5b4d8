"""Ways for money between accounts: found inside a venue, configured between venues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from allocator.adapters.sources import AccountSource, NetworkTerms
from allocator.models.account import Account
from allocator.models.config import Config
from allocator.models.snapshot import MoveRule, Route

STEP = Decimal("1e-8")
LATENCY_S = Decimal(1)
"""Seconds after which a free, immediate transfer must show in the receiver's balance."""


def internal_routes(
    sources: Sequence[AccountSource], accounts: Mapping[str, Account]
) -> tuple[Route, ...]:
    """List free routes between accounts that reach each other, for every asset that may leave.

    A route's id is ``internal:FROM>TO:ASSET``.
    """
    return tuple(
        Route.model_validate(
            {
                "id": f"internal:{source.config.id}>{target.config.id}:{asset}",
                "from": source.config.id,
                "to": target.config.id,
                "asset": asset,
                "step": STEP,
                "latency_s": LATENCY_S,
            }
        )
        for source in sources
        for target in sources
        if source is not target and source.reaches(target.config)
        for asset, balance in sorted(accounts[source.config.id].balances.items())
        if balance.withdrawable is not None and target.accepts(asset)
    )


def onchain_routes(
    config: Config, venues: Mapping[str, str], terms: Mapping[str, Mapping[str, NetworkTerms]]
) -> tuple[tuple[Route, ...], tuple[tuple[str, str], ...]]:
    """Give configured routes the terms that the sending venue states.

    Parameters
    ----------
    venues
        Venue by account.
    terms
        By venue, then ``asset:network``.

    Returns
    -------
    routes, problems
        A route whose terms are not known is switched off, and named with its sender.
    """
    routes, problems = list[Route](), list[tuple[str, str]]()
    for route in config.routes:
        if route.kind != "onchain":
            routes.append(route)
            continue
        address = config.addresses.get(route.id)
        known = terms.get(venues.get(route.source, ""), {})
        found = None if address is None else known.get(f"{route.asset}:{address.network}")
        if address is None:
            problems.append((route.source, f"route {route.id}: no address is registered"))
        elif found is None:
            problems.append((route.source, f"route {route.id}: fee and minimum were not read"))
        routes.append(_with_terms(route, found))
    return tuple(routes), tuple(problems)


def sendable(
    config: Config, routes: Iterable[Route], sources: Sequence[AccountSource]
) -> tuple[tuple[Route, ...], tuple[MoveRule, ...], tuple[tuple[str, str], ...]]:
    """Keep what adapters can send: nothing is planned that would be refused at its sending.

    Returns
    -------
    routes, moves, problems
        A withdrawal that the sender's adapter cannot send is switched off; a move that it cannot
        send is left out; either is named with its sender.
    """
    able = {source.config.id: source.capabilities for source in sources}
    kept, moves, problems = list[Route](), list[MoveRule](), list[tuple[str, str]]()
    for route in routes:
        can = able.get(route.source)
        if route.kind == "onchain" and can is not None and not can.withdrawals:
            problems.append((route.source, f"route {route.id}: nothing is withdrawn from here"))
            kept.append(route.model_copy(update={"enabled": False}))
        else:
            kept.append(route)
    for move in config.moves:
        can = able.get(move.source)
        if can is not None and not can.moves:
            what = f"move of {move.instrument} to {move.target}: no position is moved from here"
            problems.append((move.source, what))
        else:
            moves.append(move)
    return tuple(kept), tuple(moves), tuple(problems)


def _with_terms(route: Route, terms: NetworkTerms | None) -> Route:
    if terms is None:
        return route.model_copy(update={"enabled": False})
    return route.model_copy(
        update={
            "fee": terms.fee,
            "min": max(route.min, terms.minimum),
            "step": max(route.step, terms.step),
            "enabled": route.enabled and terms.open,
        }
    )


def merged(configured: Iterable[Route], found: Iterable[Route]) -> tuple[Route, ...]:
    """Put routes together; a configured one replaces what was found between the same two places."""
    first = tuple(configured)
    taken = {(row.source, row.target, row.asset) for row in first if row.kind == "internal"}
    return first + tuple(row for row in found if (row.source, row.target, row.asset) not in taken)
