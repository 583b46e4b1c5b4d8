"""Why the paper exchange refuses an action, by code."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from allocator.adapters.exact import exactly, is_multiple
from allocator.adapters.paper.ledger import worth
from allocator.models.account import Account
from allocator.models.base import ZERO
from allocator.models.intents import Intent, MoveIntent, OrderIntent, TransferIntent
from allocator.models.market import Instrument

if TYPE_CHECKING:
    from allocator.adapters.paper.exchange import PaperExchange


def taker_rate(account: Account, instrument: Instrument) -> Decimal:
    """Tell the taker fee of an account, the most specific rate first."""
    for key in (instrument.id, instrument.kind):
        rates = account.fees.by.get(key)
        if rates is not None and rates.taker is not None:
            return rates.taker
    return account.fees.taker


@exactly
def refusal(exchange: PaperExchange, intent: Intent) -> str | None:
    """Tell the code by which an action is refused; None: it is taken."""
    if isinstance(intent, OrderIntent):
        return _order_refusal(exchange, intent)
    if isinstance(intent, TransferIntent):
        return _transfer_refusal(exchange, intent)
    return _move_refusal(exchange, intent)


def _order_refusal(exchange: PaperExchange, intent: OrderIntent) -> str | None:
    row = exchange.instruments.get(intent.instrument)
    if row is None or row.status == "halted":
        return "NOT_TRADING"
    if not is_multiple(intent.quantity, row.lot) or not is_multiple(intent.limit_price, row.tick):
        return "NOT_A_STEP"
    if row.max_quantity is not None and intent.quantity > row.max_quantity:
        return "QUANTITY_ABOVE_MAXIMUM"
    if row.is_spot:
        return _spot_refusal(exchange, intent, row)
    held = exchange.holdings[intent.account].holding(intent.instrument).quantity
    signed = intent.quantity if intent.side == "buy" else -intent.quantity
    return "REDUCE_ONLY" if intent.reduce_only and held * signed >= 0 else None


def _spot_refusal(exchange: PaperExchange, intent: OrderIntent, row: Instrument) -> str | None:
    holdings = exchange.holdings[intent.account]
    if intent.side == "sell":
        assert row.base is not None
        return None if holdings.wallet(row.base).units >= intent.quantity else "INSUFFICIENT"
    pays = worth(row, intent.quantity, intent.limit_price)
    pays += pays * taker_rate(exchange.accounts[intent.account], row)
    return None if holdings.wallet(row.cash).units >= pays else "INSUFFICIENT"


def _transfer_refusal(exchange: PaperExchange, intent: TransferIntent) -> str | None:
    route = exchange.start.route.get(intent.route)
    if route is None or not route.enabled:
        return "NO_ROUTE"
    if (route.source, route.target, route.asset) != (intent.source, intent.target, intent.asset):
        return "NO_ROUTE"
    if intent.amount < route.min or (route.max is not None and intent.amount > route.max):
        return "AMOUNT_OUT_OF_BOUNDS"
    if not is_multiple(intent.amount, route.step):
        return "NOT_A_STEP"
    charged = intent.amount + route.fee + route.rate * intent.amount
    free = exchange.holdings[intent.source].wallet(intent.asset).free
    return None if free >= charged else "INSUFFICIENT"


def _move_refusal(exchange: PaperExchange, intent: MoveIntent) -> str | None:
    pairs = {(row.source, row.target, row.instrument) for row in exchange.start.moves}
    if (intent.source, intent.target, intent.instrument) not in pairs:
        return "NO_MOVE"
    held = exchange.holdings[intent.source].holding(intent.instrument).quantity
    signed = intent.quantity if intent.side == "buy" else -intent.quantity
    if held * signed <= ZERO or abs(signed) > abs(held):
        return "MOVE_EXCEEDS_POSITION"
    return None
