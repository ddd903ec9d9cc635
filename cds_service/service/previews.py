"""The cards that a rule or cause gives for its example patients, for those who edit its words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from cds_service.base.errors import UnusableInput
from cds_service.base.strict_json import parse
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.bundles import one_chart
from cds_service.rendering.card import Card
from cds_service.rendering.layout import word_count
from cds_service.rendering.sanitize import sanitized
from cds_service.service.code_survey import LIMITS
from cds_service.service.evaluate import Service
from cds_service.service.examples import reference_day, stories

_READER = "Practitioner/preview"


@dataclass(frozen=True, slots=True)
class Preview:
    """A card of an example patient. ``story``: the patient in words; ``words``: number of words of the detail."""

    name: str
    story: str
    card: Card

    @property
    def words(self) -> int:
        return word_count(self.card.detail)


def examples_of(content: Content, folder: Path, key: str) -> list[str]:
    """Return the examples in ``folder`` in which rule ``key`` must fire, or that cause ``key`` names.

    Raises:
        UnusableInput: there is no such rule or cause.
    """
    if key in content.causes:
        return sorted(content.causes[key].examples.shown)
    if key in content.red_flags:
        return sorted(name for name, story in stories(folder).items() if key in story.get("urgent", ()))
    raise UnusableInput(
        f"There is no rule or cause called `{key}`." + did_you_mean(key, *content.red_flags, *content.causes)
    )


def did_you_mean(name: str, *known: str) -> str:
    """Return a sentence that proposes the nearest of ``known``, whatever its case; empty if none is near."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, 1)
    return f" Did you mean `{by_lower_case[near[0]]}`?" if near else ""


def previews(service: Service, folder: Path, key: str) -> Iterator[Preview]:
    """Yield every card of each of these examples, judged on the day around which they are dated.

    Raises:
        UnusableInput: there is no such rule or cause.
    """
    now, known = datetime.combine(reference_day(folder), time(12), UTC), stories(folder)
    for name in examples_of(service.content, folder, key):
        given = one_chart(parse((folder / f"{name}.json").read_bytes(), LIMITS), _READER)
        answer = service.answer(given.request, given.prefetched, now)
        for card in sanitized(answer.cards, service.own_urls)[0]:
            yield Preview(name, str(known[name]["story"]), card)
