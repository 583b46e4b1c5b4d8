"""Plans proposed, judged, halted, carried out and made again from the command line."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session

from allocator.execution import schema
from allocator.execution.database import connect
from allocator.execution.run import Parked, Shell
from allocator.models.mandate import Mandate
from allocator.models.status import VenueStatus
from allocator.service.bootstrap import read_config
from allocator.service.cli.main import run
from allocator.service.cli.people import open_office
from allocator.service.demo import prepare
from allocator.service.mandates import Mandates
from allocator.service.monitor.memory import Heard, Memory
from tests.service.cli.shop import Shop, flat

ROOT = Path(__file__).resolve().parents[3]


def test_a_plan_is_proposed_approved_carried_out_and_made_again(shop: Shop) -> None:
    hash_ = shop.proposed()
    status, told = shop.type("execute", hash_)
    assert (status, shop.sent()) == (6, 0)
    assert "NOT_APPROVED: status=waiting needed=1" in told
    assert shop.type("approve", hash_[:10], "--as", "allocator", "--reason", "fine")[0] == 6
    for words in (("--as", "ann"), ("--as", "ann", "--reason", "  ")):
        status, told = shop.type("approve", hash_[:10], *words)
        assert (status, "NO_REASON" in told) == (6, True)
    status, told = shop.type("approve", hash_[:10], "--as", "ann", "--reason", "looks right")
    assert status == 0
    assert "approved; 1 of 1 approved (ann)" in told
    status, told = shop.type("execute", hash_[:10])
    assert status == 0, told
    assert "What became of it: done" in told
    assert "order 2: filled" in told
    assert shop.sent() > 0
    assert run(["replay", "99", "-c", str(shop.path)]) == 2
    assert "cycle 99 is not in the record" in shop.capsys.readouterr().err
    assert run(["history", "-c", str(shop.path), "show", "99"]) == 2
    for command in (["replay", "-c", str(shop.path)], ["history", "-c", str(shop.path), "show"]):
        assert run([*command, str(2**31)]) == 2
        assert "cycle 2147483648 is not in the record" in shop.capsys.readouterr().err
        assert run([*command, str(10**20)]) == 2
    assert run(["replay", "1", "-c", str(shop.path)]) == 0
    assert "the same, byte for byte" in shop.capsys.readouterr().out
    verify = ["history", "-c", str(shop.path), "verify"]
    assert run(verify) == 0
    assert "with all 4 heads of " in shop.capsys.readouterr().out
    forged = shop.path.with_name("forged")
    forged.write_text(f"999999 {'0' * 64}\n")
    assert run([*verify, "--anchor", str(forged)]) == 1
    assert "event 999999: its hash was kept" in shop.capsys.readouterr().err
    assert "begun" in shop.type("approve")[1]
    assert shop.type("execute", hash_)[0] == 6


@pytest.mark.parametrize(
    "blocks", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "BEGIN; SELECT 1 FROM leader"]
)
def test_a_halt_that_did_not_get_through_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], blocks: str
) -> None:
    path, database = prepare(tmp_path), tmp_path / "journal.db"
    text = path.read_text().replace("mode: loopback", "mode: dry")
    path.write_text(text.replace("sqlite:///journal.db", "sqlite:///journal.db?timeout=0.01"))
    said = ["-c", str(path), "--as", "ann", "--reason", "odd prices"]
    assert run(["halt", "venue:bybit", *said]) == 0
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        for statement in blocks.split("; "):
            other.execute(statement).fetchone()
        assert run(["halt", *said]) == 5
        told = capsys.readouterr().err
        assert "NOT_HALTED: global is not halted" in told
        assert "database is locked" in told
        assert told.endswith("; try again\n")
    assert run(["halt", *said]) == 0


def test_a_halt_stops_everything_until_somebody_resumes(shop: Shop) -> None:
    hash_ = shop.approved()
    assert shop.type("halt", "--as", "ann", "--reason", "odd prices")[0] == 0
    status, told = shop.type("execute", hash_)
    assert (status, shop.sent()) == (7, 0)
    assert "BREAKER: scope=global state=halted why=odd prices" in told
    assert shop.type("resume", "--as", "ann", "--reason", " ")[0] == 6
    assert shop.type("resume", "--as", "ben", "--reason", "sound again")[0] == 0
    assert shop.type("resume", "--as", "ben", "--reason", "sound again")[0] == 6
    assert shop.type("execute", shop.approved())[0] == 0


def test_a_halt_holds_whatever_the_terminal_makes_of_its_reason(shop: Shop) -> None:
    """A byte that is no UTF-8 comes as half a character, which no database holds."""
    typed = os.fsdecode(b"gro\xdfe Spr\xfcnge")
    status, told = shop.type("halt", "--as", typed, "--reason", typed)
    assert (status, told) == (0, "global: halted\n")
    assert "why=gro\ufffde Spr\ufffdnge" in shop.type("execute", shop.approved())[1]


def test_a_name_that_the_record_does_not_hold_is_refused_by_its_length(shop: Shop) -> None:
    status, told = shop.type("halt", "--as", "n" * 201, "--reason", "odd prices")
    assert (status, "a name has 200 characters at most" in told) == (2, True), told
    assert shop.type("halt", "--as", "n" * 200, "--reason", "odd prices")[0] == 0


def test_a_halt_of_one_account_gives_up_what_was_left_and_sends_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_, looks = shop.approved(), list[int]()

    def stopped(_shell: Shell) -> None:
        looks.append(1)
        if len(looks) > 1:
            raise Parked

    with monkeypatch.context() as patch:
        patch.setattr(Shell, "check_stop", stopped)
        status, told = shop.type("execute", hash_)
    assert (status, "parked" in told) == (7, True), told
    sent = shop.sent()
    assert shop.type("halt", "account:bybit-main", "--as", "ann", "--reason", "odd")[0] == 0
    assert shop.sent() == sent
    assert "superseded" in shop.type("history")[1]
    status, told = shop.type("execute", hash_)
    assert status == 6
    assert "PLAN_KNOWN" in told
    assert "it was given up: halted: odd; a plan goes once: propose a new one" in flat(told)


def test_a_verdict_without_a_name_says_that_the_name_is_missing(shop: Shop) -> None:
    hash_ = shop.proposed()
    for words in ((), ("--as", " "), ("--reject",)):
        status, told = shop.type("approve", hash_, "--reason", "fine", *words)
        assert (status, "NO_NAME: a verdict needs the name" in flat(told)) == (6, True), told


def test_a_halt_of_what_is_not_there_is_refused(shop: Shop) -> None:
    for scope in ("venue:binnance", "account:okx-a"):
        status, told = shop.type("halt", scope, "--as", "ann", "--reason", "odd prices")
        assert status == 6
        assert f"NOT_KNOWN: scope={scope}" in flat(told)
    for scope in ("venue:binance", "account:bybit-a"):
        assert shop.type("halt", scope, "--as", "ann", "--reason", "odd prices")[0] == 0


def test_a_plan_of_a_venue_that_has_shut_is_neither_approved_nor_carried_out(shop: Shop) -> None:
    plan = shop.proposed()
    assert shop.type("approve", plan[:8], "--as", "ann", "--reason", "fine")[0] == 0
    later = shop.proposed()
    word = VenueStatus(state="maintenance", note="an upgrade")
    engine = connect(read_config(shop.path).database)
    with Session(engine) as session, session.begin():
        memory = Memory(engine, "demo")
        memory.write(session, Heard({"bybit": word, "binance": word}), datetime.now(UTC))
    engine.dispose()
    for words in (("execute", plan[:8]), ("approve", later[:8], "--as", "ann", "--reason", "fine")):
        status, told = shop.type(*words)
        assert status == 6, told
        assert "VENUE_SHUT" in told
        assert "says=maintenance: an upgrade" in flat(told)


def test_a_plan_for_a_mandate_that_no_longer_holds_is_neither_approved_nor_carried_out(
    shop: Shop,
) -> None:
    config = read_config(shop.path)
    engine = connect(config.database)
    schema.upgrade(engine)
    mandates = Mandates(engine, "demo", config)
    mandates.from_config(config.mandate, datetime.now(UTC))
    plan, later = shop.approved(), shop.proposed()
    draft = mandates.draft(Mandate(), "ann", "stop", datetime.now(UTC))
    mandates.publish(draft.version, "ben", datetime.now(UTC))
    engine.dispose()
    for words in (("execute", plan), ("approve", later, "--as", "ann", "--reason", "fine")):
        status, told = shop.type(*words)
        assert (status, "MANDATE_RETIRED: version=2" in flat(told)) == (6, True), told
    assert shop.sent() == 0


def test_a_rejected_plan_is_not_carried_out(shop: Shop) -> None:
    hash_ = shop.approved()
    no = ("approve", hash_, "--as", "ben", "--reject")
    assert shop.type(*no)[0] == 6
    assert shop.type(*no, "--reason", "not today")[0] == 0
    assert shop.type("execute", hash_)[0] == 6
    assert shop.sent() == 0


def test_an_approval_is_taken_back(shop: Shop) -> None:
    hash_ = shop.approved()
    assert shop.type("approve", hash_, "--as", "ben", "--retract")[0] == 6
    assert shop.type("approve", hash_, "--as", "ann", "--retract", "--reject")[0] == 2
    status, told = shop.type("approve", hash_, "--as", "ann", "--retract", "--reason", "too soon")
    assert status == 0
    assert "waiting; 0 of 1 approved (nobody)" in told
    assert shop.type("execute", hash_)[0] == 6
    assert shop.sent() == 0


def test_an_approval_that_is_too_old_is_refused(shop: Shop) -> None:
    hash_ = shop.approved()
    shop.set(approval={"max_age_s": "0.001"})
    status, told = shop.type("execute", hash_)
    assert (status, shop.sent()) == (5, 0)
    assert "SNAPSHOT_AGE" in told
    status, told = shop.type("approve", hash_, "--as", "ben", "--reason", "fine")
    assert status == 6
    assert "EXPIRED" in told


@pytest.mark.parametrize(
    ("mode", "words", "code"),
    [("dry", (), "DRY_RUN"), ("dry", ("--live",), "DRY_RUN"), ("live", (), "NOT_LIVE")],
)
def test_nothing_goes_without_every_confirmation(
    shop: Shop, mode: str, words: tuple[str, ...], code: str
) -> None:
    hash_ = shop.approved()
    shop.set(mode=mode)
    status, told = shop.type("execute", hash_, *words)
    assert (status, shop.sent()) == (6, 0)
    assert code in told


def test_a_hash_that_nobody_proposed_is_refused(shop: Shop) -> None:
    assert shop.type("approve", "abc", "--as", "ann")[0] == 6
    assert shop.type("execute", "abc")[0] == 6


def test_resolving_needs_something_to_resolve_and_evidence(shop: Shop) -> None:
    assert shop.type("resolve")[0] == 0
    assert shop.type("resolve", "account:bybit-a", "--as", "ann")[0] == 6
    for words in (("--to", "filled", "--as", "a", "--evidence", "b"), ("--as", "ann")):
        status, told = shop.type("resolve", "0" * 32, *words)
        assert (status, "NOT_ASKED: " in told) == (6, True), told
    assert shop.type("resolve", "0" * 32, "--to", "filled", "--filled", "NaN")[0] == 2


def test_account_that_may_act_again_is_told_to_everybody(shop: Shop) -> None:
    with open_office(read_config(shop.path)) as office:
        office.freeze("bybit-a", "odd")
    said = ("--as", "ann", "--evidence", "ticket 4711")
    assert shop.type("resolve", "account:bybit-a", *said)[0] == 0
    with open_office(read_config(shop.path)) as office:
        told = office.history.alerts()
    assert [row.topic for row in told] == ["frozen", "thawed"]
    assert told[-1].body == {"account": "bybit-a", "evidence": "ticket 4711", "who": "ann"}


def test_no_secret_is_in_the_record_the_output_or_the_exchanges_log(shop: Shop) -> None:
    """Canaries: the keys' own secrets, looked for wherever a run leaves anything."""
    folder = shop.path.parent
    secrets = [
        path.read_text().strip()
        for path in (folder / "keys").iterdir()
        if path.suffix in (".secret", ".passphrase")
    ]
    assert len(secrets) > 3
    told = [shop.type("propose")[1], shop.type("approve")[1]]
    hash_ = shop.approved()
    told += [shop.type(*words)[1] for words in (("execute", hash_), ("resolve",), ("approve",))]
    assert run(["history", "-c", str(shop.path), "show", "1"]) == 0
    assert run(["-v", "replay", "1", "-c", str(shop.path)]) == 0
    shown = shop.capsys.readouterr()
    log = str(shop.emulator.admin("GET", "requests"))
    left = b"".join(path.read_bytes() for path in folder.glob("journal.db*"))
    everything = "\n".join([*told, shown.out, shown.err, log]).encode() + left
    assert [secret for secret in secrets if secret.encode() in everything] == []
    assert b"bybit-main" in everything


def test_sigterm_follows_what_is_being_sent_parks_the_rest_and_says_so(shop: Shop) -> None:
    hash_ = shop.approved()
    # Nobody hears how the transfer stands until the stop has been asked for.
    shop.emulator.fault(
        {"kind": "drop_before", "path": "/v5/asset/transfer/query-", "times": 1_000_000}
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "allocator", "execute", hash_, "-c", str(shop.path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "transfer 1: sending" in line:
            process.send_signal(signal.SIGTERM)
        elif "stopping: what is being sent is followed to its end" in line:
            break
    else:
        pytest.fail("it did not say that it stops")
    shop.emulator.fault()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 7
    assert "parked: the next start goes on with it" in out
    assert "transfer 1: settled" in err
    assert "order" not in err
    status, told = shop.type("execute", hash_)
    assert status == 0, told
    assert "What became of it: done" in told
