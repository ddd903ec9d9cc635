"""Strict JSON parser: RFC 8259, within size limits, and without duplicate keys, so that the meaning is unambiguous."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from cds_service.base.budget import Budget
from cds_service.base.errors import TooLarge, UnusableInput

MAX_STRING_BYTES = 1_048_576
"""FHIR R4's limit for a string, in bytes. No valid document has a longer run without a quotation mark."""
SHAPES_PER_ENTRY = 64
"""Allowed objects and arrays per allowed entry. In Python they need many times the memory of their bytes."""


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits for a document.

    Attributes:
        depth: levels of nesting.
        entries: resources in one document.
        budget: computing time of the whole call; None for no limit.
    """

    depth: int
    entries: int
    budget: Budget | None = None

    def check_time(self) -> None:
        """Raise ``TooCostly`` if the time is used up."""
        if self.budget is not None:
            self.budget.check()


def parse(document: bytes | bytearray, limits: JsonLimits) -> Any:
    """Return ``document`` as Python values.

    Raises:
        TooLarge: more resources, objects or arrays than allowed, or a string is too long.
        UnusableInput: not RFC 8259 JSON, nested too deeply, or an object has a duplicate key.
    """
    _check_shape(document, limits)
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"the body is not JSON: {_where(error)}") from error
    if has_key_twice(document, parsed):
        raise UnusableInput("the body holds an object with a duplicate key, so its meaning is not certain")
    return parsed


def _check_shape(document: bytes | bytearray, limits: JsonLimits) -> None:
    """Reject documents that are costly to parse, before parsing. The checks run in C, because charts are large."""
    if document.count(b'"resourceType"') > limits.entries:
        raise too_many_entries(limits)
    shapes = document.count(b"{") + document.count(b"[")
    if shapes > limits.entries * SHAPES_PER_ENTRY:
        raise too_many_shapes(limits)
    if len(document) <= MAX_STRING_BYTES and shapes <= limits.depth:
        return
    bare = without_escapes(document)
    if len(bare) > MAX_STRING_BYTES and has_longer_run(bare, MAX_STRING_BYTES):
        raise TooLarge(f"a string may have at most {MAX_STRING_BYTES} bytes")
    if shapes > limits.depth and is_deeper(bare, limits.depth):
        raise UnusableInput(f"the body is nested deeper than {limits.depth} levels, or its brackets do not match")


def too_many_entries(limits: JsonLimits) -> TooLarge:
    """Return the error for more resources than allowed."""
    return TooLarge(f"the body may hold at most {limits.entries} resources")


def too_many_shapes(limits: JsonLimits) -> TooLarge:
    """Return the error for more objects and arrays than allowed."""
    return TooLarge(f"the body may hold at most {limits.entries * SHAPES_PER_ENTRY} objects and arrays")


def without_escapes(document: bytes | bytearray) -> bytes | bytearray:
    """Remove escaped backslashes and quotation marks, so that every quotation mark left begins or ends a string."""
    return document.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in document else document


def has_longer_run(bare: bytes | bytearray, longest: int) -> bool:
    """Return whether there is a run of more than ``longest`` bytes without a quotation mark."""
    start = 0
    while len(bare) - start > longest:
        mark = bare.rfind(b'"', start, start + longest + 1)
        if mark < 0:
            return True
        start = mark + 1
    return False


_ALIKE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_NOT_COLONS = bytes(byte for byte in range(256) if byte not in b':"')


def is_deeper(bare: bytes | bytearray, deepest: int) -> bool:
    """Return whether JSON without escapes is nested deeper than ``deepest`` levels. Removes one level at a time."""
    # Only quotation marks and brackets are left. Remove the empty strings, then the few strings that hold brackets.
    shape = b"".join(bare.translate(_ALIKE, _NOT_BRACKETS).replace(b'""', b"").split(b'"')[::2])
    for _ in range(deepest):
        if not shape:
            return False
        shape = shape.replace(b"[]", b"")
    return bool(shape)


def has_key_twice(document: bytes | bytearray, parsed: Any) -> bool:
    """Return whether an object in ``document`` has a duplicate key. Two parsers could then keep different values."""
    written = orjson.dumps(parsed)
    # If writing the parsed value gives the same bytes, no pair was lost. This is usual: senders write compact JSON.
    return document != written and _pairs(without_escapes(document)) != _pairs(without_escapes(written))


def _pairs(bare: bytes | bytearray) -> int:
    """Return the number of keys in JSON without escapes."""
    return b"".join(bare.translate(None, _NOT_COLONS).replace(b'""', b"").split(b'"')[::2]).count(b":")


def _where(error: orjson.JSONDecodeError) -> str:
    """Return only the position, because the error message may quote the body."""
    return f"line {error.lineno}, column {error.colno}"
