"""Client ids are derived, never random: whoever restarts asks for the very same one."""

from __future__ import annotations

import hashlib
import json


def client_id(installation: str, plan_hash: str, seq: int, part: int, attempt: int) -> str:
    """Derive the id of one request: 128 bits as 32 hex digits.

    Parameters
    ----------
    installation
        Keeps two installations on one venue login apart.
    plan_hash, seq
        Which action of which plan.
    part, attempt
        Which slice of it, and which try at that slice.

    >>> client_id("desk", "ab" * 32, 1, 1, 1)
    '0a09a9ea0938aac666e2183259ecdc01'
    """
    if min(seq, part, attempt) < 1:
        raise ValueError(f"counted from one: seq={seq} part={part} attempt={attempt}")
    parts = json.dumps([installation, plan_hash, seq, part, attempt], separators=(",", ":"))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
