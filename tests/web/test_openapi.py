"""The OpenAPI document is true: whatever it allows to be sent is answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from cds_service.base.settings import Settings
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from tests.conftest import LONG, Server, run_server, stories
from tests.tokens import Signer, key_server
from tests.web.test_hook import request_for

load_all_checks()
HOOK, FEEDBACK = POSTERIOR_KNEE_PAIN.path, f"{POSTERIOR_KNEE_PAIN.path}/feedback"
OPERATIONS = {
    ("get", "/"),
    ("get", "/assess"),
    ("get", "/cds-services"),
    ("post", HOOK),
    ("post", FEEDBACK),
    ("get", "/.well-known/jwks.json"),
    ("get", "/evidence"),
    ("get", "/evidence.json"),
    ("get", "/evidence/explorer"),
    ("get", "/evidence/open"),
    ("get", "/evidence/{key}"),
    ("get", "/evidence/{key}.json"),
    ("get", "/fhir/CodeSystem/assessment"),
    ("get", "/fhir/CodeSystem/finding"),
    ("get", "/fhir/Questionnaire/dvt-assessment"),
    ("get", "/fhir/ValueSet/{key}"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/leaflets/{cause}"),
    ("get", "/metrics"),
    ("get", "/orders/{order}"),
}
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
TRIALS = [(*one, POSITIVE) for one in sorted(OPERATIONS)] + [("post", HOOK, NEGATIVE), ("post", FEEDBACK, NEGATIVE)]
MANY = 500 if LONG else 20


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    """The document as a client gets it, ready to be tried."""

    def accepted(*statuses: str) -> dict[str, Any]:
        return {"positive_data_acceptance": {"expected-statuses": list(statuses)}}

    # A moment near the year 1 or 9999 is of the right format and does not exist in UTC.
    feedback = {"include-path": FEEDBACK, "checks": accepted("200", "400")}
    config = schemathesis.Config.from_dict({"checks": accepted("200", "404", "412"), "operations": [feedback]})
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)


def test_it_tells_of_every_route(server: Server) -> None:
    answer = server.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert {(method, path) for path, methods in told["paths"].items() for method in methods} == OPERATIONS
    assert {"400", "408", "412", "413", "415", "429", "500", "503"} < set(told["paths"][HOOK]["post"]["responses"])
    assert not any("422" in one["responses"] for methods in told["paths"].values() for one in methods.values())
    assert server.get("/redoc").status_code == 404


@pytest.mark.parametrize(("method", "path", "mode"), TRIALS)
def test_every_answer_is_in_the_document(document: Any, method: str, path: str, mode: GenerationMode) -> None:
    operation = document[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=MANY)
    def check(case: Any) -> None:
        case.call_and_validate(timeout=20)

    check()


@given(name=st.sampled_from(sorted(stories())), lost=st.sets(st.sampled_from(["observations", "conditions"])))
@settings(max_examples=MANY)
def test_so_is_every_answer_to_a_real_chart(document: Any, name: str, lost: set[str]) -> None:
    body = request_for(name)
    body["prefetch"] = {key: value for key, value in body["prefetch"].items() if key not in lost}
    case = document[HOOK]["post"].Case(body=body, media_type="application/json")
    answer = case.call_and_validate(timeout=20)
    assert answer.status_code in ((200, 412) if lost else (200,))


def test_where_tokens_are_required_it_says_so() -> None:
    signer = Signer()
    with key_server(signer.public()) as keys:
        clients = f'[client.north.token]\nissuer = "{signer.issuer}"\njwks_url = "{keys.url}"\n'
        for closed in run_server(Settings(auth="required", discovery="closed", clients_toml=clients)):
            told = closed.get("/openapi.json").json()
    assert told["components"]["securitySchemes"]["bearer"]["bearerFormat"] == "JWT"
    operations = {(method, path): one for path, every in told["paths"].items() for method, one in every.items()}
    guarded = {name: one["responses"]["401"] for name, one in operations.items() if "security" in one}
    assert set(guarded) == {("get", "/cds-services"), ("post", HOOK), ("post", FEEDBACK)}
    assert not any("content" in answer for answer in guarded.values())
    assert all(one["security"] == [{"bearer": []}] for one in operations.values() if "security" in one)
