"""The venue's codes for what the core refuses. Source: docs.deribit.com, RPC error codes."""

from allocator.adapters.emulator.deribit.words import INVALID_PARAMS
from allocator.adapters.emulator.errors import Refusal, Refused

TABLE: dict[Refusal, tuple[int, str]] = {
    Refusal.MARGIN: (10009, "not_enough_funds"),
    Refusal.BALANCE: (10009, "not_enough_funds"),
    Refusal.REDUCE_ONLY: (11030, "other_reject invalid_reduce_only_order"),
    Refusal.UNKNOWN_INSTRUMENT: (13020, "not_found"),
    Refusal.UNKNOWN_ORDER: (10004, "order_not_found"),
    Refusal.ORDER_CLOSED: (10010, "already_closed"),
    Refusal.BELOW_MINIMUM: (10002, "qty_too_low"),
    Refusal.ABOVE_MAXIMUM: (10021, "invalid_amount"),
    Refusal.LOT: (10021, "invalid_amount"),
    Refusal.TICK: (10043, "price_wrong_tick"),
    Refusal.PRICE: (10023, "invalid_price"),
    Refusal.UNKNOWN_ADDRESS: (11090, "invalid_addr"),
    Refusal.UNKNOWN_ACCOUNT: (12100, "transfer_not_allowed"),
    Refusal.FORBIDDEN: (12100, "transfer_not_allowed"),
}


def code_of(refused: Refused) -> tuple[int, str]:
    """Return the venue's code and message for a refusal."""
    return TABLE.get(refused.reason, (INVALID_PARAMS, "Invalid params"))
