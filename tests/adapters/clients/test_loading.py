"""Client profiles: the shipped ones, a site's own file, and the cards in each dialect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.adapters.clients.loading import PROFILES, load_clients
from cds_service.adapters.clients.model import Clients
from cds_service.adapters.store.reports import report
from cds_service.adapters.store.store import Store
from cds_service.base.errors import ContentError
from cds_service.base.settings import Settings
from cds_service.cli.main import main
from cds_service.clinical.content.catalogue import Content
from tests.conftest import run_server
from tests.web.test_hook import request_for

EHR = "https://ehr.north.example/fhir"

SITE = f"""
[default]
profile = "generic"

[client.north]
profile = "epic"
fhir_servers = ["{EHR}", "https://ehr.north.example:8443/r4"]

[client.north.orders.venous_duplex]
code = "12345"
display = "US leg veins"
left = "12346"

[client.north.orders.dvt_referral]
system = "https://north.example/orders"
code = "REF-DVT"
display = "DVT clinic"

[client.quiet]
fhir_servers = ["https://quiet.example/fhir"]
silent = true

[client.few]
fhir_servers = ["https://few.example/fhir"]
switched_off = ["RF01", "bakers_cyst"]
profile = "plain"

[profile.plain]
title = "Plain text, one choice, no links"
selection_behavior = "at-most-one"
detail = "plain"
detail_content_type = true
override_reasons = false
links = false
own_order_codes = "optional"
open_fhir = false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clients.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, content: Content, text: str, **settings: Any) -> Clients:
    return load_clients(Settings(clients=written(folder, text), **settings), content)


def cards(folder: Path, name: str, fhir_server: str | None, text: str = SITE) -> dict[str, Any]:
    """The answer to one example, called by the client of ``fhir_server``."""
    for server in run_server(Settings(clients=written(folder, text))):
        body = request_for(name)
        if fhir_server:
            body["fhirServer"] = fhir_server
        answer = server.call(body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
    return found


def test_without_a_file_every_client_gets_the_standard(content: Content) -> None:
    clients = load_clients(Settings(), content)
    (only,) = clients.everyone
    assert clients.find(EHR) is only
    assert only.profile.title == "CDS Hooks 2.0, strict"
    assert not only.profile.open_fhir


def test_a_client_is_known_by_its_server(tmp_path: Path, content: Content) -> None:
    clients = loaded(tmp_path, content, SITE)
    for url in (EHR, EHR + "/", "HTTPS://EHR.NORTH.EXAMPLE/fhir", "https://ehr.north.example:443/fhir", EHR + "/r4"):
        assert clients.find(url).name == "north", url
    for other in (None, "", "https://ehr.north.example", EHR + "x", "http://ehr.north.example/fhir",
                  "https://u@ehr.north.example/fhir", EHR + "/../fhir", "nonsense"):  # fmt: skip
        assert clients.find(other).name == "default", other


def test_epic_gets_the_sites_own_codes_and_the_rest_in_words(tmp_path: Path) -> None:
    card = cards(tmp_path, "dvt-likely", EHR)["cards"][0]
    assert card["selectionBehavior"] == "any"
    assert card["extension"] == {"com.epic.cdshooks.card.detail.content-type": "text/markdown"}
    by_label = {one["label"]: one["actions"][0]["resource"]["code"]["coding"] for one in card["suggestions"]}
    duplex = by_label["Venous duplex today, left leg"]
    assert duplex[0] == {
        "system": "urn:com.epic.cdshooks.action.code.system.preference-list-item",
        "code": "12346",
        "display": "US leg veins",
    }
    assert duplex[1]["code"] == "39432-0"  # our own code stays beside it
    assert by_label["Same-day DVT referral, left leg"][0]["system"] == "https://north.example/orders"
    assert by_label["Same-day DVT referral, left leg"][0]["code"] == "REF-DVT"
    assert list(by_label) == ["Same-day DVT referral, left leg", "Venous duplex today, left leg"]
    assert "**To order by hand:** D-dimer, result today." in card["detail"]
    assert len(card["detail"]) <= 1200
    assert card["detail"].endswith("Not a diagnosis.")


def test_the_generic_client_gets_no_dialect(tmp_path: Path) -> None:
    card = cards(tmp_path, "dvt-likely", None)["cards"][0]
    assert "extension" not in card
    assert "To order by hand" not in card["detail"]
    assert len(card["suggestions"]) == 3
    assert {one["system"] for s in card["suggestions"] for one in s["actions"][0]["resource"]["code"]["coding"]} <= {
        "http://snomed.info/sct",
        "http://loinc.org",
    }


def test_silent_mode_shows_nothing_says_so_and_is_counted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cards.db"
    for server in run_server(Settings(clients=written(tmp_path, SITE), database_url=url)):
        body = request_for("dvt-likely") | {"fhirServer": "https://quiet.example/fhir"}
        answer = server.call(body).json()
        assert answer["cards"] == []
        assert answer["extension"]["com.posterior-knee-cds.reading"]["silentMode"] is True
        assert 'fate="silent",indicator="critical",rule="RF01"' in server.get("/metrics").text
    store = Store.open(url)
    (dvt,) = [line for line in report(store).lines if line.rule == "RF01"]
    store.close()
    assert (dvt.shown, dvt.silent, dvt.unanswered) == (0, 1, 0)


def test_a_switched_off_rule_makes_no_card(tmp_path: Path) -> None:
    full = cards(tmp_path, "dvt-likely", None)["cards"]
    few = cards(tmp_path, "dvt-likely", "https://few.example/fhir")["cards"]
    assert full[0]["source"]["topic"]["code"] == "kneedvt1"
    assert "kneedvt1" not in {card["source"]["topic"]["code"] for card in few}
    cyst = cards(tmp_path, "bakers-cyst-typical", "https://few.example/fhir")["cards"]
    assert not any("Baker" in card["summary"] for card in cyst)


def test_plain_text_one_choice_no_links(tmp_path: Path) -> None:
    card = cards(tmp_path, "worked-case-4", "https://few.example/fhir")["cards"][0]
    assert card["selectionBehavior"] == "at-most-one"
    assert "**" not in card["detail"]
    assert "`" not in card["detail"]
    assert card["extension"] == {"com.epic.cdshooks.card.detail.content-type": "text/plain"}
    for key in ("links", "overrideReasons"):
        assert key not in card


def test_links_only_to_the_hosts_a_site_allows(tmp_path: Path) -> None:
    site = '[default]\nlink_hosts = ["127.0.0.1", "orders.example"]\n'
    settings = Settings(clients=written(tmp_path, site), order_url="https://orders.example/{order}")
    for server in run_server(settings):
        order, assessment = server.call(request_for("dvt-likely")).json()["cards"][0]["links"]
        assert order["url"] == "https://orders.example/dvt_referral"
        assert assessment["url"].startswith(f"{server.url}/assess?")


MISTAKES = {
    '[default]\nprofil = "epic"': "default.profil: unknown key `profil` (did you mean `profile`?)",
    '[default]\nprofile = "epik"': "default.profile: `epik` is not a profile (there are ",
    '[default]\nswitched_off = ["RF99"]': "default.switched_off: `RF99` is not a rule or cause",
    '[client.a.orders.duplex]\ncode = "1"\ndisplay = "x"\nsystem = "abc"': "client.a.orders: `duplex` is not an order",
    '[client.a.orders.d_dimer]\ncode = "1"\ndisplay = "x"': "client.a.orders.d_dimer: the key `system` is missing",
    '[client.a.orders.d_dimer]\ndisplay = "x"': "client.a.orders.d_dimer.code: the key `code` is missing",
    '[client.a]\nfhir_servers = ["ehr.example"]': "client.a.fhir_servers.0: is not an absolute http or https URL",
    '[client.a]\nsilent = "yes"': "client.a.silent: should be a valid boolean",
    '[client.a]\nfhir_servers = ["https://e.example"]\n[client.b]\nfhir_servers = ["https://E.example:443/"]': (
        "client: https://e.example is listed 2 times"
    ),
    '[default]\nlink_hosts = ["other.example"]': "default.link_hosts: leaves out 127.0.0.1, the host of",
    '[profile.own]\ntitle = "x"': "profile.own.selection_behavior: the key `selection_behavior` is missing",
    "[default": "is not valid TOML",
}


@pytest.mark.parametrize("text", sorted(MISTAKES))
def test_every_mistake_is_named_with_its_place(tmp_path: Path, content: Content, text: str) -> None:
    with pytest.raises(ContentError) as caught:
        loaded(tmp_path, content, text)
    assert any(MISTAKES[text] in str(problem) for problem in caught.value.problems), caught.value


def test_check_names_the_clients_and_what_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("KNEE_CDS_CLIENTS", str(written(tmp_path, SITE)))
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert "  north: Epic" in said
    assert "  quiet: CDS Hooks 2.0, strict, SILENT: nothing is shown" in said
    assert "  few: Plain text, one choice, no links, SWITCHED OFF: RF01, bakers_cyst" in said
    monkeypatch.setenv("KNEE_CDS_CLIENTS", str(written(tmp_path, '[default]\nprofile = "epik"')))
    assert main(["check"]) == 2
    assert "`epik` is not a profile" in capsys.readouterr().err
    monkeypatch.setenv("KNEE_CDS_CLIENTS", str(tmp_path / "none.toml"))
    assert main(["check"]) == 2


def test_every_shipped_profile_says_every_key(content: Content, tmp_path: Path) -> None:
    for name in (path.stem for path in PROFILES.glob("*.toml")):
        clients = loaded(tmp_path, content, f'[default]\nprofile = "{name}"')
        assert clients.default.profile.title
    assert loaded(tmp_path, content, '[default]\nprofile = "sandbox"').default.profile.open_fhir
