"""A request, a reply, and an endpoint of a venue with the cases it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from allocator.adapters.emulator.exchange import Exchange

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Access = Literal["public", "key", "signed"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came in, and after authentication who made it.

    `query` and `body` keep the raw text, which is what signatures cover; `params` holds the decoded
    parameters (of the body when there is one, else of the query). `user` is empty for public calls.
    """

    exchange: "Exchange"
    host: str
    method: str
    path: str
    query: str
    body: str
    params: Mapping[str, Json]
    headers: Mapping[str, str]
    remote: str
    now_ms: int
    user: str = ""
    key: str = ""

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text; absent, null and empty give `default`."""
        raw = self.params.get(name)
        if raw is None or raw == "":
            return default
        if isinstance(raw, bool):
            return "true" if raw else "false"
        return raw if isinstance(raw, str) else str(raw)

    def flag(self, name: str) -> bool:
        """Return a boolean parameter however it is spelt; absent is false."""
        return self.text(name).lower() in {"true", "1"}

    def number(self, name: str) -> Decimal | None:
        """Return a parameter as a finite Decimal, or None when absent.

        Raises
        ------
        ValueError
            When it is not a finite number.
        """
        raw = self.text(name)
        if not raw:
            return None
        try:
            number = Decimal(raw)
        except ArithmeticError as error:
            raise ValueError(f"{name} is not a number: {raw}") from error
        if not number.is_finite():
            raise ValueError(f"{name} is not finite: {raw}")
        return number


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: JSON, status, headers, and the venue's result code for the request log."""

    body: Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = "0"

    def encode(self) -> bytes:
        """Return the body as the venue would print it."""
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()


Handler = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the endpoint table.

    `cases` name what it answers, in words, each with the venue's code when it is a refusal; `page`
    is the page of the venue's documentation; `weight` and `budget` are what the venue counts the
    call against.
    """

    host: str
    method: str
    path: str
    access: Access
    handler: Handler
    cases: tuple[str, ...]
    page: str
    weight: int = 1
    budget: str = ""


def plain(number: Decimal) -> str:
    """Return a Decimal in plain digits, without exponent or trailing zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
