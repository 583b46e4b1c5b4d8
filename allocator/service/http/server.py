"""Serves a site on its address for as long as the service runs."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import uvicorn

from allocator.models.errors import ConfigError
from allocator.service.http.app import create
from allocator.service.http.site import Site
from allocator.service.run import Service

GRACE_S = 5
BACKLOG = 128

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take none."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises
    ------
    ConfigError
        When it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigError(f"service.http: {host}:{port} cannot be had: {error}") from error
    return made


async def serving(service: Service) -> AsyncGenerator[None]:
    """Serve while the block runs."""
    http = service.config.service.http
    site = Site(service)
    opened = listen(http.host, http.port)
    config = uvicorn.Config(
        create(site),
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        access_log=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([opened]))
    host, port = opened.getsockname()[:2]
    service.address = f"http://{host}:{port}"
    log.info("serves", extra={"address": service.address})
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        opened.close()
        await asyncio.to_thread(site.jobs.close)
