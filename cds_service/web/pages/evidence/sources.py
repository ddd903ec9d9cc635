"""Citations and code tables as the pages show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import FigureStatus
from cds_service.clinical.content.names import EXPERT
from cds_service.rendering.wording import cut

_YEAR = re.compile(r"(?<![\d:])(?:19[5-9]|20[0-4])\d(?![\d:])")
_SHORT = 48


@dataclass(frozen=True, slots=True)
class SourceView:
    """A citation.

    Attributes:
        years: the years that it states; empty if none.
        read: how much of it was read when the content was written.
        year_words: the years in words, or that none is stated.
    """

    key: str
    text: str
    years: tuple[str, ...]
    url: str
    read: str
    year_words: str

    @property
    def short(self) -> str:
        """Return a short form such as ``Hayashi D et al (2010)``, enough to find it in the list of sources."""
        start = self.text.split(". ")[0].split(", ")[0]
        return f"{cut(start, _SHORT)} ({self.year_words})"


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its source and how well the source supports it."""

    what: str
    value: str
    source: str
    status: FigureStatus

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "value": self.value, "source": self.source, "status": self.status}


def source_view(content: Content, key: str) -> SourceView:
    """Return the view of one citation."""
    citation, texts = content.citations[key], content.pages.evidence.known
    # The year may be in the text, or else in the name of the source.
    years = _YEAR.findall(citation.text) or _YEAR.findall(re.sub(r"[a-z_]+", " ", key))
    how_far = {"yes": texts.source_read, "part": texts.source_part, "no": texts.source_not_read}[citation.read]
    read = how_far + (f": {citation.what}" if citation.what else "")
    known = tuple(dict.fromkeys(years))
    return SourceView(key, citation.text, known, citation.url, read, ", ".join(known) or texts.no_year)


def status_words(content: Content, status: FigureStatus) -> str:
    """Return in words how reliable a number is."""
    found: str = getattr(content.pages.evidence.status, status)
    return found


def sources_of(content: Content, keys: list[str]) -> tuple[SourceView, ...]:
    """Return the citations named by ``keys``, each once and in that order. Expert choices are left out."""
    return tuple(source_view(content, key) for key in dict.fromkeys(keys) if key != EXPERT)


@dataclass(frozen=True, slots=True)
class CodeListView:
    """A code table. ``sources``: each source and the number of rows seen in it, the largest number first."""

    name: str
    rows: int
    systems: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]


def code_lists(content: Content) -> tuple[CodeListView, ...]:
    """Return every code table, sorted by name."""
    return tuple(
        CodeListView(
            name,
            len(table.rows),
            tuple(sorted({row.system for row in table.rows})),
            tuple(sorted(table.sources.items(), key=lambda item: (-item[1], item[0]))),
        )
        for name, table in sorted(content.tables.items())
    )
