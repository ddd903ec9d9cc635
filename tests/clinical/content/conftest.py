"""Hundreds of tests here load the shipped content with one file changed: the other files are parsed once."""

from __future__ import annotations

import pickle
import tomllib
from functools import lru_cache
from typing import Any

import pytest

from tests.conftest import load_once


@lru_cache(maxsize=1024)
def _parsed(text: str) -> bytes:
    return pickle.dumps(tomllib.loads(text))


class _Toml:
    """``tomllib`` that parses a text once. Each caller gets a copy of its own, which it may change."""

    TOMLDecodeError = tomllib.TOMLDecodeError

    @staticmethod
    def loads(text: str) -> dict[str, Any]:
        read: dict[str, Any] = pickle.loads(_parsed(text))
        return read


@pytest.fixture(autouse=True)
def nothing_is_parsed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.clinical.content.loading.load.tomllib", _Toml)
    monkeypatch.setattr("cds_service.clinical.content.loading.languages.tomllib", _Toml)
    monkeypatch.setattr("cds_service.service.evaluate.load", load_once)
