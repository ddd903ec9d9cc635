"""The values of the content with how far each can be trusted: what changed, and what was signed.

Works on the parsed files, so that a difference names the file and the place a clinician edits.
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
"""The machine-written file of signed values. It is no content: nothing is judged by it."""

OPEN = "decisions.toml"
"""What is still to be decided is nothing that could be signed."""

SEEN = "seen"
_STATUSES = ("status", "status_present", "status_absent")
_OF_WEIGHTS = {"lr_present": ("status_present",), "lr_absent": ("status_absent",)}
_LONGEST = 60
_HEADER = """\
# The values whose status is "seen", as they were when they were last signed. Written by `knee-cds check --sign`;
# never edited by hand. Long texts and lists stand here by their digest.
"""

Files = Mapping[str, Mapping[str, Any]]
"""Relative path -> parsed TOML."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a file. ``status``: of the nearest block around it that has one; empty if none has."""

    value: Any
    status: str
    source: str

    @property
    def is_seen(self) -> bool:
        """Whether it was read in its source."""
        return self.status == SEEN


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs at one place. ``old`` or ``new`` is None where it is not there; ``place`` is empty for a file."""

    file: str
    place: str
    old: Value | None
    new: Value | None

    @property
    def is_seen(self) -> bool:
        """Whether the value is, or was, read in its source."""
        return any(one is not None and one.is_seen for one in (self.old, self.new))

    def __str__(self) -> str:
        """``causes/dvt.toml: prior.value: 0.1 -> 0.2``."""
        where = f"{self.file}: {self.place}" if self.place else self.file
        if self.old is None:
            return f"{where}: added" + (f": {_words(self.new)}" if self.new and self.place else "")
        if self.new is None:
            return f"{where}: removed" + (f": was {_words(self.old)}" if self.place else "")
        return f"{where}: {_words(self.old)} -> {_words(self.new)}"


def _words(value: Value | None) -> str:
    return json.dumps(value.value if value else None, ensure_ascii=False, default=str)


def values_of(data: Mapping[str, Any]) -> dict[str, Value]:
    """Every value of one file by its place, such as ``supports.fever.lr_present``."""
    return dict(_walk(data, "", ("", "")))


def _walk(table: Mapping[str, Any], place: str, around: tuple[str, str]) -> Iterator[tuple[str, Value]]:
    """``around``: status and source of the block outside."""
    own = (_status(table, _STATUSES) or around[0], str(table.get("source", around[1])))
    for key, value in table.items():
        inner = f"{place}.{key}".removeprefix(".")
        if isinstance(value, dict):
            yield from _walk(value, inner, own)
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for name, one in named(value):
                yield from _walk(one, f"{inner}.{name}", own)
        else:
            status = _status(table, _OF_WEIGHTS[key]) if key in _OF_WEIGHTS else own[0]
            yield inner, Value(value, status, own[1])


def _status(table: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """``seen`` if any of the statuses is; else the first."""
    found = [str(table[key]) for key in keys if key in table]
    return SEEN if SEEN in found else next(iter(found), "")


def differences(old: Files, new: Files) -> Iterator[Difference]:
    """Everything in which ``new`` differs from ``old``: files, and within those that both have, places."""
    for file in sorted({*old, *new} - {SIGNED}):
        before, after = values_of(old.get(file, {})), values_of(new.get(file, {}))
        if file not in old or file not in new:
            seen = next((one for one in (*before.values(), *after.values()) if one.is_seen), Value(None, "", ""))
            yield Difference(file, "", seen if file in old else None, seen if file in new else None)
            continue
        for place in dict.fromkeys((*before, *after)):
            if before.get(place) != after.get(place) and _changed(before.get(place), after.get(place)):
                yield Difference(file, place, before.get(place), after.get(place))


def _changed(old: Value | None, new: Value | None) -> bool:
    """A value that stays as it is under another status is told where the status stands."""
    return old is None or new is None or _words(old) != _words(new)


# --- what was signed ---


def _kept(value: Any) -> Any:
    """``value`` as the file keeps it: short ones as they are, so that its history can be read."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= _LONGEST):
        return value
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def written(files: Files) -> str:
    """The file of signed values for ``files``."""
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
    """Each value that was read in its source and is not as it was signed. ``files`` hold the signed values too."""
    signed = files.get(SIGNED)
    if signed is None:
        words = "is not there, so a changed value that was read in its source cannot be told"
        yield Problem(SIGNED, "", words, "restore it from the last release")
        return
    for file in sorted({*files, *signed} - {SIGNED, OPEN}):
        now, then = values_of(files.get(file, {})), signed.get(file, {})
        seen = [place for place, value in now.items() if value.is_seen]
        for place in dict.fromkeys((*then, *seen)):
            yield from _warning(file, place, then.get(place), now.get(place))


def _warning(file: str, place: str, then: Any, now: Value | None) -> Iterator[Problem]:
    hint = "look it up there; when it is right, `knee-cds check --sign`"
    if now is None:
        yield Problem(file, place, f"was signed as {json.dumps(then)} and is gone", hint)
    elif then is None:
        yield Problem(file, place, f"is marked as seen in `{now.source}` and was never signed", hint)
    elif json.dumps(then) != json.dumps(_kept(now.value)):
        words = f"{json.dumps(then)} -> {json.dumps(_kept(now.value))}, signed as seen in `{now.source}`"
        yield Problem(file, place, words, hint)
