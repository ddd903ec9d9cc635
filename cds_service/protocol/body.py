"""The body of a hook call, read once: its frame strictly, and of the rows of its Bundles no more than is needed.

A chart has thousands of Observations and a handful that matter. So the Bundles' rows are cut out of the body, what is
left (the frame) is parsed like any other JSON, and each row stays bytes but for its head (``rows``). What is read is
read strictly, wherever it stands: within the limits, and with no key twice. A row that is not of concern is only
skipped, so a key twice in it is not noticed; and a body that is laid out in no common way is parsed as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cds_service.base.errors import UnusableInput
from cds_service.base.strict_json import SHAPES_PER_ENTRY, JsonLimits, parse, too_many_entries, too_many_shapes
from cds_service.protocol.bundle_rows import Rows

_WORTH_CUTTING = 4_096
"""Bytes. A small body is parsed whole as fast."""
_MAY_HOLD_MANY = 2_000_000
"""Bytes. A smaller body cannot hold so many objects that they would fill the memory."""


class _Found(Struct):
    """A prefetch value that may be a Bundle."""

    entry: list[Raw] | None = None


class _Call(Struct):
    prefetch: dict[str, _Found | None] | None = None


_decoder = msgspec.json.Decoder(_Call)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Rows taken out of the frame: where they stand in the body, and of which key they are."""

    key: str
    start: int
    end: int
    rows: Rows


def read_call_body(body: bytes | bytearray, limits: JsonLimits) -> Any:
    """``body`` as JSON, in which the ``entry`` of a prefetched Bundle may be ``Rows``.

    Raises:
        TooLarge: more resources, objects or arrays than allowed, or too long a string.
        UnusableInput: not RFC 8259 JSON, nested too deep, or with a key twice.
    """
    _check_text(body)
    cuts = _cuts(body, limits) if len(body) > _WORTH_CUTTING else ()
    if not cuts:
        return parse(body, limits)
    if sum(len(cut.rows) for cut in cuts) > limits.entries:
        raise too_many_entries(limits)
    if len(body) > _MAY_HOLD_MANY and body.count(b"{") > limits.entries * SHAPES_PER_ENTRY:
        raise too_many_shapes(limits)
    frame = parse(_without(body, cuts), limits)
    for cut in cuts:
        bundle = frame["prefetch"][cut.key]
        if bundle["entry"] != [] or bundle.get("resourceType") != "Bundle":
            return parse(body, limits)  # the same rows stood somewhere else too, or they are no rows at all
        bundle["entry"] = cut.rows
    return frame


def _check_text(body: bytes | bytearray) -> None:
    """All of it is UTF-8, also what is skipped."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise UnusableInput("the body is not JSON: it is not UTF-8") from None


def _cuts(body: bytes | bytearray, limits: JsonLimits) -> Sequence[_Cut]:
    """The rows of every Bundle; none if the body is not laid out as expected, which the whole parse then judges."""
    try:
        prefetch = _decoder.decode(body).prefetch or {}
    except (msgspec.DecodeError, RecursionError):
        return ()
    cuts = []
    end = 0
    for key, found in prefetch.items():
        if found is None or not found.entry:
            continue
        start, end = _array(body, found.entry, end)
        if start < 0:
            return ()
        try:
            rows = Rows.of(memoryview(body)[start:end], found.entry, limits)
        except (msgspec.DecodeError, RecursionError):
            return ()
        if rows is None:
            return ()
        cuts.append(_Cut(key, start, end, rows))
    return cuts


def _array(body: bytes | bytearray, rows: Sequence[Raw], after: int) -> tuple[int, int]:
    """Where the array that consists of ``rows`` begins and ends; (-1, -1) if it is not where it should be.

    Should the same rows stand there twice, one of the two stays in the frame and is noticed as a key twice.
    """
    first, last = bytes(rows[0]), bytes(rows[-1])
    start = body.find(first, after)
    size = sum(map(_size, rows))
    end = start + size + len(rows) - 1
    if not body.startswith(last, end - len(last)):  # there is more between them than commas
        between = body.find(bytes(rows[1]), start + len(first)) - start - len(first) if len(rows) > 1 else 0
        end = start + size + between * (len(rows) - 1)
        if between < 1 or not body.startswith(last, end - len(last)):
            return -1, -1
    start = body.rfind(b"[", 0, start)
    end = body.find(b"]", end)
    return (-1, -1) if start < 0 or end < 0 else (start, end + 1)


def _size(raw: Raw) -> int:
    return memoryview(raw).nbytes


def _without(body: bytes | bytearray, cuts: Sequence[_Cut]) -> bytes:
    """The frame: ``body`` with empty arrays in the place of the rows."""
    pieces = []
    at = 0
    for cut in cuts:
        pieces += [body[at : cut.start], b"[]"]
        at = cut.end
    return b"".join([*pieces, body[at:]])
