"""OKX v5: facts, and how orders are sent and looked up.

Sources: the venue's pages "Place order", "Place multiple orders", "Cancel order", "Cancel All
After", "Order details", "Order history" (7 days, 3 months) and "Error Code". Limits: by user and
instrument for orders (60 in 2 s, in a batch 300), by user for new and amended orders of contracts
(1000 in 2 s), by user and endpoint for reads, by address for public data; each is told on the
page of its endpoint. Open interest is capped for a master and its sub-accounts together (pages
"Get instruments": posLmtAmt, posLmtPct). Calls go through ccxt's implicit methods, so that nothing
but what stands here is in a request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from allocator.adapters.ccxt import okx_accounts, okx_funds, okx_markets
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.okx_accounts import LEVEL, MULTI
from allocator.adapters.ccxt.okx_reads import kind_of, only, order_state, pages, rows
from allocator.adapters.ccxt.okx_terms import MAY_SEND
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets, ReadsNetworks
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import (
    Capabilities,
    Found,
    MoveIntent,
    OrderIntent,
    TransferIntent,
)

STYLES = {"ioc": "ioc", "post_only": "post_only"}
LONGEST_ID = 32
MOST_ORDERS = 20
UNKNOWN_ORDER = "51603"

REQUEST_CODES = (
    "50000 50002 50006 50014 50015 50016 50024 50025 50035 50101 50103 50104 50105 50106 50107 "
    "50110 50111 50112 50113 50114 50115 50119 50120 50121 50122"
)
ACCOUNT_CODES = (
    "50007 50009 50012 50017 50018 50019 50020 50021 50022 50027 50028 50029 50030 50032 50033 "
    "50051 50052 50059 50060 50072"
)
ORDER_CODES = (
    "51000 51001 51002 51003 51004 51005 51006 51007 51008 51009 51010 51012 51015 51017 51020 "
    "51021 51022 51023 51024 51025 51027 51028 51029 51030 51031 51033 51037 51041 51101 51102 "
    "51103 51104 51105 51106 51107 51109 51111 51112 51116 51117 51120 51121 51122 51127 51129 "
    "51131 51132 51133 51134 51135 51136 51137 51138 51139 51147 51148 51150 51155 51169 51170 "
    "51174 51185 51186 51187 51203 51204 51205 51206 51209 51210 51211 54000 54007 54008 54011 "
    "54012 54024 54030 54031 54035 54072"
)
FUND_CODES = (
    "58004 58006 58008 58010 58011 58012 58013 58015 58100 58101 58103 58104 58105 58106 58107 "
    "58110 58111 58113 58114 58115 58116 58117 58119 58121 58122 58123 58125 58126 58127 58128 "
    "58129 58131 58132 58200 58201 58203 58204 58205 58206 58207 58208 58209 58210 58212 58214 "
    "58216 58217 58219 58221 58222 58223 58224 58225 58226 58229 58230 58232 58233 58235 58237 "
    "58238 58239 58240 58244 58248 58249 58252 58254 58256 58257 58258 58350"
)
FACTS = Facts(
    definitive=frozenset(" ".join([REQUEST_CODES, ACCOUNT_CODES, ORDER_CODES, FUND_CODES]).split()),
    duplicate=frozenset({"51016", "50071", "50042", "58124"}),
    gone=frozenset({"51400", "51401", "51402", "51405", UNKNOWN_ORDER}),
    stale=frozenset({"50102", "50036", "50037"}),
    formal=frozenset(REQUEST_CODES.split()),
)
"""Not in the list, so Unknown: too many requests (50011, 50061), busy or out of time (50001,
50004, 50013, 50026, 51054, 51149), failed without a reason (1, 58112, 58120)."""


class Okx(ReadsAccounts, ReadsMarkets, ReadsNetworks):
    """The trading account (one margin pool) and the funding account of each member."""

    accounts = okx_accounts
    wallets = ("unified", "funding")
    markets = okx_markets
    terms = okx_markets

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked of an account: only a main account's funding account withdraws.

        A client id is taken again once its order has ended. Positions are not moved here.
        """
        trades = place.config.wallet == "unified"
        return Capabilities(
            orders=trades,
            withdrawals=place.login is place.master and not trades,
            sees_deposits=not trades,
            client_id_reusable=True,
            batch_orders=MOST_ORDERS if trades else 1,
            dead_man_s=Decimal(10) if trades else None,
            tells_status=True,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that every account reaches every other of one master."""
        return source != target or not one_login

    def permits(self, place: Place, target: str) -> bool:
        """Tell that a member sends to its master, and to other members only if it may."""
        near = {place.login.name, place.master.name}
        if place.login is place.master or target in near:
            return True
        return place.login.noted.get(MAY_SEND) == "true"

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order; net mode, cross margin."""
        body = await _order(place, intent)
        reply = await place.login.call("private_post_trade_order", body, intent.stamped_at)
        return _taken(only(reply))

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | RefusalError, ...]:
        """Send up to twenty orders in one request; each is taken or refused by itself."""
        bodies = [await _order(place, intent) for intent in intents]
        try:
            reply = await place.login.call(
                "private_post_trade_batch_orders", bodies, intents[0].stamped_at
            )
        except RefusalError as error:
            reply = _each_refused(error, len(intents))
        told = rows(reply)
        named = [row.get("clOrdId") for row in told]
        if named != [body["clOrdId"] for body in bodies]:
            raise UnansweredError("the answer is not about the orders sent")
        return tuple(_taken_or_refused(row) for row in told)

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id, then among those that ended since it was sent.

        The venue forgets an order that ended without a fill after two hours.
        """
        market = place.market(intent.instrument)
        name = client_order_id(intent.client_id)
        asked = {"instId": market["id"], "clOrdId": name}
        try:
            row = only(await place.login.call("private_get_trade_order", asked))
        except RefusalError as error:
            if error.code != UNKNOWN_ORDER:
                raise
        else:
            if row.get("clOrdId") != name:
                raise VenueError("the answer is about another order")
            return _found_order(row)
        ended = {
            "instType": kind_of(market),
            "instId": market["id"],
            "begin": str(trace.since_ms),
        }
        for endpoint in (
            "private_get_trade_orders_history",
            "private_get_trade_orders_history_archive",
        ):
            for row in await pages(place.login, endpoint, ended):
                if row.get("clOrdId") == name:
                    return _found_order(row)
        return None

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        market = place.market(intent.instrument)
        asked = {"instId": market["id"], "clOrdId": client_order_id(intent.client_id)}
        return _taken(only(await place.login.call("private_post_trade_cancel_order", asked)))

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Have every order in a book cancelled after a silence of 10 to 120 seconds; 0: no."""
        asked = {"timeOut": str(seconds)}
        reply = await place.login.call("private_post_trade_cancel_all_after", asked)
        return text(only(reply), "triggerTime")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between the accounts of one member, or between members."""
        return await okx_funds.send_transfer(source, target, intent)

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by its key."""
        del trace
        return await okx_funds.find_transfer(source, target, intent)

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Withdraw to a registered address."""
        del fee
        return await okx_funds.send_withdrawal(source, address, intent)

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up by its key."""
        del trace
        return await okx_funds.find_withdrawal(source, address, intent)

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited."""
        return await okx_funds.deposits(target, asset, txid)

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Refuse: positions are not moved at this venue."""
        del source, target, intent
        raise NotSentError("positions are not moved at okx")

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Find nothing: positions are not moved at this venue."""
        del source, intent, trace
        return None


def client_order_id(client_id: str) -> str:
    """Check an id against the venue's rule: letters and digits, at most 32.

    >>> client_order_id("0123456789abcdef0123456789abcdef")
    '0123456789abcdef0123456789abcdef'

    Raises
    ------
    NotSentError
        When it does not keep it: shortened it might name another action.
    """
    if not client_id.isascii() or not client_id.isalnum() or len(client_id) > LONGEST_ID:
        raise NotSentError(f"client id {client_id!r} is not of letters and digits, at most 32")
    return client_id


async def _order(place: Place, intent: OrderIntent) -> JsonObject:
    """Write an order as the venue wants it; every number as text.

    Raises
    ------
    NotSentError
        When the account's mode, which an order of spot names, cannot be read.
    """
    market = place.market(intent.instrument)
    body: JsonObject = {
        "instId": market["id"],
        "tdMode": "cross" if market["contract"] else await _spot_mode(place),
        "side": intent.side,
        "ordType": STYLES[intent.style],
        "sz": plain(intent.quantity),
        "px": plain(intent.limit_price),
        "clOrdId": client_order_id(intent.client_id),
    }
    if market["contract"]:
        body["reduceOnly"] = intent.reduce_only
    return body


async def _spot_mode(place: Place) -> str:
    """Name the mode in which the account trades spot: apart, or within multi-currency margin."""
    if LEVEL not in place.login.noted:
        try:
            await okx_accounts.account_mode(place)
        except VenueError as error:
            raise NotSentError(f"the mode of {place.account} cannot be read: {error}") from error
    return "cross" if place.login.noted[LEVEL] == MULTI else "cash"


def _taken(row: JsonObject) -> str:
    """Take the venue's id from the row of an action.

    Raises
    ------
    RefusalError
        When the row carries a code.
    """
    told = _taken_or_refused(row)
    if isinstance(told, RefusalError):
        raise told
    return told


def _taken_or_refused(row: JsonObject) -> str | RefusalError:
    code = text(row, "sCode")
    if code != "0":
        return RefusalError(code, str(row.get("sMsg") or ""))
    return text(row, "ordId")


def _each_refused(error: RefusalError, count: int) -> JsonObject:
    """Take the rows of a batch of which every order was refused out of the refusal.

    Raises
    ------
    RefusalError
        When the request itself was refused: then there are no rows.
    UnansweredError
        When there are rows, and not one for each order.
    """
    body: Any = json.loads(error.body)
    told = body.get("data") if isinstance(body, dict) else None
    if not told:
        raise error
    if not isinstance(told, list) or len(told) != count:
        raise UnansweredError("the refusal is not about the orders sent")
    return {"data": told}


@exactly
def _found_order(row: JsonObject) -> Found:
    return Found(
        venue_id=text(row, "ordId"),
        state=order_state(row),
        filled=number(text(row, "accFillSz")) or ZERO,
        average_price=number(row.get("avgPx")) or None,
        fees=_fees(row),
        venue_time=moment(text(row, "uTime")),
    )


def _fees(row: JsonObject) -> dict[str, Decimal]:
    """Add fee and rebate up by currency; the venue writes what is paid with a minus."""
    found = dict[str, Decimal]()
    for units, coin in (("fee", "feeCcy"), ("rebate", "rebateCcy")):
        told = number(row.get(units))
        if told:
            name = text(row, coin)
            found[name] = found.get(name, ZERO) - told
    return found
