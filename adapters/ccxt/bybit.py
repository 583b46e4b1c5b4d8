"""Bybit v5, unified account: facts, and how actions are sent and looked up.

Sources: the venue's pages v5/order/create-order, v5/order/open-order, v5/order/order-list,
v5/asset/transfer/unitransfer, v5/asset/withdraw, v5/asset/deposit/deposit-record,
v5/position/move-position, v5/position/move-position-history, v5/error.
Calls go through ccxt's implicit methods, so that nothing but what stands here is in a request.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal

from allocator.adapters.ccxt import bybit_accounts, bybit_markets
from allocator.adapters.ccxt.bybit_orders import MOST_ORDERS, together, worded
from allocator.adapters.ccxt.bybit_reads import (
    SIDES,
    category,
    order_state,
    pages,
    result,
)
from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace, Withdrawal
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets, ReadsNetworks
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import leads_to
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

NAMESPACE = uuid.UUID("8d1f0c52-6f0b-4d8e-9a55-2f6f3f1f6b10")
WALLETS = {"unified": "UNIFIED", "funding": "FUND"}
WITHDRAWS_FROM = {"unified": "UTA", "funding": "FUND"}
TRANSFER_STATES = {"SUCCESS": "settled", "PENDING": "in_transit", "FAILED": "returned"}
MOVE_STATES = {"Filled": "settled", "Rejected": "rejected"}
FAILED_WITHDRAWALS = frozenset({"CancelByUser", "Reject", "Fail"})

KEY_CODES = "10003 10004 10005 10007 10009 10010"
REQUEST_CODES = f"10001 {KEY_CODES}"
CONTRACT_CODES = (
    "110003 110004 110006 110007 110012 110013 110014 110017 110020 110021 110025 110045 110052 "
    "110090 110094"
)
SPOT_CODES = (
    "170121 170124 170130 170131 170132 170133 170134 170135 170136 170137 170140 170193 170194"
)
FUND_CODES = (
    "131002 131085 131086 131087 131091 131093 131094 131095 131096 131097 131098 131202 131203 "
    "131206 131207 131208 131209 131210 131211 131212 131213 131215 131228"
)
FACTS = Facts(
    definitive=frozenset(" ".join([REQUEST_CODES, CONTRACT_CODES, SPOT_CODES, FUND_CODES]).split()),
    duplicate=frozenset({"110072", "170141", "131214", "10014"}),
    gone=frozenset({"110001", "170213"}),
    stale=frozenset({"10002"}),
    formal=frozenset(KEY_CODES.split()),
    unkeyed={"withdrawal": True, "move": True},
)


def transfer_id(client_id: str) -> str:
    """Derive a transfer's idempotency key, which the venue wants as a UUID.

    >>> transfer_id("0123456789abcdef0123456789abcdef")
    '01234567-89ab-cdef-0123-456789abcdef'
    """
    try:
        return str(uuid.UUID(hex=client_id))
    except ValueError:
        return str(uuid.uuid5(NAMESPACE, client_id))


class Bybit(ReadsAccounts, ReadsMarkets, ReadsNetworks):
    """The unified account (one margin pool) and the funding wallet of each member."""

    accounts = bybit_accounts
    wallets = ("unified", "funding")
    markets = bybit_markets
    terms = bybit_markets

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked of an account; moves are sent by the master's key.

        What a chain brings comes to the wallet that the user chose for it.
        """
        trades = place.config.wallet == "unified"
        return Capabilities(
            orders=trades,
            batch_orders=MOST_ORDERS if trades else 1,
            withdrawals=place.login is place.master,
            sees_deposits=True,
            moves=trades and place.master.config.member is not None,
            tells_status=True,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that every wallet reaches every other of one master."""
        return source != target or not one_login

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order; one-way mode."""
        name, body = worded(place, intent)
        asked = {"category": name, **body}
        reply = await place.login.call("private_post_v5_order_create", asked, intent.stamped_at)
        return text(result(reply), "orderId")

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to ten orders, those of a category in one request; each stands for itself."""
        told = dict[str, str | Exception]()
        orders = [(intent, *worded(place, intent)) for intent in intents]
        for name in sorted({name for _, name, _ in orders}):
            bodies = {intent.client_id: body for intent, of, body in orders if of == name}
            try:
                told |= await together(place, name, bodies, intents[0].stamped_at)
            except VenueError as error:
                told |= dict.fromkeys(bodies, error)
        return tuple(told[intent.client_id] for intent in intents)

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its link id, in current and then in past orders."""
        del trace
        market = place.market(intent.instrument)
        asked = {
            "category": category(market),
            "symbol": market["id"],
            "orderLinkId": intent.client_id,
        }
        for endpoint in ("private_get_v5_order_realtime", "private_get_v5_order_history"):
            for row in await pages(place.login, endpoint, asked):
                if row.get("orderLinkId") == intent.client_id:
                    return _found_order(row, market, intent)
        return None

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by link id."""
        market = place.market(intent.instrument)
        body = {
            "category": category(market),
            "symbol": market["id"],
            "orderLinkId": intent.client_id,
        }
        reply = await place.login.call("private_post_v5_order_cancel", body)
        return text(result(reply), "orderId")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between wallets of one member, or (signed by the master) between members."""
        body = {
            "transferId": transfer_id(intent.client_id),
            "coin": intent.asset,
            "amount": plain(intent.amount),
            "fromAccountType": WALLETS[source.config.wallet],
            "toAccountType": WALLETS[target.config.wallet],
        }
        if source.login is target.login:
            endpoint, signer = "private_post_v5_asset_transfer_inter_transfer", source.login
        else:
            endpoint, signer = "private_post_v5_asset_transfer_universal_transfer", source.master
            body |= {"fromMemberId": source.member, "toMemberId": target.member}
        reply = await signer.call(endpoint, body, intent.stamped_at)
        return text(result(reply), "transferId")

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by its key."""
        del trace
        own = source.login is target.login
        word = "inter" if own else "universal"
        key = transfer_id(intent.client_id)
        rows = await pages(
            source.login if own else source.master,
            f"private_get_v5_asset_transfer_query_{word}_transfer_list",
            {"transferId": key},
        )
        row = next((row for row in rows if row.get("transferId") == key), None)
        return None if row is None else _found_transfer(row)

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Withdraw to a registered address; the fee comes on top of the amount."""
        del fee
        body: JsonObject = {
            "coin": intent.asset,
            "chain": address.network,
            "address": address.address,
            "amount": plain(intent.amount),
            "accountType": WITHDRAWS_FROM[source.config.wallet],
            "feeType": 0,
            "forceChain": 1,
            "requestId": intent.client_id[:32].lower(),
            "timestamp": source.login.client.nonce(),
        }
        if address.tag is not None:
            body["tag"] = address.tag
        reply = await source.login.call(
            "private_post_v5_asset_withdraw_create", body, intent.stamped_at
        )
        return text(result(reply), "id")

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up by what was sent: the venue's records do not show its key."""
        named = trace.venue_id is not None
        asked = {"withdrawID": trace.venue_id} if named else {"startTime": trace.since_ms}
        rows = await pages(
            source.login,
            "private_get_v5_asset_withdraw_query_record",
            {"coin": intent.asset, "limit": 50, **asked},
            "rows",
        )
        same = [
            row
            for row in rows
            if (
                row.get("withdrawId") == trace.venue_id if named else _is_same(row, address, intent)
            )
        ]
        if len(same) > 1:
            raise VenueError("two withdrawals look the same")
        if not same:
            return None
        row = same[0]
        return Withdrawal(
            venue_id=text(row, "withdrawId"),
            asset=text(row, "coin"),
            amount=number(text(row, "amount")) or ZERO,
            address=str(row.get("toAddress") or ""),
            failed=row.get("status") in FAILED_WITHDRAWALS,
            txid=str(row.get("txID") or "") or None,
            fee=number(row.get("withdrawFee")) or ZERO,
            at=moment(text(row, "createTime")),
        )

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited, less its fee; 3 is the word for success."""
        rows = await pages(
            target.login,
            "private_get_v5_asset_deposit_query_record",
            {"coin": asset, "txID": txid},
            "rows",
        )
        return [
            deposit_by(row, address="toAddress", venue_id="id", fee="depositFee")
            for row in rows
            if row.get("txID") == txid and str(row.get("status")) == "3"
        ]

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Move a position between two members; the side is what the sender does."""
        market = source.market(intent.instrument)
        leg = {
            "category": category(market),
            "symbol": market["id"],
            "price": plain(intent.price),
            "side": SIDES["sell" if intent.side == "buy" else "buy"],
            "qty": plain(intent.quantity),
        }
        body = {"fromUid": source.member, "toUid": target.member, "list": [leg]}
        reply = await source.master.call(
            "private_post_v5_position_move_positions", body, intent.stamped_at
        )
        moved = result(reply)
        if moved.get("status") == "Rejected":
            raise RefusalError("10001", f"rejected by {moved.get('rejectParty')}")
        return text(moved, "blockTradeId")

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Look a move up by the venue's id, else by what was sent: it has no client id.

        What looks like it and was rejected moved nothing, whosever it was: by its id alone it tells
        that ours did not.
        """
        market = source.market(intent.instrument)
        asked: JsonObject = {"category": category(market), "symbol": market["id"]}
        if trace.venue_id is not None:
            asked["blockTradeId"] = trace.venue_id
        else:
            asked["startTime"] = trace.since_ms
        rows = await pages(source.master, "private_get_v5_position_move_history", asked)
        same = [row for row in rows if _is_move(row, source, intent, trace)]
        if trace.venue_id is None:
            same = [row for row in same if row.get("status") != "Rejected"]
        if len(same) > 1:
            raise VenueError("two moves look the same")
        return _found_move(same[0]) if same else None


def _found_order(row: JsonObject, market: JsonObject, intent: OrderIntent) -> Found:
    average = number(row.get("avgPrice"))
    return Found(
        venue_id=text(row, "orderId"),
        state=order_state(row),
        filled=number(text(row, "cumExecQty")) or ZERO,
        average_price=average or None,
        fees=_fees(row, market, intent),
        venue_time=moment(text(row, "updatedTime")),
    )


def _fees(row: JsonObject, market: JsonObject, intent: OrderIntent) -> dict[str, Decimal]:
    detail = row.get("cumFeeDetail")
    if isinstance(detail, dict) and detail:
        return {str(coin): number(fee) or ZERO for coin, fee in detail.items()}
    fee = number(row.get("cumExecFee"))
    if not fee:
        return {}
    spot_coin = market["base"] if intent.side == "buy" else market["quote"]
    return {spot_coin if market["spot"] else market["settle"]: fee}


def _found_transfer(row: JsonObject) -> Found:
    status = text(row, "status")
    if status not in TRANSFER_STATES:
        raise VenueError(f"transfer status {status} is not known")
    state = TRANSFER_STATES[status]
    return Found.model_validate(
        {
            "venue_id": text(row, "transferId"),
            "state": state,
            "filled": text(row, "amount") if state == "settled" else ZERO,
            "venue_time": moment(text(row, "timestamp")),
        }
    )


def _is_same(row: JsonObject, address: AddressConfig, intent: TransferIntent) -> bool:
    return (
        row.get("coin") == intent.asset
        and row.get("chain") == address.network
        and leads_to(row.get("toAddress"), address)
        and number(row.get("amount")) == intent.amount
    )


def _is_move(row: JsonObject, source: Place, intent: MoveIntent, trace: Trace) -> bool:
    side = SIDES["sell" if intent.side == "buy" else "buy"]
    return (
        str(row.get("userId")) == source.member
        and row.get("side") == side
        and number(row.get("qty")) == intent.quantity
        and number(row.get("price")) == intent.price
        and int(text(row, "createdAt")) >= trace.since_ms
    )


def _found_move(row: JsonObject) -> Found:
    """Read how a move ended.

    Raises
    ------
    VenueError
        While it has not: it is asked after again.
    """
    status = text(row, "status")
    if status not in MOVE_STATES:
        raise VenueError(f"a position move is told as {status}")
    done, state = status == "Filled", MOVE_STATES[status]
    return Found.model_validate(
        {
            "venue_id": text(row, "blockTradeId"),
            "state": state,
            "filled": text(row, "qty") if done else ZERO,
            "average_price": text(row, "price") if done else None,
            "venue_time": moment(text(row, "createdAt")),
            "why": "" if done else _why_rejected(row),
        }
    )


def _why_rejected(row: JsonObject) -> str:
    party = f"rejected by {row.get('rejectParty') or 'nobody'}"
    return f"{row.get('resultCode')}: {row.get('resultMessage')}: {party}"
