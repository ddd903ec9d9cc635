"""What monitoring sees of each way in which a call can end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service import __version__
from cds_service.base.settings import Settings
from cds_service.service.evaluate import Service
from tests import fhir_server as fhir
from tests.conftest import Server, run_server
from tests.web.test_fhir_access import lent
from tests.web.test_hook import request_for


def value(server: Server, line: str) -> float:
    found = [one for one in server.get("/metrics").text.splitlines() if one.startswith(f"{line} ")]
    assert len(found) == 1, line
    return float(found[0].rsplit(" ", 1)[1])


def outcome(server: Server, name: str) -> float:
    return value(server, f'knee_cds_calls_total{{outcome="{name}"}}')


def without(name: str, *parts: str) -> dict[str, Any]:
    request = request_for(name)
    request["prefetch"] = {key: part for key, part in request["prefetch"].items() if key not in parts}
    return request


def test_every_call_is_counted_once_by_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(auth="open", database_url=f"sqlite:///{tmp_path}/m.db")
    for server in run_server(settings):
        every = ("urgent", "cards", "quiet", "silent_mode", "nothing", "lacking", "refused", "fault")
        assert [outcome(server, name) for name in every] == [0] * len(every)
        urgent = 'knee_cds_cards_total{fate="shown",indicator="critical",rule="RF01"}'
        assert value(server, urgent) == 0  # there from the start: a fall from one to none must be seen
        assert server.call(request_for("dvt-likely")).status_code == 200
        assert outcome(server, "urgent") == 1
        assert value(server, urgent) == 1
        assert server.call(request_for("resolved")).json()["cards"] == []
        assert outcome(server, "nothing") == 1
        reason = "the complaint of the knee, calf or leg is no longer active"
        assert value(server, f'knee_cds_silent_total{{reason="{reason}"}}') == 1
        assert server.call(without("nothing-at-all", "observations", "conditions")).status_code == 412
        assert outcome(server, "lacking") == 1
        assert server.call({"hook": "patient-view"}).status_code == 400
        assert outcome(server, "refused") == 1

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(Service, "answer", broken)
            assert server.call(request_for("dvt-likely")).status_code == 500
        assert outcome(server, "fault") == 1
        assert sum(outcome(server, name) for name in every) == 5
        assert value(server, "knee_cds_calls_in_flight") == 0


def test_what_could_not_be_read_is_counted_by_kind(tmp_path: Path) -> None:
    for server in run_server(Settings(auth="open", database_url=f"sqlite:///{tmp_path}/m.db")):
        request = request_for("dvt-likely")
        entries = request["prefetch"]["observations"]["entry"]
        entries[0]["resource"]["subject"] = {"reference": "Patient/somebody-else"}
        assert server.call(request).status_code == 200
        entries[1]["resource"]["subject"] = {}
        assert server.call(request).status_code == 200
        assert value(server, 'knee_cds_rows_total{state="another_patient"}') == 2
        assert value(server, 'knee_cds_rows_total{state="not_understood"}') == 1
        assert value(server, 'knee_cds_unread_total{kind="subject"}') == 1
        assert value(server, "knee_cds_entries_total") >= len(entries)


def test_silent_mode(tmp_path: Path) -> None:
    settings = Settings(
        auth="open", database_url=f"sqlite:///{tmp_path}/m.db", clients_toml="[default]\nsilent = true\n"
    )
    for server in run_server(settings):
        request = without("dvt-likely", "procedures")
        request["fhirServer"] = "https://not-allowed.example/fhir"
        assert server.call(request).json()["cards"] == []
        assert outcome(server, "silent_mode") == 1
        assert value(server, "knee_cds_fhir_seconds_count") == 0  # no server was asked


def test_the_time_of_a_fhir_server(tmp_path: Path) -> None:
    with fhir.running() as ehr:
        settings = Settings(auth="open", database_url=f"sqlite:///{tmp_path}/m.db", fhir_servers=(ehr.url,))
        for server in run_server(settings):
            request = without("dvt-likely", "procedures") | {"fhirServer": ehr.url, "fhirAuthorization": lent()}
            assert server.call(request).status_code == 200
            assert value(server, "knee_cds_fhir_seconds_count") == 1
            assert server.call(request_for("dvt-likely")).status_code == 200
            assert value(server, "knee_cds_fhir_seconds_count") == 1  # the whole chart came: nothing to wait for


def test_which_content_and_release_judge(server: Server) -> None:
    content = server.get("/health/ready").json()["content"]
    assert value(server, f'knee_cds_content_info{{pathway="uk_ng158",version="{content}"}}') == 1
    assert value(server, f'knee_cds_build_info{{version="{__version__}"}}') == 1
