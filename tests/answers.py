"""What an answer tells integrators besides its cards."""

from __future__ import annotations

from typing import Any

READING = "com.posterior-knee-cds.reading"


def response_extension(answer: dict[str, Any]) -> dict[str, Any]:
    """What was incomplete, dropped, unread or quiet; empty if nothing was. The counts of rows are left out."""
    about: dict[str, Any] = dict(answer["extension"][READING])
    assert sum(about.pop("rows").values()) >= 0
    return about
