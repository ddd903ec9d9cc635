"""The invented patients to choose from: grouped by story, and as charts dated around today."""

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
"""What a newcomer should see: urgent, in pregnancy, already ordered, another red flag, a differential, and silence."""
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
    """One invented patient. ``indicator``: of the most urgent card to expect; ``none`` when silence is right."""

    name: str
    story: str
    indicator: str


@cache
def _stories() -> Mapping[str, Mapping[str, Any]]:
    return stories(_FOLDER)


@cache
def _reference_day() -> date:
    """Kept, since it stands in a long file that takes longer to read than a patient."""
    return reference_day(_FOLDER)


def featured(content: Content) -> list[Example]:
    """The few that stand first."""
    found = _stories()
    return [_example(content, name, found[name]) for name in FEATURED]


def grouped(content: Content) -> dict[str, list[Example]]:
    """All of them by the title of their group, suspected DVT first."""
    found: dict[str, list[Example]] = {title: [] for title in _GROUPS.values()}
    for name, story in _stories().items():
        # A group without a title of its own must not take the page away.
        title = _GROUPS.get(story["group"], story["group"].capitalize())
        found.setdefault(title, []).append(_example(content, name, story))
    return found


def _example(content: Content, name: str, story: Mapping[str, Any]) -> Example:
    return Example(name, story["story"], _indicator(content, story))


def _indicator(content: Content, story: Mapping[str, Any]) -> str:
    if story["silent"]:
        return "none"
    levels = {content.red_flags[rule].indicator for rule in story["urgent"] if rule != DVT_RULE} | {story["dvt"]}
    return next((level for level in ("critical", "warning") if level in levels), "info")


def story_of(name: str) -> str | None:
    """What example ``name`` is about; None if there is none of that name."""
    found = _stories().get(name)
    return found["story"] if found else None


def resources(name: str, today: date) -> list[dict[str, Any]]:
    """The resources of an example, dated so that its reference day is ``today``."""
    days = (today - _reference_day()).days
    bundle = moved(orjson.loads((_FOLDER / f"{name}.json").read_bytes()), days)
    return [entry["resource"] for entry in bundle["entry"]]


class Everyone:
    """All resources of all examples as of one day, read once a day however many ask at the same time."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._day: date | None = None
        self._resources: tuple[dict[str, Any], ...] = ()

    def on(self, today: date) -> tuple[dict[str, Any], ...]:
        """Dated around ``today``."""
        with self._reading:
            if self._day != today:
                self._resources = tuple(one for name in _stories() for one in resources(name, today))
                self._day = today
            return self._resources
