"""One request to an emulator, without a client."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

from allocator.adapters.emulator.testing import PATIENCE_S


def answered(
    port: int, method: str, target: str, headers: Mapping[str, str], body: str = ""
) -> dict[str, Any]:
    """Ask once; the answer's JSON, with the HTTP status beside it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, target, body or None, dict(headers))
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    answer: dict[str, Any] = json.loads(text)
    answer["status"] = response.status
    return answer
