"""Reads the body of a hook call: the frame in full, the rows of its Bundles only as far as needed.

A chart has thousands of Observations, of which a handful matter. So the rows of the Bundles are cut out of the body
and the rest (the frame) is parsed like any other JSON. Each row is kept as bytes; only its head is parsed at first
(see ``bundle_rows``). Everything that is parsed is parsed strictly: within the limits and without duplicate keys. Rows
that are not relevant are skipped, so a duplicate key or a number beyond JSON's range in them is not noticed. A body
with an unusual layout is parsed as a whole.
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
"""Bytes. Cutting does not make a smaller body faster."""
_MAY_HOLD_MANY = 2_000_000
"""Bytes. A smaller body cannot hold enough objects to fill the memory."""


class _MaybeBundle(Struct):
    """A prefetch value that may be a Bundle."""

    entry: list[Raw] | None = None


class _Call(Struct):
    prefetch: dict[str, _MaybeBundle | None] | None = None


_decoder = msgspec.json.Decoder(_Call)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Rows that are cut out of the body: their prefetch key and their position in bytes."""

    key: str
    start: int
    end: int
    rows: Rows


def read_call_body(body: bytes | bytearray, limits: JsonLimits) -> Any:
    """Return ``body`` as JSON. The ``entry`` of a prefetched Bundle may be ``Rows`` instead of a list.

    Raises:
        TooLarge: more resources, objects or arrays than allowed, or a string is too long.
        UnusableInput: not RFC 8259 JSON, nested too deeply, or an object has a duplicate key.
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
            return parse(body, limits)  # the same rows are in another place too, or these are not rows of a Bundle
        bundle["entry"] = cut.rows
    return frame


def _check_text(body: bytes | bytearray) -> None:
    """Reject a body that is not UTF-8, including the rows that are skipped."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise UnusableInput("the body is not JSON: it is not UTF-8") from None


def _cuts(body: bytes | bytearray, limits: JsonLimits) -> Sequence[_Cut]:
    """Return the rows of every Bundle; none if the body has an unexpected layout and must be parsed as a whole."""
    try:
        prefetch = _decoder.decode(body).prefetch or {}
    except (msgspec.DecodeError, RecursionError):
        return ()
    cuts = []
    end = 0
    for key, bundle in prefetch.items():
        if bundle is None or not bundle.entry:
            continue
        start, end = _array(body, bundle.entry, end)
        if start < 0:
            return ()
        try:
            rows = Rows.of(memoryview(body)[start:end], bundle.entry, limits)
        except (msgspec.DecodeError, RecursionError):
            return ()
        if rows is None:
            return ()
        cuts.append(_Cut(key, start, end, rows))
    return cuts


def _array(body: bytes | bytearray, rows: Sequence[Raw], after: int) -> tuple[int, int]:
    """Return the start and end of the array that consists of ``rows``; (-1, -1) if it is not at the expected place.

    If the body holds the same array twice, one of them stays in the frame and is reported as a duplicate key.
    """
    first, last = bytes(rows[0]), bytes(rows[-1])
    start = body.find(first, after)
    size = sum(memoryview(raw).nbytes for raw in rows)
    end = start + size + len(rows) - 1
    if not body.startswith(last, end - len(last)):  # the rows are separated by more than commas
        between = body.find(bytes(rows[1]), start + len(first)) - start - len(first) if len(rows) > 1 else 0
        end = start + size + between * (len(rows) - 1)
        if between < 1 or not body.startswith(last, end - len(last)):
            return -1, -1
    start = body.rfind(b"[", 0, start)
    end = body.find(b"]", end)
    return (-1, -1) if start < 0 or end < 0 else (start, end + 1)


def _without(body: bytes | bytearray, cuts: Sequence[_Cut]) -> bytes:
    """Return the frame: ``body`` with an empty array in place of each Bundle's rows."""
    pieces = []
    at = 0
    for cut in cuts:
        pieces += [body[at : cut.start], b"[]"]
        at = cut.end
    return b"".join([*pieces, body[at:]])
