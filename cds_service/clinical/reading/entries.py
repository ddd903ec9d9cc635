"""The entries of a chart: the JSON of each resource with its typed head."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.reading.heads import Head, head_of
from cds_service.clinical.reading.kinds import kind_of


class ChartEntry:
    """One resource with the ``fullUrl`` of its Bundle entry, if there was one.

    Attributes:
        head: None if the resource does not have the shape of FHIR.
        kind: its resource type; None if it names none.
        identity: its id; None if it has none.
        named: the content with which its words were last searched, and what they name; None before. A replay reads a
            row at many moments, and its words never change.
        unconcerning: the content by which its codes and words were last found to be of no concern, whoever it is about
            and whatever the day; None before, and for a row of concern.
    """

    __slots__ = ("_resource", "full_url", "head", "identity", "kind", "named", "unconcerning")

    head: Head | None
    kind: str | None
    identity: str | None
    named: tuple[object, tuple[str, ...]] | None
    unconcerning: object

    def __init__(self, resource: Any, full_url: str | None = None) -> None:
        self.full_url = full_url
        self.head = head_of(resource)
        self._resource = resource
        self._name()

    def _name(self) -> None:
        """Set ``kind`` and ``identity``, from the head or from the resource if there is none."""
        self.named = self.unconcerning = None
        if self.head is not None:
            self.kind, self.identity = self.head.resourceType, self.head.id
            return
        resource = self.resource
        self.kind = kind_of(resource)
        identity = resource.get("id") if isinstance(resource, dict) else None
        self.identity = identity if isinstance(identity, str) else None

    @property
    def resource(self) -> Any:
        """The JSON of the resource, or the value that was sent in its place."""
        return self._resource
