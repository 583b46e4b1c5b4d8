"""Signals of the machine that ask services to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allocator.service.run import Service


def stop_on_signals(*services: Service) -> None:
    """Let SIGTERM and SIGINT ask for a graceful stop; must be called in the event loop."""

    def stop() -> None:
        for service in services:
            service.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
