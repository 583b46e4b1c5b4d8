"""OKX's rows of the endpoint x case table."""

from allocator.adapters.emulator.okx import (
    account,
    algo,
    assets,
    chain,
    history,
    orders,
    positions,
    public,
)
from allocator.adapters.emulator.wire import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *public.ENDPOINTS,
    *account.ENDPOINTS,
    *positions.ENDPOINTS,
    *orders.ENDPOINTS,
    *history.ENDPOINTS,
    *algo.ENDPOINTS,
    *assets.ENDPOINTS,
    *chain.ENDPOINTS,
)
