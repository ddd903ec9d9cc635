"""The clients file on SMART launches: what is wrong is said before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from cds_service.adapters.clients.loading import load_clients
from cds_service.adapters.clients.model import Clients
from cds_service.base.errors import ContentError
from cds_service.base.settings import Settings
from tests.conftest import shipped_service

CONTENT = shipped_service().content
EHR = 'fhir_servers = ["https://ehr.example/fhir"]\n'
SMART = '[client.north.smart]\nclient_id = "us"\n'


def loaded(text: str, folder: Path | None = None, **settings: Any) -> Clients:
    if folder is None:
        return load_clients(Settings(clients_toml=text, **settings), CONTENT)
    (folder / "clients.toml").write_text(text, encoding="utf-8")
    return load_clients(Settings(clients=folder / "clients.toml", **settings), CONTENT)


def test_a_launch_is_known_by_its_iss() -> None:
    clients = loaded(
        f'[client.north]\n{EHR}{SMART}[client.south]\n[client.south.smart]\nclient_id = "us"\niss = "https://s.example/r4/"\n'
    )
    found = clients.launched_from("https://ehr.example/fhir")
    assert found is not None
    assert found.name == "north"
    south = clients.launched_from("https://s.example/r4")
    assert south is not None
    assert south.name == "south"
    for other in (
        "https://ehr.example/fhir/x",
        "https://ehr.example",
        "http://ehr.example/fhir",
        "https://EHR.example:444/fhir",
        "x",
        "",
    ):
        assert clients.launched_from(other) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[client.north]\n{SMART}", "the key `iss` is missing"),
        (f'[client.north]\n{SMART}iss = "http://ehr.example/fhir"\n', "must be https"),
        (f'[client.north]\nfhir_servers = ["http://ehr.example/fhir"]\n{SMART}', "which is not https"),
        (
            f'[client.north]\n{EHR}{SMART}[client.south]\n{SMART.replace("north", "south")}iss = "https://ehr.example/fhir"\n',
            "has the same iss as client `north`",
        ),
        (f"[client.north]\n{EHR}[client.north.smart]\n", "client_id"),
        (f'[client.north]\n{EHR}{SMART}scopes = ["a b"]\n', "scopes"),
        (f'[client.north]\n{EHR}{SMART}algorithm = "none"\n', "algorithm"),
        (f'[client.north]\n{EHR}frame_ancestors = ["https://ehr.example/path"]\n{SMART}', "frame_ancestors"),
        (f'[client.north]\n{EHR}frame_ancestors = ["*"]\n{SMART}', "frame_ancestors"),
        (f'[client.north]\n{EHR}frame_ancestors = ["https://a.example; script-src *"]\n{SMART}', "frame_ancestors"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(ContentError) as refused:
        loaded(text)
    assert words in str(refused.value)


def test_links_cannot_lead_to_two_places() -> None:
    with pytest.raises(ContentError, match="leads links to another page"):
        loaded(f"[client.north]\n{EHR}{SMART}", order_url="https://orders.example/{order}")


@pytest.mark.parametrize(
    ("jwk", "algorithm", "words"),
    [
        ({**ECKey.generate_key("P-384").as_dict(private=False), "kid": "a"}, "ES384", "holds no private key"),
        (ECKey.generate_key("P-384").as_dict(private=True) | {"kid": ""}, "ES384", "has no kid"),
        ({**ECKey.generate_key("P-256").as_dict(private=True), "kid": "a"}, "ES384", "P-384"),
        ({**ECKey.generate_key("P-384").as_dict(private=True), "kid": "a"}, "RS384", "is not an RSA key"),
        ({**RSAKey.generate_key(2048).as_dict(private=True), "kid": "a"}, "ES384", "is not an EC key"),
        ({**OctKey.generate_key(256).as_dict(private=True), "kid": "a"}, "ES384", "holds no private key"),
        ({"kty": "EC", "crv": "P-384", "d": "x", "kid": "a"}, "ES384", "cannot be read"),
        ([], "ES384", "holds no private key"),
    ],
)
def test_keys_that_cannot_sign(tmp_path: Path, jwk: Any, algorithm: str, words: str) -> None:
    (tmp_path / "ours.json").write_text(json.dumps(jwk), encoding="utf-8")
    with pytest.raises(ContentError) as refused:
        loaded(f'[client.north]\n{EHR}{SMART}key_file = "ours.json"\nalgorithm = "{algorithm}"\n', tmp_path)
    assert words in str(refused.value)
    if isinstance(jwk, dict) and len(str(jwk.get("d", ""))) > 9:
        assert str(jwk["d"]) not in str(refused.value)


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_keys_that_can(tmp_path: Path, algorithm: str) -> None:
    key: ECKey | RSAKey = ECKey.generate_key("P-384") if algorithm == "ES384" else RSAKey.generate_key(2048)
    (tmp_path / "ours.json").write_text(json.dumps({**key.as_dict(private=True), "kid": "a"}), encoding="utf-8")
    clients = loaded(f'[client.north]\n{EHR}{SMART}key_file = "ours.json"\nalgorithm = "{algorithm}"\n', tmp_path)
    public = clients.signing["north"].public()
    assert public["kid"] == "a"
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(public)


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"ours\.json"):
        loaded(f'[client.north]\n{EHR}{SMART}key_file = "ours.json"\n', tmp_path)
