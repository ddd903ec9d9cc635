"""The entries of a chart: the JSON of each resource with its typed head."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.reading.heads import Head, head_of
from cds_service.clinical.reading.kinds import kind_of


class ChartEntry:
    """One resource with the ``fullUrl`` of its Bundle entry, if there was one.

    ``head`` is None if the resource does not have the shape of FHIR.
    """

    __slots__ = ("_resource", "full_url", "head")

    def __init__(self, resource: Any, full_url: str | None = None) -> None:
        self.full_url = full_url
        self.head: Head | None = head_of(resource)
        self._resource = resource

    @property
    def resource(self) -> Any:
        """The JSON of the resource, or the value that was sent in its place."""
        return self._resource

    @property
    def kind(self) -> str | None:
        """Its resource type; None if it names none."""
        if self.head is not None:
            return self.head.resourceType
        return kind_of(self.resource)

    @property
    def identity(self) -> str | None:
        """Its id; None if it has none."""
        if self.head is not None:
            return self.head.id
        resource = self.resource
        identity = resource.get("id") if isinstance(resource, dict) else None
        return identity if isinstance(identity, str) else None
