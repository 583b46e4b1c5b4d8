"""Waits of a plan, during which no switch of a venue runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from allocator.execution.run import Shell
from allocator.execution.switches import Switches
from allocator.models.base import ZERO

Answer = TypeVar("Answer")


async def pause(shell: Shell, at_least: Decimal = ZERO) -> None:
    """Wait until the next look at a venue; switches that are set are set anew in time.

    In pieces, not beside the wait: nothing of it is left under way when the wait is over.

    Raises
    ------
    FencedError
        When a switch would have to be set anew and a later leader has taken over.
    """
    switches = Switches(shell)
    left = float(max(shell.config.poll_s, at_least))
    while left > 0:
        piece = min(left, max(float(shell.config.poll_s), switches.next_s()))
        await shell.clock.sleep(piece)
        left -= piece
        await switches.renew_all()


async def meanwhile(shell: Shell, asked: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait for a venue's answer; switches of others that are set are set anew in time.

    A venue may take long, or its budget has no room: longer than another's switch waits. What is
    asked ends with the wait, whatever ends that; a switch that is being set is waited for, so that
    nobody takes it back before it is set.

    Raises
    ------
    FencedError
        When a switch would have to be set anew and a later leader has taken over.
    """
    if not shell.armed:
        return await asked
    switches, task = Switches(shell), asyncio.create_task(asked)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=float(shell.config.poll_s))
            if not task.done():
                await switches.renew_all()
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
