"""Whom alerts reach, and that a leader who is gone is told."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.models.errors import StaleError
from allocator.models.service import AlertConfig
from allocator.service.notify import (
    MOST_TRIES,
    Addresses,
    Notifier,
    apprise_sender,
)
from allocator.service.run import Service
from allocator.service.telemetry import Redactor
from tests.execution.book import START, JumpingClock
from tests.service.boxes import Box, Taken
from tests.service.sites import config


@pytest.fixture
def box(lite: Engine) -> Box:
    return Box(lite)


@pytest.mark.parametrize(("age_s", "dead"), [(99, False), (100, False), (101, True)])
def test_dead_man_is_told_beyond_the_threshold(box: Box, age_s: float, dead: bool) -> None:
    assert box.watch(age_s) == dead
    assert len(box.got) == dead


def test_dead_man_is_told_once_and_so_is_his_return(box: Box) -> None:
    for _ in range(3):
        box.watch(200)
    box.watch(1)
    box.watch(1)
    assert [title for title, _ in box.got] == [
        "desk: the scheduler has not ticked",
        "desk: the scheduler ticks again",
    ]


def test_service_that_never_ticked_is_dead_after_a_while(box: Box) -> None:
    assert not box.watch(None)
    box.clock.at += timedelta(seconds=101)
    assert box.watch(None)


def test_address_that_takes_nothing_repeats_no_alert_to_the_others(box: Box) -> None:
    got, asked = list[str](), list[str]()

    def takes(_title: str, text: str) -> bool:
        got.append(text)
        return True

    def raises(_title: str, text: str) -> bool:
        asked.append(text)
        raise OSError("no route")

    both = Addresses([raises, takes, lambda _title, _text: False])
    notifier = Notifier(box.outbox, AlertConfig(dead_man_s=Decimal(100)), both, Redactor(), "desk")
    box.alert("trigger", what="x")
    for _ in range(MOST_TRIES + 5):
        asyncio.run(notifier.deliver(box.clock.now()))
    assert (len(got), len(asked)) == (1, MOST_TRIES)
    box.alert("trigger", what="y")
    asyncio.run(notifier.deliver(box.clock.now()))
    assert len(got) == 2
    for _ in range(5):
        now = box.clock.now() + timedelta(seconds=200)
        asyncio.run(notifier.watch(START, START, now))
        box.clock.at += timedelta(seconds=5)
    assert len(got) == 3


def test_alert_that_nobody_took_is_tried_until_somebody_does(box: Box) -> None:
    works = list[bool]()
    send = Addresses([lambda _title, _text: bool(works), lambda _title, _text: False])
    assert not any(send("a", "b") for _ in range(MOST_TRIES * 2))
    works.append(True)
    assert send("a", "b")


def test_dead_man_is_told_while_the_database_does_not_answer(lite: Engine, tmp_path: Path) -> None:
    taken = Taken()
    clock = JumpingClock()
    service = Service(config(tmp_path), lite, clock=clock, send=taken.send)
    service.beats.beat("leader", leads=True, at=clock.now())
    asyncio.run(service.telling.alert(START))
    with lite.begin() as connection:
        connection.execute(text("ALTER TABLE heartbeat RENAME TO gone"))
    clock.at += timedelta(seconds=901)
    for _ in range(2):
        asyncio.run(service.telling.alert(START))
    assert taken.titles == ["desk: the scheduler has not ticked"]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """A web server on loopback that keeps what it is sent, and may be slow to answer."""
    got = list[Any]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            got.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/hook?cto=60&rto=60", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise imports it
def test_webhook_gets_the_digest(webhook: tuple[str, list[Any]]) -> None:
    address, got = webhook
    assert apprise_sender([address])("title", "text")
    assert got[0]["title"] == "title"
    assert got[0]["message"] == "text"


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_address_that_answers_gets_a_digest_once_beside_one_that_does_not(
    webhook: tuple[str, list[Any]],
) -> None:
    address, got = webhook
    send = apprise_sender([address, "json://127.0.0.1:9"])
    assert [send("title", "text") for _ in range(3)] == [False] * 3
    assert len(got) == 1


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
@pytest.mark.parametrize(
    "address",
    [
        "nonsense://secret-token@x",
        "tgram://secret-token/12345",
        "slack://T1JJ3T3L2/secret-token/TIiajkdnlazkcOXrIdevi7FQ/#desk",
    ],
)
def test_address_that_cannot_be_used_is_not_shown(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StaleError, match="address 1 of 1") as caught:
        apprise_sender([address])
    assert "secret-token" not in str(caught.value)
    assert "secret-token" not in caplog.text, "apprise tells it, and parts of it, by itself"


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_apprise_tells_what_goes_wrong_as_it_sends(caplog: pytest.LogCaptureFixture) -> None:
    send = apprise_sender(["json://127.0.0.1:9"])
    assert not send("title", "text")
    assert "A Connection error occurred" in caplog.text


def test_that_nobody_can_lead_is_told_once_and_that_it_is_over(box: Box) -> None:
    whys = ["", "OSError: no key", "OSError: no key", "", ""]
    for why in whys:
        asyncio.run(box.notifier.stuck(why))
    assert box.got == [
        ("desk: no instance can lead", "OSError: no key"),
        ("desk: no instance can lead: that is over", "all is well"),
    ]


def test_an_instance_alone_that_cannot_lead_tells_why_within_a_minute(
    lite: Engine, tmp_path: Path
) -> None:
    clock, taken = JumpingClock(), Taken()
    service = Service(config(tmp_path), lite, clock=clock, send=taken.send)
    for second in (0, 30, 59, 61, 90):
        clock.at = START + timedelta(seconds=second)
        service.trying.begins()
        service.trying.failed(OSError("no key"))
        asyncio.run(service.telling.alert(START))
        assert bool(taken.got) == (second > 60)
    assert taken.got == [("desk: no instance can lead", "OSError: no key")]
    service.beats.beat("other", leads=True, at=clock.at)
    asyncio.run(service.telling.alert(START))
    assert [title for title, _ in taken.got[1:]] == ["desk: no instance can lead: that is over"]


def test_an_address_that_takes_nothing_repeats_no_alert_to_the_other(lite: Engine) -> None:
    got, box = list[str](), Box(lite)

    def takes(_title: str, text: str) -> bool:
        got.append(text)
        return True

    box.notifier._send = Addresses([takes, lambda _title, _text: False])
    for minute in range(30):
        box.alert("trigger", what=f"trigger number {minute}.")
        for _ in range(6):
            box.clock.at += timedelta(seconds=5)
            box.deliver()
    heard = [sum(f"number {minute}." in text for text in got) for minute in range(30)]
    assert max(heard) <= 3
    assert box.outbox.count() <= 1


def test_that_it_is_over_is_told_once_somebody_takes_it(box: Box) -> None:
    box.watch(101)
    asyncio.run(box.notifier.stuck("no database"))
    over = ["desk: the scheduler ticks again", "desk: no instance can lead: that is over"]
    heard = list[list[str]]()
    for works in (False, False, True, True):
        box.works = works
        box.got.clear()
        box.watch(1)
        asyncio.run(box.notifier.stuck(""))
        heard.append([title for title, _ in box.got])
    assert heard == [over, over, over, []]


def test_what_is_so_again_before_its_end_was_told_is_no_news(box: Box) -> None:
    box.watch(101)
    box.works = False
    box.watch(1)
    box.works = True
    box.got.clear()
    box.watch(101)
    assert box.got == []
    box.watch(1)
    assert [title for title, _ in box.got] == ["desk: the scheduler ticks again"]
