"""A whole chart -> Record: whose resources count, which are of concern, and what each one says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cds_service.clinical.content import Content
from cds_service.clinical.reading import conditions, medications, observations, orders, procedures
from cds_service.clinical.reading.dates import FutureDate, to_when
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.measurements import compare_sides
from cds_service.clinical.reading.resources import MODELS, Unreadable, build, quick_uses
from cds_service.clinical.record import Fact, Patient, Record, Unread, UnreadKind

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_URN = re.compile(r"urn:uuid:([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")
_ONES_SUBJECT = {kind: "subject" for kind in MODELS if kind not in ("Patient", "Medication")}


@dataclass
class _Chart:
    """The entries by what they are, before anything is read."""

    patient_id: str
    patients: list[ChartEntry] = field(default_factory=list)
    clinical: dict[str, ChartEntry] = field(default_factory=dict)
    medications: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    namesakes: dict[str, list[ChartEntry]] = field(default_factory=dict)
    listed_by: dict[str, dict[str, None]] = field(default_factory=dict)
    panels: dict[str, observations.Panel | None] = field(default_factory=dict)
    own_names: set[str] = field(default_factory=set)
    bases: set[str] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)


def read_record(
    content: Content,
    patient_id: str,
    entries: Sequence[ChartEntry],
    today: date,
    *,
    fhir_server: str | None = None,
    not_available: tuple[str, ...] = (),
) -> Record:
    """Everything ``entries`` say about patient ``patient_id``, on the day ``today``.

    Resources of other patients are dropped and counted. Nothing raises: what cannot be read is in ``unread``.
    """
    chart = _sort(content, entries, patient_id, fhir_server)
    patient = _read_patient(chart, today)
    findings = Findings(content, today, patient)
    for name in sorted(chart.clinical):
        _read_entry(content, chart, name, chart.clinical[name].resource, findings)
    compared, unpaired = compare_sides(content, findings.sided)
    return Record(
        patient=patient,
        facts=tuple(sorted({*findings.facts, *compared}, key=_in_order)),
        diagnoses=tuple(sorted(set(findings.diagnoses), key=lambda one: (one.cause, one.source, repr(one)))),
        orders=tuple(sorted(set(findings.orders), key=lambda one: (one.order, one.source, repr(one)))),
        unread=tuple(
            sorted({*chart.unread, *findings.unread, *unpaired}, key=lambda one: (one.source, one.kind, one.reason))
        ),
        set_aside=tuple(sorted(Counter(findings.set_aside).items())),
        not_available=not_available,
        entries=len(entries),
    )


def _in_order(fact: Fact) -> tuple[str, ...]:
    """The same order however the entries came."""
    dates = (when.text if when else "" for when in (fact.clinical, fact.recorded))
    return (fact.key, fact.source, fact.status, fact.side, *dates, str(fact.ongoing), str(fact.provisional))


def _sort(content: Content, entries: Sequence[ChartEntry], patient_id: str, fhir_server: str | None) -> _Chart:
    chart = _Chart(patient_id)
    if fhir_server:
        chart.bases.add(fhir_server.rstrip("/"))
    clinical: list[tuple[int, str, ChartEntry]] = []
    for number, entry in enumerate(entries):
        head = entry.head
        kind = head.resourceType if head is not None else entry.kind
        if kind in _ONES_SUBJECT:
            clinical.append((number, kind, entry))
        elif kind is None:
            chart.unread.append(Unread(f"entry {number + 1}", UnreadKind.NOT_A_RESOURCE, "is not a FHIR resource"))
        elif kind == "Patient":
            _sort_patient(chart, entry.resource, entry)
        elif kind == "Medication":
            _sort_medication(chart, entry.resource, entry)
        elif kind == "Bundle":
            chart.unread.append(Unread(f"entry {number + 1}", UnreadKind.NOT_A_RESOURCE, "is a Bundle in a Bundle"))
    _sort_clinical(content, chart, clinical)
    for name, versions in chart.namesakes.items():
        del chart.clinical[name]
        chart.clinical |= _which_count(name, _by_time(versions))
    _sort_panels(chart)
    return chart


def _sort_clinical(content: Content, chart: _Chart, clinical: Iterable[tuple[int, str, ChartEntry]]) -> None:
    """Keep what is this patient's and may be of concern. Somebody else's may bear the same id: it takes no name here.

    What is of no concern counts only as another version of a resource that is.
    """
    mine: dict[str, bool] = {}  # charts repeat the same few references
    others: list[tuple[str, ChartEntry]] = []
    may, concerns = content.may_concern, content.concerns
    for number, kind, entry in clinical:
        head = entry.head
        subject = head.subject if head is not None else None
        reference = subject.reference if subject is not None else _subject(entry)
        is_mine = mine.get(reference) if reference is not None else False
        if is_mine is None and reference is not None:
            is_mine = mine[reference] = _is_mine(chart, reference)
        if not is_mine:
            reason = "belongs to another patient" if reference is not None else "does not say whose it is"
            chart.unread.append(Unread(_name(kind, entry, number), UnreadKind.OTHER_PATIENT, reason))
        elif head is not None and not head.needs_reading(may, concerns):
            others.append((kind, entry))
        else:
            name = _name(kind, entry, number)
            if chart.clinical.setdefault(name, entry) is not entry:
                chart.namesakes.setdefault(name, [chart.clinical[name]]).append(entry)
    for kind, entry in others if chart.clinical else ():
        name = f"{kind}/{entry.identity}"
        if name in chart.clinical:
            chart.namesakes.setdefault(name, [chart.clinical[name]]).append(entry)


def _subject(entry: ChartEntry) -> str | None:
    """Whom a resource without a head says that it is about."""
    if entry.head is not None:
        return None
    subject = entry.resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return reference if isinstance(reference, str) else None


def _sort_panels(chart: _Chart) -> None:
    """Which valid panels of this patient list which Observation."""
    panels = [name for name, entry in chart.clinical.items() if entry.head is None or entry.head.hasMember is not None]
    if not panels:
        return
    names = {entry.full_url: name for name, entry in chart.clinical.items() if entry.full_url}
    for name in sorted(panels):
        raw = chart.clinical[name].resource
        members = raw.get("hasMember") if name.startswith("Observation/") else None
        if members is None or raw.get("status") in ("entered-in-error", "cancelled"):
            continue
        for member in members if isinstance(members, list) else [members]:
            reference = member.get("reference", "") if isinstance(member, dict) else None
            if isinstance(reference, str):
                local = names.get(reference, _local(reference))
                chart.listed_by.setdefault(local, {})[name] = None
            else:
                chart.unread.append(Unread(name, UnreadKind.INVALID, "is not valid FHIR R4 at hasMember"))


def _by_time(versions: Iterable[ChartEntry]) -> dict[str, dict[str, ChartEntry]]:
    """The versions of one resource by when they came to be, each once."""
    found: dict[str, dict[str, ChartEntry]] = {}
    for entry in versions:
        found.setdefault(_updated(entry.resource), {})[repr(entry.resource)] = entry
    return found


def _which_count(name: str, versions: Mapping[str, Mapping[str, ChartEntry]]) -> dict[str, ChartEntry]:
    """Of the versions of one resource the latest; those without a time count too, under names of their own."""
    undated, latest = versions.get("", {}), max(versions)
    counting = [*(sorted(versions[latest]) if latest else ()), *sorted(undated)]
    every = {**undated, **versions[latest]}
    return {f"{name}~{number}" if number else name: every[text] for number, text in enumerate(counting)}


def _updated(raw: Mapping[str, Any]) -> str:
    meta = raw.get("meta")
    updated = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return updated if isinstance(updated, str) else ""


def _sort_patient(chart: _Chart, raw: Mapping[str, Any], entry: ChartEntry) -> None:
    mine = raw.get("id") == chart.patient_id or (entry.full_url or "").removeprefix("urn:uuid:") == chart.patient_id
    if not mine:
        chart.unread.append(Unread("Patient", UnreadKind.OTHER_PATIENT, "belongs to another patient"))
        return
    chart.patients.append(entry)
    if entry.full_url:
        chart.own_names.add(entry.full_url)
        base, found, _ = entry.full_url.rpartition(f"/Patient/{chart.patient_id}")
        if found:
            chart.bases.add(base)


def _sort_medication(chart: _Chart, raw: Mapping[str, Any], entry: ChartEntry) -> None:
    if not isinstance(raw.get("id"), str) and not entry.full_url:
        chart.unread.append(Unread("Medication", UnreadKind.INVALID, "has no id, so nothing can refer to it"))
    for name in (f"Medication/{raw.get('id')}", entry.full_url):
        if name:
            chart.medications[name] = raw


def _name(kind: str, entry: ChartEntry, number: int) -> str:
    """How the resource is called on cards and in orders: never by anything but a FHIR id or a UUID."""
    identity = entry.identity
    if identity is not None and _ID.fullmatch(identity):
        return f"{kind}/{identity}"
    if entry.full_url and (uuid := _URN.fullmatch(entry.full_url)):
        return f"{kind}/{uuid[1]}"
    return f"{kind}/(entry {number + 1}, no id)"


def _local(reference: str) -> str:
    """``Type/id`` of a relative, absolute or versioned reference; a ``urn:uuid`` as it is."""
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else reference


def _is_mine(chart: _Chart, reference: str) -> bool:
    plain = reference.split("/_history/")[0]
    if plain in chart.own_names or plain == f"Patient/{chart.patient_id}":
        return True
    if plain == f"urn:uuid:{chart.patient_id}":
        return True
    base, found, rest = plain.rpartition("/Patient/")
    return bool(found) and rest == chart.patient_id and (not chart.bases or base in chart.bases)


def _read_patient(chart: _Chart, today: date) -> Patient:
    found: Patient | None = None
    for entry in chart.patients:
        try:
            model, left_out = build(entry.resource)
        except Unreadable as error:
            chart.unread.append(Unread("Patient", UnreadKind.INVALID, str(error)))
            continue
        chart.unread += [Unread("Patient", UnreadKind.INVALID, f"left out {name}: not valid") for name in left_out]
        try:
            birth = to_when(model.birthDate, today)
        except FutureDate:
            birth = None
            chart.unread.append(Unread("Patient", UnreadKind.DATE, "its birth date lies in the future"))
        found = Patient(
            id=chart.patient_id,
            birth=birth,
            sex=model.gender,
            deceased=model.deceasedBoolean is True or model.deceasedDateTime is not None,
        )
    return found or Patient(chart.patient_id)


def _read_entry(content: Content, chart: _Chart, name: str, raw: Mapping[str, Any], findings: Findings) -> None:
    try:
        uses = tuple(quick_uses(content, raw))
        medicine = medications.referenced(raw, chart.medications)
        if medicine is not None:
            uses += tuple(quick_uses(content, medicine))
        if not any(use.is_of_concern for use in uses):
            return
    except (TypeError, AttributeError, ValueError, KeyError):
        uses, medicine = (), None
    keys = tuple(sorted({use.key for use in uses if use.kind in ("finding", "cause", "measure")}))
    try:
        model, left_out = build(raw)
        medicine_model = build(medicine)[0] if medicine is not None else None
    except Unreadable as error:
        findings.unread.append(Unread(name, UnreadKind.INVALID, str(error), keys))
        return
    findings.unread += [Unread(name, UnreadKind.INVALID, f"left out {part}: not valid", keys) for part in left_out]
    _dispatch(raw["resourceType"], model, name, findings, _panels(chart, name, findings), medicine_model)


def _panels(chart: _Chart, name: str, findings: Findings) -> tuple[observations.Panel | None, ...]:
    """The panels that list ``name``. Each is read once, however many it lists."""
    listing = chart.listed_by.get(name, {})
    for one in listing.keys() - chart.panels.keys():
        chart.panels[one] = observations.panel(chart.clinical[one].resource, one, findings)
    return tuple(chart.panels[one] for one in listing)


def _dispatch(
    kind: str, model: Any, name: str, findings: Findings, panels: tuple[observations.Panel | None, ...], medicine: Any
) -> None:
    if kind == "Observation":
        observations.read(model, name, findings, panels)
    elif kind == "Condition":
        conditions.read(model, name, findings)
    elif kind == "Procedure":
        procedures.read(model, name, findings)
    elif kind == "ServiceRequest":
        orders.read(model, name, findings)
    else:
        medications.read(model, name, findings, medicine)
