"""JSON read so that it can mean only one thing: RFC 8259, within limits, and no object with a key twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from cds_service.base.budget import Budget
from cds_service.base.errors import TooLarge, UnusableInput

LONGEST_STRING = 1_048_576
"""As FHIR R4 limits a string; a run without a quotation mark is never longer in a lawful document."""
SHAPES_PER_ENTRY = 64
"""Objects and arrays for each entry that is allowed: what Python needs for them is many times their bytes."""


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """``depth``: of nesting. ``entries``: resources in one document. ``budget``: time for all read within them."""

    depth: int
    entries: int
    budget: Budget | None = None

    def check_time(self) -> None:
        """Raises ``TooCostly`` when the time is used up."""
        if self.budget is not None:
            self.budget.check()


def parse(document: bytes | bytearray, limits: JsonLimits) -> Any:
    """``document`` as Python values.

    Raises:
        TooLarge: more resources, objects or arrays than allowed, or too long a string.
        UnusableInput: not RFC 8259 JSON, nested too deep, or with a key twice.
    """
    bare = without_escapes(document)
    _check_shape(document, bare, limits)
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise UnusableInput(f"the body is not JSON: {_where(error)}") from error
    if _has_lost_pairs(bare, found):
        raise UnusableInput("the body holds an object with a key twice, so its meaning is not certain")
    return found


def _check_shape(document: bytes | bytearray, bare: bytes | bytearray, limits: JsonLimits) -> None:
    """What would cost much to take apart, seen before it is; all in C, since charts are large."""
    if document.count(b'"resourceType"') > limits.entries:
        raise too_many_entries(limits)
    shapes = document.count(b"{") + document.count(b"[")
    if shapes > limits.entries * SHAPES_PER_ENTRY:
        raise too_many_shapes(limits)
    if len(bare) > LONGEST_STRING and has_longer_run(bare, LONGEST_STRING):
        raise TooLarge(f"a string may have at most {LONGEST_STRING} bytes")
    if shapes > limits.depth and is_deeper(bare, limits.depth):
        raise UnusableInput(f"the body is nested deeper than {limits.depth} levels, or its brackets do not match")


def too_many_entries(limits: JsonLimits) -> TooLarge:
    """The refusal of more resources than allowed."""
    return TooLarge(f"the body may hold at most {limits.entries} resources")


def too_many_shapes(limits: JsonLimits) -> TooLarge:
    """The refusal of more objects and arrays than so many resources need."""
    return TooLarge(f"the body may hold at most {limits.entries * SHAPES_PER_ENTRY} objects and arrays")


def without_escapes(document: bytes | bytearray) -> bytes | bytearray:
    """The same without escaped backslashes and quotation marks, so that every mark left ends or begins a string."""
    return document.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in document else document


def has_longer_run(bare: bytes | bytearray, longest: int) -> bool:
    """Whether there is a stretch longer than ``longest`` without a quotation mark, in steps of that length."""
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
    """Whether JSON without escapes is nested deeper than ``deepest``, level by level."""
    # Strings without brackets are now empty: away with them, then with the few that hold some.
    shape = b"".join(bare.translate(_ALIKE, _NOT_BRACKETS).replace(b'""', b"").split(b'"')[::2])
    for _ in range(deepest):
        if not shape:
            return False
        shape = shape.replace(b"[]", b"")
    return bool(shape)


def has_key_twice(document: bytes | bytearray, parsed: Any) -> bool:
    """Whether taking ``document`` apart lost a key: two readers could each believe another of its values."""
    return _has_lost_pairs(without_escapes(document), parsed)


def _has_lost_pairs(bare: bytes | bytearray, parsed: Any) -> bool:
    return _pairs(bare) != _pairs(without_escapes(orjson.dumps(parsed)))


def _pairs(bare: bytes | bytearray) -> int:
    """How many keys JSON without escapes holds."""
    return b"".join(bare.translate(None, _NOT_COLONS).replace(b'""', b"").split(b'"')[::2]).count(b":")


def _where(error: orjson.JSONDecodeError) -> str:
    """Position only: the message itself may quote the body."""
    return f"line {error.lineno}, column {error.colno}"
