"""Sends a client's requests to a loopback exchange while it believes in the real addresses."""

from typing import Any

import aiohttp
from yarl import URL

from allocator.adapters.ccxt.gate import unrepeated

ORIGINAL_HOST = "X-Orig-Host"


class LoopbackSession:
    """A stand-in for `aiohttp.ClientSession` that swaps scheme, host and port at send time.

    ccxt keeps its https addresses, on which its choice of error tables depends; the venue's host
    travels in `X-Orig-Host`. One session serves every client; whoever made it closes it.

    Parameters
    ----------
    base_url
        `http://127.0.0.1:PORT` of the loopback exchange.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self.headers: dict[str, str] = {}

    @property
    def closed(self) -> bool:
        """Tell whether the session was closed."""
        return self._session is not None and self._session.closed

    def request(self, method: str, url: URL | str, **options: Any) -> Any:
        """Return aiohttp's request context for the same path at the loopback exchange."""
        original = url if isinstance(url, URL) else URL(url, encoded=True)
        target = URL(f"{self._base}{original.raw_path_qs}", encoded=True)
        headers = {**(options.pop("headers", None) or {}), ORIGINAL_HOST: str(original.host)}
        options.pop("proxy", None)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session.request(
            method, target, headers=headers, **unrepeated(method, target, options)
        )

    def get(self, url: URL | str, **options: Any) -> Any:
        """Send a GET."""
        return self.request("GET", url, **options)

    def post(self, url: URL | str, **options: Any) -> Any:
        """Send a POST."""
        return self.request("POST", url, **options)

    def put(self, url: URL | str, **options: Any) -> Any:
        """Send a PUT."""
        return self.request("PUT", url, **options)

    def delete(self, url: URL | str, **options: Any) -> Any:
        """Send a DELETE."""
        return self.request("DELETE", url, **options)

    def patch(self, url: URL | str, **options: Any) -> Any:
        """Send a PATCH."""
        return self.request("PATCH", url, **options)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
