"""What logins sign with: read once each, and looked for again while it cannot be read.

A login without its secrets signs nothing, so its accounts are like those of a venue that does not
answer: not read, frozen and named, while all others go on. What is public can still be asked
through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.secrets import secret
from allocator.models.config import Config, LoginConfig
from allocator.models.errors import ConfigError, Problem
from allocator.models.pools import pool_problems

Learn = Callable[[str], None]
"""Is told every secret as it is read, so that it can be hidden wherever it would be written."""


def lacking(config: Config) -> dict[str, str]:
    """Tell which logins cannot sign, and why: what is amiss of each of their secrets."""
    told = {name: _secrets(name, row)[1] for name, row in config.logins.items()}
    return {name: why for name, why in told.items() if why}


def cure(name: str, field: str, reference: str) -> str:
    """Say what to do about a secret that cannot be read.

    >>> cure("main", "key", "file:keys/main")
    'put it there, or mend logins.main.key'
    """
    place = f"logins.{name}.{field}"
    if reference.startswith("env:"):
        return f"set it and start anew, or mend {place}"
    return f"put it there, or mend {place}"


class Signs:
    """Whether a login has what it signs with.

    Parameters
    ----------
    arm
        Gives it that; raises `ConfigError` while it cannot be read.

    Attributes
    ----------
    lacking
        Why it has not, by the last try; empty: it has.
    """

    def __init__(self, arm: Callable[[], None] = lambda: None) -> None:
        self._arm = arm
        self.lacking = ""
        self._try()

    def check(self) -> None:
        """Take it from where it stands now, if it could not be read before.

        Whatever is asked of an account begins so: at a venue that reads accounts without a
        signature, what stands at no address would be taken for an account that holds nothing.

        Raises
        ------
        NotSentError
            While it still cannot be read.
        """
        if self.lacking:
            self._try()
        if self.lacking:
            raise NotSentError(self.lacking)

    def _try(self) -> None:
        try:
            self._arm()
        except ConfigError as error:
            self.lacking = str(error)
        else:
            self.lacking = ""


class Keyring:
    """The secrets of a configuration's logins; `learn` is told each as it is read."""

    def __init__(self, config: Config, learn: Learn = lambda _secret: None) -> None:
        self._config = config
        self._learn = learn
        self._known = dict[str, Mapping[str, str]]()
        for name in config.logins:
            with suppress(ConfigError):
                self._known[name] = self._read(name)

    def check(self) -> None:
        """Refuse one pool as two accounts, by the keys themselves: references may lead to the same.

        Raises
        ------
        ConfigError
            When a pool would be counted twice.
        """
        for i, what in self._twice():
            raise ConfigError([Problem(("accounts", i), what)])

    def of(self, name: str) -> Mapping[str, str]:
        """Give a login's secrets by field, read now if they could not be before.

        Raises
        ------
        ConfigError
            When they cannot be read, or the key is another login's.
        """
        if name not in self._known:
            self._known[name] = self._read(name)
            if twice := self._twice():
                del self._known[name]
                raise ConfigError(f"SAME_POOL: login {name}: {twice[0][1]}")
        return self._known[name]

    def _read(self, name: str) -> Mapping[str, str]:
        found, why = _secrets(name, self._config.logins[name])
        if why:
            raise ConfigError(why)
        for value in found.values():
            self._learn(value)
        return found

    def _twice(self) -> list[tuple[int, str]]:
        """Name the accounts whose pool another is of already, by what is known of keys."""
        keys = {name: row["key"] for name, row in self._known.items()}
        return list(pool_problems(self._config.pools(keys)))


def _secrets(name: str, row: LoginConfig) -> tuple[dict[str, str], str]:
    """Read a login's secrets; say what of them cannot be, and what to do: empty, all can be."""
    found, told = dict[str, str](), list[str]()
    for field, reference in row.references.items():
        try:
            found[field] = secret(reference).get_secret_value()
        except ConfigError as error:
            told.append(f"{error}: {cure(name, field, reference)}")
    return found, f"NO_SECRET: login {name}: {'; '.join(told)}" if told else ""
