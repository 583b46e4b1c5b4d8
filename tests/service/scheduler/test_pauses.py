"""Two who pause a schedule at once: it is paused, by whoever came first."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Engine, event

from allocator.service.scheduler.slots import Slots
from tests.service.scheduler.test_slots import NOW

PATIENCE_S = 0.5


def test_whoever_pauses_what_is_just_paused_is_not_failed(engine: Engine) -> None:
    slots = Slots(engine, "desk")
    other = threading.Thread(target=lambda: slots.pause("x", "bob", "too", NOW))

    def between(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        mine = threading.current_thread() is threading.main_thread()
        if mine and "FROM schedule_pause" in statement and not other.ident:
            other.start()
            # He may have to wait until this is written.
            other.join(PATIENCE_S)

    event.listen(engine, "after_cursor_execute", between)
    slots.pause("x", "ann", "odd", NOW)
    event.remove(engine, "after_cursor_execute", between)
    other.join()
    assert slots.paused()["x"] in ("ann: odd", "bob: too")
