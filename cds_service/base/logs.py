"""The log. Only listed fields with short plain values are logged, so that no chart data or token can get in.

``log.info("call", cards=2)``: the event is a fixed word. Fields that are not listed are left out and counted. Log
lines of libraries are reduced to their level and place in the source.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, cast

import orjson
import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

FIELDS = frozenset(
    {
        "about", "address", "auth", "bits", "cards", "client", "code", "content", "count", "entries", "error", "events",
        "field", "file", "host", "issuer", "jti", "key", "keys", "kept", "kind", "lacking", "lost", "message", "mode",
        "ms", "path", "place", "port", "profile", "quiet", "read", "reason", "rows", "rule", "rules", "seconds",
        "sent", "sequence", "silent", "source", "status", "tenant", "unread", "waiting", "was", "workers", "wrong",
    }
)  # fmt: skip
"""Every field that a log line may have. Values are rules, counts, codes and settings, never chart data."""
LONGEST = 300

_Event = MutableMapping[str, Any]


def _only_named_fields(_: Any, __: str, event: _Event) -> _Event:
    kept: dict[str, Any] = {"event": event.pop("event"), "level": event.pop("level")}
    unlisted = [name for name in event if name not in FIELDS]
    kept |= {name: _plain(value) for name, value in event.items() if name in FIELDS}
    if unlisted:
        kept["left_out"] = len(unlisted)
    return kept


def _plain(value: Any) -> Any:
    """Return numbers unchanged and any other value as one short line of text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value)[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _library(_: Any, __: str, event: _Event) -> _Event:
    """Reduce a library's log line to its place in the source, because its text may quote received data."""
    record: logging.LogRecord = event["_record"]
    error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
    fields: _Event = {"event": "library", "level": record.levelname.lower(), "source": record.name}
    fields["place"] = f"{record.filename}:{record.lineno}"
    if error:
        fields["error"] = error
    record.exc_info, record.exc_text, record.stack_info = None, None, None
    return {**fields, "_record": record, "_from_structlog": False}


_CHAIN: list[Any] = [
    structlog.stdlib.filter_by_level,
    structlog.stdlib.add_log_level,
    _only_named_fields,
    ProcessorFormatter.wrap_for_formatter,
]


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def get_log() -> BoundLogger:
    """Return the service's log. Before ``set_up``, lines go to the standard library's default handler."""
    bare = logging.getLogger("cds_service")
    return cast("BoundLogger", structlog.wrap_logger(bare, processors=_CHAIN, wrapper_class=BoundLogger))


def set_up(level: str, style: Literal["json", "text"]) -> None:
    """Send this process's log lines to standard error. ``level``: the lowest severity that is logged."""
    last = (
        structlog.processors.JSONRenderer(serializer=_json)
        if style == "json"
        else structlog.processors.LogfmtRenderer(bool_as_flag=False)
    )
    formatter = ProcessorFormatter(
        foreign_pre_chain=[_library],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("alembic", "urllib3", "asyncio", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Return file and line of the fault. Unlike its message, they hold no chart data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
