"""The mandates along a curve: with fewer orders, other weights of tracking, another buffer."""

from __future__ import annotations

from decimal import Decimal

from allocator.models.mandate import Limit, Mandate, Scope
from allocator.state import lawful

LIMIT = "frontier:orders"
"""Id of the limit that is added."""


def at_most(mandate: Mandate, orders: int, *, carriage: bool = True) -> Mandate:
    """Add a limit on the number of orders of the whole portfolio.

    Parameters
    ----------
    orders
        Most orders.
    carriage
        Whether transfers and moves stay allowed as the mandate has them; the measure ``orders``
        does not count them.
    """
    row = Limit(id=LIMIT, measure="orders", scope=Scope(portfolio=True), max=Decimal(orders))
    out = mandate.model_copy(update={"limits": (*mandate.limits, row)})
    if carriage:
        return out
    still = {"transfers": False, "moves": False}
    return out.model_copy(update={"policy": out.policy.model_copy(update=still)})


@lawful
def scaled(mandate: Mandate, factor: Decimal) -> Mandate:
    """Multiply both weights of tracking: risk_aversion and band_penalty."""
    policy = mandate.policy
    weights = {
        "risk_aversion": policy.risk_aversion * factor,
        "band_penalty": policy.band_penalty * factor,
    }
    return mandate.model_copy(update={"policy": policy.model_copy(update=weights)})


def buffered(mandate: Mandate, buffer: Decimal) -> Mandate:
    """Keep another fraction of maintenance margin on top of it."""
    policy = mandate.policy.model_copy(update={"margin_buffer": buffer})
    return mandate.model_copy(update={"policy": policy})
