"""The log: only named fields with short plain values get in, so that nothing of a chart or a token can.

``log.info("call", cards=2)``: the event is a fixed word of ours; a field that is not on the list is left out and
counted, and what libraries log is reduced to where and how loud it was.
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
"""Every field that a log line may have; what each holds is ours: rules, counts, codes, settings, never a chart's."""
LONGEST = 300

_Event = MutableMapping[str, Any]


def _only_named_fields(_: Any, __: str, event: _Event) -> _Event:
    kept: dict[str, Any] = {"event": event.pop("event"), "level": event.pop("level")}
    strangers = [name for name in event if name not in FIELDS]
    kept |= {name: _plain(value) for name, value in event.items() if name in FIELDS}
    if strangers:
        kept["left_out"] = len(strangers)
    return kept


def _plain(value: Any) -> Any:
    """Numbers as they are, all else as one short line."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(value)[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _library(_: Any, __: str, event: _Event) -> _Event:
    """A line of a library: its text may quote what was sent, so only its place is told."""
    record: logging.LogRecord = event["_record"]
    error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
    told: _Event = {"event": "library", "level": record.levelname.lower(), "source": record.name}
    told["place"] = f"{record.filename}:{record.lineno}"
    if error:
        told["error"] = error
    record.exc_info, record.exc_text, record.stack_info = None, None, None
    return {**told, "_record": record, "_from_structlog": False}


_CHAIN: list[Any] = [
    structlog.stdlib.filter_by_level,
    structlog.stdlib.add_log_level,
    _only_named_fields,
    ProcessorFormatter.wrap_for_formatter,
]


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def get_log() -> BoundLogger:
    """The service's log. Usable before ``set_up``: then lines go where the standard library sends them."""
    bare = logging.getLogger("cds_service")
    return cast("BoundLogger", structlog.wrap_logger(bare, processors=_CHAIN, wrapper_class=BoundLogger))


def set_up(level: str, style: Literal["json", "text"]) -> None:
    """Lines to standard error, from now on, for this process."""
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
