"""The time in tests of adapters."""

import time

import pytest

MS_NS = 1_000_000


@pytest.fixture(autouse=True)
def standing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time stand still for whoever stamps, and for the loopback exchanges of this process.

    A stamp is good for five seconds, and money is on its way for one and a half: on a loaded
    machine any step may last longer. What has to pass, a test has the exchange's own clock pass.
    """
    stands_ns = time.time_ns() // MS_NS * MS_NS  # stamps are rounded to milliseconds
    monkeypatch.setattr(time, "time_ns", lambda: stands_ns)
