from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.execution.history import History
from allocator.models.errors import ConfigError, JournalError, RefusedError, SnapshotError
from allocator.models.mandate import Mandate, Target
from allocator.service.fitting import UNCHECKED
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.mandates import CONFIGURED, Mandates
from allocator.service.snapshots import GATHERED, MissingError, Snapshots
from tests.execution.book import START
from tests.service.sites import config, snapshot


def mandate(delta: int) -> Mandate:
    return Mandate(targets=(Target(underlying="BTC", delta=Decimal(delta)),))


def test_first_start_publishes_the_configurations_mandate(engine: Engine) -> None:
    book = Mandates(engine, "desk")
    assert book.published() is None
    holds, draft = book.from_config(mandate(1), START)
    assert (holds.version, holds.status, holds.author, draft) == (1, "published", CONFIGURED, None)
    assert book.from_config(mandate(1), START) == (holds, None)


def test_changed_configuration_is_a_draft_until_somebody_publishes_it(engine: Engine) -> None:
    book = Mandates(engine, "desk")
    book.from_config(mandate(1), START)
    holds, draft = book.from_config(mandate(2), START)
    assert holds.mandate == mandate(1)
    assert draft is not None
    assert (draft.version, draft.status) == (2, "draft")
    assert book.from_config(mandate(2), START) == (holds, None)
    book.publish(2, "alice", START)
    found = book.published()
    assert found is not None
    assert (found.version, found.mandate, found.published_by) == (2, mandate(2), "alice")
    assert [row.status for row in book.all()] == ["published", "retired"]


def test_configuration_that_stays_never_undoes_what_was_published(engine: Engine) -> None:
    book = Mandates(engine, "desk")
    book.from_config(mandate(1), START)
    book.publish(book.draft(mandate(5), "alice", "more", START).version, "bob", START)
    holds, draft = book.from_config(mandate(1), START)
    assert (holds.mandate, draft) == (mandate(5), None)


@pytest.mark.parametrize(
    ("approval", "alone"),
    [({}, False), ({"second_above": "5"}, False), ({"four_eyes": False}, True)],
)
def test_author_publishes_only_where_four_eyes_are_switched_off(
    engine: Engine, tmp_path: Path, approval: dict[str, Any], alone: bool
) -> None:
    book = Mandates(engine, "desk", config(tmp_path, approval=approval))
    version = book.draft(mandate(1), "alice", "", START).version
    if alone:
        assert book.publish(version, "alice", START).published_by == "alice"
        return
    with pytest.raises(RefusedError, match="SAME_EYES"):
        book.publish(version, "alice", START)


def test_draft_is_published_once_and_not_by_its_author_where_four_eyes_are_wanted(
    engine: Engine,
) -> None:
    book = Mandates(engine, "desk")
    version = book.draft(mandate(1), "alice", "", START).version
    with pytest.raises(RefusedError, match="SAME_EYES"):
        book.publish(version, "alice", START)
    book.publish(version, "bob", START)
    with pytest.raises(RefusedError, match="NO_DRAFT"):
        book.publish(version, "bob", START)
    for never in (0, version + 1, 99, 10**30):
        with pytest.raises(MissingError, match=f"NO_MANDATE: version={never}"):
            book.publish(never, "bob", START)


def test_portfolios_keep_their_own_versions(engine: Engine) -> None:
    Mandates(engine, "one").from_config(mandate(1), START)
    assert Mandates(engine, "two").all() == ()


def test_what_was_made_for_another_version_is_told_what_holds_now(engine: Engine) -> None:
    book = Mandates(engine, "desk")
    book.from_config(mandate(1), START)
    early, late = START + timedelta(seconds=1), START + timedelta(seconds=9)
    assert book.after(mandate(1), early) is None
    assert book.after(mandate(7), START - timedelta(days=1)) is None
    book.publish(book.draft(mandate(2), "ann", "", early).version, "bob", START + timedelta(5))
    holds = book.published()
    assert holds is not None
    assert book.after(mandate(2), early) is None
    assert book.after(mandate(1), early) == holds
    assert book.after(mandate(1), START + timedelta(6)) == holds
    assert book.after(mandate(7), late) == holds
    assert book.after(mandate(7), START + timedelta(6)) is None


@pytest.mark.parametrize(
    ("written", "code"),
    [("replace(mandate_json, 'BTC', 'ETH')", "MANDATE_CHANGED"), ("'{'", "UNREADABLE")],
)
def test_a_mandate_that_is_not_what_was_hashed_is_not_handed_out(
    engine: Engine, written: str, code: str
) -> None:
    book = Mandates(engine, "desk")
    book.from_config(mandate(1), START)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE mandate_version SET mandate_json = {written}"))
    with pytest.raises(JournalError, match=code):
        book.published()


def test_a_version_that_cannot_be_read_hides_none_of_the_others(engine: Engine) -> None:
    book = Mandates(engine, "desk")
    book.from_config(mandate(1), START)
    book.publish(book.draft(mandate(2), "ann", "", START).version, "bob", START)
    with engine.begin() as connection:
        connection.execute(text("UPDATE mandate_version SET mandate_json = '{' WHERE version = 1"))
    second, first = book.all()
    assert isinstance(second, Version)
    assert second == book.published() == book.one(2)
    assert isinstance(first, Unreadable)
    assert (first.version, first.status, first.author) == (1, "retired", "configuration")
    assert "UNREADABLE: mandate version 1" in first.why
    with pytest.raises(JournalError):
        book.one(1)
    assert book.one(3) is None


def test_every_step_of_a_mandate_is_in_the_audit(engine: Engine) -> None:
    book, history = Mandates(engine, "desk"), History(engine)
    book.from_config(mandate(1), START)
    book.publish(book.draft(mandate(2), "ann", "", START).version, "bob", START)
    told = [(row.subject, row.what, row.facts.get("by")) for row in history.events()]
    assert told == [
        ("mandate:desk:1", "drafted", None),
        ("mandate:desk:1", "published", CONFIGURED),
        ("mandate:desk:2", "drafted", None),
        ("mandate:desk:1", "retired", None),
        ("mandate:desk:2", "published", "bob"),
        ("alert:1", "raised", None),
    ]
    with pytest.raises(RefusedError, match="NO_DRAFT"):
        book.publish(2, "bob", START)
    assert len(history.events()) == len(told)
    assert history.verify() == ()


DOGE = Mandate(targets=(Target(underlying="DOGE", delta=Decimal(1)),))


def test_a_mandate_that_does_not_fit_the_book_is_neither_drafted_nor_published(
    engine: Engine,
) -> None:
    book, seen = Mandates(engine, "desk"), Snapshots(engine, "desk")
    early = book.draft(DOGE, "ann", "typo", START)
    assert early.unchecked == UNCHECKED
    seen.keep(snapshot(), GATHERED)
    with pytest.raises(SnapshotError, match="unknown underlying 'DOGE'"):
        book.draft(DOGE, "ann", "typo", START)
    with pytest.raises(SnapshotError, match="unknown underlying 'DOGE'"):
        book.publish(early.version, "bob", START)
    assert [(row.version, row.status) for row in book.all()] == [(1, "draft")]
    fits = book.draft(mandate(1), "ann", "", START)
    assert (fits.unchecked, book.publish(fits.version, "bob", START).unchecked) == ("", "")


def test_a_draft_that_fitted_is_held_against_the_book_as_it_is_by_now(engine: Engine) -> None:
    book, seen = Mandates(engine, "desk"), Snapshots(engine, "desk")
    seen.keep(snapshot(), GATHERED)
    scope = {
        "id": "cap",
        "measure": "equity",
        "scope": {"account": "b"},
        "min": "0",
        "source": "test",
    }
    version = book.draft(Mandate.model_validate({"limits": [scope]}), "ann", "", START).version
    row = snapshot()
    seen.keep(row.model_copy(update={"accounts": row.accounts[:1]}), GATHERED)
    with pytest.raises(SnapshotError, match="unknown account 'b'"):
        book.publish(version, "bob", START)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"targets": [{"underlying": "DOGE", "delta": "1", "unit": "base"}]}, "'DOGE'"),
        ({"limits": [{"id": "x", "measure": "equity", "scope": {"account": "c"}, "min": "0",
                      "source": "test"}]},
         "unknown account 'c'"),
        ({"limits": [{"id": "x", "measure": "equity", "scope": {"venue": "okx"}, "min": "0"}]},
         "unknown venue 'okx'"),
        ({"limits": [{"id": "x", "measure": "quantity", "scope": {"portfolio": True},
                      "of": {"instrument": "bybit:XBT"}, "max": "1"}]},
         "unknown instrument 'bybit:XBT'"),
    ],
)  # fmt: skip
def test_before_anything_is_gathered_a_mandate_is_held_against_the_configuration(
    engine: Engine, tmp_path: Path, data: dict[str, Any], told: str
) -> None:
    told_accounts = [
        {"id": "a", "login": "x", "wallet": "unified", "owner": "fund",
         "instruments": ["BTC/USDT:USDT"]},
        {"id": "b", "login": "y", "wallet": "usdm", "owner": "fund",
         "instruments": ["BTC/USDT:USDT", "ETH/USDT:USDT"]},
    ]  # fmt: skip
    book = Mandates(engine, "desk", config(tmp_path, accounts=told_accounts))
    with pytest.raises(ConfigError, match=told) as caught:
        book.draft(Mandate.model_validate(data), "ann", "", START)
    assert "nothing was gathered yet" in str(caught.value)
    assert book.all() == ()
    assert book.draft(mandate(1), "ann", "", START).unchecked == UNCHECKED


def test_accounts_that_list_no_instruments_may_hold_any(engine: Engine, tmp_path: Path) -> None:
    book = Mandates(engine, "desk", config(tmp_path))
    assert book.draft(DOGE, "ann", "", START).unchecked == UNCHECKED
