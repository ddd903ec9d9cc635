"""A misspelt setting stops every command, with a hint; what Kubernetes sets by itself does not."""

from __future__ import annotations

import pytest

from cds_service.base.errors import WrongSetting
from cds_service.base.setting_names import unknown_settings
from cds_service.base.settings import Settings
from cds_service.cli.main import main
from tests.processes import free_port

MISSPELT = {
    "KNEE_CDS_TIMEZONE": "KNEE_CDS_TIME_ZONE",
    "KNEE_CDS_FHIR_SERVER": "KNEE_CDS_FHIR_SERVERS",
    "KNEE_CDS_HASHKEY": "KNEE_CDS_HASH_KEY",
    "KNEE_CDS_MAX_BODY_BYTE": "KNEE_CDS_MAX_BODY_BYTES",
    "KNEE_CDS_DATABASE_URI": "KNEE_CDS_DATABASE_URL",
    "knee_cds_pathwya": "KNEE_CDS_PATHWAY",
    "KNEE_CDS_AUDITFOLDER": "KNEE_CDS_AUDIT_FOLDER",
}


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_misspelt_name_is_refused_with_a_hint(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "anything")
    with pytest.raises(WrongSetting, match=f"^{name.upper()} is not a setting: did you mean {meant}\\?$"):
        Settings()


@pytest.mark.parametrize("name", ["KNEE_CDS_COLOUR", "KNEE_CDS_", "KNEE_CDS_X"])
def test_a_name_like_no_other_points_to_the_list(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(WrongSetting, match="`knee-cds settings` lists all settings"):
        Settings()


def test_all_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEE_CDS_TIMEZONE", "UTC")
    monkeypatch.setenv("KNEE_CDS_HOSTS", "x")
    with pytest.raises(WrongSetting) as caught:
        Settings()
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("command", [["serve"], ["check"], ["evaluate", "-"], ["examples", "build"], ["purge",
    "--older-than", "90"], ["feedback", "report"], ["database", "upgrade"], ["audit", "verify"],
    ["canary", "http://127.0.0.1:9"]])  # fmt: skip
def test_every_command_stops(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_PORT", str(free_port()))
    monkeypatch.setenv("KNEE_CDS_AUHT", "required")
    assert main(command) == 2
    assert "KNEE_CDS_AUHT is not a setting: did you mean KNEE_CDS_AUTH?" in capsys.readouterr().err


def test_the_list_of_settings_can_always_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_AUHT", "required")
    monkeypatch.setenv("KNEE_CDS_PATHWAY", "moon")
    assert main(["settings"]) == 0
    assert "| `KNEE_CDS_AUTH` |" in capsys.readouterr().out


def links(service: str, *ports: str) -> dict[str, str]:
    """What Kubernetes sets for a Service, as its documentation says."""
    stem = service.upper().replace("-", "_")
    found = {
        f"{stem}_SERVICE_HOST": "10.0.0.11",
        f"{stem}_SERVICE_PORT": "8000",
        f"{stem}_PORT": "tcp://10.0.0.11:8000",
    }
    for port in ports:
        base = f"{stem}_PORT_{port}_TCP"
        found |= {f"{stem}_SERVICE_PORT_HTTP_{port}": port, base: f"tcp://10.0.0.11:{port}", f"{base}_PROTO": "tcp"}
        found |= {f"{base}_PORT": port, f"{base}_ADDR": "10.0.0.11"}
    return found


@pytest.mark.parametrize("service", ["knee-cds", "knee-cds-postgres", "knee-cds-canary-2", "knee-cds-port"])
def test_service_links_are_nobodys_mistake(service: str) -> None:
    assert unknown_settings(links(service, "8000", "9090"), Settings.model_fields) == ()


def test_what_only_looks_like_a_service_link_is_refused() -> None:
    assert len(unknown_settings({"KNEE_CDS_POSTGRES_PORT": "1"}, Settings.model_fields)) == 1
    assert len(unknown_settings({**links("knee-cds"), "KNEE_CDS_PORTS": "1", "KNEE_CDS_SERVICE_HOSTS": "x"},
                         Settings.model_fields)) == 2  # fmt: skip
    assert unknown_settings({"KNEE_ROOT": "", "MY_KNEE_CDS_PORT": "", "KNEE_CDS": ""}, Settings.model_fields) == ()


def test_the_port_of_a_service_link_is_told_from_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in links("knee-cds", "8000").items():
        monkeypatch.setenv(name, value)
    assert main(["check"]) == 2
    assert "KNEE_CDS_PORT: was set by Kubernetes" in capsys.readouterr().err.replace("\n", " ")
