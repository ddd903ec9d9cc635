"""The invented patients of the sandbox: grouped by story, with charts dated around today."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import orjson

from cds_service.base.settings import shipped
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT_RULE
from cds_service.service.examples import moved, reference_day, stories

FEATURED = (
    "dvt-likely",
    "dvt-pregnant",
    "dvt-already-ordered",
    "red-flag-rf07",
    "bakers-cyst-typical",
    "other-site-pain",
)
"""Examples for a first visit: urgent, in pregnancy, already ordered, another red flag, a differential, and no card."""
FIRST = FEATURED[0]
_FOLDER = shipped("fhir_examples")
_GROUPS = {
    "dvt": "Suspected DVT",
    "red flag": "Other red flags",
    "worked case": "Worked cases",
    "article cause": "Common causes",
    "further cause": "Further causes",
    "edge": "Difficult charts",
    "review": "From clinical review",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One invented patient. ``indicator``: that of the most urgent expected card; ``none`` if no card is expected."""

    name: str
    story: str
    indicator: str


@cache
def _stories() -> Mapping[str, Mapping[str, Any]]:
    return stories(_FOLDER)


@cache
def _reference_day() -> date:
    """Cached, because the file that holds it is long."""
    return reference_day(_FOLDER)


def featured(content: Content) -> list[Example]:
    """Return the examples that the page shows first."""
    known = _stories()
    return [_example(content, name, known[name]) for name in FEATURED]


def grouped(content: Content) -> dict[str, list[Example]]:
    """Return all examples by the title of their group, suspected DVT first."""
    groups: dict[str, list[Example]] = {title: [] for title in _GROUPS.values()}
    for name, story in _stories().items():
        # A group without a title here must not break the page.
        title = _GROUPS.get(story["group"], story["group"].capitalize())
        groups.setdefault(title, []).append(_example(content, name, story))
    return groups


def _example(content: Content, name: str, story: Mapping[str, Any]) -> Example:
    return Example(name, story["story"], _indicator(content, story))


def _indicator(content: Content, story: Mapping[str, Any]) -> str:
    if story["silent"]:
        return "none"
    levels = {content.red_flags[rule].indicator for rule in story["urgent"] if rule != DVT_RULE} | {story["dvt"]}
    return next((level for level in ("critical", "warning") if level in levels), "info")


def story_of(name: str) -> str | None:
    """Return the story of example ``name``; None if there is no such example."""
    example = _stories().get(name)
    return example["story"] if example else None


def resources(name: str, today: date) -> list[dict[str, Any]]:
    """Return the resources of an example, dated so that its reference day is ``today``."""
    days = (today - _reference_day()).days
    bundle = moved(orjson.loads((_FOLDER / f"{name}.json").read_bytes()), days)
    return [entry["resource"] for entry in bundle["entry"]]


class Everyone:
    """The resources of all examples, dated around one day. Thread-safe; the files are read once a day."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._day: date | None = None
        self._resources: tuple[dict[str, Any], ...] = ()

    def on(self, today: date) -> tuple[dict[str, Any], ...]:
        """Return all resources, dated around ``today``."""
        with self._reading:
            if self._day != today:
                self._resources = tuple(resource for name in _stories() for resource in resources(name, today))
                self._day = today
            return self._resources
