"""The venue's codes for what the core refuses.

Source: the venue's pages "Error Code": public (50000 to 53999), funding (58000), account (59000).
"""

from allocator.adapters.emulator.errors import Refusal, Refused

ORDER: dict[Refusal, tuple[int, str, str]] = {
    Refusal.MARGIN: (51008, "Order failed. Insufficient {coin} margin in account", "1001"),
    Refusal.BALANCE: (51008, "Order failed. Insufficient {coin} balance in account", "1000"),
    Refusal.RISK_LIMIT: (
        51004,
        "Order failed. The sum of current order size and position quantity can't be more than "
        "{maximum}(contracts) which is the maximum position amount under current leverage.",
        "1104",
    ),
    Refusal.REDUCE_ONLY: (
        51169,
        "Order failed because you don't have any positions in this direction for this contract "
        "to reduce or close.",
        "",
    ),
    Refusal.DUPLICATE: (51016, "Client order ID already exists.", ""),
    Refusal.UNKNOWN_INSTRUMENT: (
        51001,
        "Instrument ID, Instrument ID code or Spread ID doesn't exist.",
        "",
    ),
    Refusal.UNKNOWN_ORDER: (51603, "Order does not exist.", ""),
    Refusal.ORDER_CLOSED: (
        51400,
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
        "",
    ),
    Refusal.BELOW_MINIMUM: (
        51020,
        "Your order should meet or exceed the minimum order amount.",
        "",
    ),
    Refusal.BELOW_NOTIONAL: (
        51020,
        "Your order should meet or exceed the minimum order amount.",
        "",
    ),
    Refusal.ABOVE_MAXIMUM: (51005, "Your order amount exceeds the max order amount.", ""),
    Refusal.LOT: (51121, "Order quantity must be a multiple of the lot size.", ""),
    Refusal.TICK: (
        51150,
        "The precision of the number of trades or the price exceeds the limit.",
        "",
    ),
    Refusal.PRICE: (51000, "Parameter px error", ""),
    Refusal.POSITION_LEG: (51000, "Parameter posSide error", ""),
}
FUNDS: dict[Refusal, tuple[int, str, str]] = {
    Refusal.BALANCE: (58350, "Insufficient balance.", ""),
    Refusal.DUPLICATE: (50071, "clientId already exists", ""),
    Refusal.UNKNOWN_ADDRESS: (58207, "Withdrawal address isn't on the verified address list.", ""),
    Refusal.UNKNOWN_ACCOUNT: (58115, "Sub-account does not exist.", ""),
    Refusal.BELOW_MINIMUM: (58206, "Withdrawal amount is less than the lower limit.", ""),
    Refusal.LOT: (51000, "Parameter amt error", ""),
}
TRANSFER: dict[Refusal, tuple[int, str, str]] = {
    **FUNDS,
    Refusal.BALANCE: (58116, "Transfer exceeds the available amount.", ""),
    Refusal.BELOW_MINIMUM: (58114, "Transfer amount must be greater than 0", ""),
}


def code_of(path: str, refused: Refused) -> tuple[int, str, str]:
    """Return code, text and sub-code for a refusal on a path."""
    table = ORDER
    if path.endswith("/asset/transfer"):
        table = TRANSFER
    elif path.endswith("/asset/withdrawal"):
        table = FUNDS
    code, words, sub = table.get(refused.reason) or ORDER.get(
        refused.reason, (51000, f"Parameter error: {refused}", "")
    )
    told = {"coin": "USD", "maximum": "", **refused.facts}
    return code, words.format(**told) if "{" in words else words, sub
