"""Kraken Futures: facts, and how actions are sent and looked up.

Accounts are the multi-collateral wallet (``unified``), which trades linear perpetuals, and the cash
wallet (``funding``), which only holds. The venue nets positions: there are no legs.

Nothing here was run against the venue itself. Requests and answers follow its pages "Send order",
"Batch order management", "Cancel order", "Dead man's switch", "Get open orders", "Get order
events", "Get execution events", "Derivatives Rate Limits" and the list of errors on each, and are
replayed from them.

Facts and where they stand: a client id is up to a hundred characters and unique ("Send order"); a
known one is refused with ``clientOrderIdAlreadyExist``; an order is refused when it is not
processed before ``processBefore``, which is how long an order is good for here; a stamp has no
window, since nonces are optional. An address may spend 500 units in ten seconds on the derivatives'
endpoints and a hundred in ten minutes on history, so look-ups share their readings: see
`kraken_looks`. How soon history shows an order that ended is not told: five seconds are assumed,
and what it cost is told once the executions are all that the order says was filled.
Transfers between wallets carry neither a key nor a deadline: how they are found, and that none is
ever told as absent, see `kraken_funds`. Single-collateral contracts and withdrawals to the spot
exchange are not covered; positions do not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from allocator.adapters.ccxt import kraken_accounts, kraken_funds, kraken_markets, kraken_reads
from allocator.adapters.ccxt.dialect import Facts, Trace
from allocator.adapters.ccxt.failures import RefusalError, UnansweredError
from allocator.adapters.ccxt.kraken_looks import look_up
from allocator.adapters.ccxt.kraken_orders import (
    MOST_ORDERS,
    TAKEN,
    deadline_of,
    together,
    uuid_of,
    worded,
)
from allocator.adapters.ccxt.lacking import SendsNoMoves, SendsNoWithdrawals
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.intents import (
    Capabilities,
    Found,
    OrderIntent,
    TransferIntent,
)

REQUEST_ERRORS = (
    "accountInactive authenticationError insufficientFunds invalidAccount invalidAmount "
    "invalidArgument invalidUnit requiredArgumentMissing"
)
ORDER_STATES = (
    "marketSuspended marketInactive invalidPrice invalidSize tooManySmallOrders "
    "insufficientAvailableFunds wouldCauseLiquidation clientOrderIdTooBig clientOrderIdTooLong "
    "clientOrderIdInvalid maxPositionViolation outsidePriceCollar wouldIncreasePriceDislocation "
    "postWouldExecute iocWouldNotExecute selfFill wouldNotReducePosition marketIsPostOnly "
    "tooManyOrders fixedLeverageTooHigh invalidOrderType invalidSide wouldProcessAfterSpecifiedTime"
)
FACTS = Facts(
    definitive=frozenset(f"{REQUEST_ERRORS} {ORDER_STATES}".split()),
    duplicate=frozenset({"clientOrderIdAlreadyExist", "nonceDuplicate"}),
    gone=frozenset({"filled", "notFound"}),
    stale=frozenset({"wouldProcessAfterSpecifiedTime"}),
    formal=frozenset(REQUEST_ERRORS.split()) - {"insufficientFunds"},
    unkeyed={"own": False, "members": False},
)
"""Errors and order states of the venue's pages. Those that say it is unavailable or does not know
are not among them, nor is a nonce below its threshold; one that is known says that the same request
came before, which may have been carried out."""


class Kraken(ReadsAccounts, ReadsMarkets, SendsNoWithdrawals, SendsNoMoves):
    """The multi-collateral wallet of each user, and its cash wallet."""

    accounts = kraken_accounts
    wallets = ("unified", "funding")
    markets = kraken_markets

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked."""
        trades = place.config.wallet == "unified"
        return Capabilities(
            orders=trades,
            batch_orders=MOST_ORDERS if trades else 1,
            transfer_key=False,
            read_lag_s=Decimal(5),
            dead_man_s=Decimal(15) if trades else None,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that wallets of a user pass money, and the multi-collateral ones of two users."""
        return kraken_funds.linked(source, target, one_login=one_login)

    def holds(self, place: Place, asset: str) -> bool:
        """Tell whether a wallet takes an asset."""
        return kraken_reads.holds(place, asset)

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order that is good for the receive window."""
        body = worded(place, intent)
        until = deadline_of(place, intent.stamped_at)
        if until is not None:
            body["processBefore"] = until
        reply = await place.login.call("private_post_sendorder", body, intent.stamped_at)
        status = status_of(reply, "sendStatus")
        if text(status, "status") not in TAKEN:
            raise RefusalError(text(status, "status"), "the order was not placed")
        return text(status, "order_id")

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to ten orders in one request; the answer names each by its client id."""
        return await together(place, intents)

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id, in a reading that all in flight share."""
        return await look_up(place.login, intent, trace)

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        asked = {"cliOrdId": uuid_of(intent.client_id)}
        reply = await place.login.call("private_post_cancelorder", asked)
        status = status_of(reply, "cancelStatus")
        if text(status, "status") != "cancelled":
            raise RefusalError(text(status, "status"), "the order was not cancelled")
        return str(status.get("order_id") or uuid_of(intent.client_id))

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Have every order of the user cancelled after so many seconds; 0: never."""
        reply = await place.login.call("private_post_cancelallordersafter", {"timeout": seconds})
        return text(status_of(reply, "status"), "triggerTime")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between wallets of a user, or of two users of one master."""
        return await kraken_funds.send_transfer(source, target, intent)

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up in the account log."""
        return await kraken_funds.find_transfer(source, target, intent, trace)

    async def deposits(self, target: Place, asset: str, txid: str) -> tuple[()]:
        """Tell of none: what comes in by a chain comes to the spot exchange."""
        del target, asset, txid
        return ()


def status_of(reply: object, key: str) -> JsonObject:
    """Take what became of an action out of its answer.

    Raises
    ------
    UnansweredError
        When nothing is said of it.
    """
    found = reply.get(key) if isinstance(reply, dict) else None
    if not isinstance(found, dict):
        raise UnansweredError(f"no {key}")
    return found
