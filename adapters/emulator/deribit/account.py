"""Account summaries, positions, sub-accounts and the transaction log.

Source: docs.deribit.com/api-reference/account-management and trading, one page a method. Of the
extended summary only what is always there is shown.
"""

from decimal import Decimal

from allocator.adapters.emulator import options
from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.words import (
    continued,
    currency,
    integer,
    main_only,
    number,
    row,
    subject,
    uid,
    units,
)
from allocator.adapters.emulator.deribit.world import CROSS
from allocator.adapters.emulator.market import EIGHT, Instrument
from allocator.adapters.emulator.records import ZERO, Execution, Position, User
from allocator.adapters.emulator.wire import Call, Json

LIMITS: dict[str, Json] = {
    "limits_per_currency": False,
    "non_matching_engine": {"burst": 100, "rate": 20},
    "matching_engine": {"trading": {"total": {"burst": 20, "rate": 5}}},
}


def get_account_summaries(call: Call) -> Json:
    """Return the summary of every currency; with `extended` whose they are."""
    user = subject(call)
    rows: list[Json] = [_summary(call, user, p) for p in margin.purses(call.exchange, user)]
    if not call.flag("extended"):
        return {"summaries": rows}
    return {"summaries": rows, **_who(call.exchange.ledger.users[user])}


def get_account_summary(call: Call) -> Json:
    """Return the summary of one currency."""
    user, coin = subject(call), currency(call)
    summary = _summary(call, user, margin.purse(call.exchange, user, coin))
    if not call.flag("extended"):
        return summary
    return {**summary, **_who(call.exchange.ledger.users[user])}


def get_positions(call: Call) -> Json:
    """Return positions that are not flat, of one currency or all."""
    user, coin, kind = subject(call), currency(call, optional=True), call.text("kind")
    return [
        _position(call, i, p)
        for i, p in call.exchange.positions(user)
        if coin in {"", i.settle} and kind in {"", i.market}
    ]


def get_subaccounts(call: Call) -> Json:
    """Return the main account and its sub-accounts; a sub-account sees itself."""
    me = call.exchange.ledger.users[call.user]
    mine = [
        u for u in call.exchange.ledger.users.by("venue", "deribit") if me.id in {u.id, u.parent}
    ]
    return [
        {
            "id": uid(u.id),
            "type": "main" if u.parent is None else "subaccount",
            "username": u.name,
            "system_name": u.name,
            "email": u.email,
            "is_password": u.parent is None,
            "login_enabled": u.parent is None,
            "receive_notifications": False,
            "security_keys_enabled": False,
            "security_keys_assignments": [],
            "margin_model": "cross_sm" if u.id in CROSS else "segregated_sm",
        }
        for u in mine
    ]


def get_transaction_log(call: Call) -> Json:
    """Return fills, funding and moved positions in a time range, newest first.

    The venue names no type for a moved position; `position_move` is the demo's word.
    """
    if call.text("subaccount_id"):
        main_only(call)
    user, coin = subject(call), currency(call)
    start, end = integer(call, "start_timestamp"), integer(call, "end_timestamp")
    found = [
        row
        for row in reversed(call.exchange.ledger.executions.by("user", user))
        if start <= row.time_ms <= end and call.exchange.instruments[row.instrument].settle == coin
    ]
    chosen, token = continued(call, found, 100, 250)
    return {
        "logs": [_logged(call, row) for row in chosen],
        "continuation": int(token) if token else None,
    }


def _who(user: User) -> dict[str, Json]:
    return {
        "id": uid(user.id),
        "username": user.name,
        "system_name": user.name,
        "email": user.email,
        "type": "main" if user.parent is None else "subaccount",
        "creation_timestamp": 1_687_352_432_143,
        "login_enabled": user.parent is None,
        "mmp_enabled": False,
        "security_keys_enabled": False,
        "interuser_transfers_enabled": False,
        "self_trading_extended_to_subaccounts": False,
        "self_trading_reject_mode": "cancel_maker",
        "block_rfq_self_match_prevention": True,
        "referrer_id": None,
    }


def _eight(value: Decimal) -> Json:
    return number(value.quantize(EIGHT))


def _summary(call: Call, user: str, own: margin.Purse) -> dict[str, Json]:
    pool = margin.pool(call.exchange, user, own.currency)
    cross = user in CROSS
    shown: dict[str, Json] = {
        "currency": own.currency,
        "balance": _eight(own.balance),
        "equity": _eight(own.equity),
        "margin_balance": _eight(pool.margin_balance),
        "initial_margin": _eight(pool.initial),
        "maintenance_margin": _eight(pool.maintenance),
        "projected_initial_margin": _eight(pool.initial),
        "projected_maintenance_margin": _eight(pool.maintenance),
        "available_funds": _eight(pool.available),
        "available_withdrawal_funds": number(
            margin.transferable(call.exchange, user, own.currency)
        ),
        "spot_reserve": _eight(own.reserved),
        "additional_reserve": number(ZERO),
        "fee_balance": number(ZERO),
        "session_upl": _eight(own.upl + own.options_upl),
        "session_rpl": _eight(own.rpl),
        "futures_session_upl": _eight(own.upl),
        "futures_session_rpl": _eight(own.rpl),
        "futures_pl": _eight(own.upl),
        "options_session_upl": _eight(own.options_upl),
        "options_session_rpl": number(ZERO),
        "options_pl": _eight(own.options_upl),
        "options_value": _eight(own.value),
        "options_delta": number(ZERO),
        "options_gamma": number(ZERO),
        "options_theta": number(ZERO),
        "options_vega": number(ZERO),
        "options_gamma_map": {},
        "options_theta_map": {},
        "options_vega_map": {},
        "total_pl": _eight(own.upl + own.options_upl),
        "delta_total": _eight(own.delta),
        "delta_total_map": {f"{own.currency.lower()}_usd": _eight(own.delta)},
        "projected_delta_total": _eight(own.delta),
        "estimated_liquidation_ratio": number(ZERO),
        "estimated_liquidation_ratio_map": {},
        "portfolio_margining_enabled": False,
        "cross_collateral_enabled": cross,
        "margin_model": "cross_sm" if cross else "segregated_sm",
        "limits": LIMITS,
    }
    return {**shown, **_totals(call, user)} if cross else shown


def _totals(call: Call, user: str) -> dict[str, Json]:
    pool = margin.pool(call.exchange, user, None)
    every = margin.purses(call.exchange, user)
    return {
        "total_equity_usd": _eight(sum((p.equity * p.usd for p in every), ZERO)),
        "total_margin_balance_usd": _eight(pool.margin_balance),
        "total_initial_margin_usd": _eight(pool.initial),
        "total_maintenance_margin_usd": _eight(pool.maintenance),
        "total_delta_total_usd": _eight(sum((p.delta * p.usd for p in every), ZERO)),
    }


def _position(call: Call, instrument: Instrument, held: Position) -> Json:
    exchange = call.exchange
    quote = exchange.quote(instrument)
    need = margin.need_now(exchange, instrument, held.quantity)
    floating = margin.gain(exchange, instrument, held)
    shown: dict[str, Json] = {
        "instrument_name": instrument.symbol,
        "kind": instrument.market,
        "direction": "buy" if held.quantity > 0 else "sell",
        "size": number(units(instrument, held.quantity)),
        "average_price": number(held.entry.quantize(EIGHT)),
        "mark_price": number(quote.mark),
        "index_price": number(quote.index),
        "settlement_price": number(ZERO),
        "initial_margin": number(need.initial.quantize(Decimal("1e-9"))),
        "maintenance_margin": number(need.maintenance.quantize(Decimal("1e-9"))),
        "open_orders_margin": number(ZERO),
        "floating_profit_loss": number(floating.quantize(Decimal("1e-9"))),
        "realized_profit_loss": number(ZERO),
        "total_profit_loss": number(floating.quantize(Decimal("1e-9"))),
    }
    base = margin.base_units(instrument, held.quantity, quote.mark)
    if instrument.option is None:
        shown["size_currency"] = number(base.quantize(Decimal("1e-9")))
        shown["delta"] = shown["size_currency"]
        shown["leverage"] = int(instrument.tiers[0].max_leverage)
        shown["estimated_liquidation_price"] = number(ZERO)
        if instrument.funding_interval_h:
            shown["realized_funding"] = number(ZERO)
            shown["interest_value"] = number(ZERO)
        return shown
    forward = margin.forward_of(exchange, instrument)
    unit = quote.index if instrument.settle == instrument.base else Decimal(1)
    greek = options.delta(instrument.option, forward)
    shown |= {
        "delta": number(greek * base),
        "gamma": number(Decimal("0.00001")),
        "vega": number(Decimal("150.12")),
        "theta": number(Decimal("-20.5")),
        "average_price_usd": number((held.entry * unit).quantize(Decimal("0.01"))),
        "floating_profit_loss_usd": number((floating * unit).quantize(Decimal("0.01"))),
    }
    return shown


def _logged(call: Call, entry: Execution) -> Json:
    instrument = call.exchange.instruments[entry.instrument]
    trade = entry.kind != "funding"
    kinds = {"trade": "trade", "funding": "settlement", "move": "position_move"}
    closing = "close" if entry.closed else "open"
    return {
        "id": entry.seq,
        "user_seq": entry.seq,
        "user_id": uid(entry.user),
        "username": call.exchange.ledger.users[entry.user].name,
        "type": kinds[entry.kind],
        "currency": instrument.settle,
        "instrument_name": instrument.symbol,
        "timestamp": entry.time_ms,
        "side": f"{closing} {entry.side}" if trade else "long",
        "amount": number(units(instrument, entry.quantity)),
        "contracts": number(entry.quantity),
        "price": number(entry.price),
        "price_currency": instrument.quote,
        "mark_price": number(entry.mark),
        "commission": number(entry.fee if trade else ZERO),
        "change": number(-entry.fee if trade else ZERO),
        "cashflow": number(entry.realised if trade else -entry.fee),
        "trade_id": entry.id if trade else None,
        "order_id": entry.order or None,
        "user_role": "maker" if entry.maker else "taker",
        "info": None,
    }


_AUTH = "bad key or signature 13009, scope missing 13021, too many requests 10028"
_PAGE = "account-management/private-"
ENDPOINTS = (
    row("private/get_account_summaries", get_account_summaries, f"{_PAGE}get_account_summaries",
        "of a sub-account", "a sub-account asks for another: 13012", _AUTH,
        needs="account:read"),
    row("private/get_account_summary", get_account_summary, f"{_PAGE}get_account_summary",
        "no or unknown currency: -32602", _AUTH, needs="account:read"),
    row("private/get_positions", get_positions, "trading/private-get_positions",
        "of one kind", "of a sub-account", _AUTH, needs="trade:read_write"),
    row("private/get_subaccounts", get_subaccounts, f"{_PAGE}get_subaccounts", _AUTH,
        needs="account:read"),
    row("private/get_transaction_log", get_transaction_log, f"{_PAGE}get_transaction_log",
        "next page", "a sub-account asks for another: 13012", _AUTH, needs="account:read"),
)  # fmt: skip
