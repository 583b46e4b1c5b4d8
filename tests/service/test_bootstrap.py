"""What a clean core without the exchange client says."""

from __future__ import annotations

import pytest

from allocator.models.errors import ConfigError
from allocator.service import bootstrap


def test_missing_exchange_client_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'allocator\[exchanges\]'"):
        bootstrap.need_exchanges()


def test_installed_exchange_client_is_found() -> None:
    bootstrap.need_exchanges()
