"""Waits of a plan, during which no switch of a venue runs out."""

from __future__ import annotations

from decimal import Decimal

from allocator.execution.run import Shell
from allocator.execution.switches import Switches
from allocator.models.base import ZERO


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
