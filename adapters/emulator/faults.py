"""Faults between the client and the exchange, by rule."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong.

    `drop_before`: the connection dies before the request is carried out; `drop_after`: after;
    `delay`: carried out at once, the reply leaves `delay_s` later; `http_500_after`: carried out,
    the reply is a bare 500; `truncate`: carried out, the reply is cut; `html`: carried out, the
    reply is a web page with status 200; `throttle`: not carried out, HTTP 429; `forbid`: not
    carried out, HTTP 403; `ban`: not carried out, HTTP 418; `stale`: a read is answered with what
    the same read was answered last time, when there was one; `duplicate`: delivered and carried
    out twice, the reply is the second one; `skew`: the venue's clock is `delay_s` ahead (negative:
    behind) when it looks at the stamp.

    429, 403 and 418 ask for a pause of `delay_s`, one second where that is zero.
    """

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    DELAY = "delay"
    HTTP_500_AFTER = "http_500_after"
    TRUNCATE = "truncate"
    HTML = "html"
    THROTTLE = "429"
    FORBID = "403"
    BAN = "418"
    STALE = "stale"
    DUPLICATE = "duplicate"
    SKEW = "skew"


@dataclass(frozen=True, slots=True)
class Rule:
    """Apply `kind` to requests that match, from the `nth` match on, `times` times.

    `host`, `path`, `method` and `key` (the API key a request names) match when empty or equal
    (`path` by prefix).
    """

    kind: Fault
    host: str = ""
    path: str = ""
    method: str = ""
    nth: int = 1
    times: int = 1
    delay_s: float = 0.0
    key: str = ""
    seen: int = 0

    def matches(self, host: str, method: str, path: str, key: str = "") -> bool:
        """Tell whether a request is of the kind the rule is about."""
        return (
            self.host in {"", host}
            and self.method in {"", method}
            and self.key in {"", key}
            and (not self.path or path.startswith(self.path))
        )


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def choose(self, host: str, method: str, path: str, key: str = "") -> Rule | None:
        """Count the request against every rule it matches and return the first that strikes."""
        struck: Rule | None = None
        for index, rule in enumerate(self.rules):
            if not rule.matches(host, method, path, key):
                continue
            counted = replace(rule, seen=rule.seen + 1)
            self.rules[index] = counted
            if struck is None and 0 <= counted.seen - rule.nth < rule.times:
                struck = counted
        return struck
