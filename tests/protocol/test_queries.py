"""In every style of asking, the chart as its searches bring it is judged like the whole chart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.protocol.bundles import one_chart
from cds_service.protocol.messages import FhirAuthorization, HookRequest
from cds_service.protocol.prefetch import KeyState, Prefetched, gather
from cds_service.protocol.queries import BY_CATEGORY, BY_CODE, EXTRA_KEYS, FELT, VITALS, Plan, Style, plan_of
from cds_service.service.evaluate import Answer
from tests import fhir_server as fhir
from tests.charts import observation
from tests.conftest import EXAMPLES, NOW, bundle, one_in, shipped_service
from tests.fhir_server import Charts, FhirServer

STYLES: tuple[Style, ...] = ("all", "by_category", "by_code")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
TOKEN = "canary-token-77"
PLANS: dict[Style, Plan] = {style: plan_of(shipped_service().content, style) for style in STYLES}


@pytest.fixture(scope="module")
def ehr() -> Iterator[FhirServer]:
    with fhir.running() as running:
        yield running


@pytest.fixture(scope="module")
def reader(ehr: FhirServer) -> Iterator[FhirReader]:
    found = FhirReader((ehr.url,), deadline=10)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def afresh(ehr: FhirServer) -> None:
    ehr.behaviours.clear()
    ehr.asked.clear()


def whole(chart: dict[str, Any]) -> tuple[HookRequest, Answer]:
    one = one_chart(chart, "Practitioner/test")
    return one.request, shipped_service().answer(one.request, one.prefetched, NOW)


def serve(ehr: FhirServer, chart: dict[str, Any], style: Style, **how: Any) -> Charts:
    """The chart on a server that is strict in the styles for strict servers."""
    resources = [entry["resource"] for entry in chart["entry"]]
    ehr.charts = Charts(resources, **({"strict": style != "all"} | how))
    return ehr.charts


def call_to(ehr: FhirServer, request: HookRequest) -> HookRequest:
    lent = FhirAuthorization(access_token=TOKEN, token_type="Bearer", expires_in=300, scope="user/*.rs", subject="cds")
    return request.model_copy(update={"fhirServer": ehr.url, "fhirAuthorization": lent})


def read(ehr: FhirServer, reader: FhirReader, request: HookRequest, sent: Prefetched) -> Prefetched:
    return asyncio.run(reader.complete(call_to(ehr, request), sent, today=NOW.date()))


def prefetched_by(ehr: FhirServer, request: HookRequest, plan: Plan) -> dict[str, Any]:
    """What an EHR sends that fills in the templates of discovery."""
    found: dict[str, Any] = {}
    for key, template in plan.templates().items():
        if "encounterId" in template and request.context.encounterId is None:
            continue
        filled = template.replace("{{context.patientId}}", request.context.patientId)
        filled = filled.replace("{{context.encounterId}}", request.context.encounterId or "")
        address, _, query = filled.partition("?")
        if len(query) > 2000:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = requests.post(f"{ehr.url}/{address}/_search", query, headers=kind, timeout=10)
        else:
            answer = requests.get(f"{ehr.url}/{filled}", timeout=10)
        found[key] = answer.json()
    return found


def shown(answer: Answer) -> list[str]:
    """Cards without what is new in every call."""
    text = [card.message().model_dump_json(exclude_none=True) for card in answer.cards]
    return [re.sub(r'"(uuid|id)":"[^"]+"|\?draft=[^"]+', "", one) for one in text]


@pytest.mark.parametrize("style", STYLES)
def test_the_answer_by_searches_is_that_for_the_whole_bundle(ehr: FhirServer, reader: FhirReader, style: Style) -> None:
    """Read from the FHIR server, and prefetched by the templates of discovery.

    In the normal profile each example in one of the styles.
    """
    different = []
    for name in one_in(len(STYLES), NAMES, STYLES.index(style)):
        request, expected = whole(bundle(name))
        charts = serve(ehr, bundle(name), style)
        ours = read(ehr, reader, request, gather({}, PLANS[style]))
        sent = gather(prefetched_by(ehr, request, PLANS[style]), PLANS[style])
        assert charts.refused == [], name
        for how, chart in (("read", ours), ("sent", sent)):
            answer = shipped_service().answer(request, chart, NOW)
            if shown(answer) != shown(expected) or chart.incomplete:
                different.append((name, how, [part.key for part in chart.incomplete]))
    assert different == []


def bare_chart(*resources: dict[str, Any]) -> dict[str, Any]:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", "gender": "female"}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in (patient, *resources)],
    }


def signs(**fields: Any) -> list[dict[str, Any]]:
    return [
        observation(key, site="32153003", **fields)
        for key in ("pain_calf", "calf_swelling", "entire_leg_swollen", "deep_vein_tenderness")
    ]


SUSPECT = bare_chart(*signs())
"""Signs of a DVT, without categories."""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("category", [None, "exam", "vital-signs", "of-the-site"])
def test_a_sign_of_any_category_or_none_is_found(
    ehr: FhirServer, reader: FhirReader, style: Style, category: str | None
) -> None:
    named = {"category": [{"coding": [{"code": category}]}]} if category else {}
    chart = bare_chart(*signs(**named))
    request, expected = whole(chart)
    assert any(card.rule == "RF01" for card in expected.cards)
    serve(ehr, chart, style)
    answer = shipped_service().answer(request, read(ehr, reader, request, gather({}, PLANS[style])), NOW)
    assert shown(answer) == shown(expected)


def test_a_long_list_of_codes_goes_as_a_form_with_the_token(ehr: FhirServer, reader: FhirReader) -> None:
    request, _ = whole(SUSPECT)
    serve(ehr, SUSPECT, "by_category")
    read(ehr, reader, request, gather({}, PLANS["by_category"]))
    (form,) = [one for one in ehr.asked if one.method == "POST"]
    assert form.path == "/fhir/Observation/_search"
    assert form.query == {}
    assert "calf_swelling" in form.form["code"][0].split(",")
    assert form.headers["authorization"] == f"Bearer {TOKEN}"
    assert all(len(str(one.query)) < 2_500 for one in ehr.asked)


def test_a_server_that_takes_no_forms_gets_the_address(ehr: FhirServer, reader: FhirReader) -> None:
    request, expected = whole(SUSPECT)
    serve(ehr, SUSPECT, "by_category", strict=False, takes_forms=False)
    found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
    assert found.incomplete == ()
    assert shown(shipped_service().answer(request, found, NOW)) == shown(expected)


@pytest.mark.parametrize("behaviour", ["redirect", "never", "not json", "another server's page"])
def test_a_form_is_read_under_the_same_guards_as_an_address(
    ehr: FhirServer, reader: FhirReader, behaviour: str
) -> None:
    with fhir.running() as other:
        link = [{"relation": "next", "url": f"{other.url}/Observation?page=2"}]
        answers = {
            "redirect": (fhir.raw(307, b"", "text/plain", f"Location: {other.url}/Observation"), "redirect"),
            "never": (fhir.closes_half_way, "cut_short"),
            "not json": (fhir.raw(200, b"<html>", "text/html"), "not_fhir"),
            "another server's page": (fhir.body({**fhir.empty(), "link": link}), "page"),
        }
        serve(ehr, SUSPECT, "by_category")
        ehr.behaviours["/fhir/Observation/_search"], why = answers[behaviour]
        request, _ = whole(SUSPECT)
        found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
        assert [(part.key, part.why) for part in found.incomplete] == [("observations", why)]
        assert other.connections == 0


def test_only_old_vital_signs_are_left_out(ehr: FhirServer, reader: FhirReader) -> None:
    """What is ours by its code is found whatever its age and category: history has no window."""
    vital: dict[str, Any] = {"category": [{"coding": [{"code": "vital-signs"}]}]}
    unknown = {"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}]}
    rows = [observation(unknown, ago=ago, valueQuantity={"value": 170, "unit": "cm"}, **vital) for ago in (5, 700, 900)]
    history = observation("previous_dvt", ago=4_000, **vital)
    chart = bare_chart(*rows, history)
    request, _ = whole(chart)
    serve(ehr, chart, "by_category")
    found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
    came = {entry.identity for entry in found.entries}
    assert {history["id"], rows[0]["id"], rows[1]["id"]} <= came
    assert rows[2]["id"] not in came


# Keys that a server or an EHR need not have.


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    ("kind", "key"), [("MedicationStatement", "medication_statements"), ("DiagnosticReport", "reports")]
)
def test_what_a_server_does_not_have_is_named_and_nothing_lacks(
    ehr: FhirServer, reader: FhirReader, status: int, kind: str, key: str
) -> None:
    request, expected = whole(SUSPECT)
    serve(ehr, SUSPECT, "by_category")
    ehr.behaviours[f"/fhir/{kind}"] = fhir.raw(status, b"{}")
    found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
    assert found.incomplete == ()
    answer = shipped_service().answer(request, found, NOW)
    assert shown(answer) == shown(expected)
    assert answer.response_extension["notOffered"] == [key]


@pytest.mark.parametrize("behaviour", [fhir.raw(500, b"{}"), fhir.closes_half_way, fhir.raw(429, b"")])
def test_a_search_that_fails_leaves_its_part_unknown(
    ehr: FhirServer, reader: FhirReader, behaviour: fhir.Behaviour
) -> None:
    """An anticoagulant may stand there, and would keep a suspicion open."""
    request, _ = whole(SUSPECT)
    serve(ehr, SUSPECT, "by_category")
    ehr.behaviours["/fhir/MedicationStatement"] = behaviour
    found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
    assert [part.key for part in found.incomplete] == ["medications"]


def outcome(code: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@pytest.mark.parametrize("code", ["not-supported", "forbidden", "not-found"])
def test_an_ehr_that_says_it_has_none_of_them_is_believed(code: str) -> None:
    sent = {"medications": None, "medication_statements": outcome(code)}
    found = gather(sent, PLANS["by_category"])
    assert "medications" not in [part.key for part in found.incomplete]
    assert found.not_offered == ("medication_statements",)


@pytest.mark.parametrize("code", ["exception", "timeout", "throttled", "invalid"])
def test_an_ehr_that_reports_another_error_is_not(code: str) -> None:
    sent = {"medications": None, "medication_statements": outcome(code)}
    found = gather(sent, PLANS["by_category"])
    assert "medications" in [part.key for part in found.incomplete]
    assert found.not_offered == ()


# What was sent under which key.


@pytest.mark.parametrize("style", STYLES)
def test_the_old_keys_alone_are_a_whole_chart(ehr: FhirServer, reader: FhirReader, style: Style) -> None:
    """An EHR that was set up before the lean searches is neither asked for more nor told that something lacks."""
    request, _ = whole(SUSPECT)
    old = ("observations", "conditions", "procedures", "medications", "orders")
    sent = gather({"patient": {"resourceType": "Patient", "id": "p"}, **dict.fromkeys(old)}, PLANS[style])
    assert sent.incomplete == sent.to_read == ()
    assert read(ehr, reader, request, sent) == sent
    assert ehr.asked == []


@pytest.mark.parametrize("lost", [BY_CATEGORY, VITALS, BY_CODE])
def test_a_search_that_was_not_sent_is_read_and_otherwise_named(ehr: FhirServer, reader: FhirReader, lost: str) -> None:
    plan = PLANS["by_category"]
    request, expected = whole(SUSPECT)
    serve(ehr, SUSPECT, "by_category")
    values = {key: value for key, value in prefetched_by(ehr, request, plan).items() if key != lost}
    ehr.asked.clear()
    sent = gather(values, plan)
    (part,) = sent.incomplete
    state = KeyState.MISSING if lost == BY_CODE else KeyState.TRUNCATED  # the others hold nothing
    assert (part.key, part.state, part.why) == ("observations", state, "not_sent")
    assert [piece.key for piece in sent.to_read] == [lost]
    found = read(ehr, reader, request, sent)
    assert len(ehr.asked) == 1
    assert found.incomplete == ()
    assert shown(shipped_service().answer(request, found, NOW)) == shown(expected)


def test_the_keys_of_another_style_are_whole_only_if_they_bring_all() -> None:
    """``by_code`` leaves results out: that is the choice of a site, and not of whoever forgets a key."""
    lean, least = dict.fromkeys((BY_CATEGORY, VITALS, BY_CODE)), dict.fromkeys((FELT, BY_CODE))
    for style in STYLES:
        assert "observations" not in [part.key for part in gather(lean, PLANS[style]).incomplete], style
        lacks = "observations" in [part.key for part in gather(least, PLANS[style]).incomplete]
        assert lacks is (style != "by_code")
    both = gather({"observations": None, FELT: outcome("exception")}, PLANS["by_category"])
    assert "observations" not in [part.key for part in both.incomplete]


@pytest.mark.parametrize("style", STYLES)
def test_a_failed_search_is_never_silence(style: Style) -> None:
    for key in PLANS[style].templates():
        sent = dict.fromkeys(PLANS[style].templates()) | {key: outcome("exception")}
        lacking = [part.key for part in gather(sent, PLANS[style]).incomplete]
        assert len(lacking) == 1, key
    assert {one.key for one in PLANS[style].searches if one.is_extra} == EXTRA_KEYS


def test_the_reason_for_the_visit_is_read(ehr: FhirServer, reader: FhirReader) -> None:
    """Many records keep the complaint in the Encounter only."""
    name = next(name for name in NAMES if _reason_only(bundle(name)))
    request, expected = whole(bundle(name))
    serve(ehr, bundle(name), "by_category")
    found = read(ehr, reader, request, gather({}, PLANS["by_category"]))
    assert "Encounter" in {entry.kind for entry in found.entries}
    assert shown(shipped_service().answer(request, found, NOW)) == shown(expected) != []
    nowhere = request.model_copy(update={"context": request.context.model_copy(update={"encounterId": None})})
    assert read(ehr, reader, nowhere, gather({}, PLANS["by_category"])).incomplete == ()


def _reason_only(chart: dict[str, Any]) -> bool:
    return any(entry["resource"].get("reasonCode") for entry in chart["entry"])
