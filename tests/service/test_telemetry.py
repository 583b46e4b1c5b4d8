from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from allocator.service.telemetry import HIDDEN, Redactor, bind, configure, unbind

CANARY = "canary-Zx81-secret-value"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    configure(Redactor([CANARY]), stream=out)
    yield out
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_log_is_one_json_object_with_its_facts(stream: io.StringIO) -> None:
    bind(slot="hourly", plan="ab")
    logging.getLogger("x").warning("odd %s", "thing", extra={"account": "a"})
    unbind("slot", "plan")
    logging.getLogger("x").warning("later")
    first, second = lines(stream)
    assert (first["event"], first["slot"], first["plan"]) == ("odd thing", "hourly", "ab")
    assert (first["account"], first["level"], first["logger"]) == ("a", "warning", "x")
    assert first["timestamp"].endswith("Z")
    assert "slot" not in second


def test_secret_is_seen_nowhere(stream: io.StringIO) -> None:
    log = logging.getLogger("x")
    log.warning("key is %s", CANARY)
    log.warning("facts", extra={"deep": {"list": [f"a{CANARY}b"], "apiKey": "k"}})
    try:
        raise ValueError(f"bad {CANARY}")
    except ValueError:
        log.exception("failed")
    log.warning("GET /x?signature=0123456789abcdef0123 Authorization: Bearer abcdefghijklmnop")
    log.warning("postgresql://user:hunter22@host/db alc_" + "A" * 43)
    text = stream.getvalue()
    for secret in (CANARY, "0123456789abcdef", "abcdefghijklmnop", "hunter22", "alc_AAAA", '"k"'):
        assert secret not in text, secret
    assert text.count(HIDDEN) >= 6


def test_what_is_no_secret_stays() -> None:
    told = Redactor(["ab"]).value({"event": "cab", "plan": "f" * 64, "n": 3, "none": None})
    assert told == {"event": "cab", "plan": "f" * 64, "n": 3, "none": None}
