"""Bybit's rows of the endpoint x case table."""

from allocator.adapters.emulator.bybit import public
from allocator.adapters.emulator.bybit.host import HOST
from allocator.adapters.emulator.wire import Endpoint

__all__ = ["ENDPOINTS", "HOST"]

ENDPOINTS: tuple[Endpoint, ...] = (*public.ENDPOINTS,)
