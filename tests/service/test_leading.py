"""An instance goes on trying to lead, whatever stands in the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from allocator.service.run import Service
from tests.service.sites import config


def test_an_instance_whose_connections_are_all_in_use_tries_again(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    narrow = create_engine(lite.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    service = Service(config(tmp_path, service={"retry_s": "0.01"}), narrow)

    def refused() -> bool:
        return any(
            row.exc_info is not None and isinstance(row.exc_info[1], PoolTimeoutError)
            for row in caplog.records
        )

    async def go() -> None:
        leading = asyncio.create_task(service._lead_when_possible())
        with narrow.connect():
            while not (leading.done() or refused()):
                await asyncio.sleep(0.01)
        while not (leading.done() or service.live.led_at):
            await asyncio.sleep(0.01)
        assert not leading.done()
        service.stop()
        await leading

    asyncio.run(asyncio.wait_for(go(), 60))
    narrow.dispose()
