"""A browser as far as a launch needs one: it keeps cookies and follows redirects, and tells where it came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from joserfc.jwk import ECKey

from cds_service.base.settings import Settings
from tests.conftest import Server, bundle, run_server
from tests.ehr import CLIENT_ID, Ehr, running_ehr

_FIELD = re.compile(r'<input type="hidden" name="key" value="([^"]*)"')
PATIENT = {
    "resourceType": "Patient",
    "id": "dvt-1",
    "name": [{"use": "official", "family": "Northcote", "given": ["Mabel"]}],
    "birthDate": "1961-05-04",
    "gender": "female",
    "identifier": [
        {"value": "NHS-1"},
        {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
            "value": "MRN-77",
        },
    ],
}


def own_patients_chart(example: str = "dvt-likely") -> list[dict[str, Any]]:
    """The chart of an example, told of another invented patient: names of the examples must never be shown."""
    resources = [entry["resource"] for entry in bundle(example)["entry"]]
    found: list[dict[str, Any]] = [PATIENT]
    for resource in resources:
        if resource["resourceType"] in ("Patient", "Encounter", "Practitioner"):
            continue
        reference = {"reference": f"Patient/{PATIENT['id']}"}
        found.append({key: value for key, value in resource.items() if key != "encounter"} | {"subject": reference})
    return found


@dataclass
class Visitor:
    """A browser with its cookies, which it sends as browsers on loopback do, also those marked ``Secure``."""

    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def ask(self, method: str, url: str, **more: Any) -> requests.Response:
        """One request without following anything."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= more.pop("headers", {})
        answer = requests.request(method, url, headers=headers, allow_redirects=False, timeout=30, **more)
        if given := answer.headers.get("Set-Cookie"):
            self.set_cookies.append(given)
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def go(self, url: str) -> requests.Response:
        """GET, and follow to the end."""
        answer = self.ask("GET", url)
        while answer.status_code in (302, 303):
            url = urljoin(url, answer.headers["Location"])
            answer = self.ask("GET", url)
        answer.url = url
        return answer

    def send(self, page: requests.Response, action: str = "send", **fields: str) -> requests.Response:
        """The form of ``page``, filled in."""
        key = _FIELD.search(page.text)
        filled = {**FILLED, "key": key[1] if key else "", "action": action, **fields}
        answer = self.ask("POST", page.url, data=filled)
        answer.url = page.url
        return answer


FILLED = {
    "service": "dvt_referral",
    "priority": "asap",
    "side": "left",
    "indication": "suspected DVT",
    "question": "Please assess today.",
    "anticoagulant": "none",
    "contact": "bleep 12",
    "note": "Calf swelling.",
}


def words(page: requests.Response) -> str:
    """What a reader sees of a page, roughly."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def clients_file(folder: Path, ehr: Ehr, *, confidential: bool = True, more: str = "") -> Path:
    """A registry with this EHR."""
    key = ECKey.generate_key("P-384")
    ehr.client_key = key if confidential else None
    import json

    (folder / "ours.json").write_text(json.dumps({**key.as_dict(private=True), "kid": "ours"}), encoding="utf-8")
    file = folder / "clients.toml"
    signing = 'key_file = "ours.json"\n' if confidential else ""
    file.write_text(
        f'[client.north]\nfhir_servers = ["{ehr.iss}"]\nframe_ancestors = ["http://localhost:{ehr.port}"]\n'
        f'[client.north.smart]\nclient_id = "{CLIENT_ID}"\n{signing}{more}',
        encoding="utf-8",
    )
    return file


@contextmanager
def ehr_and_service(
    folder: Path, *, confidential: bool = True, more: str = "", **settings: Any
) -> Iterator[tuple[Ehr, Server]]:
    """An EHR with the chart of a suspected DVT, and the service that knows it."""
    with running_ehr() as ehr:
        ehr.put(*own_patients_chart())
        ehr.patient = str(PATIENT["id"])
        file = clients_file(folder, ehr, confidential=confidential, more=more)
        for server in run_server(Settings(clients=file, **settings)):
            server.wait_for_database()
            yield ehr, server


def card_link(server: Server, ehr: Ehr, number: int = 0) -> dict[str, Any]:
    """A link of the DVT card, when this EHR calls the hook with its whole chart: the order, or the assessment (1)."""
    link: dict[str, Any] = first_card(server, ehr)["links"][number]
    return link


def first_card(server: Server, ehr: Ehr) -> dict[str, Any]:
    """The first card, when this EHR calls the hook with its whole chart."""
    prefetch: dict[str, Any] = {"patient": ehr.chart[f"Patient/{ehr.patient}"]}
    kinds = {
        "observations": "Observation",
        "conditions": "Condition",
        "procedures": "Procedure",
        "medications": "MedicationRequest",
        "orders": "ServiceRequest",
    }
    for key, kind in kinds.items():
        entries = [{"resource": resource} for resource in ehr.chart.values() if resource["resourceType"] == kind]
        prefetch[key] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": ehr.iss,
        "context": {"userId": "Practitioner/dr-north", "patientId": ehr.patient},
        "prefetch": prefetch,
    }
    answer = server.call(body)
    assert answer.status_code == 200, answer.text
    card: dict[str, Any] = answer.json()["cards"][0]
    return card
