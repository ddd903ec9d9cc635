"""Sample requests with their answers, for people who connect an EHR: as a list, as files, and for HTTP clients.

The answers are made by the service itself. Only values that change with every call (uuids, the sealed part of a link)
or with every content (its version) are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import ValidationError

from cds_service.adapters.clients.shape import shape
from cds_service.base.errors import NothingToJudgeBy
from cds_service.base.settings import shipped
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.evaluate import Service, response
from cds_service.service.examples import as_request, bundles
from cds_service.web.operation_outcomes import in_words, outcome

BASE_URL = "http://127.0.0.1:8000"
CALL = POSTERIOR_KNEE_PAIN.path
FEEDBACK = f"{CALL}/feedback"
VERSION = "content-version"
"""Placeholder for the version of the content, which changes with every edit."""
_PATIENTS = {
    "dvt-likely": "A suspected DVT: an urgent card with a link and draft orders",
    "dvt-pregnant": "A suspected DVT in pregnancy",
    "dvt-already-ordered": "A suspected DVT whose scan is ordered already",
    "red-flag-rf07": "Another red flag: a knee that may be infected",
    "red-flag-rf15": "A warning: foot drop",
    "bakers-cyst-typical": "No red flag: the causes that fit, with reasons",
    "other-site-pain": "Silence: an empty list of cards, the normal answer",
}
_OUTCOMES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "feedback-accepted": (
        "The clinician took a suggestion",
        {"outcome": "accepted", "acceptedSuggestions": [{"id": "SUGGESTION"}]},
    ),
    "feedback-overridden": (
        "The clinician dismissed the card with a reason",
        {
            "outcome": "overridden",
            "overrideReason": {
                "reason": {
                    "code": "recipient-disagrees-evidence",
                    "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
                },
                "userComment": "Scan done elsewhere this morning",
            },
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One ``POST`` request and its answer."""

    name: str
    title: str
    path: str
    body: dict[str, Any]
    status: int
    answer: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the sample as ``GET /samples`` lists it."""
        return {"method": "POST", **asdict(self)}


def samples(service: Service, now: datetime) -> list[Sample]:
    """Return all samples, dated around ``now``, as a client with the standard profile gets them."""
    examples = dict(bundles(shipped("fhir_examples"), now.date()))
    calls = [
        _sample(service, now, name, title, as_request(examples[name], _uuid(name, 0)))
        for name, title in _PATIENTS.items()
    ]
    bare = as_request(examples["dvt-likely"], _uuid("nothing-to-judge-by", 0))
    bare["prefetch"] = {"patient": bare["prefetch"]["patient"]}
    unnamed = as_request(examples["dvt-likely"], _uuid("no-patient", 0))
    unnamed["context"] = {"userId": unnamed["context"]["userId"]}
    calls.append(
        _sample(service, now, "nothing-to-judge-by", "412: only the patient came, and no server to read from", bare)
    )
    calls.append(_sample(service, now, "no-patient", "400: the call names no patient", unnamed))
    return [*calls, *_feedback(calls[0], now)]


def _sample(service: Service, now: datetime, name: str, title: str, body: dict[str, Any]) -> Sample:
    try:
        request = HookRequest.model_validate(body)
        caller = service.clients.default
        answer = service.answer(request, gather(request.prefetch, service.plan(caller)), now, caller)
    except ValidationError as error:
        return Sample(name, title, CALL, body, 400, _outcome_body(400, in_words(error)))
    except NothingToJudgeBy as error:
        return Sample(name, title, CALL, body, 412, _outcome_body(412, str(error)))
    sent = orjson.dumps(response(shape(answer.cards, caller), answer.response_extension).as_json())
    out = orjson.loads(sent.replace(service.content.version.encode(), VERSION.encode()))
    for number, holder in enumerate(_with_uuid(out["cards"]), 1):
        holder["uuid"] = _uuid(name, number)
    return Sample(name, title, CALL, body, 200, out)


def _outcome_body(status: int, words: str) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(bytes(outcome(status, words).body))
    return body


def _feedback(urgent: Sample, now: datetime) -> Iterator[Sample]:
    card = urgent.answer["cards"][0]
    for name, (title, feedback) in _OUTCOMES.items():
        item = {"card": card["uuid"], **feedback, "outcomeTimestamp": now.isoformat(timespec="seconds")}
        if "acceptedSuggestions" in item:
            item["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
        kept = {"extension": {"com.posterior-knee-cds.feedback": {"received": 1}}}
        yield Sample(name, title, FEEDBACK, {"feedback": [item]}, 200, kept)


def _with_uuid(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "uuid" in value:
            yield value
        for inner in value.values():
            yield from _with_uuid(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _with_uuid(inner)


def _uuid(name: str, number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"https://posterior-knee-cds.example/samples/{name}/{number}"))


def files(given: Sequence[Sample], now: datetime) -> dict[str, bytes]:
    """Return file name -> content: requests, answers, a Postman collection (Bruno imports it) and an ``.http`` file."""
    contents: dict[str, bytes] = {"README.md": _readme(given, now).encode()}
    for sample in given:
        contents[f"{sample.name}.request.json"] = _pretty(sample.body)
        contents[f"{sample.name}.response.json"] = _pretty(sample.answer)
    contents["posterior-knee.postman_collection.json"] = _pretty(_collection(given))
    contents["samples.http"] = _http(given).encode()
    return contents


def _pretty(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


_README = """# Sample requests

Made by `knee-cds samples DIR`; do not edit. The patients are invented and dated around {day}. On a later day the
service treats these signs as over: write the samples for today with that command (`--day` dates them around another
day), or take them from `GET /samples` of a sandbox (`knee-cds demo`).

| request | path | answer | what it shows |
|---|---|---|---|
{rows}

The uuids of cards and suggestions and the `draft` in a link are new in every call; the version of the content is
written as `{version}`. Everything else is answered exactly as printed. `samples.http` is for the HTTP clients of VS
Code and JetBrains, `posterior-knee.postman_collection.json` for Postman and Bruno. Both send to `{base}`, where
`knee-cds demo` listens. A site that requires tokens needs one in the `Authorization` header.
"""


def _readme(given: Sequence[Sample], now: datetime) -> str:
    rows = (
        f"| [{sample.name}]({sample.name}.request.json) | `{sample.path}` "
        f"| [{sample.status}]({sample.name}.response.json) | {sample.title} |"
        for sample in given
    )
    return _README.format(day=now.date(), rows="\n".join(rows), version=VERSION, base=BASE_URL)


def _http(given: Sequence[Sample]) -> str:
    blocks = [f"@base = {BASE_URL}\n", "### Discovery\nGET {{base}}/cds-services\n"]
    blocks += [
        f"### {sample.title} ({sample.status})\nPOST {{{{base}}}}{sample.path}\nContent-Type: application/json\n\n"
        f"< ./{sample.name}.request.json\n"
        for sample in given
    ]
    return "\n".join(blocks)


def _collection(given: Sequence[Sample]) -> dict[str, Any]:
    """Return a collection in Postman's format 2.1. Each request checks the status of its answer."""
    return {
        "info": {
            "_postman_id": _uuid("collection", 0),
            "name": "Posterior knee CDS",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "variable": [{"key": "base", "value": BASE_URL}],
        "item": [
            {"name": "Discovery", "request": {"method": "GET", "header": [], "url": _url("/cds-services")}},
            *(_item(sample) for sample in given),
        ],
    }


def _item(sample: Sample) -> dict[str, Any]:
    check = f'pm.test("answers {sample.status}", () => pm.response.to.have.status({sample.status}));'
    return {
        "name": sample.name,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": [check]}}],
        "request": {
            "method": "POST",
            "description": sample.title,
            "header": [{"key": "Content-Type", "value": "application/json"}],
            "body": {
                "mode": "raw",
                "raw": orjson.dumps(sample.body, option=orjson.OPT_INDENT_2).decode(),
                "options": {"raw": {"language": "json"}},
            },
            "url": _url(sample.path),
        },
    }


def _url(path: str) -> dict[str, Any]:
    return {"raw": "{{base}}" + path, "host": ["{{base}}"], "path": path.strip("/").split("/")}
