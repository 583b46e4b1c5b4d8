"""Binance: facts, and how actions are sent and looked up at its three hosts.

Sources: the venue's pages Query Order, All Orders, Account Trade List (spot, USD-M, COIN-M,
Portfolio Margin), Auto-Cancel All Open Orders (USD-M, COIN-M), User Universal Transfer, Universal
Transfer (sub-account), Withdraw, Error Codes; `binance_orders` names those of new orders.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.ccxt import (
    binance_accounts,
    binance_markets,
    binance_moves,
    binance_orders,
    binance_portfolio,
    binance_switch,
)
from allocator.adapters.ccxt.answers import rows, single
from allocator.adapters.ccxt.binance_orders import DUPLICATE, MOST_ORDERS, WALLETS
from allocator.adapters.ccxt.binance_reads import order_state, path_of
from allocator.adapters.ccxt.binance_switch import LEAST_SILENCE_S, has_switch
from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace, Withdrawal
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.fills import fees_of
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import Accounts, ReadsAccounts, ReadsMarkets, ReadsNetworks
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import only_one, with_fee
from allocator.adapters.deadline import soon
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

OWN = {"spot": "MAIN", "usdm": "UMFUTURE", "coinm": "CMFUTURE", "unified": "PORTFOLIO_MARGIN"}
MEMBER = {"spot": "SPOT", "usdm": "USDT_FUTURE", "coinm": "COIN_FUTURE"}
OWN_STATES = {"CONFIRMED": "settled", "PENDING": "in_transit", "FAILED": "returned"}
MEMBER_STATES = {"SUCCESS": "settled", "PROCESS": "in_transit", "FAILURE": "returned"}
FAILED_WITHDRAWALS = frozenset({"1", "3", "5"})
CREDITED = frozenset({"1", "6"})
TURN_S = 1.0
"""Seconds that a look at money under way waits for its turn."""

LIMIT = 1000
"""Rows that one answer holds at most."""

REQUEST_CODES = (
    "-1013 -1014 -1022 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 "
    "-1116 -1117 -1118 -1119 -1120 -1121 -1125 -1127 -1128 -1130 -1131 -4082"
)
FILTER_CODE = "-1013"
"""An order that is off a filter: of its form, or of the orders and the position there are."""

KEY_CODES = "-2014 -2015"
ORDER_CODES = (
    "-2010 -2014 -2015 -2018 -2019 -2020 -2021 -2022 -2024 -2025 -2026 -2027 -2028 -4001 -4002 "
    "-4003 -4004 -4005 -4006 -4013 -4014 -4015 -4016 -4023 -4024 -4029 -4030 -4061 -4087 -4088 "
    "-4109 -4112 -4118 -4120 -4131 -4164 -5021 -5022"
)
FUND_CODES = "-4018 -4019 -4021 -4022 -4026 -4033 -5007 -5009 -5010 -5013"
FACTS = Facts(
    definitive=frozenset(" ".join([REQUEST_CODES, ORDER_CODES, FUND_CODES]).split()),
    duplicate=frozenset({"-4116", "-4111", "-4115", DUPLICATE}),
    gone=frozenset({"-2011"}),
    stale=frozenset({"-1021", "-5028", "-4188"}),
    formal=frozenset(f"{REQUEST_CODES} {KEY_CODES}".split()) - {FILTER_CODE},
    unkeyed={"own": True, "move": False},
)


class Binance(ReadsAccounts, ReadsMarkets, ReadsNetworks):
    """The spot, USD-M and COIN-M wallets of each member, or its portfolio-margin account."""

    accounts = binance_accounts
    wallets = ("spot", "usdm", "coinm", "unified")
    markets = binance_markets
    terms = binance_markets

    def reader(self, place: Place) -> Accounts:
        """Choose what reads an account: portfolio margin is one of its own kind."""
        return binance_portfolio if place.config.wallet == "unified" else self.accounts

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked of an account; transfers between own wallets bear no key.

        What a chain brings comes to the spot wallet.
        """
        return Capabilities(
            withdrawals=place.login is place.master and place.config.wallet == "spot",
            sees_deposits=place.config.wallet == "spot",
            transfer_key=False,
            moves=binance_moves.moves(place),
            client_id_reusable=True,
            read_lag_s=Decimal(2),
            batch_orders=MOST_ORDERS if place.config.wallet in WALLETS else 1,
            dead_man_s=LEAST_SILENCE_S if has_switch(place) else None,
            tells_status=True,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell whether a transfer goes through: one side of it is always a spot wallet.

        Portfolio margin takes from, and gives to, the spot wallet of its own login only.
        """
        if "unified" in (source, target) and not one_login:
            return False
        return "spot" in (source, target) and (source != target or not one_login)

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order; one-way mode."""
        return await binance_orders.alone(place, intent)

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send up to five orders of a futures account in one request."""
        return await binance_orders.together(place, intents)

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id, then among all orders since it was sent."""
        market = place.market(intent.instrument)
        asked = {"symbol": market["id"]}
        try:
            row = await place.login.call(
                path_of(place, market, "get", "order"),
                {**asked, "origClientOrderId": intent.client_id},
            )
        except RefusalError as error:
            if error.code != "-2013":
                raise
            every = rows(
                await place.login.call(
                    path_of(place, market, "get", "allorders"),
                    {**asked, "startTime": trace.since_ms, "limit": LIMIT},
                )
            )
            same = [row for row in every if row.get("clientOrderId") == intent.client_id]
            if not same and len(every) >= LIMIT:
                raise VenueError("more orders than one answer holds") from error
            if not same:
                return None
            row = same[-1]
        if row.get("clientOrderId") != intent.client_id:
            raise VenueError("the answer is about another order")
        return await _found_order(place, market, row, trace)

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id."""
        market = place.market(intent.instrument)
        asked = {"symbol": market["id"], "origClientOrderId": intent.client_id}
        reply = await place.login.call(path_of(place, market, "delete", "order"), asked)
        return text(reply, "orderId")

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Have what stands in the configured markets cancelled after so many seconds; 0: never."""
        return await binance_switch.cancel_after(place, seconds)

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between wallets of one login, or (signed by the master) between members."""
        body: JsonObject = {"asset": intent.asset, "amount": plain(intent.amount)}
        if source.login is target.login:
            body["type"] = f"{OWN[source.config.wallet]}_{OWN[target.config.wallet]}"
            reply = await source.login.call("sapi_post_asset_transfer", body, intent.stamped_at)
            return text(reply, "tranId")
        body |= {
            "fromAccountType": MEMBER[source.config.wallet],
            "toAccountType": MEMBER[target.config.wallet],
            "clientTranId": intent.client_id,
            **_emails(source, target),
        }
        reply = await source.master.call(
            "sapi_post_sub_account_universaltransfer", body, intent.stamped_at
        )
        return text(reply, "tranId")

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up: between members by its key, between own wallets by what was sent."""
        if source.login is target.login:
            return await _find_own(source, target, intent, trace)
        asked: JsonObject = {"clientTranId": intent.client_id, "limit": 500}
        if source.login is not source.master:
            asked["fromEmail"] = source.member
        reply = await source.master.call("sapi_get_sub_account_universaltransfer", asked)
        same = [row for row in rows(reply, "result") if row.get("clientTranId") == intent.client_id]
        return _found_transfer(same[0], MEMBER_STATES, "createTimeStamp") if same else None

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Withdraw to a registered address; the venue takes its fee out of what is asked."""
        body = {
            "coin": intent.asset,
            "network": address.network,
            "address": address.address,
            "amount": plain(with_fee(intent.amount, fee)),
            "withdrawOrderId": intent.client_id,
            "walletType": 0,
        }
        if address.tag is not None:
            body["addressTag"] = address.tag
        try:
            reply = await source.login.call(
                "sapi_post_capital_withdraw_apply", body, intent.stamped_at
            )
        except RefusalError as error:
            if error.code == "-4001":
                raise RefusalError(DUPLICATE, error.message) from error
            raise
        return text(reply, "id")

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up by its key.

        A user may ask ten times a minute. One that is known to be under way waits for no turn, for
        it is asked after again.
        """
        del address
        asked = {"withdrawOrderId": intent.client_id}
        with contextlib.nullcontext() if trace.venue_id is None else soon(TURN_S):
            found = rows(await source.login.call("sapi_get_capital_withdraw_history", asked))
        same = [row for row in found if row.get("withdrawOrderId") == intent.client_id]
        row = only_one(same, "withdrawOrderId")
        if row is None:
            return None
        return Withdrawal(
            venue_id=text(row, "id"),
            asset=text(row, "coin"),
            amount=number(text(row, "amount")) or ZERO,
            address=str(row.get("address") or ""),
            fee_within=True,
            failed=str(row.get("status")) in FAILED_WITHDRAWALS,
            txid=str(row.get("txId") or "") or None,
            fee=number(row.get("transactionFee")) or ZERO,
            at=_instant(text(row, "applyTime")),
        )

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited."""
        found = rows(
            await target.login.call(
                "sapi_get_capital_deposit_hisrec", {"coin": asset, "txId": txid}
            )
        )
        return [
            deposit_by(row, tag="addressTag", network="network", venue_id="id")
            for row in found
            if row.get("txId") == txid and str(row.get("status")) in CREDITED
        ]

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Move a position between two members."""
        return await binance_moves.send(source, target, intent)

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Look a move up by what was sent: it has no id."""
        return await binance_moves.find(source, intent, trace)


def _instant(told: str) -> datetime:
    """Read the withdrawal page's time, ``2026-11-20 08:00:00`` in UTC."""
    return datetime.strptime(told, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _emails(source: Place, target: Place) -> JsonObject:
    """Name the members; the master is the one that is not named."""
    sides = {"fromEmail": source, "toEmail": target}
    return {key: place.member for key, place in sides.items() if place.login is not place.master}


async def _found_order(place: Place, market: JsonObject, row: JsonObject, trace: Trace) -> Found:
    filled = number(text(row, "executedQty")) or ZERO
    fees = await _fees(place, market, row, trace) if filled else {}
    return Found(
        venue_id=text(row, "orderId"),
        state=order_state(row),
        filled=filled,
        average_price=_average(row, filled),
        fees=fees,
        venue_time=moment(text(row, "updateTime")),
    )


@exactly
def _average(row: JsonObject, filled: Decimal) -> Decimal | None:
    average = number(row.get("avgPrice"))
    if average:
        return average
    value = number(row.get("cummulativeQuoteQty"))
    return value / filled if value and filled else None


async def _fees(
    place: Place, market: JsonObject, row: JsonObject, trace: Trace
) -> dict[str, Decimal]:
    """Add up what an order cost; portfolio margin lists trades by time, not by order."""
    order_id = text(row, "orderId")
    name = "mytrades" if market["spot"] else "usertrades"
    asked: JsonObject = {"symbol": market["id"], "limit": LIMIT}
    unified = place.config.wallet == "unified"
    asked |= {"startTime": trace.since_ms} if unified else {"orderId": order_id}
    reply = rows(await place.login.call(path_of(place, market, "get", name), asked))
    if len(reply) >= LIMIT:
        raise VenueError("more trades than one answer holds")
    parts = [
        (number(text(fill, "qty")), text(fill, "commissionAsset"), number(text(fill, "commission")))
        for fill in reply
        if str(fill.get("orderId")) == order_id
    ]
    return fees_of(number(text(row, "executedQty")) or ZERO, parts)


async def _find_own(
    source: Place, target: Place, intent: TransferIntent, trace: Trace
) -> Found | None:
    """Look a transfer up by what was sent: it has no key.

    Raises
    ------
    VenueError
        When two look the same, or the answer does not hold all there is.
    """
    reply = await source.login.call(
        "sapi_get_asset_transfer",
        {
            "type": f"{OWN[source.config.wallet]}_{OWN[target.config.wallet]}",
            "startTime": trace.since_ms,
            "size": 100,
        },
    )
    total = number(text(single(reply, "transfers"), "total"))
    # Of no transfers the answer may leave the list out, and nothing but the count says so then.
    found = [] if total == 0 and reply.get("rows") is None else rows(reply, "rows")
    same = [row for row in found if _is_own(row, intent, trace)]
    if total != len(found) and not (same and trace.venue_id):
        raise VenueError(f"{total} transfers, and {len(found)} in the answer")
    if len(same) > 1:
        raise VenueError("two transfers look the same")
    return _found_transfer(same[0], OWN_STATES, "timestamp") if same else None


def _is_own(row: JsonObject, intent: TransferIntent, trace: Trace) -> bool:
    if trace.venue_id is not None:
        return str(row.get("tranId")) == trace.venue_id
    if str(row.get("tranId")) in trace.taken:
        return False
    return row.get("asset") == intent.asset and number(row.get("amount")) == intent.amount


def _found_transfer(row: JsonObject, states: Mapping[str, str], time_key: str) -> Found:
    status = text(row, "status")
    if status not in states:
        raise VenueError(f"transfer status {status} is not known")
    state = states[status]
    return Found.model_validate(
        {
            "venue_id": text(row, "tranId"),
            "state": state,
            "filled": text(row, "amount") if state == "settled" else ZERO,
            "venue_time": moment(text(row, time_key)),
        }
    )
