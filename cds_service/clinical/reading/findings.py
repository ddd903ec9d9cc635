"""What has been read so far: the collector that every resource reader writes to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.reading.dates import FutureDate, to_when
from cds_service.clinical.reading.measurements import SidedReading
from cds_service.clinical.reading.statements import Statement, Trouble
from cds_service.clinical.record import Diagnosis, Fact, Patient, PlacedOrder, Unread, UnreadKind, When


class Findings:
    """Facts, diagnoses, orders, and what could not be read or does not count."""

    def __init__(self, content: Content, today: date, patient: Patient) -> None:
        self.content = content
        self.today = today
        self.age = patient.age_on(today)
        self.birth = patient.birth
        self.facts: list[Fact] = []
        self.diagnoses: list[Diagnosis] = []
        self.orders: list[PlacedOrder] = []
        self.sided: list[SidedReading] = []
        self.unread: list[Unread] = []
        self.set_aside: list[str] = []

    def when(self, value: Any, source: str) -> When | None:
        """``value`` as a day; a date in the future is reported and treated as not given."""
        try:
            return to_when(value, self.today)
        except FutureDate:
            self.unread.append(Unread(source, UnreadKind.DATE, "its date lies in the future"))
            return None

    def add(
        self,
        statements: Iterable[Statement],
        source: str,
        clinical: When | None,
        recorded: When | None,
        *,
        ongoing: bool = False,
        provisional: bool = False,
    ) -> None:
        """Facts of one source."""
        for said in statements:
            self.facts.append(Fact(said.key, said.status, said.side, clinical, recorded, source, ongoing, provisional))

    def report(self, source: str, troubles: Iterable[Trouble]) -> None:
        """What went wrong in one source."""
        self.unread += [Unread(source, trouble.kind, trouble.reason, trouble.keys) for trouble in troubles]
