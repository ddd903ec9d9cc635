"""BodyStructures that came beside the resources that point to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.structure_shapes import in_shape_of_r4
from cds_service.clinical.reading.whose import Owners, local_name


class Structures:
    """Finds them. ``entries``: those of this patient, by ``BodyStructure/id`` and by ``fullUrl``."""

    def __init__(self, entries: Mapping[str, ChartEntry], owners: Owners) -> None:
        self._entries = entries
        self._owners = owners

    def find(self, reference: str) -> Any:
        """The validated BodyStructure that ``reference`` points to; None if it did not come or cannot be read."""
        entry = self._entries.get(reference)
        if entry is None and self._owners.is_here(reference):
            entry = self._entries.get(local_name(reference))
        if entry is None:
            return None
        try:
            return build(in_shape_of_r4(entry.resource))[0]
        except Unreadable:
            return None
