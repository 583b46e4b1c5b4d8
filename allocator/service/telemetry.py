"""Logs for machines: one JSON object a line, with cycle and plan, without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

HIDDEN = "***"
SECRET_KEYS = re.compile(
    r"secret|token|passphrase|password|authorization|signature|api_?key|cookie", re.IGNORECASE
)
LEAST_SECRET = 6
"""Shorter values are too common to be looked for in text."""

SECRET_SHAPES = re.compile(
    r"alc_[A-Za-z0-9_-]{20,}"  # our own tokens
    r"|(?<=://)[^/\s:@]*:[^/\s]+(?=@)"  # user and password of a URL, which may hold an @
    r"|(?i:(?<=[?&]password=)[^&\s]+)"
    r"|(?i:(?<=[?&]sslpassword=)[^&\s]+)"
    r"|(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{12,})"
    r"|(?i:(?<=signature=)[0-9a-f]{16,})"
)


class Redactor:
    """Takes secrets out of whatever is written.

    Parameters
    ----------
    secrets
        Values that never may be seen, wherever they stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset[str]()
        self._known: re.Pattern[str] | None = None
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Hide these from now on as well: some can be read only later."""
        added = {secret for secret in secrets if len(secret) >= LEAST_SECRET} - self._secrets
        if added:
            self._secrets |= added
            known = sorted(self._secrets, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, known)))

    def text(self, value: str) -> str:
        """Hide secrets in a text."""
        if self._known is not None:
            value = self._known.sub(HIDDEN, value)
        return SECRET_SHAPES.sub(HIDDEN, value)

    def value(self, value: Any) -> Any:
        """Hide secrets in a value of any depth."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: self._field(str(key), row) for key, row in value.items()}
            case list() | tuple():
                return [self.value(row) for row in value]
            case None | bool() | int() | float():
                return value
            case _:
                return self.text(str(value))

    def _field(self, key: str, value: Any) -> Any:
        return HIDDEN if SECRET_KEYS.search(key) and value else self.value(value)

    def __call__(
        self, _logger: Any, _name: str, row: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Work as a step of structlog's chain."""
        return {
            key: value if key in ("_record", "_from_structlog") else self._field(key, value)
            for key, value in row.items()
        }


def in_one_line(
    _logger: Any, _name: str, row: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tell of a database that is away in one line: a trace of each try would drown all else."""
    from allocator.service.outage import cause_of, is_away, words_of

    given = row.get("exc_info")
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException) and is_away(error):
        del row["exc_info"]
        why = words_of(cause_of(error))
        if why not in str(row.get("event")):
            row["why"] = why
    return row


def configure(
    redactor: Redactor, *, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Send every log of this process through one chain, as JSON on standard error."""
    import structlog

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                in_one_line,
                structlog.processors.format_exc_info,
                redactor,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "apprise", "httpx2"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    for name in ("apprise", "alembic", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def bind(**facts: str) -> None:
    """Write these facts with every log that follows in this task."""
    import structlog

    structlog.contextvars.bind_contextvars(**facts)


def unbind(*names: str) -> None:
    """Stop writing facts."""
    import structlog

    structlog.contextvars.unbind_contextvars(*names)
