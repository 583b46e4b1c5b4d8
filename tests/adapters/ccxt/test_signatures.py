"""A loopback exchange takes what its venue's key signed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import Ack, OrderIntent, Unknown
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.deribit_words import count
from tests.adapters.ccxt.test_sendable import SUBJECTS


@pytest.mark.parametrize("venue", list(SUBJECTS))
@pytest.mark.parametrize("right", [True, False])
def test_an_order_not_rightly_signed_is_none(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    venue: str,
    right: bool,
) -> None:
    data, mine, _, symbol, quantity, _ = SUBJECTS[venue]
    config = Config.model_validate(request.getfixturevalue(data))
    login = next(row.login for row in config.accounts if row.id == mine)
    if not right:
        reference = str(config.logins[login].references["secret"]).removeprefix("env:")
        monkeypatch.setenv(reference, "another-secret")
    order = OrderIntent.model_validate(
        {"client_id": "0123456789abcdef0123456789abcdef", "account": mine, "side": "buy",
         "instrument": f"{venue}:{symbol}", "quantity": quantity, "limit_price": "63000",
         "style": "post_only"}
    )  # fmt: skip
    outcome: Any = run_with(config, lambda opened: opened.venues[mine].submit(order))
    assert isinstance(outcome, Ack) == right, outcome
    assert count(emulator, "orders") == right
    assert right or isinstance(outcome, Unknown) or outcome.outcome == "rejected"
