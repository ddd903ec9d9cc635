"""The quick looks at a body say what a slow and strict reader says."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.strict_json import has_key_twice, has_longer_run, without_escapes

TEXTS = st.text(alphabet='ab"\\:{}[],\u0000\n\u00e9\U0001f600 /u0022', max_size=6)
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(st.tuples(TEXTS, inner), max_size=4).map(tuple)),
    max_leaves=25,
)
"""JSON values; an object is a tuple of pairs, so that it may hold a key twice."""


def written(value: Any, *, ascii_only: bool, spaced: bool) -> str:
    """``value`` as JSON, pairs and all."""
    if isinstance(value, tuple):
        blank = " " if spaced else ""
        pairs = (
            f"{json.dumps(key, ensure_ascii=ascii_only)}{blank}:{blank}"
            f"{written(inner, ascii_only=ascii_only, spaced=spaced)}"
            for key, inner in value
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner, ascii_only=ascii_only, spaced=spaced) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def strictly(text: str) -> bool:
    """Whether any object of ``text`` holds a key twice, by the standard library."""
    found = []

    def pairs(given_pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in given_pairs]
        found.append(len(keys) != len(set(keys)))
        return dict(given_pairs)

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


@given(value=VALUES, ascii_only=st.booleans(), spaced=st.booleans())
def test_a_key_twice_is_seen_and_nothing_else(value: Any, *, ascii_only: bool, spaced: bool) -> None:

    text = written(value, ascii_only=ascii_only, spaced=spaced)
    raw = text.encode()
    assert has_key_twice(raw, orjson.loads(raw)) == strictly(text)


@given(value=VALUES, longest=st.integers(1, 20))
def test_a_long_text_is_seen(value: Any, longest: int) -> None:
    """A stretch without a quotation mark that is longer; texts, and what stands between them."""
    bare = without_escapes(written(value, ascii_only=False, spaced=False).encode())
    assert has_longer_run(bare, longest) == any(len(part) > longest for part in bytes(bare).split(b'"'))
