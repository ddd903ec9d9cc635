"""Reads from and writes to the EHR's FHIR server with the token of one launch, and interprets the answers.

A write is never repeated blindly: if its outcome is uncertain, the service first searches for its identifier.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import orjson

from cds_service.adapters.http import Transport
from cds_service.adapters.http_terms import Deadline, NoAnswer, Reply
from cds_service.base.urls import Address
from cds_service.service.smart.launches import Launch

SECONDS = 8.0
IDENTIFIER_SYSTEM = "urn:ietf:rfc:3986"
_ELEMENT = re.compile(r"ServiceRequest\.([a-zA-Z]+)")
_MAX_ISSUES = 10
_MAX_ISSUE_LENGTH = 300
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

Kind = Literal["ServiceRequest", "Observation"]
"""The types that a launch may create: one order, and one assessment."""
Outcome = Literal["placed", "invalid", "expired", "forbidden", "exists", "unsure", "not_sent"]


@dataclass(frozen=True, slots=True)
class Issue:
    """An error that the server reports. ``element``: of the ServiceRequest, such as ``code``; empty if not named."""

    words: str
    element: str = ""


@dataclass(frozen=True, slots=True)
class Placing:
    """The outcome of a write.

    Attributes:
        outcome: ``unsure`` if it may have been placed and cannot be looked up; ``not_sent`` if certainly not sent.
        order: ``id`` and ``status`` on the server; None if the server does not have it.
        issues: the errors in the server's words. Show them only as text.
    """

    outcome: Outcome
    order: Mapping[str, str] | None = None
    issues: tuple[Issue, ...] = ()


class EhrRefused(Exception):
    """The EHR's server could not be read. ``why``: ``expired``, ``forbidden``, ``no_answer`` or ``other_patient``."""

    def __init__(self, why: Literal["expired", "forbidden", "no_answer", "other_patient"]) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Ehr:
    """The FHIR server of one launch. Every method blocks."""

    transport: Transport
    launch: Launch
    kind: Kind = "ServiceRequest"

    @property
    def mark(self) -> str:
        """The identifier of the order or assessment that this launch creates."""
        return f"urn:uuid:{self.launch.order if self.kind == 'ServiceRequest' else self.launch.assessment}"

    def patient(self) -> dict[str, Any]:
        """Return the Patient of the launch.

        Raises:
            EhrRefused: it could not be read, or the server returned another patient.
        """
        patient = self._read(f"Patient/{self.launch.patient}")
        if patient.get("resourceType") != "Patient" or patient.get("id") != self.launch.patient:
            raise EhrRefused("other_patient")
        return patient

    def user(self) -> dict[str, Any]:
        """Return the resource of the user who signed in; empty if it cannot be read, because nothing depends on it."""
        if not self.launch.user:
            return {}
        try:
            found = self._read(self.launch.user)
        except EhrRefused:
            return {}
        kind, _, identity = self.launch.user.partition("/")
        return found if (found.get("resourceType"), found.get("id")) == (kind, identity) else {}

    def encounter_fits(self) -> bool:
        """Return whether the encounter of the launch belongs to the patient. True if it cannot be read.

        Raises:
            EhrRefused: the token has expired.
        """
        if not self.launch.encounter:
            return True
        try:
            encounter = self._read(f"Encounter/{self.launch.encounter}")
        except EhrRefused as error:
            if error.why == "expired":
                raise
            return True
        subject = encounter.get("subject")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if not isinstance(reference, str):
            return True
        return reference == f"Patient/{self.launch.patient}" or reference.endswith(f"/Patient/{self.launch.patient}")

    @property
    def allowed(self) -> bool:
        """Whether the token allows the creation of resources of this kind."""
        scope = re.compile(rf"(?:patient|user|system)/(?:{self.kind}|\*)\.(?:c[ruds]*|write|\*)(?:\?.*)?")
        return any(scope.fullmatch(granted) for granted in self.launch.scope.split())

    def can_create(self) -> bool:
        """Return whether the server declares the creation of resources of this kind, and the token allows it."""
        if not self.allowed:
            return False
        try:
            statement = self._read("metadata")
        except EhrRefused:
            return False
        return any(
            interaction.get("code") == "create"
            for rest in _dicts(statement.get("rest"))
            for resource in _dicts(rest.get("resource"))
            if resource.get("type") == self.kind
            for interaction in _dicts(resource.get("interaction"))
        )

    def find(self) -> Mapping[str, str] | None:
        """Return id and status of what this launch created; None if the server does not have it.

        Raises:
            EhrRefused: the server cannot be searched.
        """
        mark = quote(f"{IDENTIFIER_SYSTEM}|{self.mark}", safe="")
        bundle = self._read(f"{self.kind}?identifier={mark}")
        if bundle.get("resourceType") != "Bundle":
            raise EhrRefused("forbidden")
        for entry in _dicts(bundle.get("entry")):
            if order := self._ours(entry.get("resource")):
                return order
        return None

    def place(self, resource: Mapping[str, Any]) -> Placing:
        """Create the resource, unless the server already has it. It is sent at most once."""
        try:
            if existing := self.find():
                return Placing("placed", existing)
        except EhrRefused as error:
            if error.why == "expired":
                return Placing("expired")
            if error.why == "no_answer":
                return Placing("not_sent")
        headers = {
            "Content-Type": "application/fhir+json",
            "Prefer": "return=representation",
            "If-None-Exist": f"identifier={IDENTIFIER_SYSTEM}|{self.mark}",
        }
        try:
            reply = self._exchange("POST", self.kind, headers, orjson.dumps(resource))
        except NoAnswer as error:
            return Placing("not_sent") if error.why in ("unreachable", "forbidden_address") else self._looked_up()
        return self._placing(reply)

    def _placing(self, reply: Reply) -> Placing:
        """Return what the response to the write means."""
        issues = tuple(_issues(reply.value))
        if reply.status in (200, 201):
            order = self._ours(reply.value)
            return Placing("placed", order) if order else self._looked_up(issues)
        if reply.status in (400, 422):
            return Placing("invalid", issues=issues)
        if reply.status == 401:
            return Placing("expired", issues=issues)
        if reply.status in (403, 404, 405):
            return Placing("forbidden", issues=issues)
        looked_up = self._looked_up(issues)
        if reply.status in (409, 412) and looked_up.outcome != "placed":
            return Placing("exists", issues=issues)
        return looked_up

    def _looked_up(self, issues: tuple[Issue, ...] = ()) -> Placing:
        """Search for the resource after a write with an uncertain outcome."""
        try:
            existing = self.find()
        except EhrRefused:
            return Placing("unsure", issues=issues)
        return Placing("placed", existing, issues) if existing else Placing("unsure", issues=issues)

    def _ours(self, resource: Any) -> Mapping[str, str] | None:
        """Return id and status if ``resource`` is what this launch created for this patient; else None."""
        if not isinstance(resource, dict) or resource.get("resourceType") != self.kind:
            return None
        identifiers = {identifier.get("value") for identifier in _dicts(resource.get("identifier"))}
        subject = resource.get("subject")
        reference = subject.get("reference") if isinstance(subject, dict) else ""
        identity, status = resource.get("id"), resource.get("status")
        if self.mark not in identifiers or not isinstance(identity, str):
            return None
        if not str(reference).endswith(f"Patient/{self.launch.patient}") or not _ID.fullmatch(identity):
            return None
        return {"id": identity, "status": status if isinstance(status, str) else "not stated"}

    def _read(self, path: str) -> dict[str, Any]:
        try:
            reply = self._exchange("GET", path, {})
        except NoAnswer as error:
            raise EhrRefused("no_answer") from error
        if reply.status == 401:
            raise EhrRefused("expired")
        if reply.status >= 500 or reply.status == 429:
            raise EhrRefused("no_answer")
        if reply.status != 200 or reply.value is None:
            raise EhrRefused("forbidden")
        return reply.value

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        url = f"{Address.parse(self.launch.iss)}/{path}"
        own = {"Authorization": f"Bearer {self.launch.token}"}
        return self.transport.client.exchange(
            method, url, Deadline(time.monotonic() + SECONDS), headers={**own, **headers}, body=body
        )


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; nothing if ``value`` is not a list."""
    yield from (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _issues(value: Mapping[str, Any] | None) -> Iterator[Issue]:
    """Yield the issues of an OperationOutcome."""
    if value is None or value.get("resourceType") != "OperationOutcome":
        return
    for issue in list(_dicts(value.get("issue")))[:_MAX_ISSUES]:
        details = issue.get("details")
        detail_text = details.get("text") if isinstance(details, dict) else None
        text = issue.get("diagnostics") or detail_text or issue.get("code")
        places = issue.get("expression")
        where = next((place for place in places if isinstance(place, str)), "") if isinstance(places, list) else ""
        if isinstance(text, str):
            element = _ELEMENT.match(where)
            yield Issue(text[:_MAX_ISSUE_LENGTH], element[1] if element else "")
