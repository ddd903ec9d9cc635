"""Find the Patient and the server that a chart belongs to; they decide who owns each resource."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.whose import Owners, place_of_server


def owners_of(
    patient_id: str, entries: Sequence[ChartEntry], fhir_server: str | None
) -> tuple[Owners, list[ChartEntry]]:
    """Return the owner rules for this chart, and this patient's Patient resources."""
    patients = [entry for entry in entries if entry.kind == "Patient"]
    mine = _of_this_patient(patients, entries, patient_id, fhir_server)
    own_urls = [entry.full_url for entry in mine if entry.full_url]
    bases = {url.rpartition("/Patient/")[0] for url in own_urls if url.endswith(f"/Patient/{patient_id}")}
    bases |= {fhir_server.rstrip("/")} if fhir_server else set()
    others = [entry for entry in patients if not is_the_patient(entry, patient_id)]
    other_urls = [entry.full_url for entry in others if entry.full_url]
    owners = Owners(patient_id, lambda: bases or _only_base(entries), own_urls=own_urls, other_urls=other_urls)
    for entry in mine:
        owners.know(entry.resource)
    for entry in others:
        owners.know_other(entry.resource, entry.full_url)
    return owners, mine


def _of_this_patient(
    patients: Sequence[ChartEntry], entries: Sequence[ChartEntry], patient_id: str, fhir_server: str | None
) -> list[ChartEntry]:
    """Return the Patient resources with this patient's id; of several servers, only those of the patient's own."""
    matching = [entry for entry in patients if is_the_patient(entry, patient_id)]
    if len(matching) < 2:
        return matching
    if len({server for entry in entries if (server := server_of(entry))}) < 2:
        return matching
    home = place_of_server(fhir_server) if fhir_server else ""
    own = [entry for entry in matching if server_of(entry) in ("", home)]
    return own or matching[:1]


def server_of(entry: ChartEntry) -> str:
    """Return the entry's server in one normalised spelling; empty if it names none."""
    base = _base_of(entry)
    return place_of_server(base) if base else ""


def _only_base(entries: Sequence[ChartEntry]) -> set[str]:
    """Return the one server that every row names; empty if a row names none or another."""
    only = ""
    for entry in entries:
        if entry.kind == "Patient" and not entry.full_url:
            continue
        if only and entry.full_url == f"{only}/{entry.kind}/{entry.identity}":
            continue
        base = _base_of(entry)
        if only or not base:
            return set()
        only = base
    return {only} if only else set()


def _base_of(entry: ChartEntry) -> str:
    """Return the base URL of the server in an entry's ``fullUrl``; empty if it names none."""
    url = entry.full_url or ""
    ending = f"/{entry.kind}/{entry.identity}"
    return url.removesuffix(ending) if url[:4].lower() == "http" and url.endswith(ending) else ""


def is_the_patient(entry: ChartEntry, patient_id: str) -> bool:
    return entry.identity == patient_id or entry.full_url == f"urn:uuid:{patient_id}"
