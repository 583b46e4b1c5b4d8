"""Gate v4, classic account: facts, and how actions are sent and looked up.

Accounts are the spot wallet (it holds, and is where money passes from login to login) and the
futures wallets settled in USDT (``usdm``) and BTC (``coinm``). One-way mode only; cross margin or
isolated as each pair is set. Requests are counted by user, public ones by address.

Nothing here was run against the venue itself. Requests and answers follow its documentation (API
v4: "Place futures order", "Place batch futures orders", "Query single order details", "Query
futures order list by time range", "Cancel single order", "Countdown cancel orders", "Transfer
between trading accounts", "Transfer between main and sub accounts", "Transfer status query", error
labels) and are replayed from it.
Whether the venue refuses a second order with the same `text` is not documented: it is taken not to.
How soon a read shows a write is not documented either: two seconds are assumed.
Orders are worded and looked up in `gateio_orders`, withdrawals in `gateio_funds`. Not covered:
unified and portfolio-margin accounts, delivery, options and spot trading. Risk limits are the
contract's tiers, by user and contract; what else the venue bounds over several users is not told by
any page read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest

from allocator.adapters.ccxt import gateio_accounts, gateio_funds, gateio_markets
from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.batches import of_request, told_each
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.gateio_orders import batch_entry, find_order, text_id, worded
from allocator.adapters.ccxt.gateio_reads import pages, settle
from allocator.adapters.ccxt.lacking import SendsNoMoves
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import Withdraws
from allocator.models.base import ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import (
    Capabilities,
    Found,
    FoundState,
    OrderIntent,
    TransferIntent,
)

WALLETS = {"spot": "spot", "usdm": "futures", "coinm": "futures"}
TRANSFER_STATES: dict[str, FoundState] = {
    "SUCCESS": "settled",
    "PENDING": "in_transit",
    "FAIL": "returned",
}
PLACES = 8
"""Decimal places of a transfer's amount."""

REQUEST_LABELS = (
    "INVALID_PARAM_VALUE INVALID_PROTOCOL INVALID_ARGUMENT INVALID_REQUEST_BODY "
    "MISSING_REQUIRED_PARAM BAD_REQUEST INVALID_CONTENT_TYPE NOT_ACCEPTABLE METHOD_NOT_ALLOWED "
    "NOT_FOUND INVALID_CREDENTIALS INVALID_KEY IP_FORBIDDEN READ_ONLY INVALID_SIGNATURE "
    "MISSING_REQUIRED_HEADER ACCOUNT_LOCKED FORBIDDEN"
)
ORDER_LABELS = (
    "USER_NOT_FOUND CONTRACT_NO_COUNTER CONTRACT_NOT_FOUND RISK_LIMIT_EXCEEDED "
    "INSUFFICIENT_AVAILABLE LIQUIDATE_IMMEDIATELY LEVERAGE_TOO_HIGH LEVERAGE_TOO_LOW "
    "TOO_MANY_ORDERS POSITION_IN_LIQUIDATION POSITION_IN_CLOSE POSITION_EMPTY PRICE_TOO_DEVIATED "
    "SIZE_TOO_LARGE SIZE_TOO_SMALL PRICE_OVER_LIQUIDATION PRICE_OVER_BANKRUPT ORDER_POC_IMMEDIATE "
    "INCREASE_POSITION CONTRACT_IN_DELISTING POSITION_NOT_FOUND POSITION_DUAL_MODE "
    "REDUCE_EXCEEDED INITIAL_MARGIN_TOO_LOW"
)
FUND_LABELS = (
    "SUB_ACCOUNT_NOT_FOUND SUB_ACCOUNT_LOCKED TOO_MUCH_FUTURES_AVAILABLE "
    "FUTURES_BALANCE_NOT_ENOUGH BALANCE_NOT_ENOUGH INVALID_PRECISION INVALID_CURRENCY "
    "INVALID_CLIENT_ORDER_ID AMOUNT_TOO_LITTLE AMOUNT_TOO_MUCH ADDRESS_NOT_USED "
    "WITHDRAWAL_OVER_LIMIT API_WITHDRAW_DISABLED"
)
FACTS = Facts(
    definitive=frozenset(" ".join([REQUEST_LABELS, ORDER_LABELS, FUND_LABELS]).split()),
    duplicate=frozenset({"DUPLICATE_REQUEST", "ORDER_EXISTS"}),
    gone=frozenset({"ORDER_NOT_FOUND", "ORDER_FINISHED", "ORDER_CLOSED", "ORDER_CANCELLED"}),
    stale=frozenset({"REQUEST_EXPIRED"}),
    formal=frozenset(REQUEST_LABELS.split()),
    unkeyed={"own": False},
)
"""Labels of the venue's list. Those that say a transfer or a server failed are not among them:
they do not say that nothing was carried out."""

MOST_ORDERS = 10
OF_REQUEST = FACTS.formal | FACTS.stale
"""Labels of the form, the key and the deadline of a request: no order of it is carried out."""


class Gate(ReadsAccounts, ReadsMarkets, Withdraws, SendsNoMoves):
    """The classic account of each user: its spot wallet and its two futures wallets."""

    accounts = gateio_accounts
    wallets = ("usdm", "coinm", "spot")
    markets = gateio_markets
    funds = gateio_funds

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked: the spot wallet moves money only, a main account's onto chains.

        A transfer inside a user carries no key, so none does as far as a plan is concerned.
        """
        trades = place.config.wallet in ("usdm", "coinm")
        return Capabilities(
            orders=trades,
            withdrawals=place.login is place.master and place.config.wallet == "spot",
            sees_deposits=place.config.wallet == "spot",
            transfer_key=False,
            client_id_reusable=True,
            read_lag_s=Decimal(2),
            batch_orders=MOST_ORDERS if trades else 1,
            dead_man_s=Decimal(5) if trades else None,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that money passes between spot and futures of a user, and spot to spot of two."""
        if one_login:
            return (source == "spot") != (target == "spot")
        return source == target == "spot"

    def permits(self, place: Place, target: str) -> bool:
        """Tell that a sub-account sends to its master only: a record of the rest is not kept."""
        return place.login is place.master or target == place.master.name

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order; the sign of its size is its side."""
        endpoint = "private_futures_post_settle_orders"
        reply = await place.login.call(endpoint, worded(place, intent), intent.stamped_at)
        return text(reply, "id")

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to ten orders in one request; the answer stands in their order.

        When the form of one is wrong, none of them is carried out.
        """
        endpoint = "private_futures_post_settle_batch_orders"
        bodies = [worded(place, intent) for intent in intents]
        try:
            reply = await place.login.call(endpoint, bodies, intents[0].stamped_at)
        except RefusalError as error:
            raise of_request(error, OF_REQUEST) from error
        names = [text_id(intent.client_id) for intent in intents]
        entries = [batch_entry(*row) for row in zip_longest(listed(reply, endpoint), names)]
        return told_each(names, entries, "text", "id")

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its `text`: single for 60 s after its end, then open and past."""
        return await find_order(place, intent, trace)

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by `text`."""
        asked = {"settle": settle(place), "order_id": text_id(intent.client_id)}
        return text(
            await place.login.call("private_futures_delete_settle_orders_order_id", asked), "id"
        )

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Have every order of the wallet cancelled after so many seconds; 0: never."""
        asked = {"settle": settle(place), "timeout": seconds}
        reply = await place.login.call("private_futures_post_settle_countdown_cancel_all", asked)
        return text(reply, "triggerTime")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between wallets of one user, or (signed by the master) between two spot wallets."""
        if intent.amount != round(intent.amount, PLACES):
            raise NotSentError(f"an amount has at most {PLACES} decimal places")
        if source.login is target.login:
            return await _send_within(source, target, intent)
        sub, direction = _sub_account(source, target)
        body = {
            "sub_account": sub.member,
            "sub_account_type": "spot",
            "currency": intent.asset,
            "amount": plain(intent.amount),
            "direction": direction,
            "client_order_id": intent.client_id,
        }
        endpoint = "private_wallet_post_sub_account_transfers"
        return text(await source.master.call(endpoint, body, intent.stamped_at), "tx_id")

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by the venue's id, else by its key, else by what was sent."""
        signer = source.login if source.login is target.login else source.master
        if trace.venue_id is not None:
            asked = {"tx_id": trace.venue_id}
            return _found_transfer(
                await signer.call("private_wallet_get_order_status", asked), intent
            )
        if source.login is target.login:
            return await _booked(source, target, intent, trace)
        sub, _ = _sub_account(source, target)
        rows = await pages(
            signer,
            "private_wallet_get_sub_account_transfers",
            {"sub_uid": sub.member, "from": trace.since_ms // 1000},
        )
        row = next((r for r in rows if r.get("client_order_id") == intent.client_id), None)
        if row is None:
            return None
        state: FoundState = "settled" if row.get("status") == "success" else "in_transit"
        filled = intent.amount if state == "settled" else ZERO
        return Found(venue_id=intent.client_id, state=state, filled=filled)

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited; see `gateio_funds`."""
        rows = await pages(target.login, "private_wallet_get_deposits", {"currency": asset})
        return [
            Deposit(number(row.get("amount")), venue_id=str(row.get("id") or ""))
            for row in rows if row.get("txid") == txid and row.get("status") == "DONE"
        ]  # fmt: skip


async def _send_within(source: Place, target: Place, intent: TransferIntent) -> str:
    futures = target if source.config.wallet == "spot" else source
    body = {
        "currency": intent.asset,
        "from": WALLETS[source.config.wallet],
        "to": WALLETS[target.config.wallet],
        "amount": plain(intent.amount),
        "settle": settle(futures),
    }
    endpoint = "private_wallet_post_transfers"
    return text(await source.login.call(endpoint, body, intent.stamped_at), "tx_id")


def _sub_account(source: Place, target: Place) -> tuple[Place, str]:
    """Tell which side is the sub-account, and which way money goes as seen from the master.

    Raises
    ------
    NotSentError
        When neither side is the master, or a side is no spot wallet.
    """
    if {source.config.wallet, target.config.wallet} != {"spot"}:
        raise NotSentError("money passes from login to login between spot wallets")
    if source.login is source.master:
        return target, "to"
    if target.login is source.master:
        return source, "from"
    raise NotSentError("one side of a transfer between logins is the master")


async def _booked(
    source: Place, target: Place, intent: TransferIntent, trace: Trace
) -> Found | None:
    """Find a transfer in the futures wallet's book by its amount: it has no key.

    Raises
    ------
    VenueError
        When two look the same.
    """
    leaves = source.config.wallet != "spot"
    futures = source if leaves else target
    asked = {"settle": settle(futures), "type": "dnw", "from": trace.since_ms // 1000}
    rows = await pages(futures.login, "private_futures_get_settle_account_book", asked)
    change = -intent.amount if leaves else intent.amount
    same = [row for row in rows if number(text(row, "change")) == change]
    if len(same) > 1:
        raise VenueError("two transfers look the same")
    if not same:
        return None
    at = moment(int((number(text(same[0], "time")) or ZERO) * 1000))
    name = str(same[0].get("id") or f"book:{text(same[0], 'time')}")
    return Found(venue_id=name, state="settled", filled=intent.amount, venue_time=at)


def _found_transfer(row: JsonObject, intent: TransferIntent) -> Found:
    status = text(row, "status")
    if status not in TRANSFER_STATES:
        raise VenueError(f"transfer status {status} is not known")
    state = TRANSFER_STATES[status]
    filled = intent.amount if state == "settled" else ZERO
    return Found(venue_id=text(row, "tx_id"), state=state, filled=filled)
