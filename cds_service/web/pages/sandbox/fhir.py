"""A small in-memory FHIR R4 server: reads, and searches by the parameters that a CDS service uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi.responses import Response

from cds_service.web.pages.sandbox.charts import Resource

_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "Patient": ("_id",),
    "Encounter": ("_id", "patient", "subject", "status"),
    "Observation": ("_id", "patient", "subject", "code", "category", "status", "date"),
    "Condition": ("_id", "patient", "subject", "code", "category"),
    "Procedure": ("_id", "patient", "subject", "code", "category", "status", "date"),
    "MedicationRequest": ("_id", "patient", "subject", "code", "category", "status", "intent"),
    "MedicationStatement": ("_id", "patient", "subject", "code", "category", "status"),
    "ServiceRequest": ("_id", "patient", "subject", "code", "category", "status", "intent"),
    "DiagnosticReport": ("_id", "patient", "subject", "code", "category", "status", "date"),
}
"""Resource type -> its supported search parameters, as the CapabilityStatement lists them."""
KINDS = tuple(_BY_KIND)
Query = Sequence[tuple[str, str]]
_SINCE = re.compile(r"ge\d{4}-\d{2}-\d{2}(T.*)?")
_ACCEPTED_WITHOUT_EFFECT = ("_sort", "_format", "_total")
_MAX_COUNT = 500
_DEFAULT_COUNT = 50


class FhirError(Exception):
    """Answers a request with an OperationOutcome."""

    def __init__(self, status: int, code: str, words: str) -> None:
        self.status, self.code, self.words = status, code, words
        super().__init__(words)


def answer(resources: Sequence[Resource], base: str, path: str, query: Query) -> Response:
    """Answer ``GET {base}/{path}?{query}``, or the same search by ``POST``."""
    try:
        return _json(_result(resources, base, path, query))
    except FhirError as error:
        return refusal(error.status, error.code, error.words)


def refusal(status: int, code: str, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an OperationOutcome with one error."""
    return _json(_outcome("error", code, words), status, headers)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, dict(headers or {}), "application/fhir+json")


def _outcome(severity: str, code: str, words: str) -> Resource:
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _result(resources: Sequence[Resource], base: str, path: str, query: Query) -> Resource:
    if path == "metadata":
        return _statement(base)
    kind, _, identity = path.partition("/")
    if kind not in KINDS:
        raise FhirError(404, "not-supported", f"this server holds {', '.join(KINDS)}")
    of_type = [resource for resource in resources if resource["resourceType"] == kind]
    if not identity:
        return _search(of_type, base, kind, query)
    match = next((resource for resource in of_type if resource.get("id") == identity), None)
    if match is None:
        raise FhirError(404, "not-found", f"there is no {kind} of that id")
    return match


def _search(of_type: Sequence[Resource], base: str, kind: str, query: Query) -> Resource:
    wanted = [(name, value) for name, value in query if name in _BY_KIND[kind]]
    known = (*_BY_KIND[kind], *_ACCEPTED_WITHOUT_EFFECT, "_count", "_offset")
    ignored = sorted({name for name, _ in query if name not in known})
    matches = [resource for resource in of_type if all(_matches(resource, name, value) for name, value in wanted)]
    settings = dict(query)
    count = min(_whole_number(settings, "_count", _DEFAULT_COUNT), _MAX_COUNT)
    start = _whole_number(settings, "_offset", 0)
    page = matches[start : start + count]
    links = [{"relation": "self", "url": _address(base, kind, wanted, count, start)}]
    if start + count < len(matches) and count:
        links.append({"relation": "next", "url": _address(base, kind, wanted, count, start + count)})
    entries = [
        {"fullUrl": f"{base}/{kind}/{resource.get('id')}", "resource": resource, "search": {"mode": "match"}}
        for resource in page
    ]
    if ignored:
        warning = _outcome("warning", "not-supported", f"not searched by: {', '.join(ignored)}"[:300])
        entries.append({"resource": warning, "search": {"mode": "outcome"}})
    return {"resourceType": "Bundle", "type": "searchset", "total": len(matches), "link": links, "entry": entries}


def _whole_number(settings: Mapping[str, str], name: str, otherwise: int) -> int:
    value = settings.get(name, str(otherwise))
    if not value.isdecimal() or len(value) > 6:
        raise FhirError(400, "invalid", f"{name} must be a whole number")
    return int(value)


def _address(base: str, kind: str, wanted: Sequence[tuple[str, str]], count: int, start: int) -> str:
    more = [("_offset", str(start))] if start else []
    return f"{base}/{kind}?{urlencode([*wanted, ('_count', str(count)), *more], safe=',|/:')}"


def _matches(resource: Resource, name: str, value: str) -> bool:
    wanted = [part for part in value.split(",") if part]
    if name == "_id":
        return resource.get("id") in wanted
    if name in ("status", "intent"):
        return resource.get(name) in [part.rpartition("|")[2] for part in wanted]
    if name == "date":
        return _is_since(resource, value)
    if name in ("code", "category"):
        return any(_is_code(token, part) for token in _codings(resource, name) for part in wanted)
    subject = resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    own = f"Patient/{resource.get('id')}" if resource["resourceType"] == "Patient" else reference
    return own in [part if "/" in part else f"Patient/{part}" for part in wanted]


def _is_code(token: tuple[Any, Any], part: str) -> bool:
    system, bar, code = part.rpartition("|")
    return token[1] == code and (not bar or (token[0] or "") == system)


def _codings(resource: Resource, name: str) -> Iterator[tuple[Any, Any]]:
    concepts = (
        [resource.get("category")]
        if name == "category"
        else [resource.get("code"), resource.get("medicationCodeableConcept")]
    )
    for several in concepts:
        for concept in several if isinstance(several, list) else [several]:
            codings = concept.get("coding") if isinstance(concept, dict) else None
            for coding in codings if isinstance(codings, list) else ():
                if isinstance(coding, dict):
                    yield coding.get("system"), coding.get("code")


def _is_since(resource: Resource, value: str) -> bool:
    """Whether a resource matches ``date=ge...``, the only supported comparison. Dates are compared as ISO 8601 text; a
    period without an end is still going on."""
    if not _SINCE.fullmatch(value):
        raise FhirError(400, "not-supported", "date supports only ge and a full date, such as ge2026-03-01")
    period = resource.get("effectivePeriod") or resource.get("performedPeriod")
    if isinstance(period, dict):
        when = period.get("end", "9999-12-31")
    else:
        when = resource.get("effectiveDateTime") or resource.get("performedDateTime")
    return isinstance(when, str) and when[:10] >= value[2:12]


def _statement(base: str) -> Resource:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "implementation": {"description": "Invented patients, read only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": kind,
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [_parameter(name) for name in _BY_KIND[kind]],
                    }
                    for kind in KINDS
                ],
            }
        ],
    }


def _parameter(name: str) -> dict[str, str]:
    if name == "date":
        return {"name": name, "type": "date", "documentation": "only ge and a full date"}
    return {"name": name, "type": "reference" if name in ("patient", "subject") else "token"}
