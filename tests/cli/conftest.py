"""Commands that run in this process load the same content once."""

from __future__ import annotations

import pytest

from tests.conftest import share_content


@pytest.fixture(autouse=True)
def content_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes loaded content, so the commands of many tests can share it."""
    share_content(monkeypatch)
