"""KuCoin Futures: what ccxt's client needs beside its settings.

ccxt tags every request with a partner of its own, asks for spot margin markets that are not traded
here, and has no name for the rate of cross margin (page "Get Cross Margin Requirement").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

REQUIREMENT = "getCrossModeMarginRequirement"


def prepare(client: Any) -> None:
    """Leave the partner's tag out, read no margin markets, name the rate of cross margin."""
    client.options["partner"] = {}
    client.fetch_markets = partial(_markets, client.fetch_markets)
    client.futuresprivate_post_cross_requirement = partial(_requirement, client)


async def _markets(fetch: Callable[..., Awaitable[Any]], params: Any = None) -> Any:
    return await fetch({**(params or {}), "marginables": False})


async def _requirement(client: Any, params: dict[str, Any]) -> Any:
    asked = {**params, "version": "v2"}
    return await client.request(REQUIREMENT, ["futuresPrivate"], "POST", asked)
