"""Commands that run in this process load the same content once."""

from __future__ import annotations

import pytest

from tests.conftest import load_once


@pytest.fixture(autouse=True)
def content_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes loaded content, so the commands of many tests can share it."""
    monkeypatch.setattr("cds_service.service.evaluate.load", load_once)
