"""Where Bybit is meant to be, and how a row of its table is written."""

from allocator.adapters.emulator.wire import Endpoint, Handler

HOST = "api.bybit.com"
PUBLIC = "public"


def row(
    route: str, handler: Handler, page: str, *cases: str, per_second: int = 10, needs: str = ""
) -> Endpoint:
    """Return one row.

    `per_second` is the venue's limit a key and endpoint, `needs` the permission a key must have:
    PUBLIC asks for no key, empty for any.
    """
    method, path = route.split()
    public = needs == PUBLIC
    return Endpoint(
        HOST,
        method,
        path,
        "public" if public else "signed",
        handler,
        ("ok", *cases),
        page,
        per_second,
        "" if public else needs,
    )
