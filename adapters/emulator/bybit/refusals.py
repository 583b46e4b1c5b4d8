"""The venue's codes for what the core refuses.

Source: the venue's error code page (v5/error), by product and by endpoint family.
"""

from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.wire import Call

CONTRACT: dict[Refusal, tuple[int, str]] = {
    Refusal.MARGIN: (110007, "ab not enough for new order"),
    Refusal.BALANCE: (110007, "ab not enough for new order"),
    Refusal.RISK_LIMIT: (
        110090,
        "Order placement failed as your position may exceed the max limit. "
        "Please adjust your leverage",
    ),
    Refusal.REDUCE_ONLY: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Refusal.DUPLICATE: (110072, "OrderLinkedID is duplicate"),
    Refusal.UNKNOWN_INSTRUMENT: (10001, "params error: symbol invalid"),
    Refusal.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
    Refusal.ORDER_CLOSED: (110001, "order not exists or too late to cancel"),
    Refusal.BELOW_MINIMUM: (10001, "The number of contracts exceeds minimum limit allowed"),
    Refusal.ABOVE_MAXIMUM: (10001, "The number of contracts exceeds maximum limit allowed"),
    Refusal.BELOW_NOTIONAL: (110094, "Order does not meet minimum order value"),
    Refusal.LOT: (10001, "Qty invalid"),
    Refusal.TICK: (10001, "Price invalid"),
    Refusal.PRICE: (110003, "Order price exceeds the allowable range."),
    Refusal.POSITION_LEG: (10001, "position idx not match position mode"),
    Refusal.LEVERAGE: (110013, "cannot set leverage due to risk limit"),
    Refusal.UNCHANGED: (110043, "leverage not modified"),
}
SPOT: dict[Refusal, tuple[int, str]] = {
    Refusal.BALANCE: (170131, "Insufficient balance."),
    Refusal.DUPLICATE: (170141, "Duplicate clientOrderId."),
    Refusal.UNKNOWN_INSTRUMENT: (170121, "Invalid symbol."),
    Refusal.UNKNOWN_ORDER: (170213, "Order does not exist."),
    Refusal.ORDER_CLOSED: (170213, "Order does not exist."),
    Refusal.BELOW_MINIMUM: (170136, "Order quantity exceeded lower limit."),
    Refusal.ABOVE_MAXIMUM: (170135, "Order quantity exceeded upper limit."),
    Refusal.BELOW_NOTIONAL: (170140, "Order value exceeded lower limit."),
    Refusal.LOT: (170137, "Order quantity has too many decimals."),
    Refusal.TICK: (170134, "Order price has too many decimals."),
    Refusal.PRICE: (170133, "Order price exceeded lower limit."),
}
TRANSFER: dict[Refusal, tuple[int, str]] = {
    Refusal.BALANCE: (131212, "user insufficient balance"),
    Refusal.DUPLICATE: (131214, "transferId exist"),
    Refusal.UNKNOWN_ACCOUNT: (131202, "Invalid memberId"),
    Refusal.FORBIDDEN: (131208, "forbid transfer"),
    Refusal.BELOW_MINIMUM: (131215, "amount error"),
    Refusal.LOT: (131210, "Amount accuracy error"),
}
WITHDRAW: dict[Refusal, tuple[int, str]] = {
    Refusal.BALANCE: (131001, "openapi svc error: balance is not enough"),
    Refusal.DUPLICATE: (10014, "invalid duplicate request"),
    Refusal.UNKNOWN_ADDRESS: (131093, "The withdrawal address is not in the whitelist"),
    Refusal.BELOW_MINIMUM: (131096, "Withdraw amount does not satisfy the lower limit"),
    Refusal.LOT: (131002, "openapi svc error: amount accuracy"),
}


def code_of(call: Call, refused: Refused) -> tuple[int, str]:
    """Return the venue's code and text for a refusal of this call."""
    if call.path.startswith("/v5/asset/transfer"):
        table = TRANSFER
    elif call.path.startswith("/v5/asset/withdraw"):
        table = WITHDRAW
    elif call.text("category") == "spot":
        table = SPOT
    else:
        table = CONTRACT
    return table.get(refused.reason) or CONTRACT.get(
        refused.reason, (10001, f"params error: {refused}")
    )
