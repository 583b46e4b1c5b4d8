"""The mandate that holds: what a start takes in of it, and what is told where it is not of use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from allocator.models.errors import JournalError
from allocator.models.mandate import PLAN_MEASURES, Mandate
from allocator.models.service import TriggerRule
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.mandates import REMEDY, Mandates
from allocator.service.states import States

NO_SUCH = "the mandate has no limit {limit}"
OF_PLANS = "limit {limit} is of what a plan does ({measure}), which a book never uses"

log = logging.getLogger(__name__)


class Holding:
    """Tells of one instance's mandate what people have to know.

    Parameters
    ----------
    rules
        What is watched; some of it are limits of the mandate.
    tell
        Leaves an alert: topic and facts.
    """

    def __init__(
        self,
        mandates: Mandates,
        rules: Sequence[TriggerRule],
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._mandates = mandates
        self._rules = tuple(rules)
        self._tell = tell
        self._states = States(tell)
        self._looked_at: int | None = None

    def take_in(self, configured: Mandate, now: datetime) -> None:
        """Take the configuration's mandate in, and look at the one that holds.

        One that cannot be read keeps nobody from serving, watching margins and halting, nor from
        publishing another.
        """
        holds, draft = self._mandates.from_config(configured, now)
        log.info("mandate", extra={"version": holds.version, "mandate_hash": holds.hash})
        if draft is not None:
            self._tell("mandate_draft", {"version": draft.version})
        self.look(holds if isinstance(holds, Unreadable) else None)

    def look(self, unreadable: Unreadable | None) -> None:
        """Take in whether what holds can be read; where not, it is logged and alerted once.

        Of each version that holds it is told once which triggers watch a limit that it has not.
        """
        before = self._states.stands("mandate_unreadable")
        if unreadable is None:
            if before:
                log.info("the mandate that holds can be read again")
            self._states.take("mandate_unreadable", "")
            self._look_at_limits()
            return
        why, version = unreadable.why, unreadable.version
        if why != before:
            log.error("the mandate that holds cannot be read", extra={"why": why, "do": REMEDY})
        self._states.take("mandate_unreadable", why, version=str(version), why=why, do=REMEDY)

    def _look_at_limits(self) -> None:
        """Tell of a version that was not looked at yet which triggers never fire under it."""
        if self._mandates.number_of_holding() == self._looked_at:
            return
        try:
            holds = self._mandates.published()
        except JournalError:
            log.debug("the mandate that holds cannot be read: the next look tells it")
            return
        if holds is not None:
            self._tell_unknown(holds)
            self._looked_at = holds.version

    def _tell_unknown(self, holds: Version) -> None:
        measures = {row.id: row.measure for row in holds.mandate.limits}
        for rule in self._rules:
            if rule.on != "utilisation" or rule.of is None:
                continue
            measure = measures.get(rule.of)
            if measure is None or measure in PLAN_MEASURES:
                words = NO_SUCH if measure is None else OF_PLANS
                why = words.format(limit=rule.of, measure=measure)
                facts = {"trigger": rule.id, "limit": rule.of, "version": holds.version, "why": why}
                log.warning("trigger watches no limit of the book", extra=facts)
                self._tell("limit_unknown", facts)
