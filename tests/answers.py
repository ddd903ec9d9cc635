"""What an answer tells integrators besides its cards."""

from __future__ import annotations

from typing import Any

READING = "com.posterior-knee-cds.reading"


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """What was lacking, dropped, unread or quiet; empty if nothing was. The ledger's sums stand there always."""
    about: dict[str, Any] = dict(answer["extension"][READING])
    assert sum(about.pop("rows").values()) >= 0
    return about
