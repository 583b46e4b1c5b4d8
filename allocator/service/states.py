"""Alerts once for each state that something is in, not each time that it is looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

Tell = Callable[[str, Mapping[str, str]], None]
"""Leaves an alert: topic and facts."""

log = logging.getLogger(__name__)


class States:
    """Remembers how things stand that are alerted.

    Parameters
    ----------
    tell
        Leaves an alert. Where that fails, it is tried again the next time.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._states = dict[str, str]()

    def stands(self, topic: str) -> str:
        """Tell how something stood when it was last told; empty: well."""
        return self._states.get(topic, "")

    def take(self, topic: str, state: str, **facts: str) -> None:
        """Take in how something stands, and alert where that is new; empty: all is well."""
        if state == self.stands(topic):
            return
        if state:
            try:
                self._tell(topic, facts)
            except Exception:
                log.exception("alert was not left", extra={"topic": topic})
                return
        self._states[topic] = state
