"""Serves a site on its address for as long as the service runs, in a thread of its own.

The service's loop waits for the database now and then, as a leader must before it sends anything;
who asks whether the process lives is answered all the same.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Thread

import uvicorn
from fastapi import FastAPI

from allocator.models.errors import ConfigError
from allocator.service.http.app import create
from allocator.service.http.connections import bounded, most_open
from allocator.service.http.site import Site
from allocator.service.run import Service

GRACE_S = 5
BACKLOG = 32
"""Connections that wait to be taken in; the loop takes so many at once, before any is closed."""

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


def server_of(app: FastAPI, protocol: type[asyncio.Protocol]) -> uvicorn.Server:
    """Make the server of an application."""
    config = uvicorn.Config(
        app,
        http=protocol,
        backlog=BACKLOG,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        access_log=False,
    )
    return _Server(config)


async def serving(service: Service) -> AsyncGenerator[None]:
    """Serve while the block runs; whoever is still waited for by the database is left behind."""
    http = service.config.service.http
    site = Site(service)
    opened = listen(http.host, http.port)
    server = server_of(create(site), bounded(most_open()))
    # Its logs bear what is bound here: of several books, which one it serves.
    thread = Thread(
        target=copy_context().run, args=(_serve, server, opened), name="http", daemon=True
    )
    thread.start()
    host, port = opened.getsockname()[:2]
    service.address = f"http://{host}:{port}"
    log.info("serves", extra={"address": service.address})
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)
        opened.close()
        await asyncio.to_thread(site.jobs.close)


def _serve(server: uvicorn.Server, opened: socket.socket) -> None:
    try:
        asyncio.run(server.serve([opened]))
    except Exception:
        log.exception("the server has ended")
