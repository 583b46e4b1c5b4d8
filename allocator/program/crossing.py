"""The one crossing from Decimal to float.

Nothing is rounded on purpose here: the exact law judges every plan afterwards, so a float only
has to be near.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from allocator.margin import cap_leverage
from allocator.models.base import ZERO
from allocator.models.market import Instrument
from allocator.program.arrays import UNIT, Arrays, Moves, Orders, Pairs, Routes, Wallets
from allocator.program.separable import Index, Vector
from allocator.state import Book, Pair

SECONDS_A_YEAR = 365 * 86400


class Crossing:
    """Turns Decimal money into units, and names into numbers; the only place that does.

    Ids are sorted, so that the order of the lists does not matter.
    """

    def __init__(self, book: Book, unit: Decimal = UNIT) -> None:
        self.book, self.unit = book, unit
        self.accounts = tuple(sorted(book.accounts))
        self.instruments = tuple(sorted(book.instruments))
        self.assets = tuple(sorted(book.snapshot.assets))

    def money(self, values: Iterable[Decimal]) -> Vector:
        """Cross numeraire into units."""
        return np.array([float(value / self.unit) for value in values], dtype=np.float64)

    def by_instrument(self, used: Index, value: Callable[[Instrument], Decimal | None]) -> Vector:
        """Cross a figure of each instrument that is used; what has none is without bound.

        Returns
        -------
        Shape ``(n_instruments,)``, zero where not used.
        """
        out = np.zeros(len(self.instruments))
        for at in np.unique(used):
            found = value(self.book.instruments[self.instruments[at]])
            out[at] = np.inf if found is None else float(found)
        return out

    @staticmethod
    def plain(values: Iterable[Decimal]) -> Vector:
        """Cross pure numbers."""
        return np.array([float(value) for value in values], dtype=np.float64)


def where(rows: Iterable[str]) -> dict[str, int]:
    """Look up positions of sorted names."""
    return {name: at for at, name in enumerate(rows)}


def arrays_of(book: Book) -> Arrays:
    """Cross a book into arrays."""
    cross = Crossing(book)
    pairs = _pairs(cross)
    wallets = _wallets(cross)
    return Arrays(
        book=book,
        unit=float(cross.unit),
        accounts=cross.accounts,
        instruments=cross.instruments,
        assets=cross.assets,
        pairs=pairs,
        wallets=wallets,
        orders=_orders(cross, pairs, wallets),
        routes=_routes(cross, wallets),
        moves=_moves(cross, pairs, wallets),
        frozen=np.array(
            [book.accounts[name].state == "frozen" for name in cross.accounts], dtype=bool
        ),
    )


def _pairs(cross: Crossing) -> Pairs:
    book = cross.book
    working = _open_orders(book)
    keys = tuple(sorted(set(book.quantity) | set(working)))
    number, listed = where(cross.accounts), where(cross.instruments)
    places = [book.position(*key) for key in keys]
    legs, sides = np.full(len(keys), np.nan), np.zeros((2, len(keys)))
    for at, (key, place) in enumerate(zip(keys, places, strict=True)):
        n = book.units[key[1]].notional
        if place is not None and place.legs is not None:
            legs[at] = float((place.legs.long + place.legs.short) * n / cross.unit)
        if key in working:
            sides[:, at] = cross.money(side * n for side in working[key])
    instrument = np.array([listed[key[1]] for key in keys], dtype=np.int64)
    scale = cross.by_instrument(instrument, lambda row: book.units[row.id].notional / cross.unit)
    return Pairs(
        keys=keys,
        account=np.array([number[key[0]] for key in keys], dtype=np.int64),
        instrument=instrument,
        start=cross.money(book.quantity.get(k, ZERO) * book.units[k[1]].notional for k in keys),
        scale=scale[instrument],
        fixed_gross=legs,
        buying=sides[0],
        selling=sides[1],
        tradable=np.array([place is not None and place.may_trade for place in places], dtype=bool),
        isolated=np.array(
            [place is not None and place.isolated is not None for place in places], dtype=bool
        ),
        cap=_caps(cross, keys),
    )


def _open_orders(book: Book) -> dict[Pair, tuple[Decimal, Decimal]]:
    out: dict[Pair, tuple[Decimal, Decimal]] = {}
    for account in book.accounts.values():
        for row in account.open_orders:
            if row.reduce_only or book.instruments[row.instrument].is_spot:
                continue
            buys, sells = out.get((account.id, row.instrument), (ZERO, ZERO))
            more = (row.quantity, ZERO) if row.side == "buy" else (ZERO, row.quantity)
            out[account.id, row.instrument] = (buys + more[0], sells + more[1])
    return out


def _caps(cross: Crossing, keys: Sequence[Pair]) -> Vector:
    """Look up the largest notional in brackets whose leverage reaches the selected one."""
    known = dict[Hashable, float]()
    out = np.full(len(keys), np.inf)
    for at, key in enumerate(keys):
        tiers = cross.book.tiers.get(key, ())
        if not tiers:
            continue
        leverage = cap_leverage(cross.book, *key)
        kind = (id(tiers), leverage)
        if kind not in known:
            caps = [t.cap for t in tiers if t.max_leverage is None or t.max_leverage >= leverage]
            known[kind] = float(max(caps, default=ZERO) / cross.unit)
        out[at] = known[kind]
    return out


def _wallets(cross: Crossing) -> Wallets:
    book = cross.book
    keys = tuple(sorted(_wallet_keys(book)))
    number, listed = where(cross.accounts), where(cross.assets)
    price = [book.price(asset) for _, asset in keys]

    def money(units: Callable[[Pair], Decimal]) -> Vector:
        return cross.money(units(key) * p for key, p in zip(keys, price, strict=True))

    return Wallets(
        keys=keys,
        account=np.array([number[key[0]] for key in keys], dtype=np.int64),
        asset=np.array([listed[key[1]] for key in keys], dtype=np.int64),
        wallet=money(lambda key: book.wallet.get(key, ZERO)),
        equity=money(
            lambda key: (
                book.wallet.get(key, ZERO) + book.gains.get(key, ZERO) - book.ring_fenced(*key)
            )
        ),
        ring=money(lambda key: book.ring_fenced(*key)),
        arriving=money(lambda key: book.arriving(key[0]).get(key[1], ZERO)),
        withdrawable=money(lambda key: book.withdrawable(*key)),
        isolated=money(lambda key: book.set_aside.get(key, ZERO)),
    )


def _wallet_keys(book: Book) -> set[Pair]:
    keys = set(book.wallet) | set(book.gains)
    for account in book.accounts.values():
        keys |= {(account.id, asset) for asset in account.ring_fenced}
        keys |= {(account.id, row.asset) for row in account.in_flight}
        keys |= {(account.id, book.instruments[name].cash) for name in account.positions}
        for name in account.spot:
            row = book.instruments[name]
            keys |= {(account.id, row.cash), (account.id, str(row.base))}
    for route in book.routes.values():
        keys |= {(route.source, route.asset), (route.target, route.asset)}
    return keys


def _orders(cross: Crossing, pairs: Pairs, wallets: Wallets) -> Orders:
    book = cross.book
    usable = _usable(book, (*book.pairs, *sorted(set(book.spot_pairs))))
    at_pair = {key: at for at, key in enumerate(pairs.keys)}
    number, listed = where(cross.accounts), where(cross.instruments)
    pair = np.array([at_pair.get(key, -1) for key in usable], dtype=np.int64)
    used = np.array([listed[key[1]] for key in usable], dtype=np.int64)
    scale, unit = {name: row.notional for name, row in book.units.items()}, cross.unit
    spot = np.array([book.instruments[name].is_spot for name in cross.instruments], dtype=bool)
    tight = np.array([_only_reduces(book, key) for key in usable], dtype=bool)
    cash, base = _paid_from(book, usable, wallets)

    def each(value: Callable[[Instrument], Decimal | None]) -> Vector:
        return np.asarray(cross.by_instrument(used, value)[used], dtype=np.float64)

    def most(row: Instrument) -> Decimal | None:
        top = row.max_quantity
        return None if top is None else top // row.lot * row.lot * scale[row.id] / unit

    def gain(row: Instrument) -> Decimal:
        return book.price(str(row.base)) / scale[row.id] if row.is_spot else ZERO

    return Orders(
        keys=usable,
        pair=pair,
        account=np.array([number[key[0]] for key in usable], dtype=np.int64),
        instrument=used,
        cash=cash,
        base=base,
        scale=each(lambda row: scale[row.id] / unit),
        toll=_tolls(cross, usable),
        gain=each(gain),
        least=each(lambda row: book.units[row.id].smallest / unit),
        most=each(most),
        lot=each(lambda row: row.lot * scale[row.id] / unit),
        may_buy=~(spot[used] & tight),
        may_sell=np.ones(len(usable), dtype=bool),
        only_reduce=tight,
        closes=np.where(
            [_is_whole(book, key) for key in usable], np.abs(np.append(pairs.start, 0.0)[pair]), 0.0
        ),
    )


def _usable(book: Book, keys: Iterable[Pair]) -> tuple[Pair, ...]:
    """Pick the pairs that may get an order."""
    thawed = {row.id: row.venue for row in book.accounts.values() if row.state != "frozen"}
    quoted = {
        row.id: row.venue
        for row in book.instruments.values()
        if book.status(row.id) != "halted"
        and row.daily_volume
        and row.bid is not None
        and row.ask is not None
    }
    return tuple(key for key in keys if key[1] in quoted and thawed.get(key[0]) == quoted[key[1]])


def _paid_from(book: Book, keys: Sequence[Pair], wallets: Wallets) -> tuple[Index, Index]:
    """Find the wallets that pay, and those that what spot buys goes to (-1: none)."""
    at = {key: number for number, key in enumerate(wallets.keys)}
    cash = {row.id: row.cash for row in book.instruments.values()}
    base = {row.id: str(row.base) for row in book.instruments.values() if row.is_spot}
    return (
        np.array([at[account, cash[name]] for account, name in keys], dtype=np.int64),
        np.array(
            [at[account, base[name]] if name in base else -1 for account, name in keys],
            dtype=np.int64,
        ),
    )


def _tolls(cross: Crossing, keys: Sequence[Pair]) -> Vector:
    """Cross fee and half-spread as a fraction of notional."""
    book, known = cross.book, dict[tuple[str, Decimal], float]()
    out = np.zeros(len(keys))
    for at, (account, name) in enumerate(keys):
        kind = (name, book.taker(account, name))
        if kind not in known:
            row = book.units[name]
            known[kind] = float(kind[1] + row.half_spread / row.notional)
        out[at] = known[kind]
    return out


def _only_reduces(book: Book, key: Pair) -> bool:
    return "reduce_only" in (book.accounts[key[0]].state, book.units[key[1]].status)


def _is_whole(book: Book, key: Pair) -> bool:
    """Tell whether whole lots can close a pair."""
    held = book.quantity.get(key)
    return held is not None and bool(held) and not held % book.instruments[key[1]].lot


def _routes(cross: Crossing, wallets: Wallets) -> Routes:
    book = cross.book
    at = {key: number for number, key in enumerate(wallets.keys)}
    rows = [row for _, row in sorted(book.routes.items()) if _usable_route(book, row.id)]
    price = [book.price(row.asset) for row in rows]
    capital = book.policy.capital_rate
    return Routes(
        ids=tuple(row.id for row in rows),
        source=np.array([at[row.source, row.asset] for row in rows], dtype=np.int64),
        target=np.array([at[row.target, row.asset] for row in rows], dtype=np.int64),
        rate=cross.plain(row.rate for row in rows),
        fee=cross.money(row.fee * p for row, p in zip(rows, price, strict=True)),
        cost=cross.plain(capital * row.latency_s / SECONDS_A_YEAR for row in rows),
        least=cross.money(_up(row.min, row.step) * p for row, p in zip(rows, price, strict=True)),
        most=cross.money(_most(book, row.id) * p for row, p in zip(rows, price, strict=True)),
        step=cross.money(row.step * p for row, p in zip(rows, price, strict=True)),
    )


def _usable_route(book: Book, name: str) -> bool:
    row = book.routes[name]
    ends = (book.accounts[row.source], book.accounts[row.target])
    thawed = all(account.state != "frozen" for account in ends)
    return book.policy.transfers and row.enabled and thawed and row.source != row.target


def _most(book: Book, name: str) -> Decimal:
    """Largest amount that the route and what may leave allow, a multiple of the step."""
    row = book.routes[name]
    room = (book.withdrawable(row.source, row.asset) - row.fee) / (1 + row.rate)
    top = max(ZERO, room if row.max is None else min(room, row.max))
    return (top / row.step).to_integral_value(ROUND_FLOOR) * row.step if row.step else top


def _up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step if step else value


def _moves(cross: Crossing, pairs: Pairs, wallets: Wallets) -> Moves:
    book = cross.book
    at_pair = {key: at for at, key in enumerate(pairs.keys)}
    at_wallet = {key: at for at, key in enumerate(wallets.keys)}
    rows = [row for key, row in sorted(book.moves.items()) if _usable_move(book, key)]
    sender = [(row.source, row.instrument) for row in rows]
    scale = [book.notional(row.instrument) for row in rows]
    held = [book.quantity[key] for key in sender]
    cash = [book.instruments[row.instrument].cash for row in rows]
    lots = [book.instruments[row.instrument].lot for row in rows]
    tops = [
        min(abs(q) * n, row.max_notional or abs(q) * n)
        for q, n, row in zip(held, scale, rows, strict=True)
    ]
    return Moves(
        keys=tuple((row.source, row.target, row.instrument) for row in rows),
        source=np.array([at_pair[key] for key in sender], dtype=np.int64),
        target=np.array([at_pair[row.target, row.instrument] for row in rows], dtype=np.int64),
        sign=np.array([1.0 if q > 0 else -1.0 for q in held], dtype=np.float64),
        cash=np.array(
            [at_wallet[row.source, c] for row, c in zip(rows, cash, strict=True)], dtype=np.int64
        ),
        settled=cross.plain(
            book.unrealised[key] * book.price(c) / (abs(q) * n)
            for key, c, q, n in zip(sender, cash, held, scale, strict=True)
        ),
        fee=cross.money(row.fee for row in rows),
        most=cross.money(
            top / n // lot * lot * n for top, n, lot in zip(tops, scale, lots, strict=True)
        ),
        lot=cross.money(lot * n for lot, n in zip(lots, scale, strict=True)),
    )


def _usable_move(book: Book, key: tuple[str, str, str]) -> bool:
    source, target, name = key
    ends = (book.accounts[source], book.accounts[target])
    if not book.policy.moves or any(account.state == "frozen" for account in ends):
        return False
    places = (book.position(source, name), book.position(target, name))
    listed = all(place is not None and place.may_trade for place in places)
    akin = ends[0].owner == ends[1].owner and ends[0].venue == ends[1].venue
    moving = book.status(name) != "halted" and bool(book.quantity.get((source, name)))
    return listed and akin and moving and source != target
