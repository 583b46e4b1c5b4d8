"""Hyperliquid: facts, and how actions are sent and looked up.

Accounts are the perpetuals' account of an address (``unified``) and its spot account (``spot``),
which only holds. A login is an address and the key that signs for it: its own, or that of an API
wallet. A sub-account is an address of its own whose master signs: its login names the master.
Logins that sign with one key number their actions from one source, within this process.

Nothing here was run against the venue itself. Requests and answers follow its pages "Exchange
endpoint", "Info endpoint", "Perpetuals", "Error responses", "Nonces and API wallets", "Rate limits
and user limits", and are replayed from them.

Facts and where they stand: a client id is 128 bits in hex ("Place an order"); an action may say
after when it is refused (``expiresAfter``), which is how long an order is good for here; its number
is used once ("Nonces"), so a request that is delivered twice is carried out once; an address may
spend 1,200 units of weight a minute ("Rate limits"), and beyond that an account a request for every
dollar it traded. All cancelled after a while: at least five seconds ahead, ten times a day, and
only once an account has traded a million dollars. Not told by any page read: whether a client id
that is known is refused (taken: it is not), in which words an action that expired is refused (it is
looked up, and found absent), how soon a read shows a write (taken: two seconds).

Of several orders in one action each has a status. There are as many as orders, and an error that is
of the whole comes alone ("Error responses"): so a status stands at its order's place. One that was
taken bears its client id and is told by that alone; an error counts at its place while every order
that was taken stands at its own, and before it is told the order is looked up by its client id. How
many one action may list is told by no page: the one on rate limits speaks of 79, and twenty are
taken, which weigh what one does.

Transfers are signed by the user's own key: where that is not the account's login's, its master is a
login of the same address with that key. How they are told apart and found, and why there are no
withdrawals: see `hyperliquid_funds`.
Position limits are by account and coin (margin tiers, open-interest caps of a coin).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from allocator.adapters.ccxt import hyperliquid_accounts, hyperliquid_funds, hyperliquid_markets
from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.batches import of_request, told_each
from allocator.adapters.ccxt.dialect import Facts, Trace
from allocator.adapters.ccxt.failures import RefusalError, UnansweredError, code_of
from allocator.adapters.ccxt.hyperliquid_client import signed
from allocator.adapters.ccxt.hyperliquid_funds import ACT
from allocator.adapters.ccxt.hyperliquid_reads import COIN, address, client_id, info
from allocator.adapters.ccxt.lacking import SendsNoMoves, SendsNoWithdrawals
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.windows import RECEIVE_WINDOW_MS, offset_ms
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

STYLES = {"ioc": "Ioc", "post_only": "Alo"}
UNKNOWN_ORDER = "unknownOid"
FILLS = 2000
"""Fills that one answer holds at most."""

ORDER_WORDS = frozenset(
    {
        "Price must be divisible by tick size",
        "Order must have minimum value of $10",
        "Insufficient margin to place order",
        "Reduce only order would increase position",
        "Post only order would have immediately matched",
        "Order could not immediately match against any resting orders",
        "Order would increase open interest while open interest is capped",
        "Order rejected due to price more aggressive than oracle while at open interest cap",
        "Order would increase open interest too quickly",
        "Order price too far from oracle",
        "Order would cause position to exceed margin tier limit at current leverage",
        "Cannot set scheduled cancel time until enough volume traded",
    }
)
FACTS = Facts(
    definitive=ORDER_WORDS | hyperliquid_funds.WORDS,
    duplicate=frozenset(),
    gone=frozenset({"Order was never placed"}),
    stale=frozenset(),
    replayed=frozenset({hyperliquid_funds.DUPLICATE}),
    formal=hyperliquid_funds.WORDS - hyperliquid_funds.MONEY,
    transfer_step=hyperliquid_funds.STEP,
)
"""The venue has no codes: its sentences up to the first full stop, comma or name of an asset, as
its page "Error responses" has them; those of transfers see there."""

MOST_ORDERS = 20
OF_ACTION = frozenset({"Price must be divisible by tick size"})
"""Words that "Error responses" names of a whole action: no order of it was placed. It names a price
too far from a reference as well, in no words."""


class Hyperliquid(ReadsAccounts, ReadsMarkets, SendsNoWithdrawals, SendsNoMoves):
    """The perpetuals' account of each address, and its spot account."""

    accounts = hyperliquid_accounts
    wallets = ("unified", "spot")
    markets = hyperliquid_markets

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked; an API wallet sends no money."""
        trades = place.config.wallet == "unified"
        return Capabilities(
            orders=trades,
            batch_orders=MOST_ORDERS if trades else 1,
            transfers=hyperliquid_funds.transfers(place),
            client_id_reusable=True,
            read_lag_s=Decimal(2),
            dead_man_s=Decimal(5) if trades else None,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that every account reaches every other of one user and its sub-accounts."""
        return hyperliquid_funds.linked(source, target, one_login=one_login)

    def holds(self, place: Place, asset: str) -> bool:
        """Tell that USDC alone passes between accounts."""
        del place
        return asset == COIN

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order that is good for the receive window."""
        status = _status(await _act(place, _placing(place, [intent]), intent.stamped_at))
        for kind in ("resting", "filled"):
            if isinstance(status, dict) and kind in status:
                return text(status[kind], "oid")
        raise UnansweredError(f"an order that is neither resting nor filled: {status}")

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to twenty orders in one action; each has a status at its place.

        An error that stands alone is of the whole action.
        """
        try:
            reply = await _act(place, _placing(place, intents), intents[0].stamped_at)
        except RefusalError as error:
            reply = json.loads(error.body)
            if reply.get("status") != "ok" or len(_statuses(reply)) == 1 < len(intents):
                raise of_request(error, OF_ACTION) from error
        names = [client_id(intent) for intent in intents]
        return told_each(names, [_entry(row) for row in _statuses(reply)], "cloid", "oid")

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id, and its fills since it was stamped."""
        try:
            reply = await info(place, "orderStatus", oid=client_id(intent))
        except RefusalError as error:
            if error.code != UNKNOWN_ORDER:
                raise
            return None
        told = reply.get("order") if isinstance(reply, dict) else None
        if not isinstance(told, dict) or not isinstance(told.get("order"), dict):
            raise UnansweredError("no order in the answer")
        if told["order"].get("cloid") != client_id(intent):
            raise VenueError(f"asked for {client_id(intent)}, told of another order")
        fills = listed(await info(place, "userFillsByTime", startTime=trace.since_ms), "fills")
        if len(fills) >= FILLS:
            raise VenueError("more fills than one answer holds")
        oid = text(told["order"], "oid")
        return found_order(told, [row for row in fills if str(row.get("oid")) == oid])

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        asset = int(text(place.market(intent.instrument), "baseId"))
        cancels = [{"asset": asset, "cloid": client_id(intent)}]
        status = _status(await _act(place, {"type": "cancelByCloid", "cancels": cancels}, None))
        if status != "success":
            raise UnansweredError(f"a cancel without success: {status}")
        return client_id(intent)

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Have every order of the account cancelled after so many seconds; 0: never."""
        action: JsonObject = {"type": "scheduleCancel"}
        at = place.login.venue_now().timestamp() + seconds
        if seconds:
            action["time"] = round(at * 1000)
        await _act(place, action, None)
        return str(action.get("time", 0))

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between accounts of a user and its sub-accounts."""
        return await hyperliquid_funds.send_transfer(source, target, intent)

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by its number."""
        return await hyperliquid_funds.find_transfer(source, target, intent, trace)

    async def deposits(self, target: Place, asset: str, txid: str) -> tuple[()]:
        """Tell of none: the ledger names transactions of this chain, not of the sender's."""
        del target, asset, txid
        return ()


async def _act(
    place: Place, action: Mapping[str, object], stamped_at: datetime | None
) -> JsonObject:
    """Sign an action and send it; one that was stamped is good for the receive window."""
    client = place.login.client
    expires = None
    if stamped_at is not None:
        expires = round(stamped_at.timestamp() * 1000) + RECEIVE_WINDOW_MS - offset_ms(client)
    # A login of an API wallet may have its own user's for a master: that is no sub-account.
    mine = address(place).lower() == hyperliquid_funds.own_address(place.master)
    vault = None if mine else address(place)
    reply = await place.login.call(ACT, signed(client, action, vault, expires), stamped_at)
    if not isinstance(reply, dict) or reply.get("status") != "ok":
        raise UnansweredError(f"an action that is not ok: {reply}")
    found: JsonObject = reply
    return found


def _placing(place: Place, intents: Sequence[OrderIntent]) -> JsonObject:
    """Word the action that places limit orders."""
    orders = [
        {
            "a": int(text(place.market(intent.instrument), "baseId")),
            "b": intent.side == "buy",
            "p": plain(intent.limit_price),
            "s": plain(intent.quantity),
            "r": intent.reduce_only,
            "t": {"limit": {"tif": STYLES[intent.style]}},
            "c": client_id(intent),
        }
        for intent in intents
    ]
    return {"type": "order", "orders": orders, "grouping": "na"}


def _statuses(reply: JsonObject) -> list[object]:
    """Take what became of what an action listed.

    Raises
    ------
    UnansweredError
        When nothing is said of it.
    """
    response = reply.get("response")
    data = response.get("data") if isinstance(response, dict) else None
    statuses = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(statuses, list):
        raise UnansweredError("no status of the action")
    return statuses


def _status(reply: JsonObject) -> object:
    """Take what became of the one action asked for.

    Raises
    ------
    UnansweredError
        When there is not exactly one.
    """
    statuses = _statuses(reply)
    if len(statuses) != 1:
        raise UnansweredError("no status of the action")
    return statuses[0]


def _entry(status: object) -> JsonObject:
    """Write the status of one order of several as `told_each` reads it; empty: it is neither."""
    if not isinstance(status, dict) or len(status) != 1:
        return {}
    ((kind, told),) = status.items()
    if kind == "error" and isinstance(told, str):
        return {"code": code_of(told), "msg": told}
    taken = kind in {"resting", "filled"} and isinstance(told, dict)
    return {"cloid": told.get("cloid"), "oid": told.get("oid")} if taken else {}


@exactly
def found_order(told: JsonObject, fills: list[JsonObject]) -> Found:
    """Put together what is said of an order and of its fills.

    Raises
    ------
    VenueError
        When they do not fit each other yet, or the state is not known.
    """
    order = told["order"]
    size, left = (number(text(order, key)) or ZERO for key in ("origSz", "sz"))
    sizes = [number(text(row, "sz")) or ZERO for row in fills]
    filled = sum(sizes, ZERO)
    state = _state(text(told, "status"), filled, size)
    if filled != size - left:
        raise VenueError(f"fills of {filled} and an order filled by {size - left}")
    worth = sum(
        (lot * (number(text(row, "px")) or ZERO) for lot, row in zip(sizes, fills, strict=True)),
        ZERO,
    )
    fees = dict[str, Decimal]()
    for row in fills:
        coin = text(row, "feeToken")
        fees[coin] = fees.get(coin, ZERO) + (number(text(row, "fee")) or ZERO)
    return Found(
        venue_id=text(order, "oid"),
        state=state,
        filled=filled,
        average_price=(worth / filled).quantize(Decimal("1e-12")) if filled else None,
        fees={coin: fee for coin, fee in fees.items() if fee},
        venue_time=moment(text(told, "statusTimestamp")),
    )


def _state(status: str, filled: Decimal, size: Decimal) -> FoundState:
    """Translate the order's status: whatever was cancelled or rejected says so at its end."""
    if status == "open":
        return "partial" if filled else "open"
    if status == "filled":
        return "filled" if filled == size else "cancelled"
    if status.lower().endswith(("canceled", "rejected")) or status == "scheduledCancel":
        return "cancelled"
    raise VenueError(f"order status {status} is not known")
