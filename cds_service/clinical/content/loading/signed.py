"""Compare the values of the content with earlier ones and with the signed ones.

Works on the parsed files, so that a difference names the file and the place that a clinician edits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.base.errors import Problem
from cds_service.clinical.content.loading.places import named

SIGNED = "signed.toml"
"""The generated file of signed values. It is not content: no rule uses it."""

OPEN = "decisions.toml"
"""The file of open decisions; it has no values that could be signed."""

SEEN = "seen"
_STATUSES = ("status", "status_present", "status_absent")
_OF_WEIGHTS = {"lr_present": ("status_present",), "lr_absent": ("status_absent",)}
_MAX_LENGTH = 60
_HEADER = """\
# The values whose status is "seen", as they were when they were last signed. Written by `knee-cds check --sign`;
# never edited by hand. Long texts and lists stand here by their digest.
"""

Files = Mapping[str, Mapping[str, Any]]
"""Relative path -> parsed TOML."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a file. ``status``: that of the nearest enclosing block that has one; empty if none has."""

    value: Any
    status: str
    source: str

    @property
    def is_seen(self) -> bool:
        """Whether it was read in its source."""
        return self.status == SEEN


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference at one place.

    ``old`` or ``new`` is None if the place is missing there. ``place`` is empty for a whole file.
    """

    file: str
    place: str
    old: Value | None
    new: Value | None

    @property
    def is_seen(self) -> bool:
        """Whether the old or the new value was read in its source."""
        return any(value is not None and value.is_seen for value in (self.old, self.new))

    def __str__(self) -> str:
        """Return, for example, ``causes/dvt.toml: prior.value: 0.1 -> 0.2``."""
        where = f"{self.file}: {self.place}" if self.place else self.file
        if self.old is None:
            return f"{where}: added" + (f": {_words(self.new)}" if self.new and self.place else "")
        if self.new is None:
            return f"{where}: removed" + (f": was {_words(self.old)}" if self.place else "")
        return f"{where}: {_words(self.old)} -> {_words(self.new)}"


def _words(value: Value | None) -> str:
    return json.dumps(value.value if value else None, ensure_ascii=False, default=str)


def values_of(data: Mapping[str, Any]) -> dict[str, Value]:
    """Return every value of one file by its place, such as ``supports.fever.lr_present``."""
    return dict(_walk(data, "", ("", "")))


def _walk(table: Mapping[str, Any], place: str, around: tuple[str, str]) -> Iterator[tuple[str, Value]]:
    """Yield the values inside ``table``. ``around``: status and source of the enclosing block."""
    own = (_status(table, _STATUSES) or around[0], str(table.get("source", around[1])))
    for key, value in table.items():
        inner = f"{place}.{key}".removeprefix(".")
        if isinstance(value, dict):
            yield from _walk(value, inner, own)
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            for name, row in named(value):
                yield from _walk(row, f"{inner}.{name}", own)
        else:
            status = _status(table, _OF_WEIGHTS[key]) if key in _OF_WEIGHTS else own[0]
            yield inner, Value(value, status, own[1])


def _status(table: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Return ``seen`` if any status is "seen", otherwise the first one."""
    statuses = [str(table[key]) for key in keys if key in table]
    return SEEN if SEEN in statuses else next(iter(statuses), "")


def differences(old: Files, new: Files) -> Iterator[Difference]:
    """Yield every difference between ``old`` and ``new``: whole files, and places in files that both have."""
    for file in sorted({*old, *new} - {SIGNED}):
        before, after = values_of(old.get(file, {})), values_of(new.get(file, {}))
        if file not in old or file not in new:
            seen = next((value for value in (*before.values(), *after.values()) if value.is_seen), Value(None, "", ""))
            yield Difference(file, "", seen if file in old else None, seen if file in new else None)
            continue
        for place in dict.fromkeys((*before, *after)):
            if before.get(place) != after.get(place) and _changed(before.get(place), after.get(place)):
                yield Difference(file, place, before.get(place), after.get(place))


def _changed(old: Value | None, new: Value | None) -> bool:
    """Whether the value itself changed. A change of status alone is reported at the status."""
    return old is None or new is None or _words(old) != _words(new)


# --- signed values ---


def _kept(value: Any) -> Any:
    """Return ``value`` as stored in the file: short values in full, so that the file's history is readable."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= _MAX_LENGTH):
        return value
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def written(files: Files) -> str:
    """Return the text of the file of signed values for ``files``."""
    parts = [_HEADER]
    for file in sorted(files.keys() - {SIGNED, OPEN}):
        rows = [
            f"{json.dumps(place)} = {json.dumps(_kept(value.value), ensure_ascii=False)}"
            for place, value in values_of(files[file]).items()
            if value.is_seen
        ]
        if rows:
            parts.append("\n".join([f"[{json.dumps(file)}]", *rows]) + "\n")
    return "\n".join(parts)


def warnings(files: Files) -> Iterator[Problem]:
    """Yield each value with status "seen" that differs from its signed value. ``files`` includes the signed values."""
    signed = files.get(SIGNED)
    if signed is None:
        words = "is missing, so changes to signed values cannot be detected"
        yield Problem(SIGNED, "", words, "restore it from the last release")
        return
    for file in sorted({*files, *signed} - {SIGNED, OPEN}):
        now, then = values_of(files.get(file, {})), signed.get(file, {})
        seen = [place for place, value in now.items() if value.is_seen]
        for place in dict.fromkeys((*then, *seen)):
            yield from _warning(file, place, then.get(place), now.get(place))


def _warning(file: str, place: str, then: Any, now: Value | None) -> Iterator[Problem]:
    hint = "check it in the source; if it is right, run `knee-cds check --sign`"
    if now is None:
        yield Problem(file, place, f"was signed as {json.dumps(then)} and is gone", hint)
    elif then is None:
        yield Problem(file, place, f"is marked as seen in `{now.source}` but was never signed", hint)
    elif json.dumps(then) != json.dumps(_kept(now.value)):
        words = f"{json.dumps(then)} -> {json.dumps(_kept(now.value))}, signed as seen in `{now.source}`"
        yield Problem(file, place, words, hint)
