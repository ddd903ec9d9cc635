"""Load the words of the content in another language.

A chart is always assessed with the English content; a translation only supplies words, so it cannot change a result. It
must be complete, keep every placeholder such as ``{side}``, and have the same numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

import tomli
from pydantic import BaseModel, TypeAdapter, ValidationError

from cds_service.base.errors import ContentError, Problem
from cds_service.base.field_errors import words
from cds_service.base.strict_toml import validated
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.numbers import numbers_in
from cds_service.clinical.content.page_words import PageWords
from cds_service.clinical.content.texts import Message, Texts

FOLDER = "text"
ENGLISH = "en"
PAGES = "pages"
_PLACE = re.compile(r"\{[a-z_]*\}")
_MESSAGES = re.compile(r"^text/([a-z]{2})\.toml$")
_WORDS_OF_A_KIND = re.compile(r"text/[a-z]{2}/([a-z_]+)\.toml")
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_Model = TypeVar("_Model", bound=BaseModel)

WORDS: Mapping[str, tuple[str, ...]] = {
    "findings": ("name", "short", "parts"),
    "causes": (
        "title", "short", "card.why", "card.next_steps", "card.avoid", "card.tell_patient", "card.review",
    ),
    "red_flags": ("card.title", "card.summary", "card.summary_sooner", "card.danger", "card.do", "card.avoid"),
    "orders": ("title", "button", "question", "tells"),
    "actions": ("title", "text"),
    "measures": ("shown",),
    "dvt": (
        "title", "act", "act_open", "act_scan", "act_d_dimer", "act_score", "act_repeat", "act_pregnant",
        "asked_with_new_pain",
        "asked_with_new_pain_scan", "asked_with_tender_calf", "raised_options", "repeat_options",
        "injecting_options", "proven_options",
        "scan_options", "long_standing", "emergency_call",
        "pregnancy_options", "anticoagulated", "cancer", "also_possible", "safety_net_risks", "swollen_alike.words",
        "items.name", "bands.name", "bands.score", "bands.options",
    ),
    "leaflet": ("intro", "emergency_title", "emergency", "again", "not_reviewed"),
    "about": (
        "purpose", "users", "population", "setting", "inputs", "not_for", "regulation", "validation", "developer",
        "funding", "accuracy.text", "considered.title", "considered.reason", "considered.instead",
    ),
}  # fmt: skip
"""For each kind of entry, the keys with words. The last part of each path is the key in the translation."""


def languages_in(files: Mapping[str, str]) -> tuple[str, ...]:
    """Return the languages that have a file of messages, English first."""
    languages = {name for path in files for name in _MESSAGES.findall(path)}
    return (ENGLISH, *sorted(languages - {ENGLISH}))


def belongs_to_language(name: str) -> bool:
    """Whether ``name`` is a file of a translation: ``text/es.toml``, ``text/es/causes.toml``."""
    words = _WORDS_OF_A_KIND.fullmatch(name)
    return bool(_MESSAGES.fullmatch(name)) or (words is not None and words[1] in (*WORDS, PAGES))


def in_language(content: Content, pathway: str, files: Mapping[str, str], language: str) -> Content:
    """Return ``content`` with the words of ``language`` for everything a clinician reads.

    ``pathway``: the key of the pathway in use. ``files``: the texts of the content folder.

    Raises:
        ContentError: lists every word that is missing, unused, or has other numbers or placeholders.
    """
    if language == ENGLISH:
        return content
    known = languages_in(files)
    if language not in known:
        wrong = Problem(f"{FOLDER}/{language}.toml", "", "this file is missing", f"there are: {', '.join(known)}")
        raise ContentError((wrong,))
    work = _Translation(files, language)
    texts = work.whole(Texts, f"{FOLDER}/{language}.toml")
    pages = work.whole(PageWords, f"{FOLDER}/{language}/{PAGES}.toml")
    said: dict[str, dict[str, Any]] = {
        kind: work.entries(kind, entries) for kind, entries in worded_entries(content, pathway).items()
    }
    if work.problems or texts is None or pages is None:
        raise ContentError(tuple(work.problems))
    return replace(
        content,
        findings=said["findings"],
        causes=said["causes"],
        red_flags=said["red_flags"],
        orders=said["orders"],
        actions=said["actions"],
        measures=said["measures"],
        pathway=said["dvt"][pathway],
        leaflet=said["leaflet"]["leaflet"],
        about=said["about"]["about"],
        texts=texts,
        pages=pages,
    )


def worded_entries(content: Content, pathway: str) -> dict[str, Mapping[str, BaseModel]]:
    """Return the entries that have words to translate: kind, one of ``WORDS`` -> key -> entry."""
    return {
        "findings": content.findings,
        "causes": content.causes,
        "red_flags": content.red_flags,
        "orders": content.orders,
        "actions": content.actions,
        "measures": content.measures,
        "dvt": {pathway: content.pathway},
        "leaflet": {"leaflet": content.leaflet},
        "about": {"about": content.about},
    }


@dataclass
class _Translation:
    """One translation being read, with its problems."""

    files: Mapping[str, str]
    language: str
    problems: list[Problem] = field(default_factory=list)

    def whole(self, kind: type[_Model], name: str) -> _Model | None:
        """Read a file that has the same keys as its English counterpart, as strictly."""
        data = self._toml(name)
        if data is None:
            return None
        english = f"cards/{name.replace(f'{FOLDER}/{self.language}', f'{FOLDER}/{ENGLISH}', 1)}"
        messages, problems = validated(kind, name, data, prefix="", keys=list(kind.model_fields), manual=english)
        self.problems += problems
        return messages

    def entries(self, kind: str, entries: Mapping[str, _Model]) -> dict[str, _Model]:
        """Return all entries of one kind in the words of the language."""
        name = f"{FOLDER}/{self.language}/{kind}.toml"
        data = self._toml(name) or {}
        worded = {key: entry for key, entry in entries.items() if any(_english(entry, WORDS[kind]))}
        for key in data.keys() - worded.keys():
            if kind != "dvt":  # the other pathways are in the same file
                self._complain(name, key, "there is nothing of this name to translate", "delete it")
        result = dict(entries)
        for key, entry in worded.items():
            table = data.get(key)
            if not isinstance(table, dict):
                self._complain(name, key, "is not translated", f"add [{key}]")
                continue
            result[key] = self._translated(entry, WORDS[kind], dict(table), name, key)
        return result

    def _translated(self, model: _Model, paths: Sequence[str], table: dict[str, Any], file: str, place: str) -> _Model:
        """Return ``model`` with the words of ``table``, where each word has the last part of its path as its key."""
        changes = self._changes(model, paths, table, file, place)
        for left in table:
            self._complain(file, f"{place}.{left}", "is not a key with words, or has no words in English", "delete it")
        return model.model_copy(update=changes)

    def _changes(
        self, model: BaseModel, paths: Sequence[str], table: dict[str, Any], file: str, place: str
    ) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        inner: dict[str, list[str]] = {}
        for path in paths:
            head, _, rest = path.partition(".")
            if rest:
                inner.setdefault(head, []).append(rest)
            elif getattr(model, head):
                changes[head] = self._translated_text(model, head, table.pop(head, None), file, f"{place}.{head}")
        for head, rests in inner.items():
            value = getattr(model, head)
            if isinstance(value, BaseModel):
                changes[head] = value.model_copy(update=self._changes(value, rests, table, file, place))
            elif isinstance(value, tuple):
                changes[head] = self._each(value, rests, table.pop(head, None), file, f"{place}.{head}")
        return changes

    def _each(self, models: tuple[Any, ...], rests: Sequence[str], rows: Any, file: str, place: str) -> tuple[Any, ...]:
        """Translate the entries of a list: a row for each, or its only words."""
        if not isinstance(rows, list) or len(rows) != len(models):
            self._complain(file, place, f"must list {len(models)} entries, in the same order")
            return models
        tables = [row if isinstance(row, dict) else {rests[0]: row} for row in rows]
        return tuple(
            self._translated(model, rests, dict(table), file, f"{place}.{number}")
            for number, (model, table) in enumerate(zip(models, tables, strict=True))
        )

    def _translated_text(self, model: BaseModel, name: str, value: Any, file: str, place: str) -> Any:
        """Return the translation of one key, after comparing it with the English."""
        english = getattr(model, name)
        if value is None:
            self._complain(file, place, "is not translated", f"in English: {_shown(english)}")
            return english
        try:
            translated = _adapter(type(model), name).validate_json(json.dumps(value))
        except ValidationError as error:
            mistake = error.errors(include_url=False)[0]
            self._complain(file, place, words(mistake["type"], mistake["msg"]))
            return english
        self._compare(_texts(english), _texts(translated), file, place)
        return translated

    def _compare(self, english: Mapping[str, str], translated: Mapping[str, str], file: str, place: str) -> None:
        if english.keys() != translated.keys():
            self._complain(file, place, f"must have {len(english)} texts, in the same order or by the same names")
            return
        for key, text in english.items():
            where = f"{place}.{key}" if key else place
            if _numbers(text) != _numbers(translated[key]):
                self._complain(file, where, "has other numbers than the English", f"in English: {text}")
            if sorted(_PLACE.findall(text)) != sorted(_PLACE.findall(translated[key])):
                self._complain(file, where, "has other placeholders in braces than the English", f"in English: {text}")

    def _toml(self, name: str) -> dict[str, Any] | None:
        try:
            return tomli.loads(self.files[name])
        except KeyError:
            self._complain(name, "", "this file is missing", "complete the language, or remove all its files")
        except tomli.TOMLDecodeError as error:
            self._complain(name, "", f"is not valid TOML: {error}", "check quotes and brackets near that line")
        return None

    def _complain(self, file: str, place: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(file, place, message, hint))


@cache
def _adapter(kind: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Return the checks of one field. Building them takes longer than checking a whole language."""
    return TypeAdapter(kind.model_fields[name].rebuild_annotation())


def _english(model: BaseModel, paths: Sequence[str]) -> Iterator[object]:
    """Yield the values at ``paths`` that are not empty."""
    for path in paths:
        value: Any = model
        for step in path.split("."):
            value = getattr(value, step) if isinstance(value, BaseModel) else value
        if value:
            yield value


def _numbers(text: str) -> set[float]:
    return numbers_in(_COMMA.sub(".", text))


def _texts(value: Any) -> dict[str, str]:
    """Return the texts in a value, by their place in it."""
    if isinstance(value, Message):
        return dict(value.forms)
    if isinstance(value, str):
        return {"": value}
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {str(key): text for key, text in items}


def _shown(value: Any) -> str:
    return "; ".join(_texts(value).values())
