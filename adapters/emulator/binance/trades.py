"""A user's fills and income.

Pages: Account Trade List, Get Income History (USD-M and COIN-M); Account endpoints (spot).
Funding payments are income, never trades.
"""

from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.emulator.binance.words import (
    DAPI,
    DAY_MS,
    POSITION_SIDE,
    VENUE,
    eight,
    error,
    instrument_of,
    market_of,
    pair,
    stepped,
    whole,
)
from allocator.adapters.emulator.records import Execution, Transfer
from allocator.adapters.emulator.wire import Call, Json

WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class _Income:
    """A change of a futures wallet; `amount` positive when received."""

    symbol: str
    kind: str
    amount: Decimal
    coin: str
    time_ms: int
    number: int
    trade: str

    def shown(self) -> Json:
        """Return it as the venue prints it."""
        return {
            "symbol": self.symbol,
            "incomeType": self.kind,
            "income": eight(self.amount),
            "asset": self.coin,
            "info": self.kind,
            "time": self.time_ms,
            "tranId": self.number,
            "tradeId": self.trade,
        }


def user_trades(call: Call) -> Json:
    """Return the fills of a futures symbol, oldest first."""
    instrument = instrument_of(call)
    rows: list[Json] = []
    for fill in _fills(call):
        row: dict[str, Json] = {
            "symbol": instrument.symbol,
            "id": fill.seq,
            "orderId": int(fill.order),
            "side": fill.side.upper(),
            "price": stepped(fill.price, instrument.tick),
            "qty": stepped(fill.quantity, instrument.lot),
            "realizedPnl": eight(fill.realised),
            "commission": eight(fill.fee),
            "commissionAsset": fill.fee_coin,
            "time": fill.time_ms,
            "positionSide": POSITION_SIDE[fill.leg],
            "buyer": fill.side == "buy",
            "maker": fill.maker,
        }
        if call.host == DAPI:
            row |= {"pair": pair(instrument), "marginAsset": instrument.settle}
            row["baseQty"] = eight(fill.value)
        else:
            row["quoteQty"] = eight(fill.value)
        rows.append(row)
    return rows


def spot_trades(call: Call) -> Json:
    """Return the fills of a spot symbol, oldest first."""
    instrument = instrument_of(call)
    return [
        {
            "symbol": instrument.symbol,
            "id": fill.seq,
            "orderId": int(fill.order),
            "orderListId": -1,
            "price": eight(fill.price),
            "qty": eight(fill.quantity),
            "quoteQty": eight(fill.value),
            "commission": eight(fill.fee),
            "commissionAsset": fill.fee_coin,
            "time": fill.time_ms,
            "isBuyer": fill.side == "buy",
            "isMaker": fill.maker,
            "isBestMatch": True,
        }
        for fill in _fills(call)
    ]


def income(call: Call) -> Json:
    """Return realised profit, commissions, funding and transfers of a futures wallet."""
    start_ms, end_ms = _span(call)
    symbol = instrument_of(call).symbol if call.text("symbol") else ""
    kind = call.text("incomeType")
    rows = [
        row
        for row in (*_from_fills(call), *_from_transfers(call))
        if start_ms <= row.time_ms <= end_ms
        and symbol in {"", row.symbol}
        and kind in {"", row.kind}
    ]
    rows.sort(key=lambda row: row.time_ms)
    size, page = whole(call, "limit", 100, 1000), max(1, whole(call, "page", 1))
    return [row.shown() for row in rows[(page - 1) * size : page * size]]


def _fills(call: Call) -> list[Execution]:
    """Return the symbol's fills within the span, by number or by order, `limit` of them."""
    instrument = instrument_of(call)
    first, order = whole(call, "fromId", -1), call.text("orderId")
    timed = bool(call.text("startTime") or call.text("endTime"))
    if first >= 0 and timed:
        raise error(-1128, "Combination of optional parameters invalid.")
    start_ms, end_ms = _span(call)
    rows = [
        row
        for row in call.exchange.ledger.executions.by("user", call.user)
        if row.instrument == instrument.id
        and row.kind == "trade"
        and order in {"", row.order}
        and (row.seq >= first if first >= 0 else start_ms <= row.time_ms <= end_ms)
    ]
    limit = whole(call, "limit", 500, 1000)
    from_start = first >= 0 or bool(call.text("startTime"))
    return rows[:limit] if from_start else rows[-limit:]


def _span(call: Call) -> tuple[int, int]:
    """Return start and end: the last seven days unless named, seven days at most."""
    end_ms = whole(call, "endTime", 0)
    start_ms = whole(call, "startTime", 0)
    if not start_ms:
        end_ms = end_ms or call.now_ms
        return end_ms - WEEK_MS, end_ms
    end_ms = end_ms or min(start_ms + WEEK_MS, call.now_ms)
    if end_ms - start_ms > WEEK_MS:
        raise error(-4165, "Maximum time interval is 7 days.")
    return start_ms, end_ms


def _from_fills(call: Call) -> list[_Income]:
    rows: list[_Income] = []
    for fill in call.exchange.ledger.executions.by("user", call.user):
        instrument = call.exchange.instruments[fill.instrument]
        if instrument.market != market_of(call):
            continue
        funding = fill.kind == "funding"
        parts = (
            (("FUNDING_FEE", -fill.fee),)
            if funding
            else (("REALIZED_PNL", fill.realised), ("COMMISSION", -fill.fee))
        )
        rows.extend(
            _Income(
                symbol=instrument.symbol,
                kind=kind,
                amount=amount,
                coin=fill.fee_coin,
                time_ms=fill.time_ms,
                number=fill.seq * 10 + number,
                trade="" if funding else str(fill.seq),
            )
            for number, (kind, amount) in enumerate(parts)
            if amount
        )
    return rows


def _from_transfers(call: Call) -> list[_Income]:
    market = market_of(call)
    return [
        _Income(
            symbol="",
            kind="TRANSFER",
            amount=sign * transfer.amount,
            coin=transfer.coin,
            time_ms=transfer.time_ms,
            number=int(transfer.id),
            trade="",
        )
        for transfer in call.exchange.ledger.transfers.by("venue", VENUE)
        for sign in _signs(transfer, call.user, market)
    ]


def _signs(transfer: Transfer, user: str, wallet: str) -> list[int]:
    signs: list[int] = []
    if (transfer.from_user, transfer.from_wallet) == (user, wallet):
        signs.append(-1)
    if (transfer.to_user, transfer.to_wallet) == (user, wallet) and transfer.status == "done":
        signs.append(1)
    return signs
