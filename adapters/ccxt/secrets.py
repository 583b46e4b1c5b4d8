"""Secrets stand outside the configuration, which only refers to them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from allocator.models.errors import ConfigError


def secret(reference: str) -> SecretStr:
    """Read a secret from ``file:PATH`` or ``env:NAME``.

    Raises
    ------
    ConfigError
        When it is not there; the message names the reference, never the value.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise ConfigError(f"no secret can be read at {reference}: it is not set")
        value = os.environ[name]
    else:
        try:
            value = Path(name).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"no secret can be read at {reference}: {error.strerror}") from error
        except UnicodeDecodeError:
            # Not chained: the original carries the file's bytes.
            raise ConfigError(f"the secret at {reference} is not text in UTF-8") from None
    if not value:
        raise ConfigError(f"the secret at {reference} is empty")
    return SecretStr(value)
