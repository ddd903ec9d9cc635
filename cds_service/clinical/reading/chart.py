"""A whole chart -> Record: whose rows count, which are of concern, what each one says, and a ledger of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading import courses
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.ledger import Ledger
from cds_service.clinical.reading.measurements import compare_sides
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
    not_available: tuple[str, ...] = (),
    not_whole: frozenset[str] = frozenset(),
    check: Callable[[], None] = lambda: None,
) -> Record:
    """Everything ``entries`` say about patient ``patient_id`` as of ``now``, whose time zone says which day it is.

    ``not_available``, ``not_whole``: the parts of the chart that did not come whole, in words and by key.
    ``check``: asked before each row that is read; it may raise to end a call that takes too long.

    Nothing else raises: what is not understood is in ``unread``, and the ledger holds every row.
    """
    describing = Describing(content, now)
    ledger = Ledger()
    chart = sort(content, patient_id, entries, fhir_server, ledger, describing, check, now.date())
    patient, not_read = read_patient(chart, patient_id, now, ledger)
    findings = Findings(content, now, patient, Places(content, Structures(chart.structures, chart.owners).find))
    _read_rows(chart, Rows(content, chart, findings, describing), ledger, check)
    compared, unpaired = compare_sides(content, findings.sided)
    unread = {*chart.unread, *not_read, *findings.unread, *unpaired}
    facts = courses.without_ended({*findings.facts, *compared}, findings.stops)
    return Record(
        patient=patient,
        facts=tuple(sorted(facts, key=_in_order)),
        diagnoses=tuple(sorted(set(findings.diagnoses), key=lambda one: (one.cause, one.source, repr(one)))),
        orders=tuple(sorted(set(findings.orders), key=lambda one: (one.order, one.source, repr(one)))),
        unread=tuple(sorted(unread, key=lambda one: (one.source, one.kind, one.reason, one.keys))),
        stops=tuple(sorted(set(findings.stops), key=lambda one: (one.source, one.key, one.substance))),
        set_aside=tuple(sorted(Counter(findings.set_aside).items())),
        ledger=ledger.lines(),
        not_available=not_available,
        not_whole=not_whole,
        entries=len(entries),
        others_of_concern=chart.others_of_concern,
    )


def _read_rows(chart: Sorted, rows: Rows, ledger: Ledger, check: Callable[[], None]) -> None:
    for name in sorted(chart.clinical):
        check()
        one = chart.clinical[name]
        state, reason = rows.read(name, one.entry.resource)
        ledger.add(state, one.kind, reason, one.copies)


def _in_order(fact: Fact) -> tuple[str, ...]:
    """The same order however the entries came."""
    dates = (when.text if when else "" for when in (fact.clinical, fact.recorded))
    return (fact.key, fact.source, fact.status, fact.side, *dates, str(fact.ongoing), str(fact.provisional))
