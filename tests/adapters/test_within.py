"""Jobs that run at once end with whoever waits for them."""

from __future__ import annotations

import asyncio

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
        jobs = {str(i): job(str(i), event) for i, event in enumerate(begun)}
        waiting = asyncio.create_task(within(jobs, asyncio.get_running_loop().time() + 600))
        for event in begun:
            await event.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return len(asyncio.all_tasks())

    assert asyncio.run(work()) == 1
    assert sorted(ended) == ["0", "1"]
