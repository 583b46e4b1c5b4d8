"""Ways for money between accounts: found inside a venue, configured between venues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from allocator.adapters.sources import AccountSource, NetworkTerms
from allocator.models.account import Account
from allocator.models.config import Config
from allocator.models.snapshot import MoveRule, Route

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
                "step": source.transfer_step,
                "latency_s": LATENCY_S,
            }
        )
        for source in sources
        for target in sources
        if source is not target and source.capabilities.transfers and source.reaches(target.config)
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
        elif found.fee < 0:
            problems.append((route.source, f"route {route.id}: a fee of {found.fee} is told"))
            found = None
        routes.append(_with_terms(route, found))
    return tuple(routes), tuple(problems)


def sendable(
    config: Config, routes: Iterable[Route], sources: Sequence[AccountSource]
) -> tuple[tuple[Route, ...], tuple[MoveRule, ...], tuple[tuple[str, str], ...]]:
    """Keep what adapters can send and see arrive: nothing is planned that would be refused.

    Returns
    -------
    routes, moves, problems
        A route by which nothing can be sent, or at whose end nothing is seen to arrive, is switched
        off; a move that cannot be sent is left out; either is named with the account it is for.
    """
    places = {source.config.id: source for source in sources}
    kept, moves, problems = list[Route](), list[MoveRule](), list[tuple[str, str]]()
    for route in routes:
        barred = _barred(route, places.get(route.source), places.get(route.target))
        if barred is not None:
            problems.append(barred)
        kept.append(route if barred is None else route.model_copy(update={"enabled": False}))
    for move in config.moves:
        source = places.get(move.source)
        if source is not None and not source.capabilities.moves:
            what = f"move of {move.instrument} to {move.target}: no position is moved from here"
            problems.append((move.source, what))
        else:
            moves.append(move)
    return tuple(kept), tuple(moves), tuple(problems)


def _barred(
    route: Route, source: AccountSource | None, target: AccountSource | None
) -> tuple[str, str] | None:
    """Tell for whom and why nothing goes by a route; None: it does."""
    if source is None or target is None:
        return None
    match route.kind:
        case "onchain":
            if not source.capabilities.withdrawals:
                return route.source, f"route {route.id}: nothing is withdrawn from here"
            if not target.capabilities.sees_deposits:
                return route.target, f"route {route.id}: no arrival is seen here"
        case "settlement":
            return route.source, f"route {route.id}: no adapter sends by a settlement network"
        case "internal":
            if not source.capabilities.transfers or not source.reaches(target.config):
                return route.source, f"route {route.id}: no transfer from here goes there"
    return None


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
