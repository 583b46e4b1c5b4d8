"""What the exchange core refuses, before a venue puts it into its own words."""

from collections.abc import Mapping
from enum import StrEnum


class Refusal(StrEnum):
    """Why the core refused an order, a transfer or a withdrawal."""

    BALANCE = "balance"
    MARGIN = "margin"
    RISK_LIMIT = "risk_limit"
    REDUCE_ONLY = "reduce_only"
    DUPLICATE = "duplicate"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_ADDRESS = "unknown_address"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    BELOW_NOTIONAL = "below_notional"
    LOT = "lot"
    TICK = "tick"
    PRICE = "price"
    POSITION_LEG = "position_leg"
    ORDER_CLOSED = "order_closed"
    POST_ONLY = "post_only"
    NO_LIQUIDITY = "no_liquidity"
    LEVERAGE = "leverage"
    UNCHANGED = "unchanged"
    FORBIDDEN = "forbidden"


class Refused(Exception):  # noqa: N818 - the word of the domain
    """The core refuses a request; the venue turns the reason into its own code.

    Parameters
    ----------
    reason
        One of `Refusal`.
    facts
        Figures and names that explain it, as the venue may print them.
    """

    def __init__(self, reason: Refusal, **facts: object) -> None:
        self.reason = reason
        self.facts = facts
        super().__init__(f"{reason}: " + " ".join(f"{k}={v}" for k, v in facts.items()))


class VenueError(Exception):
    """A refusal already in the venue's words.

    Parameters
    ----------
    code
        The venue's own number.
    message
        The venue's own text.
    status
        HTTP status the venue sends it with.
    headers
        Extra reply headers (rate limits).
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {message}")
