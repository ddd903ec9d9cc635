"""Every message is said somewhere, and every call fills the places that the message has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from cds_service.clinical.content.figures import Measured
from cds_service.clinical.content.page_words import PageWords
from cds_service.clinical.content.texts import Message, Takes, Texts
from cds_service.clinical.record import RefutationLimit
from tests.conftest import ROOT

PACKAGE = ROOT / "cds_service"
SOURCES = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path.name != "texts.py"}
TEMPLATES = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.html"))
BY_NAME = {"RowTexts", "PartTexts", "WhyTexts", "ClosedTexts", "OverrideTexts", "TopicTexts", "PriorityTexts",
           "FormSides", "FormAnticoagulant", "LaunchNotices", "OrderNotices", "BasisTexts", "TermWords",
           "StatusWords", "KindWords", "AssessGroups", "AssessNotices", "LaunchClosing"}  # fmt: skip
"""Models whose messages are picked by a name that is worked out: of a kind, a code or a key."""

KINDS = {"refuted", "repeat_scan_due", "one_scan", "confirmed", "strong_fit", "fits", "possible", "low"}
"""Messages that are picked by the kind of a note or by a band."""


def messages(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, Takes]]:
    """Each message: its model, its name, and the places that it has."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from messages(kind, f"{path}{name}.")
        for mark in field.metadata:
            if isinstance(mark, Takes):
                yield model.__name__, name, mark


ALL = list(messages(Texts))


def attributes() -> set[str]:
    """Every attribute that code reads."""
    trees = (ast.parse(text) for text in SOURCES.values())
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def page_words(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Each label and sentence of the pages: its model and its name."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from page_words(field.annotation)
        else:
            yield model.__name__, name


def test_every_word_of_a_page_is_shown_somewhere() -> None:
    found = list(page_words(PageWords))
    assert len(found) > 200
    picked = {"critical", "warning", "info", *get_args(Measured)}  # by an indicator, and by what was measured
    named = set(re.findall(r"\.([a-z_]+)", TEMPLATES)) | attributes() | picked
    assert [f"{model}.{name}" for model, name in found if model not in BY_NAME and name not in named] == []


VISIBLE = re.compile(r'>([^<>]*[A-Za-z]{3}[^<>]*)<|(?:aria-label|placeholder|title)="([^"]*[A-Za-z]{3}[^"]*)"')
"""Words of a template that a reader sees and that no content gives."""
CLINICIANS = ("evidence.html", "evidence_parts.html", "evidence_index.html", "explorer.html", "use.html", "open.html",
              "leaflet.html", "order.html", "order_fields.html", "order_failed.html", "order_placed.html",
              "order_wait.html", "assess.html", "assess_result.html")  # fmt: skip
"""Pages that a clinician opens from a card. The others are for those who try, run or connect the service."""


@pytest.mark.parametrize("name", CLINICIANS)
def test_no_template_that_a_clinician_reads_has_words_of_its_own(name: str) -> None:
    template = (PACKAGE / "web" / "pages" / "templates" / name).read_text(encoding="utf-8")
    drawn = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<svg.*?</svg>|<code>.*?</code>", "", template, flags=re.DOTALL)
    drawn = re.sub(r"^(?:wide|medium)$", "", drawn, flags=re.MULTILINE)  # the name of a width
    # In English on purpose: it tells who reads a page in another language what that is.
    drawn = re.sub(r'<span lang="en">.*?</span>', "", drawn, flags=re.DOTALL)
    seen = ["".join(found).strip() for found in VISIBLE.findall(f">{drawn}<")]
    assert [words for words in seen if words] == []


def test_every_message_is_said_somewhere() -> None:
    assert len(ALL) > 150
    read = attributes()
    by_kind = {*get_args(RefutationLimit), *KINDS}
    unused = [f"{model}.{name}" for model, name, _ in ALL if model not in BY_NAME and name not in read | by_kind]
    assert unused == []


def calls() -> Iterator[tuple[Path, int, str, set[str]]]:
    """Each ``message.fill(...)`` and ``say(message, ...)``: file, line, name of the message, and what it is given."""
    for path, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or any(word.arg is None for word in node.keywords):
                continue
            given = {str(word.arg) for word in node.keywords}
            function: Any = node.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr == "fill"
                and isinstance(function.value, ast.Attribute)
            ):
                yield path, node.lineno, function.value.attr, given
            named = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if named == "say" and node.args and isinstance(node.args[0], ast.Attribute):
                yield path, node.lineno, node.args[0].attr, given


def test_every_call_fills_the_places_of_its_message() -> None:
    places: dict[str, set[frozenset[str]]] = {}
    for _, name, mark in ALL:
        places.setdefault(name, set()).add(frozenset(mark.places))
    found = list(calls())
    assert len(found) > 120
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}: {name} is given {sorted(given)}"
        for path, line, name, given in found
        if name in places and not any(given == one for one in places[name])
    ]
    assert wrong == []


@pytest.mark.parametrize("forms", [{"one": "x {count}"}, {"other": "x"}])
def test_a_plural_needs_both_forms(forms: dict[str, str]) -> None:
    (mark,) = [mark for _, name, mark in ALL if name == "strangers"]
    with pytest.raises(ValueError, match="plural forms"):
        mark._read(forms)


def test_a_message_is_plain_text_with_its_places() -> None:
    mark = Takes("side")
    assert mark._read("left of {side}") == Message({"other": "left of {side}"})
    for wrong in ("no place", "{side} {other}", "{side", "", 3, "{side} <b>"):
        with pytest.raises(ValueError, match=r"\w"):
            mark._read(wrong)
