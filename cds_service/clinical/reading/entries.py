"""The entries of a chart: the JSON of each resource with its typed head."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.reading.heads import Glance, Head, head_of
from cds_service.clinical.reading.memory import Memory
from cds_service.clinical.reading.resource_types import kind_of


class ChartEntry:
    """One resource with the ``fullUrl`` of its Bundle entry, if there was one.

    Attributes:
        glance: of a plain number whose head has not been decoded; None for any other row.
        kind: its resource type; None if it names none.
        identity: its id; None if it has none.
        named: the content with which its words were last searched, and what they name; None before. A replay reads a
            row at many moments, and its words never change.
        unconcerning: the content by which its codes and words were last found to be of no concern, whoever it is about
            and whatever the day; None before, and for a row of concern.
        count: the number of rows for which it stands.
        memory: what is remembered of it between the moments of a replay; None in a call, which reads a row once.
    """

    __slots__ = ("_head", "_resource", "full_url", "glance", "identity", "kind", "named", "unconcerning")

    _head: Head | None
    glance: Glance | None
    kind: str | None
    identity: str | None
    named: tuple[object, tuple[str, ...]] | None
    unconcerning: object
    count: int = 1
    memory: Memory | None = None

    def __init__(self, resource: Any, full_url: str | None = None) -> None:
        self.full_url = full_url
        self._head = head_of(resource)
        self._resource = resource
        self._name()

    def _name(self) -> None:
        """Set ``kind`` and ``identity``, from the head or from the resource if there is none."""
        self.named = self.unconcerning = self.glance = None
        if self._head is not None:
            self.kind, self.identity = self._head.resourceType, self._head.id
            return
        resource = self.resource
        self.kind = kind_of(resource)
        identity = resource.get("id") if isinstance(resource, dict) else None
        self.identity = identity if isinstance(identity, str) else None

    @property
    def head(self) -> Head | None:
        """Its head; None if the resource does not have the shape of FHIR."""
        return self._head

    @property
    def lists_members(self) -> bool:
        """Whether it is a panel that lists other resources as its members."""
        if self.glance is not None:
            return False
        head = self.head
        if head is not None:
            return head.hasMember is not None
        resource = self.resource
        return isinstance(resource, dict) and resource.get("hasMember") is not None

    @property
    def resource(self) -> Any:
        """The JSON of the resource, or the value that was sent in its place."""
        return self._resource
