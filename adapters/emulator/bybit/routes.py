"""Bybit's rows of the endpoint x case table."""

from allocator.adapters.emulator.bybit import account, assets, orders, positions, public
from allocator.adapters.emulator.wire import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *public.ENDPOINTS,
    *account.ENDPOINTS,
    *orders.ENDPOINTS,
    *positions.ENDPOINTS,
    *assets.ENDPOINTS,
)
