"""How long to keep still after an answer, and who."""

import pytest

from allocator.adapters.ccxt.failures import Answer
from allocator.adapters.ccxt.pauses import (
    DEFAULT_PAUSE_S,
    LEAST_BAN_S,
    LONGEST_BAN_S,
    LONGEST_PAUSE_S,
    bans,
    pause_of,
)

PAGE = "<html>403 Forbidden: access too frequent</html>"


@pytest.mark.parametrize(
    ("venue", "answer", "pause"),
    [
        ("bybit", Answer(403, PAGE), (1800, False)),
        ("bybit", Answer(403, '{"retCode": 10006, "retMsg": "x"}'), (1800, False)),
        ("bybit", Answer(403, PAGE, {"Retry-After": "60"}), (60, False)),
        ("bybit", Answer(403, PAGE, {"Retry-After": "soon"}), (1800, False)),
        ("bybit", Answer(403, PAGE, {"Retry-After": "1e9"}), (LONGEST_BAN_S, False)),
        ("bybit", Answer(200, '{"retCode": 10006, "retMsg": "x"}'), (DEFAULT_PAUSE_S, True)),
        ("binance", Answer(418, "", {"Retry-After": "7200"}), (7200, False)),
        ("binance", Answer(418, "", {"retry-after": "7200"}), (7200, False)),
        ("binance", Answer(418, "", {"Retry-After": "nan"}), (LEAST_BAN_S, False)),
        ("binance", Answer(418, ""), (LEAST_BAN_S, False)),
        ("binance", Answer(429, "", {"Retry-After": "7200"}), (LONGEST_PAUSE_S, False)),
        ("okx", Answer(403, PAGE), (DEFAULT_PAUSE_S, False)),
        ("okx", Answer(418, "", {"Retry-After": "7200"}), (7200, False)),
        ("bybit", Answer(200, '{"retCode": 0}'), None),
    ],
)
def test_a_pause_is_as_long_as_the_venue_says_or_as_its_bans_are(
    venue: str, answer: Answer, pause: tuple[float, bool] | None
) -> None:
    assert pause_of(venue, answer) == pause


def test_a_ban_is_of_the_whole_address() -> None:
    assert bans("bybit", Answer(403, PAGE))
    assert bans("binance", Answer(418, ""))
    assert not bans("okx", Answer(403, PAGE))
