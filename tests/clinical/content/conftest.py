"""Hundreds of tests here load the shipped content with one file changed: the other files are read once."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
import tomli
from pydantic import BaseModel

from cds_service.base.errors import Problem
from cds_service.base.strict_toml import validated
from cds_service.clinical.content.coding import vocabulary


@lru_cache(maxsize=1024)
def _parsed(text: str) -> bytes:
    return pickle.dumps(tomli.loads(text))


class _Toml:
    """``tomli`` that parses a text once. Each caller gets a copy of its own, which it may change."""

    TOMLDecodeError = tomli.TOMLDecodeError

    @staticmethod
    def loads(text: str) -> dict[str, Any]:
        read: dict[str, Any] = pickle.loads(_parsed(text))
        return read


_words = lru_cache(maxsize=8)(vocabulary.parse)


@lru_cache(maxsize=8192)
def _validated(
    kind: type[BaseModel], file: str, data: bytes, prefix: str, keys: tuple[str, ...], manual: str
) -> tuple[BaseModel | None, list[Problem]]:
    return validated(kind, file, pickle.loads(data), prefix=prefix, keys=keys, manual=manual)


def _validated_once(
    kind: type[BaseModel], file: str, data: Any, *, prefix: str, keys: Sequence[str], manual: str
) -> tuple[BaseModel | None, list[Problem]]:
    """Entries of the content are frozen, so all that are loaded from equal data can be one."""
    return _validated(kind, file, pickle.dumps(data), prefix, tuple(keys), manual)


@pytest.fixture(autouse=True)
def nothing_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.clinical.content.loading.load.tomli", _Toml)
    monkeypatch.setattr("cds_service.clinical.content.loading.languages.tomli", _Toml)
    monkeypatch.setattr("cds_service.clinical.content.loading.load.validated", _validated_once)
    monkeypatch.setattr("cds_service.clinical.content.coding.vocabulary.parse", _words)
