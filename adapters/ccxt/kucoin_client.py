"""KuCoin Futures: what ccxt's client needs beside its settings.

ccxt tags every request with a partner of its own, asks for spot margin markets that are not traded
here, and has no name for the rate of cross margin (page "Get Cross Margin Requirement"). It counts
several orders in one request as three of the venue's credits, where the page "Place Multiple
Orders" says Futures weight 20, however many they are. Its units are half a credit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

REQUIREMENT = "getCrossModeMarginRequirement"
REQUIREMENT_UNITS = 6
"""What ccxt takes for the same request of a trader who is copied."""

ORDERS = "orders/multi"
ORDERS_UNITS = 40


def prepare(client: Any) -> None:
    """Leave the partner's tag out, read no margin markets, name and weigh what ccxt does not."""
    client.options["partner"] = {}
    client.fetch_markets = partial(_markets, client.fetch_markets)
    client.futuresprivate_post_cross_requirement = partial(_requirement, client)
    client.futuresprivate_post_orders_multi = partial(
        client.request, ORDERS, ["futuresPrivate"], "POST", config={"cost": ORDERS_UNITS}
    )


async def _markets(fetch: Callable[..., Awaitable[Any]], params: Any = None) -> Any:
    return await fetch({**(params or {}), "marginables": False})


async def _requirement(client: Any, params: dict[str, Any]) -> Any:
    asked = {**params, "version": "v2"}
    weight = {"cost": REQUIREMENT_UNITS}
    return await client.request(REQUIREMENT, ["futuresPrivate"], "POST", asked, config=weight)
