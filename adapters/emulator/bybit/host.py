"""Where Bybit is meant to be, and the names of its documentation pages."""

from allocator.adapters.emulator.wire import Access, Endpoint, Handler

HOST = "api.bybit.com"


def row(
    method: str,
    path: str,
    handler: Handler,
    page: str,
    *cases: str,
    access: Access = "signed",
    per_second: int = 10,
    permission: str = "",
) -> Endpoint:
    """Return one row: `per_second` is the venue's limit a key, `permission` what a key needs."""
    return Endpoint(
        HOST, method, path, access, handler, ("ok", *cases), page, per_second, permission
    )
