"""Look up the BodyStructures that other resources of the chart refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.memory import Varying
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.structure_shapes import in_shape_of_r4
from cds_service.clinical.reading.whose import Owners, local_name


class Structures:
    """Finds BodyStructures. ``entries``: this patient's, by ``BodyStructure/id`` and by ``fullUrl``."""

    def __init__(self, entries: Mapping[str, ChartEntry], owners: Owners, varying: Varying) -> None:
        self._entries = entries
        self._owners = owners
        self._varying = varying

    def find(self, reference: str) -> Any:
        """Return the validated BodyStructure for ``reference``; None if it is missing or cannot be read."""
        self._varying.found = True
        entry = self._entries.get(reference)
        if entry is None and self._owners.is_here(reference):
            entry = self._entries.get(local_name(reference))
        if entry is None:
            return None
        try:
            return build(in_shape_of_r4(entry.resource))[0]
        except Unreadable:
            return None
