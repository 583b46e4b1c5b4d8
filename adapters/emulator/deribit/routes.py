"""Deribit's rows of the endpoint x case table."""

from allocator.adapters.emulator.deribit import account, orders, public, signing, wallet
from allocator.adapters.emulator.wire import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *public.ENDPOINTS,
    *signing.ENDPOINTS,
    *account.ENDPOINTS,
    *orders.ENDPOINTS,
    *wallet.ENDPOINTS,
)
