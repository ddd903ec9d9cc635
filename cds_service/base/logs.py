"""The log. Only listed fields with short plain values are logged, so that no chart data or token can get in.

``log.info("call", cards=2)``: the event is a fixed word. Fields that are not listed are left out and counted. Log
lines of libraries are reduced to their level and place in the source.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

FIELDS = frozenset(
    {
        "about", "address", "auth", "bits", "cards", "client", "code", "content", "count", "entries", "error", "events",
        "field", "file", "host", "issuer", "jti", "key", "keys", "kept", "kind", "lacking", "lost", "message", "mode",
        "ms", "path", "place", "port", "profile", "quiet", "read", "reason", "rows", "rule", "rules", "seconds",
        "sent", "sequence", "silent", "source", "status", "tenant", "unread", "waiting", "was", "workers", "wrong",
    }
)  # fmt: skip
"""Every field that a log line may have. Values are rules, counts, codes and settings, never chart data."""
MAX_LENGTH = 300

_NAME = "cds_service"


class Log:
    """Writes events with their fields."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, **fields: Any) -> None:
        """Write an event for developers."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write an event of normal work."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write an event that somebody should know of."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Write a failure."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        kept: dict[str, Any] = {"event": event, "level": logging.getLevelName(level).lower()}
        kept |= {name: _plain(value) for name, value in fields.items() if name in FIELDS}
        if unlisted := fields.keys() - FIELDS:
            kept["left_out"] = len(unlisted)
        self._logger.log(level, kept)


def _plain(value: Any) -> Any:
    """Return numbers unchanged and any other value as one short line of text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value)[: MAX_LENGTH + 1])
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


class _Lines(logging.Formatter):
    """Writes each event as one line. ``render`` makes a text of its fields."""

    def __init__(self, render: Callable[[Mapping[str, Any]], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event, or of what a library logs."""
        fields = record.msg if record.name == _NAME and isinstance(record.msg, dict) else _library(record)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        return self._render({**fields, "timestamp": moment.replace("+00:00", "Z")})


def _library(record: logging.LogRecord) -> dict[str, Any]:
    """Reduce a library's log line to its place in the source, because its text may quote received data."""
    fields = {"event": "library", "level": record.levelname.lower(), "source": record.name}
    fields["place"] = f"{record.filename}:{record.lineno}"
    if record.exc_info and record.exc_info[0]:
        fields["error"] = record.exc_info[0].__name__
    return fields


def _json(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields).decode()


def _text(fields: Mapping[str, Any]) -> str:
    """Return ``name=value`` (logfmt); values that hold a space, ``=`` or a quotation mark stand in quotation marks."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def _quoted(value: Any) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not any(mark in text for mark in ' ="'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def get_log() -> Log:
    """Return the service's log. Before ``set_up``, lines go to the standard library's default handler."""
    return Log(logging.getLogger(_NAME))


def set_up(level: str, style: Literal["json", "text"]) -> None:
    """Send this process's log lines to standard error. ``level``: the lowest severity that is logged."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_json if style == "json" else _text))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("alembic", "urllib3", "asyncio", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Return file and line of the fault. Unlike its message, they hold no chart data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
