"""What visits name in words. A population has many visits, and few that differ in more than their dates and ids."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.recognition import looked_at
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.statuses import is_void
from cds_service.clinical.reading.wording import named_elsewhere

_MOST = 10_000


class Visits:
    """Remembers what different visits name. One per content and process."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._remembered: dict[Hashable, tuple[str, ...]] = {}

    def recall(self, entries: Iterable[ChartEntry]) -> None:
        """Tell each visit what it names, which the reading would otherwise search for at each opening."""
        for entry in entries:
            if entry.kind == "Encounter" and entry.head is not None and entry.unconcerning is not self._content:
                entry.named = self._content, self._named(entry.resource)

    def _named(self, raw: dict[str, Any]) -> tuple[str, ...]:
        try:
            key = is_void(raw), looked_at(raw)
            named = self._remembered.get(key)
        except TypeError:  # a resource type that is no text
            return named_elsewhere(self._content, raw)
        if named is None:
            if len(self._remembered) >= _MOST:
                self._remembered.clear()
            named = self._remembered[key] = named_elsewhere(self._content, raw)
        return named
