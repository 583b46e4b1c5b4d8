"""Long work beside requests ends with the service."""

from __future__ import annotations

import threading

from allocator.models.base import Value
from allocator.models.bodies import ReasonBody
from allocator.service.http.site import Jobs, Watch


def test_long_work_is_broken_off_at_its_next_step_when_the_service_ends() -> None:
    jobs, begun, steps = Jobs(), threading.Event(), list[int]()
    go_on = threading.Event()

    def work(watch: Watch) -> Value:
        for number in range(1_000_000):
            watch(number, None)
            steps.append(number)
            begun.set()
            go_on.wait(60)
        return ReasonBody(reason="never")

    running = jobs.start("sweep", work)
    for _ in range(5):
        jobs.start("sweep", work)
    assert begun.wait(60)
    closing = threading.Thread(target=jobs.close)
    closing.start()
    assert jobs._closed.wait(60)
    go_on.set()
    closing.join(60)
    assert not closing.is_alive()
    assert (jobs.get(running.id).status, set(steps)) == ("failed", {0})
    assert "STOPPING" in jobs.get(running.id).detail
