"""KuCoin Futures, classic account: facts, and how actions are sent and looked up.

Accounts are the futures wallet settled in USDT (``usdm``), the main wallet (``funding``) and the
spot trading wallet (``spot``), which only hold. One-way mode and cross margin only: an order for
anything else does not leave. Money passes between the futures wallet and the other two of a user,
and between the futures wallets of a master and its sub-accounts, which the master signs.

Nothing here was run against the venue itself. Requests and answers follow its pages "Add Order",
"Batch Add Orders", "Get Order By ClientOid", "Get Order List", "Cancel Order By ClientOid", "Get
Trade History", "Flex Transfer", "Get Account Ledgers - Futures", "Get Deposit History" and its
table of futures error codes, and are replayed from them.

Facts and where they stand: a client id is up to 40 letters, digits, ``_`` or ``-`` (Add Order), a
repeated one is refused with 300018 (error codes); a request is refused when its stamp is more than
5 s off (400002); every user has a pool of 2,000 units in 30 s for futures and another for the rest,
the address one for public data (Rate Limit). Not told by any page read: for how long a client id is
remembered (taken: until the order ends), whether a repeated transfer id is refused (taken: it is
not), how soon a read shows a write (taken: two seconds).

A transfer that was acknowledged is followed by its amount, for nothing that can be read tells the
id that its answer gave. The futures ledger tells time, type, amount, fee, equity, status, remark,
offset and currency (Get Account Ledgers - Futures). Those of the other wallets have a `context`,
which in the samples of the venue's own client is empty or ``{}`` for a transfer (Get Account
Ledgers - Spot/Margin, Margin_hf). There is no list of transfers between a user's wallets
(Kucoin/kucoin-python-sdk, issue 45). Of two that look the same neither is told as found, and no two
are under way at once (`Capabilities.transfer_key`).

Withdrawals are in `kucoin_funds`. Risk limits are by user and contract; none over several users is
told. Coin-margined contracts, position moves and the venue's disconnect protection are not covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from allocator.adapters.ccxt import kucoin_accounts, kucoin_funds, kucoin_markets
from allocator.adapters.ccxt.batches import of_request, told_by_name
from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.fills import fees_of
from allocator.adapters.ccxt.kucoin_accounts import setting
from allocator.adapters.ccxt.kucoin_reads import data_of, pages, rows_of
from allocator.adapters.ccxt.lacking import SendsNoMoves
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import Withdraws
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import (
    Capabilities,
    Found,
    FoundState,
    OrderIntent,
    TransferIntent,
)

STYLES: dict[str, JsonObject] = {
    "ioc": {"timeInForce": "IOC", "postOnly": False},
    "post_only": {"timeInForce": "GTC", "postOnly": True},
}
WALLETS = {"usdm": "CONTRACT", "funding": "MAIN", "spot": "TRADE"}
NOT_THERE = frozenset({"100001", "100004", "404000"})
"""Refusals of a look-up by client id; the lists of orders are asked after them."""

REQUEST_CODES = "400001 400003 400004 400005 400006 400007 404000 411100 415000"
ORDER_CODES = (
    "40010 100001 100003 200003 300000 300001 300003 300005 300006 300007 300008 300009 300010 "
    "300011 300012 300013 300014 300015 300016 300017 330005 330011"
)
FUND_CODES = "200004 260210 260325"
"""Of the spot table, and of the page on withdrawals: money short, network shut, not registered."""

FACTS = Facts(
    definitive=frozenset(f"{REQUEST_CODES} {ORDER_CODES} {FUND_CODES}".split()),
    duplicate=frozenset({"300018"}),
    gone=frozenset({"100004"}),
    stale=frozenset({"400002"}),
    formal=frozenset(REQUEST_CODES.split()),
    unkeyed={"own": False, "members": False},
)
"""Codes of the venue's futures table. Those by which it says that it is busy or broke down are not
among them (300002, 500000), nor is the general 400100, which transfers share."""

MOST_ORDERS = 20
DONE = "200000"
OF_REQUEST = FACTS.formal | FACTS.stale
"""Codes of key, signature, stamp, right and form of the request: no order was looked at."""


class KuCoin(ReadsAccounts, ReadsMarkets, Withdraws, SendsNoMoves):
    """The classic account of each user: its futures wallet and the two that hold."""

    accounts = kucoin_accounts
    wallets = ("usdm", "funding", "spot")
    markets = kucoin_markets
    funds = kucoin_funds

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked."""
        trades = place.config.wallet == "usdm"
        return Capabilities(
            orders=trades,
            batch_orders=MOST_ORDERS if trades else 1,
            withdrawals=place.login is place.master and place.config.wallet == "funding",
            sees_deposits=place.config.wallet == "funding",
            transfer_key=False,
            client_id_reusable=True,
            read_lag_s=Decimal(2),
            tells_status=True,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that one end is a futures wallet, whose ledger shows what passed."""
        if one_login:
            return (source == "usdm") != (target == "usdm")
        return source == target == "usdm"

    def permits(self, place: Place, target: str) -> bool:
        """Tell that a sub-account sends to its master only."""
        return place.login is place.master or target == place.master.name

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order for a pair in cross margin and one-way mode."""
        endpoint = "futuresprivate_post_orders"
        body = await _worded(place, intent)
        reply = await place.login.call(endpoint, body, intent.stamped_at)
        return text(data_of(reply, endpoint), "orderId")

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to twenty orders in one request; the answer names each by its client id."""
        endpoint = "futuresprivate_post_orders_multi"
        bodies = [await _worded(place, intent) for intent in intents]
        try:
            reply = await place.login.call(endpoint, bodies, intents[0].stamped_at)
        except RefusalError as error:
            raise of_request(error, OF_REQUEST) from error
        told = [row for row in rows_of(reply, endpoint) if isinstance(row, dict)]
        made = [row for row in told if str(row.get("code")) == DONE and row.get("orderId")]
        others = [_refused(row) for row in told if row not in made]
        return told_by_name([intent.client_id for intent in intents], made, others)

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id: by itself, then among open and past ones."""
        row = await _single(place, intent) or await _among(place, intent, trace)
        if row is None:
            return None
        return _found_order(row, await _fees(place, row))

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        asked = {
            "symbol": place.market(intent.instrument)["id"],
            "clientOid": intent.client_id,
        }
        endpoint = "futuresprivate_delete_orders_client_order_clientoid"
        return text(data_of(await place.login.call(endpoint, asked), endpoint), "clientOid")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between wallets of one user, or (signed by the master) between futures wallets."""
        body: JsonObject = {
            "clientOid": intent.client_id,
            "currency": intent.asset,
            "amount": plain(intent.amount),
            "fromAccountType": WALLETS[source.config.wallet],
            "toAccountType": WALLETS[target.config.wallet],
            **_members(source, target),
        }
        endpoint = "private_post_accounts_universal_transfer"
        reply = await source.master.call(endpoint, body, intent.stamped_at)
        return text(data_of(reply, endpoint), "orderId")

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Find a transfer in the futures wallet's ledger by its amount, which is all it tells.

        Raises
        ------
        VenueError
            When two look the same, or the ledger goes on.
        """
        leaves = source.config.wallet == "usdm"
        futures = source if leaves else target
        asked = {
            "currency": intent.asset,
            "type": "TransferOut" if leaves else "TransferIn",
            "startAt": trace.since_ms,
        }
        endpoint = "futuresprivate_get_transaction_history"
        reply = data_of(await futures.login.call(endpoint, asked), endpoint)
        rows = reply.get("dataList")
        if not isinstance(rows, list):
            raise UnansweredError(f"{endpoint}: no dataList")
        same = [
            row
            for row in rows
            if abs(number(text(row, "amount")) or ZERO) == intent.amount
            and _name_of(row) not in trace.taken
        ]
        # What was found once bears the ledger's name of it from then on.
        same = [row for row in same if _name_of(row) == trace.venue_id] or same
        if len(same) > 1 or reply.get("hasMore"):
            raise VenueError("two transfers look the same, or not all were read")
        return _found_transfer(same[0], intent) if same else None

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited to the main wallet, less its fee."""
        asked = {"currency": asset, "status": "SUCCESS"}
        rows = await pages(target.login, "private_get_deposits", asked)
        return [
            deposit_by(row, tag="memo", fee="fee")
            for row in rows
            if str(row.get("walletTxId") or "").split("@")[0] == txid
        ]


def _members(source: Place, target: Place) -> JsonObject:
    """Name the kind of a transfer, and the sub-account at its other end.

    Raises
    ------
    NotSentError
        When neither end of a transfer between users is the master, or no futures wallet is in it.
    """
    ends = {source.config.wallet, target.config.wallet}
    if source.login is target.login and "usdm" in ends and len(ends) > 1:
        return {"type": "INTERNAL"}
    if ends != {"usdm"} or source.login is target.login:
        raise NotSentError("one end of a transfer is a futures wallet, both between users")
    if source.login is source.master:
        return {"type": "PARENT_TO_SUB", "toUserId": target.member}
    if target.login is source.master:
        return {"type": "SUB_TO_PARENT", "fromUserId": source.member}
    raise NotSentError("one side of a transfer between users is the master")


async def _worded(place: Place, intent: OrderIntent) -> JsonObject:
    """Word a limit order for a pair in cross margin and one-way mode.

    Raises
    ------
    NotSentError
        When the pair is in any other mode, or its modes cannot be read.
    """
    market = place.market(intent.instrument)
    try:
        mode = await setting(place, market)
    except VenueError as error:
        raise NotSentError(f"the pair's modes are not known: {error}") from error
    if not mode.one_way:
        raise NotSentError("the account is in hedge mode: orders need one-way mode")
    if mode.isolated or mode.leverage is None:
        raise NotSentError("the pair is isolated: orders need cross margin")
    whole = intent.quantity == intent.quantity.to_integral_value()
    return {
        "clientOid": intent.client_id,
        "symbol": market["id"],
        "side": intent.side,
        "type": "limit",
        "price": plain(intent.limit_price),
        "size": int(intent.quantity) if whole else plain(intent.quantity),
        "leverage": plain(mode.leverage),
        "marginMode": "CROSS",
        "reduceOnly": intent.reduce_only,
        **STYLES[intent.style],
    }


def _refused(row: JsonObject) -> JsonObject:
    """Write a row of an order that was not taken as `told_by_name` reads it.

    One that says it was done, without an id, tells nothing.
    """
    code = str(row.get("code") or "")
    return {
        "clientOid": row.get("clientOid"),
        "orderId": row.get("orderId"),
        "errorCode": "" if code == DONE else code,
        "errorMsg": row.get("msg"),
    }


async def _single(place: Place, intent: OrderIntent) -> JsonObject | None:
    endpoint = "futuresprivate_get_orders_byclientoid"
    try:
        reply = await place.login.call(endpoint, {"clientOid": intent.client_id})
    except RefusalError as error:
        if error.code not in NOT_THERE:
            raise
        return None
    row = data_of(reply, endpoint)
    if row.get("clientOid") != intent.client_id:
        raise VenueError(f"asked for order {intent.client_id}, told of {row.get('clientOid')}")
    return row


async def _among(place: Place, intent: OrderIntent, trace: Trace) -> JsonObject | None:
    symbol = place.market(intent.instrument)["id"]
    for asked in (
        {"status": "active", "symbol": symbol},
        {"status": "done", "symbol": symbol, "startAt": trace.since_ms},
    ):
        for row in await pages(place.login, "futuresprivate_get_orders", asked):
            if row.get("clientOid") == intent.client_id:
                return row
    return None


async def _fees(place: Place, row: JsonObject) -> dict[str, Decimal]:
    """Add up the fees of an order's fills."""
    filled = number(row.get("filledSize"))
    if not filled:
        return {}
    fills = await pages(place.login, "futuresprivate_get_fills", {"orderId": text(row, "id")})
    parts = [
        (number(text(fill, "size")), text(fill, "feeCurrency"), number(text(fill, "fee")))
        for fill in fills
    ]
    return {coin: fee for coin, fee in fees_of(filled, parts).items() if fee}


@exactly
def _found_order(row: JsonObject, fees: dict[str, Decimal]) -> Found:
    filled = number(text(row, "filledSize")) or ZERO
    return Found(
        venue_id=text(row, "id"),
        state=_state(row, filled),
        filled=filled,
        average_price=number(row.get("avgDealPrice")) or None,
        fees=fees,
        venue_time=moment(text(row, "updatedAt")),
    )


def _state(row: JsonObject, filled: Decimal) -> FoundState:
    """Translate the order's state: open or done, and how much of a done one was filled."""
    status = text(row, "status")
    if status == "open":
        return "partial" if filled else "open"
    if status != "done":
        raise VenueError(f"order status {status} is not known")
    return "filled" if filled == number(text(row, "size")) else "cancelled"


def _name_of(row: JsonObject) -> str:
    return f"ledger:{text(row, 'offset')}"


def _found_transfer(row: JsonObject, intent: TransferIntent) -> Found:
    status = text(row, "status")
    states: dict[str, FoundState] = {"Completed": "settled", "Pending": "in_transit"}
    if status not in states:
        raise VenueError(f"transfer status {status} is not known")
    settled = states[status] == "settled"
    return Found(
        venue_id=_name_of(row),
        state=states[status],
        filled=intent.amount if settled else ZERO,
        venue_time=moment(text(row, "time")),
    )
