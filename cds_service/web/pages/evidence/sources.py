"""Citations and code tables as the pages show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import FigureStatus
from cds_service.clinical.content.names import EXPERT
from cds_service.rendering.wording import cut
from cds_service.web.pages.status_words import STATUS_WORDS

_READ_WORDS = {"yes": "read", "part": "read in part", "no": "not read"}
_YEAR = re.compile(r"(?<![\d:])(?:19[5-9]|20[0-4])\d(?![\d:])")
_SHORT = 48


@dataclass(frozen=True, slots=True)
class SourceView:
    """A citation. ``years``: as stated, empty if none is. ``read``: how much of it the authors of the content read."""

    key: str
    text: str
    years: tuple[str, ...]
    url: str
    read: str

    @property
    def short(self) -> str:
        """Return a short form such as ``Hayashi D et al (2010)``, enough to find it in the list of sources."""
        start = self.text.split(". ")[0].split(", ")[0]
        return f"{cut(start, _SHORT)} ({self.year_words})"

    @property
    def year_words(self) -> str:
        return ", ".join(self.years) if self.years else "year not stated"


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its source and how well the source supports it."""

    what: str
    value: str
    source: str
    status: FigureStatus

    @property
    def status_words(self) -> str:
        return STATUS_WORDS[self.status]

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "value": self.value, "source": self.source, "status": self.status}


def source_view(content: Content, key: str) -> SourceView:
    """Return the view of one citation."""
    citation = content.citations[key]
    # If the text has no year, look in the key of the source.
    years = _YEAR.findall(citation.text) or _YEAR.findall(re.sub(r"[a-z_]+", " ", key))
    read = _READ_WORDS[citation.read] + (f": {citation.what}" if citation.what else "")
    return SourceView(key, citation.text, tuple(dict.fromkeys(years)), citation.url, read)


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
