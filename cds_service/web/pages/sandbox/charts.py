"""The open charts of the sandbox, in memory only. If there are too many, the least recently used is closed."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import orjson

from cds_service.base.errors import KneeCdsError, UnusableInput
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.bundles import one_chart
from cds_service.service.evaluate import Service
from cds_service.service.examples import as_request

Resource = dict[str, Any]
Road = Literal["prefetch", "fhir"]

MAX_CHARTS = 100
MAX_BYTES = 60_000_000
MAX_BYTES_OF_ONE = 5_000_000
MAX_ORDERS = 50
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_KIND = re.compile(r"[A-Z][A-Za-z]{1,63}")


class ChartGone(KneeCdsError):
    """The chart is not open: it was closed to make room, or the service was restarted (HTTP 404)."""


@dataclass(eq=False)
class Chart:
    """One open chart.

    Attributes:
        token: access token of the chart's FHIR server.
        opened: the resources when the chart was opened.
        resources: the resources now.
        last_verdict: name -> words of the last verdict shown, so that the next can show what has changed.
        changing: lock held while facts are changed, because each change starts from the reading before it.
    """

    title: str
    story: str
    patient_id: str
    opened: tuple[Resource, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    resources: list[Resource] = field(default_factory=list)
    last_verdict: Mapping[str, str] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _number: int = 0

    def __post_init__(self) -> None:
        self.reset()

    @property
    def patient(self) -> Resource:
        """The Patient resource; empty if the chart has none."""
        return next((resource for resource in self.resources if resource["resourceType"] == "Patient"), {})

    def reset(self) -> None:
        """Restore the resources of the time when the chart was opened."""
        self.resources = list(self.opened)
        self.last_verdict = {}

    def new_id(self) -> str:
        """Return an id that no resource of the chart has."""
        self._number += 1
        return f"sandbox-{self._number}"

    def judged(self, service: Service, now: datetime, fhir_server: str) -> Assessment:
        """Judge the chart with ``service``."""
        entries = tuple(ChartEntry(resource) for resource in self.resources)
        return service.judge(self.patient_id, entries, now, fhir_server=fhir_server)

    def request(self, road: Road, reader: str, fhir_server: str) -> dict[str, Any]:
        """Return the hook call that an EHR makes when ``reader`` opens this chart. With ``fhir`` it has no prefetch."""
        call = as_request({"entry": [{"resource": resource} for resource in self.resources]}, str(uuid4()))
        # A separate user for each chart, so that one visitor's answers do not hide another visitor's cards.
        call["context"] |= {"userId": f"Practitioner/{self.id}-{reader}", "patientId": self.patient_id}
        call["fhirServer"] = fhir_server
        call["fhirAuthorization"] = {
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.rs",
            "subject": "posterior-knee-cds",
            "patient": self.patient_id,
        }
        if road == "fhir":
            del call["prefetch"]
        return call

    def add_order(self, resource: Any, now: datetime) -> Resource:
        """Add a draft order that a clinician has accepted, with a new id and date. It stays unsigned.

        Raises:
            UnusableInput: it is not a draft order for this patient, or the chart has too many orders.
        """
        subject = resource.get("subject") if isinstance(resource, dict) else None
        patient = subject.get("reference") if isinstance(subject, dict) else None
        if not isinstance(resource, dict) or resource.get("resourceType") != "ServiceRequest":
            raise UnusableInput("only a ServiceRequest can be added to a sandbox chart")
        if resource.get("status") != "draft" or patient != f"Patient/{self.patient_id}":
            raise UnusableInput("only a draft order for this patient can be added to its chart")
        if sum(resource["resourceType"] == "ServiceRequest" for resource in self.resources) >= MAX_ORDERS:
            raise UnusableInput(f"a sandbox chart holds at most {MAX_ORDERS} orders")
        order = {**resource, "id": self.new_id(), "authoredOn": _instant(now)}
        self.resources.append(order)
        return order

    def sign(self, order: str, now: datetime) -> None:
        """Sign a draft: it becomes an active order.

        Raises:
            UnusableInput: the chart has no such draft.
        """
        for number, resource in enumerate(self.resources):
            if (
                resource["resourceType"] == "ServiceRequest"
                and resource.get("id") == order
                and resource.get("status") == "draft"
            ):
                signed = {"status": "active", "intent": "order", "authoredOn": _instant(now)}
                self.resources[number] = {**resource, **signed}
                return
        raise UnusableInput("there is no such draft order in this chart")

    def remove(self, source: str) -> bool:
        """Remove the resource ``Type/id``, unless it is the Patient. Returns whether a resource was removed."""
        kind, _, identity = source.partition("/")
        left = [
            resource
            for resource in self.resources
            if (resource["resourceType"], resource.get("id")) != (kind, identity)
        ]
        if kind == "Patient" or len(left) == len(self.resources):
            return False
        self.resources = left
        return True


def _instant(now: datetime) -> str:
    return now.isoformat(timespec="seconds")


class Charts:
    """All open charts. Not thread-safe: used by the event loop only."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Chart, int]] = {}

    def open(self, title: str, story: str, patient_id: str, resources: Sequence[Resource]) -> Chart:
        """Open a new chart, and close the least recently used ones if there are too many."""
        chart = Chart(title, story, patient_id, tuple(resources))
        self._open[chart.id] = (chart, len(orjson.dumps(chart.opened)))
        while len(self._open) > MAX_CHARTS or sum(size for _, size in self._open.values()) > MAX_BYTES:
            del self._open[next(iter(self._open))]
        return chart

    def find(self, identity: str) -> Chart:
        """Return the open chart of that id and mark it as the most recently used.

        Raises:
            ChartGone: it is not open.
        """
        entry = self._open.pop(identity, None)
        if entry is None:
            raise ChartGone("this chart is no longer open: open the patient again at /sandbox")
        self._open[identity] = entry
        return entry[0]


def loaded(bundle: Any) -> tuple[str, list[Resource]]:
    """Return the patient's id and the resources of a Bundle, as a FHIR server would store them.

    Each resource has an id, and references within the Bundle have the form ``Type/id``.

    Raises:
        UnusableInput: it is not a Bundle of one patient's resources.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise UnusableInput("this is not a FHIR Bundle: it has no resourceType Bundle")
    whole = one_chart(bundle, "Practitioner/sandbox")
    names: dict[str, str] = {}
    taken: list[Resource] = []
    for number, entry in enumerate(whole.entries, start=1):
        resource = entry.resource
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(resource, dict) or not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise UnusableInput(f"entry {number} of the Bundle is not a FHIR resource")
        identity = resource.get("id")
        if not isinstance(identity, str) or not _ID.fullmatch(identity):
            identity = (entry.full_url or "").removeprefix("urn:uuid:")
            identity = identity if _ID.fullmatch(identity) else f"entry-{number}"
        if entry.full_url:
            names[entry.full_url] = f"{kind}/{identity}"
        taken.append({**resource, "id": identity})
    return whole.context.patientId, [_with_references(resource, names) for resource in taken]


def _with_references(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        copy = {key: _with_references(inner, names) for key, inner in value.items()}
        reference = copy.get("reference")
        return {**copy, "reference": names.get(reference, reference)} if isinstance(reference, str) else copy
    return [_with_references(inner, names) for inner in value] if isinstance(value, list) else value


def of_kind(resources: Sequence[Resource], kind: str) -> Iterator[Resource]:
    """Return the resources of one type."""
    return (resource for resource in resources if resource["resourceType"] == kind)
