"""Jobs that run at once end with whoever waits for them."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from allocator.adapters.gather import within


def test_jobs_are_ended_when_whoever_waits_for_them_is() -> None:
    ended = list[str]()

    async def job(name: str, begun: asyncio.Event) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async def work() -> int:
        begun = [asyncio.Event(), asyncio.Event()]
        jobs = {str(i): partial(job, str(i), event) for i, event in enumerate(begun)}
        waiting = asyncio.create_task(within(jobs, asyncio.get_running_loop().time() + 600))
        for event in begun:
            await event.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return len(asyncio.all_tasks())

    assert asyncio.run(work()) == 1
    assert sorted(ended) == ["0", "1"]


def test_no_job_is_begun_for_somebody_who_has_gone() -> None:
    """What was made ready to run and never ran would be warned of, as lost work is."""
    begun = list[str]()

    async def job() -> None:
        begun.append("job")

    async def work() -> None:
        waiting = asyncio.create_task(within({"a": job}, asyncio.get_running_loop().time() + 600))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(work())
    assert begun == []
