"""Withdrawals from Gate, Bitget and KuCoin by payload replay: what their tests are made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import TransferIntent
from tests.adapters.ccxt import bitget_payloads, gateio_payloads, kucoin_payloads
from tests.adapters.ccxt import withdrawal_payloads as pages
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, playing
from tests.adapters.ccxt.replay import Replay

SINCE = datetime.fromtimestamp(1_790_000_000, UTC)
VENUES: dict[str, Recorded] = {
    "gate": gateio_payloads.RECORDED,
    "bitget": bitget_payloads.RECORDED,
    "kucoinfutures": kucoin_payloads.RECORDED,
}
WORDS = pages.withdrawn(KEY)


@dataclass(frozen=True)
class Played:
    """A venue that answers, and its words."""

    words: pages.Withdrawn
    venue: Replay
    emulator: Emulator
    config: Config

    def send(self, **other: Any) -> Any:
        intent = withdrawal(self.words, **other)
        return self.run(lambda opened: opened.venues[intent.source].submit(intent))

    def find(self, venue_id: str | None = None, **other: Any) -> Any:
        intent = withdrawal(self.words, **other)
        return self.run(lambda opened: opened.venues[intent.source].find(intent, SINCE, venue_id))

    def gather(self) -> Any:
        return self.run(lambda opened: opened.market.gather())

    def run(self, work: Any) -> Any:
        return run_with(self.config, work)

    def times_sent(self) -> int:
        return len(self.venue.asked(self.words.sent))


def withdrawal(words: pages.Withdrawn, **other: Any) -> TransferIntent:
    return TransferIntent.model_validate(
        {"client_id": KEY, "route": "out", "source": words.account, "target": "futures",
         "asset": "USDT", "amount": "21", **other}
    )  # fmt: skip


def configured(config: Config, words: pages.Withdrawn, **address: Any) -> Config:
    """Add a route onto a chain; where it ends is no matter of these tests."""
    route = {"id": "out", "from": words.account, "to": "futures", "asset": "USDT",
             "kind": "onchain", "latency_s": 600}  # fmt: skip
    end = {"network": words.network, "address": pages.ADDRESS, **address}
    whole = config.model_dump(by_alias=True) | {"routes": [route], "addresses": {"out": end}}
    return Config.model_validate(whole)


@contextmanager
def withdrawing(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """Play a venue whose configuration has a route onto a chain."""
    words = WORDS[name]
    with playing(VENUES[name], monkeypatch) as (venue, emulator, config):
        yield Played(words, venue, emulator, configured(config, words))


@pytest.fixture(params=list(VENUES))
def each_played(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Played]:
    """Play each venue; a module takes it by a name of its own."""
    with withdrawing(request.param, monkeypatch) as found:
        yield found
