"""Which requests may leave: only reads in a dry run, only to this machine in a loopback run."""

from __future__ import annotations

import functools
import ipaddress
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import certifi

from allocator.models.errors import ConfigError, RefusedError

WRITES_BY_GET = re.compile(r"/api/v2/private/(?!get_)")
"""Paths of actions that are asked for by GET: at Deribit whatever is private and no ``get_``."""

READS_BY_POST = frozenset(
    {"/info", "/api/v2/getCrossModeMarginRequirement", "/derivatives/api/v3/orders/status"}
)
"""Paths of reads that are asked for by POST: all of Hyperliquid's, KuCoin's rate of a position,
Kraken's status of orders."""


def is_write(method: str, url: Any) -> bool:
    """Tell whether a request may act.

    >>> is_write("GET", "https://www.deribit.com/api/v2/private/buy?amount=10")
    True
    >>> is_write("GET", "https://www.deribit.com/api/v2/private/get_positions?currency=any")
    False
    """
    path = urlsplit(str(url)).path
    if method == "POST":
        return path not in READS_BY_POST
    return method != "GET" or WRITES_BY_GET.match(path) is not None


async def once(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Send a request once: aiohttp repeats a GET, and a DELETE, whose connection broke.

    Raises
    ------
    aiohttp.ClientConnectionError
        In place of the two kinds of it after which aiohttp would send the request again.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


def unrepeated(method: str, url: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Add what keeps aiohttp from sending a request elsewhere, and an action twice.

    A redirect is not followed: a signed request would go to whatever host it names. A
    broken connection is not tried again by an action; a POST aiohttp repeats never.
    """
    kept = {**options, "allow_redirects": False}
    repeats = method != "POST" and is_write(method, url)
    return {**kept, "middlewares": (once,)} if repeats else kept


def check_loopback(url: str) -> str:
    """Refuse an address that is not this machine's own loopback.

    Raises
    ------
    ConfigError
        For any other host, or a name that only resolves to it.
    """
    host = urlsplit(url).hostname or ""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ConfigError(f"loopback_url must name this machine (127.0.0.1), not {host or url!r}")
    return url


@functools.cache
def trusted() -> ssl.SSLContext:
    """Read which certificates are trusted, once: it takes tens of milliseconds of the loop."""
    return ssl.create_default_context(cafile=certifi.where())


class DirectSession:
    """An HTTP session to the venues themselves, one for all clients, opened at first use."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self.headers: dict[str, str] = {}

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """Return aiohttp's request context."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted()))
        return self._session.request(method, url, **unrepeated(method, url, options))

    def get(self, url: Any, **options: Any) -> Any:
        """Send a GET."""
        return self.request("GET", url, **options)

    def post(self, url: Any, **options: Any) -> Any:
        """Send a POST."""
        return self.request("POST", url, **options)

    def delete(self, url: Any, **options: Any) -> Any:
        """Send a DELETE."""
        return self.request("DELETE", url, **options)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class ReadsOnly:
    """An HTTP session that cannot send anything but reads.

    Every action at the venues we speak is a POST, a DELETE or on a path that `is_write` knows, so
    a client behind it can read with its keys and cannot trade; the few reads by POST are listed.

    Parameters
    ----------
    session
        The session that sends.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.headers: dict[str, str] = {}

    def get(self, url: Any, **options: Any) -> Any:
        """Send a GET that reads.

        Raises
        ------
        RefusedError
            For one that acts.
        """
        if is_write("GET", url):
            return self.delete(url)
        return self._session.get(url, **options)

    def post(self, url: Any, **options: Any) -> Any:
        """Send a POST that reads.

        Raises
        ------
        RefusedError
            For one that acts.
        """
        if is_write("POST", url):
            return self.delete(url)
        return self._session.post(url, **options)

    def delete(self, url: Any, **options: Any) -> Any:
        """Refuse."""
        del options
        raise RefusedError(f"a dry run sends nothing: {urlsplit(str(url)).path}")

    put = patch = delete
