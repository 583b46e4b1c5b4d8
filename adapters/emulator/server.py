"""The HTTP server in front of the exchange.

Requests keep the venue's host in `X-Orig-Host`; state is committed before a reply leaves.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web

from allocator.adapters.emulator import admin, events, table
from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Venue
from allocator.adapters.emulator.faults import Fault, Rule
from allocator.adapters.emulator.requestlog import Request
from allocator.adapters.emulator.wire import Call, Json, Reply

ORIGINAL_HOST = "X-Orig-Host"
KEY_HEADERS = ("X-BAPI-API-KEY", "X-MBX-APIKEY", "OK-ACCESS-KEY")
REMEMBERED = 256
PAGE = b"<html><head><title>Just a moment...</title></head><body>checking</body></html>"


class Server:
    """Dispatches requests to the venues by host, and the admin surface by path."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._venues: dict[str, Venue] = {
            host: venue for venue in exchange.venues.values() for host in venue.hosts
        }
        self._replies: dict[tuple[str, ...], Reply] = {}
        self._table = table.rows(e for v in exchange.venues.values() for e in v.endpoints)

    def application(self) -> web.Application:
        """Return the aiohttp application: one handler for every path."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        text = (await request.read()).decode("utf-8", "replace")
        if path.startswith(admin.PREFIX):
            return self._admin(request.method, path, query, text)
        host = request.headers.get(ORIGINAL_HOST, request.host)
        key = named_key(request.headers)
        rule = self.exchange.faults.choose(host, request.method, path, key)
        call = Call(
            self.exchange, host, request.method, path, query, text,
            parameters(query, text), request.headers, request.remote or "",
            self.exchange.clock.now_ms(),
        )  # fmt: skip
        if rule is None:
            return _response(self._noted(call, None))
        match rule.kind:
            case Fault.DROP_BEFORE | Fault.THROTTLE | Fault.FORBID | Fault.BAN:
                return self._before(request, call, rule)
            case Fault.DUPLICATE:
                self._noted(call, rule)
            case Fault.SKEW:
                call = replace(call, now_ms=call.now_ms + round(rule.delay_s * 1000))
            case _:
                pass
        return await self._after(request, rule, self._noted(call, rule))

    def _noted(self, call: Call, rule: Rule | None) -> Reply:
        """Carry a call out and write it down."""
        call, reply = self._remembered(call, rule)
        self._note(call, reply.status, reply.code, "" if rule is None else rule.kind.value)
        return reply

    def carry_out(self, call: Call) -> tuple[Call, Reply]:
        """Run dues and the call, each in its own transaction; return the call as authenticated."""
        with self.exchange.unit():
            events.catch_up(self.exchange)
        venue = self._venues.get(call.host)
        if venue is None:
            return call, Reply({"error": f"no venue answers for {call.host}"}, 421, code="421")
        endpoint = self._table.get((call.host, call.method, call.path))
        if endpoint is None:
            return call, venue.unknown(call)
        try:
            headers = venue.limit(call, endpoint)
            key = venue.authenticate(call, endpoint)
            if key is not None:
                call = replace(call, user=key.user, key=key.key)
            with self.exchange.unit():
                body = endpoint.handler(call)
                reply = venue.answer(call, body)
        except ArithmeticError as error:
            return call, venue.refuse(call, ValueError(f"not a number: {error}"))
        except (VenueError, Refused, ValueError) as error:
            return call, venue.refuse(call, error)
        return call, replace(reply, headers={**headers, **reply.headers})

    def _remembered(self, call: Call, rule: Rule | None) -> tuple[Call, Reply]:
        """Carry out a call; keep a read's reply, and give the kept one to a stale read."""
        if call.method != "GET":
            return self.carry_out(call)
        name = _same_read(call)
        kept = self._replies.pop(name, None)
        if rule is None or rule.kind is not Fault.STALE or kept is None:
            call, kept = self.carry_out(call)
        self._replies[name] = kept
        while len(self._replies) > REMEMBERED:
            del self._replies[next(iter(self._replies))]
        return call, kept

    def _admin(self, method: str, path: str, query: str, text: str) -> web.Response:
        try:
            body = admin.answer(self.exchange, method, path, dict(parameters(query, text)))
        except KeyError as error:
            return web.json_response({"error": f"unknown: {error}"}, status=404)
        except (ValueError, ArithmeticError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(body)

    def _before(self, request: web.Request, call: Call, rule: Rule) -> web.Response:
        if rule.kind is not Fault.DROP_BEFORE:
            pause = {"Retry-After": f"{rule.delay_s or 1:g}"}
            self._note(call, int(rule.kind.value), rule.kind.value, rule.kind.value)
            return web.Response(status=int(rule.kind.value), text="", headers=pause)
        self._note(call, 0, "", rule.kind.value)
        _cut(request)
        return web.Response()

    async def _after(self, request: web.Request, rule: Rule, reply: Reply) -> web.StreamResponse:
        match rule.kind:
            case Fault.DROP_AFTER:
                _cut(request)
                return web.Response()
            case Fault.DELAY:
                await asyncio.sleep(rule.delay_s)
                return _response(reply)
            case Fault.STALE | Fault.DUPLICATE | Fault.SKEW:
                return _response(reply)
            case Fault.HTTP_500_AFTER:
                return web.Response(status=500, text="Internal Server Error")
            case Fault.HTML:
                return web.Response(body=PAGE, content_type="text/html")
            case Fault.TRUNCATE:
                return await _truncated(request, reply)
            case _:
                raise ValueError(f"{rule.kind} does not strike after a request")

    def _note(self, call: Call, status: int, code: str, fault: str) -> None:
        self.exchange.log.append(
            Request(
                time_ms=call.now_ms,
                host=call.host,
                method=call.method,
                path=call.path,
                signed_by=call.key,
                agent=call.headers.get("User-Agent", ""),
                status=status,
                code=code,
                fault=fault,
            )
        )


def named_key(headers: Mapping[str, str]) -> str:
    """Return the API key a request names, whether its signature is right or not."""
    told = next((headers[name] for name in KEY_HEADERS if name in headers), "")
    signer = headers.get("Authorization", "").partition(",")[0]
    return told or signer.partition("id=")[2]


def parameters(query: str, text: str) -> dict[str, Json]:
    """Return the parameters of the query and of a JSON or form body; the body wins.

    A body that is a list names no parameters: whoever takes one reads it whole.
    """
    merged: dict[str, Json] = dict(parse_qsl(query, keep_blank_values=True))
    if text.lstrip().startswith("["):
        return merged
    if text.lstrip().startswith("{"):
        try:
            decoded = json.loads(text, parse_float=str)
        except json.JSONDecodeError:
            return merged
        merged.update(decoded)
    elif text:
        merged.update(parse_qsl(text, keep_blank_values=True))
    return merged


async def serve(exchange: Exchange, port: int, ready_file: Path | None = None) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT; tell when ready.

    One JSON line on stdout gives port and process id; the same goes to the ready file, so that
    a process that did not start the server can find it.
    """
    runner = web.AppRunner(Server(exchange).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ready = {"port": runner.addresses[0][1], "pid": os.getpid()}
    text = json.dumps(ready) + "\n"
    os.write(1, text.encode())
    if ready_file is not None:
        ready_file.write_text(text)
    try:
        await stop.wait()
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        await runner.cleanup()
        exchange.close()


def _same_read(call: Call) -> tuple[str, ...]:
    """Name a read by everything but when and how it was signed."""
    moment = {"timestamp", "signature", "recvWindow"}
    asked = sorted(f"{k}={v}" for k, v in call.params.items() if k not in moment)
    keys = (call.headers.get(name, "") for name in KEY_HEADERS)
    signer = call.headers.get("Authorization", "").partition(",")[0]
    return (call.host, call.path, *keys, signer, *asked)


def _response(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.encode(),
        status=reply.status,
        headers=dict(reply.headers),
        content_type="application/json",
    )


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _truncated(request: web.Request, reply: Reply) -> web.StreamResponse:
    body = reply.encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
