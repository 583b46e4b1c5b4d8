"""Market data: time, currencies, instruments, tickers, books, index prices.

Source: docs.deribit.com/api-reference/market-data, one page a method.
"""

from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.emulator import notices, options
from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.words import (
    currency,
    currency_of,
    instrument_of,
    instruments,
    integer,
    invalid,
    number,
    required,
    row,
    units,
)
from allocator.adapters.emulator.deribit.world import TICK_STEPS
from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ZERO
from allocator.adapters.emulator.wire import Call, Json

PERPETUAL_EXPIRES_MS = 32_503_708_800_000
NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin", "USDT": "Tether USD"}
INDICES = ("btc_usd", "eth_usd", "btc_usdc", "eth_usdc", "btc_usdt", "eth_usdt", "usdc_usdt")
BAND = Decimal("0.015")


def get_time(call: Call) -> Json:
    """Return the server's time in milliseconds."""
    return call.now_ms


LOCKED: Mapping[notices.State, str] = {
    "open": "false", "scheduled": "false", "limited": "partial", "maintenance": "true",
}  # fmt: skip


def status(call: Call) -> Json:
    """Return which currencies are locked: none, some or all."""
    notice = notices.notice_of(call, "deribit")
    return {"locked": notices.word(notice, LOCKED), "locked_indices": list(notice.of)}


def get_currencies(call: Call) -> Json:
    """Return the currencies and what a withdrawal of each costs."""
    return [_currency(c) for c in call.exchange.world.chains if c.venue == "deribit"]


def get_instruments(call: Call) -> Json:
    """Return the instruments of a currency, or of all (`any`)."""
    wanted, kind = currency(call), call.text("kind")
    return [
        _instrument(i)
        for i in instruments(call.exchange)
        if wanted in {"", currency_of(i)} and kind in {"", i.market}
    ]


def ticker(call: Call) -> Json:
    """Return one instrument's prices; an option's with its greeks."""
    found = instrument_of(call)
    if found.option is not None:
        return {**_prices(call, found), **_greeks(call, found)}
    if found.funding_interval_h and found.payoff != "spot":
        rate = call.exchange.quote(found).funding_rate
        funding: dict[str, Json] = {
            "current_funding": number(rate),
            "funding_8h": number(rate),
            "interest_value": number(rate * 100),
        }
        return {**_prices(call, found), **funding}
    return _prices(call, found)


def get_order_book(call: Call) -> Json:
    """Return the book, `depth` levels a side (5 by default)."""
    found, depth = instrument_of(call), integer(call, "depth", 5)
    if depth not in {1, 5, 10, 20, 50, 100, 1000, 10000}:
        raise invalid("invalid depth", "depth")
    book = call.exchange.book(found)
    levels = {
        side: list[Json](
            [number(price), number(units(found, size))] for price, size in rows[:depth]
        )
        for side, rows in (("bids", book.bids), ("asks", book.asks))
    }
    return {**_prices(call, found), "change_id": call.now_ms, **levels}


def get_index_price(call: Call) -> Json:
    """Return an index, e.g. `btc_usd`."""
    name = required(call, "index_name")
    if name not in INDICES:
        raise invalid("invalid index name", "index_name")
    coin, _, quote = name.upper().partition("_")
    price = call.exchange.ledger.coin_usd(coin) / call.exchange.ledger.coin_usd(quote)
    return {"index_price": number(price), "estimated_delivery_price": number(price)}


def get_index_price_names(call: Call) -> Json:
    """Return the names of the indices: there is none of a stablecoin in dollars."""
    if not call.flag("extended"):
        return list(INDICES)
    combos: dict[str, Json] = {
        "future_combo_creation_enabled": False,
        "option_combo_creation_enabled": False,
    }
    return [{"name": name, **combos} for name in INDICES]


def _currency(chain: Chain) -> Json:
    fee = number(chain.withdraw_fee)
    return {
        "currency": chain.coin,
        "currency_long": NAMES[chain.coin],
        "coin_type": "BITCOIN" if chain.coin == "BTC" else "ETHER",
        "network_currency": chain.name,
        "network_fee": fee,
        "min_confirmations": chain.confirmations,
        "min_withdrawal_fee": fee,
        "withdrawal_fee": fee,
        "withdrawal_priorities": [],
        "decimals": chain.decimals,
        "in_cross_collateral_pool": True,
        "apr": number(ZERO),
    }


def _instrument(found: Instrument) -> Json:
    expires = found.expires_ms or PERPETUAL_EXPIRES_MS
    linear = found.settle != found.base
    shown: dict[str, Json] = {
        "instrument_name": found.symbol,
        "instrument_id": 1 + sum(found.symbol.encode()),
        "instrument_type": "linear" if linear else "reversed",
        "kind": found.market,
        "base_currency": found.base,
        "counter_currency": found.quote,
        "quote_currency": found.settle if found.option is not None else found.quote,
        "contract_size": number(found.contract_size),
        "min_trade_amount": number(units(found, found.min_quantity)),
        "tick_size": number(found.tick),
        "tick_size_steps": [
            {"above_price": number(price), "tick_size": number(tick)}
            for price, tick in TICK_STEPS.get(found.symbol, ())
        ],
        "maker_commission": number(found.maker),
        "taker_commission": number(found.taker),
        "block_trade_commission": number(found.taker),
        "block_trade_min_trade_amount": number(units(found, found.min_quantity)),
        "block_trade_tick_size": number(found.tick),
        "creation_timestamp": found.listed_ms,
        "expiration_timestamp": expires,
        "is_active": True,
        "price_index": f"{found.base.lower()}_{found.quote.lower()}",
        "rfq": False,
    }
    if found.payoff == "spot":
        shown["contract_size"] = number(found.lot)
        return shown
    shown["settlement_currency"] = found.settle
    shown["settlement_period"] = "month" if found.expires_ms else "perpetual"
    if found.option is not None:
        shown["strike"] = number(found.option.strike)
        shown["option_type"] = "call" if found.option.call else "put"
        return shown
    shown["max_leverage"] = int(found.tiers[0].max_leverage)
    shown["max_liquidation_commission"] = number(Decimal("0.0075"))
    shown["future_type"] = shown["instrument_type"]
    return shown


def _prices(call: Call, found: Instrument) -> dict[str, Json]:
    quote, book = call.exchange.quote(found), call.exchange.book(found)
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0]
    volume = units(found, found.daily_volume)
    base = volume / quote.mark if found.payoff == "inverse" else volume
    shown: dict[str, Json] = {
        "instrument_name": found.symbol,
        "best_bid_price": None if bid is None else number(bid[0]),
        "best_bid_amount": number(ZERO if bid is None else units(found, bid[1])),
        "best_ask_price": number(ask[0]),
        "best_ask_amount": number(units(found, ask[1])),
        "last_price": number(quote.mark),
        "mark_price": number(quote.mark),
        "index_price": number(quote.index),
        "estimated_delivery_price": number(quote.index),
        "min_price": number(quote.mark * (1 - BAND)),
        "max_price": number(quote.mark * (1 + BAND)),
        "open_interest": number(volume),
        "state": "open",
        "timestamp": call.now_ms,
        "stats": {
            "high": number(quote.mark),
            "low": number(quote.mark),
            "price_change": number(ZERO),
            "volume": number(base.quantize(Decimal("1e-8"))),
            "volume_usd": number((base * quote.index).quantize(Decimal("0.01"))),
        },
    }
    if found.payoff != "spot":
        shown["settlement_price"] = number(quote.mark)
    return shown


def _greeks(call: Call, found: Instrument) -> dict[str, Json]:
    assert found.option is not None
    forward = margin.forward_of(call.exchange, found)
    return {
        "greeks": {
            "delta": number(options.delta(found.option, forward)),
            "gamma": number(Decimal("0.00001")),
            "vega": number(Decimal("150.12")),
            "theta": number(Decimal("-20.5")),
            "rho": number(Decimal("90.1")),
        },
        "mark_iv": number(Decimal("55.5")),
        "bid_iv": number(Decimal("55.1")),
        "ask_iv": number(Decimal("55.9")),
        "interest_rate": number(ZERO),
        "underlying_index": f"SYN.{found.base}-28JUN30",
        "underlying_price": number(forward),
    }


_PAGE = "market-data/public-"
_LIMIT = "too many requests: 10028"
ENDPOINTS = (
    row("public/get_time", get_time, "supporting/public-get_time", _LIMIT),
    row("public/status", status, "supporting/public-status", _LIMIT),
    row("public/get_currencies", get_currencies, f"{_PAGE}get_currencies", _LIMIT),
    row("public/get_instruments", get_instruments, f"{_PAGE}get_instruments",
        "no or unknown currency: -32602", "more than five at once: 10028"),
    row("public/ticker", ticker, f"{_PAGE}ticker", "unknown instrument: 13020", _LIMIT),
    row("public/get_order_book", get_order_book, f"{_PAGE}get_order_book",
        "unknown instrument: 13020", "depth wrong: -32602", _LIMIT),
    row("public/get_index_price", get_index_price, f"{_PAGE}get_index_price",
        "unknown index: -32602", _LIMIT),
    row("public/get_index_price_names", get_index_price_names,
        f"{_PAGE}get_index_price_names", _LIMIT),
)  # fmt: skip
