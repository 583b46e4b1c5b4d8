"""Which requests may leave: only reads in a dry run, only to this machine in a loopback run."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import certifi

from allocator.models.errors import ConfigError, RefusedError


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


class DirectSession:
    """An HTTP session to the venues themselves, one for all clients, opened at first use."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self.headers: dict[str, str] = {}

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """Return aiohttp's request context."""
        if self._session is None:
            context = ssl.create_default_context(cafile=certifi.where())
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        return self._session.request(method, url, **options)

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
    """An HTTP session that cannot send anything but GET.

    Every action at the venues we speak is a POST or a DELETE, so a client behind it can read
    with its keys and cannot trade.

    Parameters
    ----------
    session
        The session that sends.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.headers: dict[str, str] = {}

    def get(self, url: Any, **options: Any) -> Any:
        """Send a GET."""
        return self._session.get(url, **options)

    def post(self, url: Any, **options: Any) -> Any:
        """Refuse."""
        del options
        raise RefusedError(f"a dry run sends nothing: {urlsplit(str(url)).path}")

    delete = put = patch = post
