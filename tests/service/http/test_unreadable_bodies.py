"""Bodies that are no JSON at all: nothing was done, so their key may be used again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.service.sites import Place

HALT = {"scope": "account:a", "state": "halted", "reason": "looks wrong"}


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":"\xff"}', b'{"a":' + b"9" * 5000 + b"}"])
def test_a_key_is_free_again_after_a_body_that_cannot_be_read(
    lite: Engine, tmp_path: Path, body: bytes
) -> None:
    place = Place(lite, tmp_path)
    with place.client:
        headers = {**place.headers("alice", "one"), "Content-Type": "application/json"}
        refused = place.client.post("/v1/halt", content=body, headers=headers)
        assert refused.status_code == 400
        assert place.post("/v1/halt", HALT, "alice", "one").status_code == 200
    place.site.jobs.close()
