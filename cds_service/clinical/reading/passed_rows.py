"""Rows that a replay has found to be of no concern before. It counts them at each moment without looking at each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable

from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.heads import Head, Reference


class PassedRows(ChartEntry):
    """Observations that name the same patient and are of no concern by any content and on any day."""

    __slots__ = ("count",)

    def __init__(self, subject: Reference, count: int) -> None:
        """``subject``: the reference to the patient. ``count``: the number of rows."""
        self._head = Head("Observation", subject=subject)
        self._resource = self.full_url = self.identity = None
        self.named = self.unconcerning = self.glance = None
        self.kind = "Observation"
        self.count = count

    @abstractmethod
    def versions(self, identities: Collection[str]) -> Iterable[ChartEntry]:
        """Return those of the rows that have one of these ids: each with its id and its version."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Return ``Observation/id`` of each row."""
