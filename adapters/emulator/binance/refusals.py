"""The core's reasons in the venue's codes and words, which differ between its hosts.

Pages: Error Code (USD-M and COIN-M), Error codes and Filters (spot), Error Codes (wallet). Where
the wallet's page names no code for a case, the nearest one of that page stands.
"""

from collections.abc import Callable, Mapping

from allocator.adapters.emulator.binance.words import API
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError

Facts = Mapping[str, object]
Words = tuple[int, str | Callable[[Facts], str]]

FUTURES: dict[Refusal, Words] = {
    Refusal.MARGIN: (-2019, "Margin is insufficient."),
    Refusal.RISK_LIMIT: (-2027, "Exceeded the maximum allowable position at current leverage."),
    Refusal.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Refusal.DUPLICATE: (-4116, "ClientOrderId is duplicated."),
    Refusal.BELOW_MINIMUM: (-4004, "Quantity less than min quantity."),
    Refusal.ABOVE_MAXIMUM: (-4005, "Quantity greater than max quantity."),
    Refusal.BELOW_NOTIONAL: (
        -4164,
        lambda f: (
            f"Order's notional must be no smaller than {f['minimum']} "
            "(unless you choose reduce only)."
        ),
    ),
    Refusal.LOT: (-1111, "Precision is over the maximum defined for this asset."),
    Refusal.TICK: (-4014, "Price not increased by tick size."),
    Refusal.PRICE: (-4001, "Price less than 0."),
    Refusal.POSITION_LEG: (-4061, "Order's position side does not match user's setting."),
    Refusal.POST_ONLY: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    Refusal.NO_LIQUIDITY: (
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    ),
}
SPOT: dict[Refusal, Words] = {
    Refusal.BALANCE: (-2010, "Account has insufficient balance for requested action."),
    Refusal.DUPLICATE: (-2010, "Duplicate order sent."),
    Refusal.BELOW_MINIMUM: (-1013, "Filter failure: LOT_SIZE"),
    Refusal.ABOVE_MAXIMUM: (-1013, "Filter failure: LOT_SIZE"),
    Refusal.LOT: (-1013, "Filter failure: LOT_SIZE"),
    Refusal.TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Refusal.PRICE: (-1013, "Filter failure: PRICE_FILTER"),
    Refusal.BELOW_NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Refusal.POST_ONLY: (-2010, "Order would immediately match and take."),
}
TRANSFER: dict[Refusal, Words] = {
    Refusal.BALANCE: (-5013, "Asset transfer failed: insufficient balance"),
    Refusal.DUPLICATE: (-4115, "clientTranId is duplicated"),
    Refusal.BELOW_MINIMUM: (-5007, "Quantity must be greater than zero."),
}
WITHDRAW: dict[Refusal, Words] = {
    Refusal.BALANCE: (-4026, "You have insufficient balance."),
    Refusal.DUPLICATE: (-4001, "Invalid operation."),
    Refusal.BELOW_MINIMUM: (
        -4022,
        lambda f: f"Not less than the minimum pick-up quantity {f.get('minimum', '')}.",
    ),
    Refusal.LOT: (
        -4021,
        lambda f: f"Asset withdrawal must be an integer multiple of 1e-{f['decimals']}.",
    ),
    Refusal.UNKNOWN_ADDRESS: (-4033, "Illegal address."),
}
UNKNOWN: Words = (-1000, "An unknown error occurred while processing the request.")


def venue_error(host: str, path: str, error: VenueError | Refused | ValueError) -> VenueError:
    """Return a refusal with the venue's code and words; an unreadable parameter is -1100."""
    if isinstance(error, VenueError):
        return error
    if isinstance(error, ValueError):
        return VenueError(-1100, f"Illegal characters found in a parameter. {error}", status=400)
    code, words = _table(host, path).get(error.reason, UNKNOWN)
    message = words if isinstance(words, str) else words(error.facts)
    return VenueError(code, message, status=400)


def _table(host: str, path: str) -> dict[Refusal, Words]:
    if host != API:
        return FUTURES
    if path.endswith("/withdraw/apply"):
        return WITHDRAW
    return TRANSFER if path.startswith("/sapi/") else SPOT
