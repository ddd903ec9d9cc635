"""Find texts of a translation that equal those of another language: words that were copied and not yet translated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pydantic import BaseModel

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH, PAGES, WORDS, worded_entries
from cds_service.clinical.content.texts import Message

HANDFUL = 5
"""So many equal texts may be chance: names, and terms that two languages share."""
_PLACE = re.compile(r"\{[a-z_]*\}")
_WORD = re.compile(r"[^\W\d_]{2,}")

Texts = Mapping[tuple[str, str], str]
"""The texts of one language. Key: the kind of file (``findings``; empty for ``text/xx.toml``) and the place in it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The texts of ``language`` beside those of ``other``, as far as they have two words or more.

    ``total``: number of these texts. ``equal``: kind of file -> places of the equal ones.
    """

    language: str
    other: str
    total: int
    equal: Mapping[str, Sequence[str]]

    @property
    def count(self) -> int:
        """Number of equal texts."""
        return sum(map(len, self.equal.values()))

    @property
    def looks_copied(self) -> bool:
        """Whether more texts are equal than chance explains."""
        return self.count > HANDFUL

    @property
    def words(self) -> str:
        """How many are equal, and all their keys by file."""
        whose = "the English ones" if self.other == ENGLISH else f"those of text/{self.other}"
        lines = [f"text/{self.language}: {self.count} of {self.total} texts equal {whose}. Translate what was copied:"]
        for kind, places in self.equal.items():
            file = f"text/{self.language}/{kind}.toml" if kind else f"text/{self.language}.toml"
            lines.append(f"  {file}: {', '.join(places)}")
        return "\n".join(lines)


def texts_of(content: Content, pathway: str) -> dict[tuple[str, str], str]:
    """Return every text of ``content`` that a translation must have. ``pathway``: the key of its pathway."""
    found = {("", place): text for place, text in _every_text(content.texts)}
    found |= {(PAGES, place): text for place, text in _every_text(content.pages)}
    for kind, entries in worded_entries(content, pathway).items():
        for key, entry in entries.items():
            for path in WORDS[kind]:
                found |= {(kind, f"{key}.{place}"): text for place, text in _texts_at(entry, path.split("."))}
    return found


def comparisons(languages: Mapping[str, Texts]) -> Iterator[Comparison]:
    """Yield a comparison of each two languages.

    ``languages``: language -> its texts, English first.
    """
    for other, language in combinations(languages, 2):
        theirs, ours = languages[other], languages[language]
        compared = [key for key, text in ours.items() if key in theirs and _has_words(text)]
        equal: dict[str, list[str]] = {}
        for kind, place in compared:
            if ours[kind, place] == theirs[kind, place]:
                equal.setdefault(kind, []).append(place)
        yield Comparison(language, other, len(compared), equal)


def _texts_at(value: object, steps: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (place, text) for each text at the path ``steps``, with its place in the file of the translation.

    A step into a list goes into each of its entries.
    """
    if isinstance(value, tuple) and steps:
        for number, inner in enumerate(value):
            yield from _under(str(number), _texts_at(inner, steps))
    elif steps and isinstance(value, BaseModel):
        inner = getattr(value, steps[0])
        texts = _texts_at(inner, steps[1:])
        yield from texts if isinstance(inner, BaseModel) else _under(steps[0], texts)
    else:
        yield from _every_text(value)


def _every_text(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _under(name, _every_text(getattr(value, name)))
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _under(str(number), _every_text(inner))
    elif isinstance(value, Message):
        yield from _every_text(value.forms if len(value.forms) > 1 else value.forms["other"])
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _under(name, _every_text(inner))


def _under(step: str, texts: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for place, text in texts:
        yield f"{step}.{place}" if place else step, text


def _has_words(text: str) -> bool:
    return len(_WORD.findall(_PLACE.sub(" ", text))) > 1
