"""Bitget v2, classic account: facts, and how actions are sent and looked up.

Accounts are the spot wallet (it holds, and withdraws: `bitget_funds`) and the USDT futures wallet
(``usdm``); money passes between them inside one user. One-way mode only; cross margin or isolated
as each pair is set.
Requests are counted by user, ten a second on the endpoints used here, public ones by address.

Nothing here was run against the venue itself: requests and answers follow its pages
contract/trade/Place-Order, Get-Order-Details, Get-Orders-Pending, Get-Orders-History,
Cancel-Order, Get-Order-Fills, spot/account/Wallet-Transfer, Get-Account-TransferRecords, and are
replayed from them. Codes are those of its table of REST error codes (classic/contract/error-code)
that say the order or the transfer was not taken; any other code is Unknown. A time stamp is good
for 30 seconds, and an address may send 6,000 requests a minute (classic/quickStart/intro, Standard
specification). Both pages were read as copied on 28 September 2026.
How soon a read shows a write is on no page read: two seconds are assumed.
Coin- and USDC-margined futures, sub-accounts, unified accounts and spot trading are not covered.
"""

from __future__ import annotations

from decimal import Decimal

from allocator.adapters.ccxt import bitget_accounts, bitget_funds, bitget_markets
from allocator.adapters.ccxt.bitget_accounts import ONE_WAY, setting
from allocator.adapters.ccxt.bitget_reads import COIN, FUTURES, pages, row_of, rows_of
from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.fills import Fill, fees_of
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

WALLETS = {"spot": "spot", "usdm": "usdt_futures"}
TRANSFER_STATES: dict[str, FoundState] = {
    "Successful": "settled",
    "Processing": "in_transit",
    "Failed": "returned",
}
NOT_THERE = frozenset({"40109", "43001"})
"""The order asked for is not known."""

REQUEST_CODES = (
    "40001 40002 40003 40005 40006 40007 40009 40011 40012 40014 40017 40018 40019 40020 40034 "
    "40036 40037 40038 40064"
)
ORDER_CODES = (
    "22002 22004 22005 22006 22007 22008 22009 22034 22038 40706 40754 40757 40761 40762 40808 "
    "40815 40816 40844 40845 40921 40928 41103 43005 43006 43007 43008 43009 43010 43012 43027 "
    "43028 45002 45003 45006 45035 45110 45111 45112 45113 45114 45115 45116 45118 45119 45120"
)
FUND_CODES = "11000 13001 13002 13004 13006 13212 40021 40027 40052 40799 43117 43125 43129 50101"
FACTS = Facts(
    definitive=frozenset(f"{REQUEST_CODES} {ORDER_CODES} {FUND_CODES}".split()),
    duplicate=frozenset({"43118", "45034", "50060"}),
    gone=frozenset({"22001", "43001", "43004", "45055", "45057"}),
    stale=frozenset({"40008", "40078"}),
    formal=frozenset(REQUEST_CODES.split()),
)


class Bitget(ReadsAccounts, ReadsMarkets, Withdraws, SendsNoMoves):
    """The classic account of one user: its spot wallet and its USDT futures wallet."""

    accounts = bitget_accounts
    wallets = ("usdm", "spot")
    markets = bitget_markets
    funds = bitget_funds

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked: a transfer is keyed, and a repeated key changes nothing."""
        return Capabilities(
            orders=place.config.wallet == "usdm",
            withdrawals=place.login is place.master and place.config.wallet == "spot",
            sees_deposits=place.config.wallet == "spot",
            read_lag_s=Decimal(2),
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that money passes between the two wallets of one user."""
        return one_login and {source, target} == WALLETS.keys()

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order in the pair's own margin mode.

        A reduce-only order that pushes others out is acknowledged without an id of the venue's.
        """
        market = place.market(intent.instrument)
        try:
            mode = await setting(place, market)
        except VenueError as error:
            raise NotSentError(f"the pair's margin mode is not known: {error}") from error
        if text(mode, "posMode") != ONE_WAY:
            raise NotSentError("the account is in hedge mode: orders need one-way mode")
        body: JsonObject = {
            **FUTURES,
            "symbol": market["id"],
            "marginMode": text(mode, "marginMode"),
            "marginCoin": COIN,
            "size": plain(intent.quantity),
            "price": plain(intent.limit_price),
            "side": intent.side,
            "orderType": "limit",
            "force": intent.style,
            "clientOid": intent.client_id,
            "reduceOnly": "YES" if intent.reduce_only else "NO",
        }
        endpoint = "private_mix_post_v2_mix_order_place_order"
        reply = row_of(await place.login.call(endpoint, body, intent.stamped_at), endpoint)
        return str(reply.get("orderId") or "") or text(reply, "clientOid")

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id: by itself, then among open and past ones."""
        asked = {**FUTURES, "symbol": place.market(intent.instrument)["id"]}
        row = await _single(place, intent, asked) or await _among(place, intent, asked, trace)
        if row is None:
            return None
        return _found_order(row, await _fees(place, row, asked))

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        symbol = place.market(intent.instrument)["id"]
        asked = {**FUTURES, "symbol": symbol, "marginCoin": COIN, "clientOid": intent.client_id}
        endpoint = "private_mix_post_v2_mix_order_cancel_order"
        return text(row_of(await place.login.call(endpoint, asked), endpoint), "orderId")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between the two wallets of one user."""
        if source.login is not target.login:
            raise NotSentError("money passes between the wallets of one user only")
        body = {
            "fromType": WALLETS[source.config.wallet],
            "toType": WALLETS[target.config.wallet],
            "amount": plain(intent.amount),
            "coin": intent.asset,
            "clientOid": intent.client_id,
        }
        endpoint = "private_spot_post_v2_spot_wallet_transfer"
        reply = await source.login.call(endpoint, body, intent.stamped_at)
        return text(row_of(reply, endpoint), "transferId")

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by its key among the sender's records."""
        del target
        endpoint = "private_spot_get_v2_spot_account_transferrecords"
        asked = {
            "coin": intent.asset,
            "fromType": WALLETS[source.config.wallet],
            "startTime": trace.since_ms,
            "clientOid": intent.client_id,
        }
        rows = rows_of(await source.login.call(endpoint, asked), endpoint)
        row = next((row for row in rows if row.get("clientOid") == intent.client_id), None)
        return None if row is None else _found_transfer(row)

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction of the last week was credited to the spot wallet."""
        return [
            deposit_by(row, amount="size", address="toAddress", venue_id="orderId")
            for row in await bitget_funds.deposit_rows(target, asset)
            if row.get("tradeId") == txid and row.get("status") == "success"
        ]


async def _single(place: Place, intent: OrderIntent, asked: JsonObject) -> JsonObject | None:
    endpoint = "private_mix_get_v2_mix_order_detail"
    try:
        reply = await place.login.call(endpoint, {**asked, "clientOid": intent.client_id})
    except RefusalError as error:
        if error.code not in NOT_THERE:
            raise
        return None
    row = row_of(reply, endpoint)
    if row.get("clientOid") != intent.client_id:
        raise VenueError(f"asked for order {intent.client_id}, told of {row.get('clientOid')}")
    return row


async def _among(
    place: Place, intent: OrderIntent, asked: JsonObject, trace: Trace
) -> JsonObject | None:
    past = {**asked, "startTime": trace.since_ms}
    for endpoint, params in (
        ("private_mix_get_v2_mix_order_orders_pending", asked),
        ("private_mix_get_v2_mix_order_orders_history", past),
    ):
        for row in await pages(place.login, endpoint, params):
            if row.get("clientOid") == intent.client_id:
                return row
    return None


async def _fees(place: Place, row: JsonObject, asked: JsonObject) -> dict[str, Decimal]:
    """Add up the fees of an order's fills; the venue writes a charge as a negative number."""
    filled = number(row.get("baseVolume"))
    if not filled:
        return {}
    endpoint = "private_mix_get_v2_mix_order_fills"
    named = {**asked, "orderId": text(row, "orderId")}
    fills = await pages(place.login, endpoint, named, "fillList")
    return {coin: fee for coin, fee in fees_of(filled, _charged(fills)).items() if fee}


@exactly
def _charged(fills: list[JsonObject]) -> list[Fill]:
    """Read what fills cost; one whose fee has several parts counts once by its quantity."""
    parts = list[Fill]()
    for fill in fills:
        parts.append((number(text(fill, "baseVolume")), COIN, ZERO))
        parts.extend(
            (ZERO, text(part, "feeCoin"), -(number(text(part, "totalFee")) or ZERO))
            for part in fill.get("feeDetail") or ()
        )
    return parts


def _found_order(row: JsonObject, fees: dict[str, Decimal]) -> Found:
    return Found(
        venue_id=text(row, "orderId"),
        state=_state(row),
        filled=number(text(row, "baseVolume")) or ZERO,
        average_price=number(row.get("priceAvg")) or None,
        fees=fees,
        venue_time=moment(text(row, "uTime")),
    )


def _state(row: JsonObject) -> FoundState:
    """Translate the order's status, which its own page calls state and the lists status."""
    status = str(row.get("state") or row.get("status") or "not told")
    states: dict[str, FoundState] = {
        "live": "open",
        "new": "open",
        "partially_filled": "partial",
        "filled": "filled",
        "canceled": "cancelled",
        "cancelled": "cancelled",
    }
    if status not in states:
        raise VenueError(f"order status {status} is not known")
    return states[status]


@exactly
def _found_transfer(row: JsonObject) -> Found:
    status = text(row, "status")
    if status not in TRANSFER_STATES:
        raise VenueError(f"transfer status {status} is not known")
    state = TRANSFER_STATES[status]
    filled = (number(text(row, "size")) or ZERO) if state == "settled" else ZERO
    at = moment(text(row, "ts"))
    return Found(venue_id=text(row, "transferId"), state=state, filled=filled, venue_time=at)
