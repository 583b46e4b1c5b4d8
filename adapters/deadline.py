"""Until when a reading may take: whoever would wait longer than that says so instead."""

from __future__ import annotations

import contextvars

deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)
"""A time of the running loop's clock; None: there is no hurry."""
