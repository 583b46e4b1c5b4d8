"""What can go wrong when a venue is asked, told apart by what is certain.

Only an answer that carries the venue's own code is a refusal. Silence, a reset, a truncated body,
HTML with status 200, a redirect or a server's error say nothing about what happened, with a code or
without. ccxt's classes are not
enough to tell the two apart (a body cut short is a plain `ExchangeError`), and its texts do not
always keep the code, so the answer itself is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from allocator.models.errors import VenueError

LONGEST = 140
"""Characters of a failure: a note holds it with the name of its error before it."""

OVERLOADS = frozenset({HTTPStatus.IM_A_TEAPOT, HTTPStatus.TOO_MANY_REQUESTS})
"""Too many requests; with the first of the two Binance bans an address."""

CODE_KEYS = ("sCode", "retCode", "code")
MESSAGE_KEYS = ("sMsg", "retMsg", "msg", "message", "detail")
LABEL = re.compile(r"[A-Za-z][A-Za-z_]+")
"""A code in words, under ``label`` (Gate) or ``error`` (Kraken Futures)."""


ENDS = re.compile(r"[.,:](?=\s|$)| asset=")
"""Where the part of a sentence ends that serves as its code."""


class RefusalError(VenueError):
    """The venue answered with a code of its own.

    Attributes
    ----------
    code
        The code as text, e.g. ``110007`` or ``-2010``.
    message
        The venue's words.
    body
        The whole answer, for a request of many actions: each has a code of its own.
    """

    def __init__(self, code: str, message: str, body: str = "") -> None:
        self.code = code
        self.message = message
        self.body = body
        super().__init__(f"{code}: {message}")


class UnansweredError(VenueError):
    """No usable answer came: the request may have been carried out.

    Attributes
    ----------
    silent
        Whether nothing came that is the venue's at all: no other request need fare better.
    """

    def __init__(self, message: str, *, silent: bool = False) -> None:
        self.silent = silent
        super().__init__(message)


class NotSentError(VenueError):
    """The request certainly never left."""


@dataclass(slots=True)
class Answer:
    """What came back for one request, or the first failure of several; empty when nothing did.

    Attributes
    ----------
    left
        Whether a request was let go: none that waited in vain for its turn was.
    """

    status: int = 0
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    left: bool = False

    def hear(self, status: int, headers: Mapping[str, str], body: str) -> None:
        """Keep an answer, unless one that failed was kept."""
        if self.status < HTTPStatus.BAD_REQUEST:
            self.status, self.headers, self.body = status, headers, body


def is_redirect(status: int) -> bool:
    """Tell whether a status sends the request elsewhere."""
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST


def is_overload(status: int) -> bool:
    """Tell whether a status says that a server failed, or that too much was asked.

    A proxy or a gateway before the exchange gives it, in the venue's format too: what it says of
    a request does not prove that the exchange behind did not carry it out.
    """
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in OVERLOADS


def venue_code(text: str) -> tuple[str, str] | None:
    """Read code and message from the body of an answer; None: it is not a whole one.

    >>> venue_code('{"retCode":110007,"retMsg":"ab not enough for new order"}')
    ('110007', 'ab not enough for new order')
    >>> venue_code('{"retCode":110007,"retM') is None
    True
    >>> venue_code('{"jsonrpc":"2.0","error":{"code":10009,"message":"not_enough_funds"}}')
    ('10009', 'not_enough_funds')
    >>> venue_code('{"code":"1","msg":"","data":[{"sCode":"51008","sMsg":"Insufficient balance"}]}')
    ('51008', 'Insufficient balance')
    >>> venue_code('{"label":"ORDER_NOT_FOUND","message":"Order not found"}')
    ('ORDER_NOT_FOUND', 'Order not found')
    >>> venue_code('{"result":"error","error":"authenticationError"}')
    ('authenticationError', '')
    >>> venue_code('[{"code":-2022,"msg":"ReduceOnly Order is rejected."}]')
    ('-2022', 'ReduceOnly Order is rejected.')
    >>> venue_code('{"status":"err","response":"Must deposit first. User: 0x1"}')
    ('Must deposit first', 'Must deposit first. User: 0x1')
    """
    try:
        body: Any = json.loads(text)
    except ValueError:
        return None
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return None
    label = body.get("label") or (body.get("error") if body.get("result") == "error" else None)
    if isinstance(label, str) and LABEL.fullmatch(label):
        return label, _words(body)
    sentence = _sentence(body)
    if sentence is not None:
        return code_of(sentence), sentence
    told = _telling(body)
    code = next((str(told[key]) for key in CODE_KEYS if key in told), "")
    if not code.lstrip("-").isdigit():
        return None
    return code, _words(told)


def code_of(sentence: str) -> str:
    """Take the part of a sentence that serves as its code.

    >>> code_of("Insufficient margin to place order. asset=15")
    'Insufficient margin to place order'
    """
    return ENDS.split(sentence, maxsplit=1)[0]


def _sentence(body: Mapping[str, Any]) -> str | None:
    """Find the words of a venue that has no codes (Hyperliquid); None: it says nothing amiss."""
    status, response = body.get("status"), body.get("response")
    if status == "unknownOid":
        return "unknownOid"
    if status == "err" and isinstance(response, str):
        return response
    data = response.get("data") if isinstance(response, dict) else None
    statuses = data.get("statuses") if isinstance(data, dict) else None
    rows = statuses if isinstance(statuses, list) else []
    told = (row.get("error") for row in rows if isinstance(row, dict))
    return next((words for words in told if isinstance(words, str)), None)


def _telling(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find what carries the code: a JSON-RPC error, a refused action, or the body itself."""
    error = body.get("error")
    if isinstance(error, dict):
        return error
    rows = body.get("data")
    if body.get("code") not in ("1", "2") or not isinstance(rows, list):
        return body
    failed = (row for row in rows if isinstance(row, dict) and row.get("sCode") not in (None, "0"))
    return next(failed, body)


def _words(told: Mapping[str, Any]) -> str:
    """Read the venue's words; JSON-RPC gives its reason apart, in the error's data."""
    words = next((str(told[key]) for key in MESSAGE_KEYS if told.get(key)), "")
    data = told.get("data")
    reason = data if isinstance(data, str) else None
    if isinstance(data, dict):
        reason = data.get("reason")
    return f"{words}: {reason}" if reason else words


def failure(
    error: Exception, answer: Answer, hide: tuple[str, ...] = (), asked: str = ""
) -> VenueError:
    """Translate an error of the client by the answer that it was made from.

    Parameters
    ----------
    hide
        Keys and secrets: a venue may repeat them in its words, a client in the request's address.
    asked
        Venue and endpoint, named in a failure that has no code.
    """
    found = None if is_redirect(answer.status) else venue_code(answer.body)
    if found is not None and not is_overload(answer.status):
        return RefusalError(found[0], without(found[1], hide), answer.body)
    status = f" (HTTP {answer.status})" if answer.status else ""
    words = without(str(error) if found is None else ": ".join(found), hide)
    told = f"{asked}: {type(error).__name__}{status}: {words}"
    return UnansweredError(told.removeprefix(": ")[:LONGEST], silent=True)


def without(text: str, hide: tuple[str, ...]) -> str:
    """Take keys, secrets and addresses out of a text.

    >>> without("GET https://x.example/a?timestamp=1&signature=2 key-1", ("key-1",))
    'GET *'
    """
    for word in hide:
        text = text.replace(word, "*") if word else text
    return " ".join(re.sub(r"https?://\S+", "", text).split())
