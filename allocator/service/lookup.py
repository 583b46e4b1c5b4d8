"""Looks up a database's host within a time: the system's resolver may wait for half a minute.

The driver asks the resolver by itself, without a bound, in whichever thread wants a connection.
Here a thread of its own asks, one a name however many wait for it, and nobody waits longer than a
connection may take. While such a thread hangs past that time, others are refused at once: a look-up
that hangs costs one thread, and whoever comes first a few seconds.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Engine, event

from allocator.execution.database import PATIENCE, connect

Resolve = Callable[[str], tuple[str, ...]]
"""Tells the addresses of a name; OSError: it has none."""


class _Asked:
    """A look-up under way."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.ended = Event()
        self.found: tuple[str, ...] | OSError = ()


class Lookups:
    """Looks names up, each in one thread at a time.

    Parameters
    ----------
    resolve
        Asks the system, for as long as that takes.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lock = Lock()
        self._under_way = dict[str, _Asked]()

    def addresses(self, name: str, within_s: float) -> tuple[str, ...]:
        """Tell the addresses of a name.

        Raises
        ------
        OSError
            When it has none, or they are not known within the time.
        """
        with self._lock:
            asked = self._under_way.get(name)
            if asked is None:
                asked = self._under_way[name] = _Asked()
                # A daemon: the end of the process does not wait for the resolver.
                Thread(target=self._ask, args=(name, asked), name="look-up", daemon=True).start()
        left_s = asked.began + within_s - time.monotonic()
        if not asked.ended.wait(max(0.0, left_s)):
            raise TimeoutError(f"the look-up hangs since {time.monotonic() - asked.began:.0f} s")
        if isinstance(asked.found, OSError):
            raise asked.found
        return asked.found

    def _ask(self, name: str, asked: _Asked) -> None:
        try:
            asked.found = self._resolve(name)
        except (OSError, UnicodeError) as error:
            asked.found = OSError(str(error))
        finally:
            with self._lock:
                del self._under_way[name]
            asked.ended.set()


def _system(name: str) -> tuple[str, ...]:
    rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))


LOOKUPS = Lookups(_system)
"""Of this process: engines come and go while a look-up hangs."""


def patient_connect(url: str) -> Engine:
    """Make an engine as `connect` does, whose connections look their host up within a time.

    Raises
    ------
    ConfigError
        As `connect` does.
    """
    engine = connect(url)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _resolve_first)
    return engine


def _resolve_first(dialect: Any, _record: object, _given: object, asked: dict[str, Any]) -> None:
    """Put the addresses of the hosts beside their names, before the driver looks them up."""
    host = str(asked.get("host") or os.environ.get("PGHOST", ""))
    if not host or asked.get("hostaddr") or os.environ.get("PGHOSTADDR"):
        return
    rows, faults = list[tuple[str, str, str]](), list[str]()
    names = host.split(",")
    ports = str(asked.get("port") or "").split(",")
    for name, port in zip_longest(names, ports, fillvalue=ports[0] if len(ports) == 1 else ""):
        try:
            rows += [(name, row, port) for row in _addresses(name, _patience_s(asked))]
        except OSError as error:
            faults.append(f"failed to resolve host {name!r}: {error}")
    if not rows:
        raise dialect.loaded_dbapi.OperationalError("; ".join(faults))
    hosts, addresses, found = zip(*rows, strict=True)
    if any(addresses):
        asked["host"], asked["hostaddr"] = ",".join(hosts), ",".join(addresses)
    if any(addresses) and any(found):
        asked["port"] = ",".join(found)


def _addresses(name: str, within_s: float) -> tuple[str, ...]:
    """Tell a host's addresses; an empty one: it is the path of a socket."""
    if not name or name.startswith(("/", "@")):
        return ("",)
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, name)
            return (name,)
    return LOOKUPS.addresses(name, within_s)


def _patience_s(asked: dict[str, Any]) -> float:
    """Tell how long a connection may take; one that may take for ever is looked up within 5 s."""
    with suppress(ValueError):
        told = float(asked.get("connect_timeout", 0))
        if told > 0:
            return told
    return float(PATIENCE["connect_timeout"])
