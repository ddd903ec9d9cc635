"""One Bundle on the command line goes the same road as a call: what did not come whole is named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.cli.evaluate import judge
from cds_service.cli.inputs import understand
from cds_service.rendering.gaps import incomplete_parts
from cds_service.service.evaluate import Service
from tests.conftest import NOW, bundle

REFUSED = {"response": {"status": "403 Forbidden"}}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "suppressed"}]}


def searchset(name: str, *more: Any, **frame: Any) -> bytes:
    """An example as a server answers a search for everything."""
    rows = [{key: row[key] for key in ("fullUrl", "resource") if key in row} for row in bundle(name)["entry"]]
    return orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [*rows, *more], **frame})


NOT_WHOLE: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "a next page": ((), {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}),
    "a link as an object": ((), {"link": {"relation": "next"}}),
    "a greater total": ((), {"total": 900}),
    "a total as text": ((), {"total": "3"}),
    "a subset": ((), {"meta": {"tag": [{"code": "SUBSETTED"}]}}),
    "rules of its own": ((), {"implicitRules": "https://x.example/rules"}),
    "an outcome": (({"resource": OUTCOME, "search": {"mode": "outcome"}},), {}),
    "a row refused": ((REFUSED,), {"type": "batch-response"}),
    "a row without a resource": (({"fullUrl": "urn:uuid:1"},), {}),
    "a row of null": ((None,), {}),
    "a Bundle in a Bundle": (({"resource": {"resourceType": "Bundle", "type": "searchset"}},), {}),
    "an outcome in a collection": (({"resource": OUTCOME},), {"type": "collection"}),
}


@pytest.mark.parametrize("what", sorted(NOT_WHOLE))
def test_a_bundle_that_is_not_whole(service: Service, what: str) -> None:
    more, frame = NOT_WHOLE[what]
    cards, assessment = judge(service, searchset("dvt-likely", *more, **frame), NOW)
    assert cards[0].indicator == "critical"
    assert "Not available: " in cards[0].detail
    named = [one.name for one in incomplete_parts(assessment.record)]
    assert "observations (not all)" in named
    assert "orders" in " ".join(named)
    assert "patient details" not in named
    with pytest.raises(NothingToJudgeBy, match="observations"):
        judge(service, searchset("nothing-at-all", *more, **frame), NOW)
    (card,) = judge(service, searchset("worked-case-4", *more, **frame), NOW)[0]
    assert card.detail.startswith("**DVT cannot be excluded:** observations (not all)")


@pytest.mark.parametrize("kind", ["searchset", "batch-response", "collection", "transaction", "document", None])
def test_a_whole_bundle_of_any_type(service: Service, kind: str | None) -> None:
    """A kind that is not in it is known to be none."""
    for name in ("dvt-likely", "nothing-at-all", "worked-case-4"):
        plain, expected = judge(service, orjson.dumps(bundle(name)), NOW)
        cards, assessment = judge(service, searchset(name, type=kind), NOW)
        assert assessment == expected
        assert [card.summary for card in cards] == [card.summary for card in plain]
        assert assessment.record.not_whole == frozenset()


def test_a_whole_searchset_says_how_many_there_are(service: Service) -> None:
    count = len(bundle("dvt-likely")["entry"])
    note = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    found = searchset("dvt-likely", {"resource": note, "search": {"mode": "outcome"}}, total=count)
    assert judge(service, found, NOW)[1].record.not_whole == frozenset()


def test_rows_keep_the_order_of_the_bundle() -> None:
    found = understand(searchset("dvt-likely", 7, REFUSED))
    rows = bundle("dvt-likely")["entry"]
    assert [entry.resource for entry in found.entries] == [*(row["resource"] for row in rows), None, None]


def test_a_request_with_an_unusable_part_is_judged(service: Service) -> None:
    from cds_service.service.examples import as_request

    request = as_request(bundle("dvt-likely"), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
    request["context"]["encounterId"] = ""
    request["fhirAuthorization"] = {"access_token": "x"}
    given = understand(orjson.dumps(request))
    assert given.request.dropped == (
        "context.encounterId", "fhirAuthorization.expires_in", "fhirAuthorization.scope",
        "fhirAuthorization.subject", "fhirAuthorization.token_type",
    )  # fmt: skip
    assert given.request.fhirAuthorization is None
    assert judge(service, orjson.dumps(request), NOW)[0][0].indicator == "critical"


@pytest.mark.parametrize(
    "document",
    [
        b'{"resourceType": "Bundle", "type": "searchset", "type": "collection", "entry": []}',
        b'{"resourceType": "Bundle", "total": NaN}',
        b'{"resourceType": "Bundle", "entry": ' + b"[" * 80 + b"]" * 80 + b"}",
    ],
)
def test_a_document_that_could_mean_two_things(document: bytes) -> None:
    with pytest.raises(UnusableInput):
        understand(document)
