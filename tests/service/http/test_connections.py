"""Connections without a token take nothing from the leader, nor from whoever asks."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection

from allocator.service.http.connections import HEAD_S, bounded
from allocator.service.http.server import listen, server_of
from tests.service.sites import Place

MOST = 20
PATIENCE_S = 60
HEAD = (
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
)


class Caller:
    """Opens connections to a server, and closes what is left of them."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        self.port, self.stack = port, stack

    def silent(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        return self.stack.enter_context(made)

    def ask(self) -> int:
        made = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with closing(made) as connection:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            return response.status


@contextmanager
def served(place: Place, head_s: float = HEAD_S) -> Iterator[Caller]:
    opened = listen("127.0.0.1", 0)
    server = server_of(place.app, bounded(MOST, head_s))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([opened])))
    thread.start()
    with ExitStack() as stack:
        yield Caller(opened.getsockname()[1], stack)
    server.should_exit = True
    thread.join(PATIENCE_S)
    opened.close()


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def answered(caller: Caller) -> int:
    """Ask until the head is there in time: a loaded machine may send it late."""
    for _ in range(1000):
        with suppress(ConnectionError):
            return caller.ask()
    raise AssertionError("no head was in time")


def test_oldest_that_ask_nothing_make_room(place: Place) -> None:
    with served(place) as caller:
        open_ = [caller.silent() for _ in range(3 * MOST)]
        assert all(map(ended, open_[: 2 * MOST]))
        assert caller.ask() == 200
        assert ended(open_[2 * MOST])
        for connection in open_:
            connection.close()
        assert caller.ask() == 200


def test_who_asks_is_not_closed_for_who_does_not(place: Place) -> None:
    with served(place) as caller:
        open_ = [caller.silent() for _ in range(MOST)]
        for connection in open_:
            connection.sendall(HEAD)
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
        late = caller.silent()
        assert ended(late)
        open_[0].sendall(b"token=alc")
        assert open_[0].recv(12) == b"HTTP/1.1 403"
        for connection in open_:
            connection.close()


def test_head_that_does_not_come_is_not_waited_for(place: Place) -> None:
    with served(place, head_s=0.05) as caller:
        connection = caller.silent()
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert ended(connection)
        assert answered(caller) == 200
