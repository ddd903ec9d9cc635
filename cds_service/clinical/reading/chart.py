"""Read a whole chart into a Record, with a ledger that accounts for every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import medicine_courses
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.ledger import Ledger
from cds_service.clinical.reading.measurements import compare_sides
from cds_service.clinical.reading.memory import Varying
from cds_service.clinical.reading.patients import read_patient
from cds_service.clinical.reading.places import Places
from cds_service.clinical.reading.rows import Rows
from cds_service.clinical.reading.sorting import Sorted, sort
from cds_service.clinical.reading.structures import Structures
from cds_service.clinical.reading.unread import Describing
from cds_service.clinical.record import Fact, Record

__all__ = ["read_record"]


def read_record(
    content: Content,
    patient_id: str,
    entries: Sequence[ChartEntry],
    now: datetime,
    *,
    fhir_server: str | None = None,
    not_whole: frozenset[str] = frozenset(),
    came_in_part: frozenset[str] = frozenset(),
    check: Callable[[], None] = lambda: None,
) -> Record:
    """Read what ``entries`` say about the patient as of ``now``; its time zone decides which day it is.

    ``not_whole``, ``came_in_part``: the parts of the chart that are missing or incomplete, as the Record keeps them.
    ``check``: called before each row is read; it may raise to end a call that takes too long.

    Nothing else raises. Anything not understood is listed in ``unread``, and the ledger counts every row.
    """
    varying = Varying()
    describing = Describing(content, now, varying)
    ledger = Ledger()
    chart = sort(content, patient_id, entries, fhir_server, ledger, describing, check, now.date())
    patient, not_read = read_patient(chart, patient_id, now, ledger)
    places = Places(content, Structures(chart.structures, chart.owners, varying).find)
    findings = Findings(content, now, patient, places, varying)
    _read_rows(chart, Rows(content, chart, findings, describing, varying, now), ledger, check)
    compared, unpaired = compare_sides(content, findings.sided)
    unread = {*chart.unread, *not_read, *findings.unread, *unpaired}
    facts = medicine_courses.without_ended({*findings.facts, *compared}, findings.stops)
    return Record(
        patient=patient,
        facts=tuple(sorted(facts, key=_in_order)),
        diagnoses=tuple(
            sorted(set(findings.diagnoses), key=lambda diagnosis: (diagnosis.cause, diagnosis.source, repr(diagnosis)))
        ),
        orders=tuple(sorted(set(findings.orders), key=lambda order: (order.order, order.source, repr(order)))),
        unread=tuple(sorted(unread, key=lambda part: (part.source, part.kind, part.reason, part.keys, part.digest))),
        stops=tuple(sorted(set(findings.stops), key=lambda stop: (stop.source, stop.key, stop.substance))),
        set_aside=tuple(sorted(Counter(findings.set_aside).items())),
        ledger=ledger.lines(),
        not_whole=not_whole,
        came_in_part=came_in_part,
        entries=chart.rows,
        others_of_concern=chart.others_of_concern,
    )


def _read_rows(chart: Sorted, rows: Rows, ledger: Ledger, check: Callable[[], None]) -> None:
    for name in sorted(chart.clinical):
        check()
        row = chart.clinical[name]
        state, reason = rows.read(name, row.entry)
        ledger.add(state, row.kind, reason, row.copies)


def _in_order(fact: Fact) -> tuple[str, ...]:
    """Return a sort key that does not depend on the order of the entries."""
    dates = (when.text if when else "" for when in (fact.clinical, fact.recorded))
    return (fact.key, fact.source, fact.status, fact.side, *dates, str(fact.ongoing), str(fact.provisional))
