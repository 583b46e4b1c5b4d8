"""A plain JSON surface under /__emulator__/ to look into the exchange and to move it.

| method, path | body or query | what |
|-|-|-|
| GET /__emulator__/health | | process id and time |
| GET /__emulator__/state | ?kind=order | every row of a table, or of all |
| GET /__emulator__/requests | ?after=N | the request log |
| GET /__emulator__/effects | | accepted orders, transfers, withdrawals, moves by client id |
| GET /__emulator__/table | | the endpoint x case table, Markdown |
| POST /__emulator__/price | {coin, usd} | moves the index and the marks |
| POST /__emulator__/funding | {instrument, rate} | sets the next funding rate |
| POST /__emulator__/clock | {advance_ms} | moves time; dues are carried out |
| POST /__emulator__/together | {txid} | sends what waits to leave in one transaction |
| POST /__emulator__/faults | {rules: [...]} | replaces the fault rules |
| POST /__emulator__/notice | {venue, state, ...} | what a venue tells of itself |
| POST /__emulator__/waiting | {user, instrument, ...} | adds an order that waits for a trigger |
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from decimal import Decimal

from pydantic import TypeAdapter

from allocator.adapters.emulator import events, table
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.faults import Fault, Rule
from allocator.adapters.emulator.notices import Notice
from allocator.adapters.emulator.records import Waiting
from allocator.adapters.emulator.wire import Json

PREFIX = "/__emulator__/"
FIRST_WAITING = 2_148_627
Counted = Counter[tuple[str, ...]]
_JSON: TypeAdapter[object] = TypeAdapter(object)


def answer(exchange: Exchange, method: str, path: str, params: dict[str, Json]) -> Json:
    """Carry out an admin request; raise KeyError for an unknown one, ValueError for a bad one."""
    handler = ROUTES[(method, path.removeprefix(PREFIX))]
    with exchange.unit():
        return handler(exchange, params)


def jsonable(row: object) -> Json:
    """Return rows as JSON values, Decimals as strings."""
    plain: Json = _JSON.dump_python(row, mode="json")
    return plain


def _health(exchange: Exchange, params: dict[str, Json]) -> Json:
    del params
    return {"pid": os.getpid(), "now_ms": exchange.clock.now_ms()}


def _state(exchange: Exchange, params: dict[str, Json]) -> Json:
    kind = params.get("kind")
    return {
        t.kind: [jsonable(row) for row in t]
        for t in exchange.ledger.tables()
        if kind in {None, t.kind}
    }


def _requests(exchange: Exchange, params: dict[str, Json]) -> Json:
    after = int(str(params.get("after", 0)))
    return [{"id": number, **asdict(row)} for number, row in exchange.log.read(after)]


def _effects(exchange: Exchange, params: dict[str, Json]) -> Json:
    del params
    ledger = exchange.ledger
    orders: Counted = Counter((o.user, o.instrument, o.client_id) for o in ledger.orders)
    transfers: Counted = Counter(
        (t.venue, t.route, t.client_id or t.id, t.coin, format(t.amount, "f"),
         f"{t.from_user}/{t.from_wallet}", f"{t.to_user}/{t.to_wallet}")
        for t in ledger.transfers
    )  # fmt: skip
    withdrawals: Counted = Counter(
        (w.user, w.client_id, w.coin, format(w.amount, "f"), w.address) for w in ledger.withdrawals
    )
    moves: Counted = Counter((m.from_user, m.to_user, m.client_id) for m in ledger.moves)
    return {
        "orders": _counted(orders, ("user", "instrument", "client_id")),
        "transfers": _counted(
            transfers, ("venue", "route", "client_id", "coin", "amount", "source", "target")
        ),
        "withdrawals": _counted(withdrawals, ("user", "client_id", "coin", "amount", "address")),
        "moves": _counted(moves, ("source", "target", "client_id")),
    }


def _counted(counts: Mapping[tuple[str, ...], int], names: tuple[str, ...]) -> Json:
    return [{**dict(zip(names, key, strict=True)), "count": n} for key, n in counts.items()]


def _table(exchange: Exchange, params: dict[str, Json]) -> Json:
    del params
    return table.markdown(e for venue in exchange.venues.values() for e in venue.endpoints)


def _price(exchange: Exchange, params: dict[str, Json]) -> Json:
    events.set_price(exchange, str(params["coin"]), Decimal(str(params["usd"])))
    return {}


def _funding(exchange: Exchange, params: dict[str, Json]) -> Json:
    instrument = exchange.instruments[str(params["instrument"])]
    events.set_funding(exchange, instrument, Decimal(str(params["rate"])))
    return {}


def _clock(exchange: Exchange, params: dict[str, Json]) -> Json:
    exchange.advance_clock(int(str(params["advance_ms"])))
    events.catch_up(exchange)
    return {"now_ms": exchange.clock.now_ms()}


def _together(exchange: Exchange, params: dict[str, Json]) -> Json:
    """Send every withdrawal that waits in one transaction; each arrives when it is due."""
    ledger, txid = exchange.ledger, str(params["txid"])
    pending = tuple(ledger.withdrawals.by("status", "pending"))
    for row in pending:
        ledger.withdrawals.put(replace(row, txid=txid, status="sent"))
    return {"withdrawals": len(pending)}


def _faults(exchange: Exchange, params: dict[str, Json]) -> Json:
    rules = TypeAdapter(list[Rule]).validate_python(params.get("rules", []))
    exchange.faults.rules = [Rule(Fault(r.kind), *_rest(r)) for r in rules]
    return {"rules": len(rules)}


def _rest(rule: Rule) -> tuple[str, str, str, int, int, float, str]:
    return rule.host, rule.path, rule.method, rule.nth, rule.times, rule.delay_s, rule.key


def _notice(exchange: Exchange, params: dict[str, Json]) -> Json:
    told = dict(params)
    venue = exchange.venues[str(told.pop("venue"))].name
    notice = TypeAdapter(Notice).validate_python(told)
    exchange.notices[venue] = notice
    return {"venue": venue, "state": notice.state}


def _waiting(exchange: Exchange, params: dict[str, Json]) -> Json:
    """Add an order that waits, its fields those of the row; the id is its number."""
    number = exchange.ledger.next("waiting", FIRST_WAITING)
    told = {**params, "id": str(number), "created_ms": exchange.clock.now_ms()}
    row = TypeAdapter(Waiting).validate_python(told)
    if row.user not in exchange.ledger.users or row.instrument not in exchange.instruments:
        raise ValueError(f"no user {row.user}, or no instrument {row.instrument}")
    exchange.ledger.waiting.put(row)
    return {"id": row.id}


ROUTES: dict[tuple[str, str], Callable[[Exchange, dict[str, Json]], Json]] = {
    ("GET", "health"): _health,
    ("GET", "state"): _state,
    ("GET", "requests"): _requests,
    ("GET", "effects"): _effects,
    ("GET", "table"): _table,
    ("POST", "price"): _price,
    ("POST", "funding"): _funding,
    ("POST", "clock"): _clock,
    ("POST", "together"): _together,
    ("POST", "faults"): _faults,
    ("POST", "notice"): _notice,
    ("POST", "waiting"): _waiting,
}
