"""The charts that are open in the sandbox: in memory only, a bounded number, the longest untouched goes first."""

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
    """No such chart is open: another took its place, or the service was started anew (HTTP 404)."""


@dataclass(eq=False)
class Chart:
    """One open chart.

    Attributes:
        token: what its FHIR server asks for.
        opened: the resources as they were when it was opened. resources: as they are now.
        told: the verdict of the last answer drawn, so that the next can say what moved.
        changing: held while facts are changed, since each change rests on the reading before it.
    """

    title: str
    story: str
    patient_id: str
    opened: tuple[Resource, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    resources: list[Resource] = field(default_factory=list)
    told: Mapping[str, str] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _number: int = 0

    def __post_init__(self) -> None:
        self.reset()

    @property
    def patient(self) -> Resource:
        """The Patient; an empty one if the chart has none."""
        return next((one for one in self.resources if one["resourceType"] == "Patient"), {})

    def reset(self) -> None:
        """As it was when it was opened."""
        self.resources = list(self.opened)
        self.told = {}

    def new_id(self) -> str:
        """An id that no resource here has."""
        self._number += 1
        return f"sandbox-{self._number}"

    def judged(self, service: Service, now: datetime, fhir_server: str) -> Assessment:
        """What ``service`` makes of it."""
        entries = tuple(ChartEntry(one) for one in self.resources)
        return service.judge(self.patient_id, entries, now, fhir_server=fhir_server)

    def request(self, road: Road, reader: str, fhir_server: str) -> dict[str, Any]:
        """The call an EHR makes when ``reader`` opens this chart; over ``fhir`` nothing is prefetched."""
        call = as_request({"entry": [{"resource": one} for one in self.resources]}, str(uuid4()))
        # A reader of its own for each chart: what one visitor has answered keeps no other visitor's cards quiet.
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
        """A draft that a clinician has accepted, put in as it came but for its id and date; still unsigned.

        Raises:
            UnusableInput: it is no draft order for this patient, or one too many.
        """
        subject = resource.get("subject") if isinstance(resource, dict) else None
        whose = subject.get("reference") if isinstance(subject, dict) else None
        if not isinstance(resource, dict) or resource.get("resourceType") != "ServiceRequest":
            raise UnusableInput("only a ServiceRequest can be put into a sandbox chart")
        if resource.get("status") != "draft" or whose != f"Patient/{self.patient_id}":
            raise UnusableInput("only a draft order for this patient can be put into its chart")
        if sum(1 for one in self.resources if one["resourceType"] == "ServiceRequest") >= MAX_ORDERS:
            raise UnusableInput(f"a sandbox chart holds at most {MAX_ORDERS} orders")
        order = {**resource, "id": self.new_id(), "authoredOn": _instant(now)}
        self.resources.append(order)
        return order

    def sign(self, order: str, now: datetime) -> None:
        """The clinician's signature: from a proposed draft to an order that stands.

        Raises:
            UnusableInput: there is no such draft.
        """
        for number, one in enumerate(self.resources):
            if one["resourceType"] == "ServiceRequest" and one.get("id") == order and one.get("status") == "draft":
                signed = {"status": "active", "intent": "order", "authoredOn": _instant(now)}
                self.resources[number] = {**one, **signed}
                return
        raise UnusableInput("there is no such draft order in this chart")

    def remove(self, source: str) -> bool:
        """Take out the resource ``Type/id``; whether it was there. The Patient stays."""
        kind, _, identity = source.partition("/")
        left = [one for one in self.resources if (one["resourceType"], one.get("id")) != (kind, identity)]
        if kind == "Patient" or len(left) == len(self.resources):
            return False
        self.resources = left
        return True


def _instant(now: datetime) -> str:
    return now.isoformat(timespec="seconds")


class Charts:
    """All open charts. Used by the one event loop only."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Chart, int]] = {}

    def open(self, title: str, story: str, patient_id: str, resources: Sequence[Resource]) -> Chart:
        """A new chart; others give way if there are too many."""
        chart = Chart(title, story, patient_id, tuple(resources))
        self._open[chart.id] = (chart, len(orjson.dumps(chart.opened)))
        while len(self._open) > MAX_CHARTS or sum(size for _, size in self._open.values()) > MAX_BYTES:
            del self._open[next(iter(self._open))]
        return chart

    def find(self, identity: str) -> Chart:
        """The open chart of that id, which is now the last touched.

        Raises:
            ChartGone: there is none.
        """
        found = self._open.pop(identity, None)
        if found is None:
            raise ChartGone("this chart is gone: open the patient again at /sandbox")
        self._open[identity] = found
        return found[0]


def loaded(bundle: Any) -> tuple[str, list[Resource]]:
    """The patient's id and the resources of a Bundle, taken in as a FHIR server would: every one with an id, and
    references within the Bundle as ``Type/id``.

    Raises:
        UnusableInput: it is no Bundle of one patient's resources.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise UnusableInput("this is not a FHIR Bundle: it has no resourceType Bundle")
    whole = one_chart(bundle, "Practitioner/sandbox")
    names: dict[str, str] = {}
    taken: list[Resource] = []
    for number, entry in enumerate(whole.entries, start=1):
        one = entry.resource
        kind = one.get("resourceType") if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise UnusableInput(f"entry {number} of the Bundle is not a FHIR resource")
        identity = one.get("id")
        if not isinstance(identity, str) or not _ID.fullmatch(identity):
            identity = (entry.full_url or "").removeprefix("urn:uuid:")
            identity = identity if _ID.fullmatch(identity) else f"entry-{number}"
        if entry.full_url:
            names[entry.full_url] = f"{kind}/{identity}"
        taken.append({**one, "id": identity})
    return whole.context.patientId, [_pointing(one, names) for one in taken]


def _pointing(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        found = {key: _pointing(inner, names) for key, inner in value.items()}
        reference = found.get("reference")
        return {**found, "reference": names.get(reference, reference)} if isinstance(reference, str) else found
    return [_pointing(inner, names) for inner in value] if isinstance(value, list) else value


def of_kind(resources: Sequence[Resource], kind: str) -> Iterator[Resource]:
    """Those of one resource type."""
    return (one for one in resources if one["resourceType"] == kind)
