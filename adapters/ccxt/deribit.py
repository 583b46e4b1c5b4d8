"""Deribit v2: facts, and how orders are sent and looked up.

Sources: docs.deribit.com/api-reference/trading, private-buy, private-sell, private-cancel,
private-get_order_state_by_label, private-get_order_history_by_instrument,
private-get_user_trades_by_order; articles/authentication, articles/rate-limits, RPC error codes.

- Client id: `label`, 64 characters, neither required nor unique (private-buy), so it is looked up
  before an order is sent. Transfers and withdrawals: `nonce`, 8 to 128 characters
  (private-submit_transfer_between_subaccounts).
- Expiry: an order's `valid_until`, stamp + 5 s, after which the venue answers 13888 `timed_out`.
  Everything else has none; its signature is dated 55 s before the stamp, since one holds 60 s
  (articles/authentication). So the fence of 5 s holds for all.
- Scope of rate limits: the sub-account. 500 of 50,000 credits a request, 10,000 a second; the
  matching engine 5 a second, 20 at once; `get_instruments` 1 in 10 s, 5 at once; 10028.
- Scope of limits on positions: the account (10013 to 10018); the venue tells none beforehand.
- Moves: the main account's key, 6 a minute, 100 in 168 h (13780), one currency a call.
- Dead man's switch: cancel on disconnect is not supported over HTTP, and there is no other
  (articles/json-rpc-overview).
- Read lag: orders show by label at once; in the recent history for 30 min, then in the historical
  one, where it takes a short time.

A cancelled order without any fill is in the history only when it is asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from allocator.adapters.ccxt import deribit_accounts, deribit_funds, deribit_markets
from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.deribit_reads import (
    LOCKED,
    ask,
    contracts,
    counted,
    currency_of,
    order_state,
    result,
    units,
)
from allocator.adapters.ccxt.dialect import Deposit, Facts, Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.fills import fees_of, quantity_of
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.reads import ReadsAccounts, ReadsMarkets, ReadsNetworks
from allocator.adapters.ccxt.values import JsonObject, moment, number
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

DUPLICATE = "duplicate"
STYLES: dict[str, JsonObject] = {
    "ioc": {"time_in_force": "immediate_or_cancel"},
    "post_only": {
        "time_in_force": "good_til_cancelled",
        "post_only": True,
        "reject_post_only": True,
    },
}
RECENT_MS = 25 * 60_000
"""An order sent less than this ago cannot have left the recent history, which holds 30 min."""

VALID = timedelta(seconds=deribit_funds.WINDOW_S)

ORDER_CODES = (
    "10002 10003 10005 10006 10007 10008 10009 10011 10012 10013 10014 10015 10016 10017 10018 "
    "10019 10020 10021 10022 10023 10024 10026 10027 10029 10031 10032 10036 10043 11030 11037 "
    "11042 11043 11046 11047 11048 11049 11054 11055 13019 13020"
)
REQUEST_CODES = (
    "9999 10000 10025 10030 10033 11029 11050 11098 13004 13010 13011 13012 13016 13018 13021 "
    "13025 13031 13503 -32600 -32601 -32602 -32700 -32000"
)
FUND_CODES = "11053 11090 11091 11096 11097 12100 13780 cancelled insufficient_funds"
FACTS = Facts(
    definitive=frozenset(
        " ".join([ORDER_CODES, REQUEST_CODES, FUND_CODES, "withdrawal_limit", LOCKED]).split()
    ),
    duplicate=frozenset({DUPLICATE}),
    gone=frozenset({"10004", "10010", "11044"}),
    stale=frozenset({"13888", "13009"}),
    formal=frozenset(REQUEST_CODES.split()),
    replayed=frozenset({"nonce used before"}),
    unkeyed={"move": False},
)
"""Left open, so Unknown: 10028 and 10047 (too many requests), 10040 (retry), 10041 (settlement),
10001, 11031, 11051, 11094 (may have been done in part), 13028."""


class Deribit(ReadsAccounts, ReadsMarkets, ReadsNetworks):
    """One account of a main account or of a sub-account: a pool of all its currencies."""

    accounts = deribit_accounts
    wallets = ("unified",)
    markets = deribit_markets
    terms = deribit_markets

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        return FACTS

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked; moves and withdrawals need the main account's key."""
        known = place.login.config.member is not None
        return Capabilities(
            transfers=known,
            withdrawals=place.login is place.master,
            sees_deposits=True,
            moves=known and place.master.config.member is not None,
            client_id_reusable=True,
            receive_window_s=Decimal(deribit_funds.WINDOW_S),
            read_lag_s=Decimal(2),
            tells_status=True,
        )

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell that money goes between accounts of one main account; each has one wallet."""
        del source, target
        return not one_login

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send a limit order, once its label is found to be new: the venue would take it twice."""
        market = place.market(intent.instrument)
        try:
            known = await _by_label(place, market, intent)
        except VenueError as error:
            raise NotSentError(f"whether its label is new was not told: {error}") from error
        if known:
            raise RefusalError(DUPLICATE, f"label {intent.client_id} is known")
        body: JsonObject = {
            "instrument_name": market["id"],
            "amount": plain(units(market, intent.quantity)),
            "type": "limit",
            "price": plain(intent.limit_price),
            "label": intent.client_id,
            "valid_until": _until(place, intent.stamped_at),
            **STYLES[intent.style],
        }
        if not market["spot"]:
            body["reduce_only"] = intent.reduce_only
        endpoint = f"private_get_{intent.side}"
        found = result(await place.login.call(endpoint, body, intent.stamped_at))
        order = found.get("order") if isinstance(found, dict) else None
        if not isinstance(order, dict):
            raise UnansweredError("the answer has no order")
        return text(order, "order_id")

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its label, then in recent and, unless it is young, in old orders."""
        market = place.market(intent.instrument)
        found = await _by_label(place, market, intent)
        age_ms = int(place.login.client.nonce()) - trace.since_ms
        for historical in (False, True) if age_ms > RECENT_MS else (False,):
            if not found:
                found = await _in_history(place, market, intent, historical=historical)
        if len(found) > 1:
            raise VenueError("two orders bear the same label")
        return await _found_order(place, market, found[0]) if found else None

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by the venue's id, which its label leads to.

        Raises
        ------
        RefusalError
            When it has ended.
        """
        market = place.market(intent.instrument)
        found = await _by_label(place, market, intent)
        if not found:
            raise UnansweredError(f"no order {intent.client_id} to cancel")
        standing = [row for row in found if order_state(row) in ("open", "partial")]
        if not standing:
            raise RefusalError("10010", "already_closed")
        asked = {"order_id": text(standing[0], "order_id")}
        return text(result(await place.login.call("private_get_cancel", asked)), "order_id")

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send between two accounts."""
        return await deribit_funds.send_transfer(source, target, intent)

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a transfer up by its nonce."""
        del target
        return await deribit_funds.find_transfer(source, intent, trace)

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Withdraw to a registered address."""
        del fee
        return await deribit_funds.send_withdrawal(source, address, intent)

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up by its nonce."""
        del address
        return await deribit_funds.find_withdrawal(source, intent, trace)

    async def deposits(self, target: Place, asset: str, txid: str) -> list[Deposit]:
        """List what of a transaction was credited."""
        return await deribit_funds.deposits(target, asset, txid)

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Move a position between two accounts."""
        return await deribit_funds.send_move(source, target, intent)

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Look a move up."""
        return await deribit_funds.find_move(source, intent, trace)


def _until(place: Place, stamped_at: datetime | None) -> int:
    """Tell until when the venue may take an order, by its clock."""
    at = place.login.venue_now() if stamped_at is None else stamped_at
    until = at + VALID
    if stamped_at is None:
        return round(until.timestamp() * 1000)
    return place.login.venue_ms(until)


async def _by_label(place: Place, market: JsonObject, intent: OrderIntent) -> list[JsonObject]:
    """Read the orders of a market that bear the label, open or recent.

    Raises
    ------
    VenueError
        When nothing usable came.
    """
    asked = {"currency": currency_of(market), "label": intent.client_id}
    found = rows(await ask(place.login, "private_get_get_order_state_by_label", asked))
    return _same(found, market, intent)


async def _in_history(
    place: Place, market: JsonObject, intent: OrderIntent, *, historical: bool
) -> list[JsonObject]:
    found = await counted(
        place.login,
        "private_get_get_order_history_by_instrument",
        {
            "instrument_name": market["id"],
            "include_old": True,
            "include_unfilled": True,
            "historical": historical,
        },
        None,
    )
    return _same(found, market, intent)


def _same(found: list[JsonObject], market: JsonObject, intent: OrderIntent) -> list[JsonObject]:
    same = {
        text(row, "order_id"): row
        for row in found
        if row.get("label") == intent.client_id and row.get("instrument_name") == market["id"]
    }
    return list(same.values())


async def _found_order(place: Place, market: JsonObject, row: JsonObject) -> Found:
    amount = number(text(row, "filled_amount")) or ZERO
    cost = await fees(place, text(row, "order_id"), amount) if amount else {}
    return Found(
        venue_id=text(row, "order_id"),
        state=order_state(row),
        filled=contracts(market, amount),
        average_price=number(row.get("average_price")) or None,
        fees=cost,
        venue_time=moment(text(row, "last_update_timestamp")),
    )


async def fees(place: Place, order_id: str, amount: Decimal) -> dict[str, Decimal]:
    """Add up the fees of an order's trades, which are recent ones or of a day ago and more.

    Raises
    ------
    VenueError
        When they are not the amount that the order tells.
    """
    trades = dict[str, JsonObject]()
    for historical in (False, True):
        found = await ask(
            place.login,
            "private_get_get_user_trades_by_order",
            {"order_id": order_id, "historical": historical},
        )
        told = rows(found, "trades") if isinstance(found, dict) else rows(found)
        trades |= {text(row, "trade_id"): row for row in told if row.get("order_id") == order_id}
        parts = [
            (number(text(row, "amount")), text(row, "fee_currency"), number(text(row, "fee")))
            for row in trades.values()
        ]
        if quantity_of(parts) == amount:
            break
    return fees_of(amount, parts)
