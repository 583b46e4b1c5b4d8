"""A configuration that names or watches what is not there says so, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.whatif.document import FileError
from allocator.whatif.reader import load_config


def test_a_config_tells_every_reference_that_leads_nowhere(tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text(
        "mode: dri\n"
        "logins:\n"
        "  main: {venue: bybit, key: 'env:K', secret: plain, master: boss}\n"
        "accounts:\n"
        "  - {id: a, login: mian, wallet: unified, owner: fund}\n"
        "  - {id: a, login: main, wallet: unified, owner: fund}\n"
        "  - {id: c, login: main, wallet: unified, owner: fund}\n"
        "routes:\n"
        "  - {id: r, from: a, to: b, asset: USDT}\n"
        "gather: {status: {bybti: tell, bybit: tel}}\n",
    )
    with pytest.raises(FileError) as caught:
        load_config(config)
    assert [str(row).removeprefix(f"{config}:") for row in caught.value.problems] == [
        "1:7: mode: one of dry, loopback, live is wanted, not 'dri' - did you mean 'dry'?",
        "3:46: logins.main.secret: a secret is given by reference: file:PATH or env:NAME",
        "3:61: logins.main.master: unknown login 'boss'",
        "5:20: accounts[0].login: unknown login 'mian' - did you mean 'main'?",
        "6:5: accounts[1]: a second account 'a'",
        "7:5: accounts[2]: wallet unified of login main is in account a already: it would be "
        "counted twice, take one out",
        "9:26: routes[0].to: unknown account 'b'",
        "10:26: gather.status.bybti: unknown venue 'bybti' - did you mean 'bybit'?",
        "10:39: gather.status.bybit: one of follow, tell, ignore is wanted, not 'tel'"
        " - did you mean 'tell'?",
    ]


WATCHED = """mode: dry
database: "sqlite:///x.db"
logins: {main: {venue: bybit, key: "env:K", secret: "env:S"}}
accounts: [{id: a, login: main, wallet: unified, owner: f, instruments: ["BTC/USDT:USDT"]}]
assets: {USDT: {price: "1"}, ETH: {underlying: ETH}}
mandate: {limits: [{id: gross, measure: gross_notional, scope: {portfolio: true}, max: "1"}]}
service:
  schedules: [{id: s, cron: "0 8 1 * 1"}]
  triggers:
  - {id: t1, on: drift, of: BTX, threshold: "0"}
  - {id: t2, on: utilisation, of: gros, threshold: "0.9"}
  - {id: t3, on: funding, of: "bybit:BTC/USDT", threshold: "0.001"}
  - {id: t4, on: margin_ratio, of: b, threshold: "1.3"}
  - {id: t5, on: venue, of: bybt, threshold: "60"}
"""


def test_what_triggers_watch_and_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(WATCHED)
    with pytest.raises(FileError) as caught:
        load_config(config)
    told = [str(row).removeprefix(f"{config}:") for row in caught.value.problems]
    assert [row.partition(": ")[2] for row in told] == [
        "service.schedules[0].cron: cron '0 8 1 * 1': day and day of week are both given: crontab "
        "takes a day that is either, this timer one that is both; give one of them, in a schedule "
        "each",
        "service.triggers[0].of: unknown underlying 'BTX' - did you mean 'BTC'?",
        "service.triggers[2].of: unknown instrument 'bybit:BTC/USDT' - did you mean "
        "'bybit:BTC/USDT:USDT'?",
        "service.triggers[3].of: unknown account 'b'",
        "service.triggers[4].of: unknown venue 'bybt' - did you mean 'bybit'?",
    ]
    assert told[1].startswith("10:29: ")


def test_what_triggers_watch_and_is_there_is_good(tmp_path: Path) -> None:
    text = (
        WATCHED.replace("BTX", "ETH").replace("gros,", "gross,").replace("0 8 1 * 1", "0 8 1 * *")
    )
    text = text.replace('"bybit:BTC/USDT"', '"bybit:BTC/USDT:USDT"').replace("of: b,", "of: a,")
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("bybt", "bybit"))
    assert len(load_config(config).service.triggers) == 5


@pytest.mark.parametrize(
    "rule",
    ["on: drift, of: SOL", 'on: funding, of: "bybit:SOL/USDT:USDT"', "on: utilisation, of: new"],
)
def test_what_may_come_with_an_account_or_a_mandate_may_be_watched(
    tmp_path: Path, rule: str
) -> None:
    """An account without a list holds any instrument; a mandate that is published any limit."""
    head, _, _ = WATCHED.replace("0 8 1 * 1", "0 8 1 * *").partition("  - {id: t1")
    text = head.replace(', instruments: ["BTC/USDT:USDT"]', "")
    config = tmp_path / "config.yaml"
    config.write_text(f'{text}  - {{id: t, {rule}, threshold: "0.001"}}\n')
    assert len(load_config(config).service.triggers) == 1


def test_trigger_of_a_book_watches_what_that_book_has(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    head, _, _ = WATCHED.partition("mandate:")
    config.write_text(
        head
        + """books:
- id: one
  accounts: [a]
  database: "sqlite:///y.db"
  mandate: {limits: [{id: net, measure: equity, scope: {portfolio: true}, min: "1"}]}
  triggers:
  - {id: t, on: margin_ratio, of: b, threshold: "1.3"}
"""
    )
    with pytest.raises(FileError, match=r"books\[0\].triggers\[0\].of: unknown account 'b'"):
        load_config(config, whole=True)
