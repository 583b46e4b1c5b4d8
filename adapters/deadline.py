"""Until when a reading may take: whoever would wait longer than that says so instead."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Generator

deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)
"""A time of the running loop's clock; None: there is no hurry."""


@contextlib.contextmanager
def soon(seconds: float) -> Generator[None]:
    """Wait for no budget longer than so many seconds: what is read can be read later as well."""
    until, known = asyncio.get_running_loop().time() + seconds, deadline.get()
    set_ = deadline.set(until if known is None else min(known, until))
    try:
        yield
    finally:
        deadline.reset(set_)
