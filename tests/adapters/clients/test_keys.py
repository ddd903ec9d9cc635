"""Keys: which of a JWK Set count, when they are fetched, and what happens while their server is away."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from cds_service.adapters.clients import keys as keys_module
from cds_service.adapters.clients.jwks import read_keys
from cds_service.adapters.clients.keys import REFRESH_SECONDS, STALE_SECONDS, UNKNOWN_KID_SECONDS, KeyRing
from cds_service.adapters.clients.loading import load_clients
from cds_service.adapters.clients.model import Clients, TokenRules
from cds_service.adapters.http import Transport
from cds_service.adapters.http_client import Client
from cds_service.adapters.http_terms import Deadline, Terms
from cds_service.base.errors import ContentError
from cds_service.base.networks import Networks
from cds_service.base.settings import Settings
from cds_service.clinical.content.catalogue import Content
from tests.tokens import KeyServer, Signer, key_server, rsa_signer

OLD, NEW, RSA = Signer(kid="old"), Signer(kid="new"), rsa_signer()


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_which_keys_count() -> None:
    found, refused = read_keys({"keys": [OLD.public(), RSA.public(alg="RS384"), {**NEW.public(), "x5c": ["unread"]}]})
    assert sorted(found) == ["new", "old", "rsa"]
    assert refused == ()
    (rsa,), (ec,) = found["rsa"], found["old"]
    assert [name for name in ("ES256", "ES384", "ES512", "RS256", "RS384", "PS384") if rsa.fits(name)] == ["RS384"]
    assert [name for name in ("ES256", "ES384", "ES512", "RS256", "RS384", "PS384") if ec.fits(name)] == ["ES384"]


WRONG: dict[str, Any] = {
    "no kid": {**OLD.public(), "kid": None},
    "kid is a number": {**OLD.public(), "kid": 7},
    "empty kid": {**OLD.public(), "kid": ""},
    "private": {**OLD.key.as_dict(private=True), "kid": "x"},
    "symmetric": {"kty": "oct", "kid": "x", "k": "AAAA"},
    "for encryption": OLD.public(use="enc"),
    "for other work": {**OLD.public(), "key_ops": ["sign"]},
    "key_ops is a number": {**OLD.public(), "key_ops": 1},
    "alg is a number": OLD.public(alg=1),
    "of a kind that is not asked for": {**OKPKey.generate_key("Ed25519").as_dict(private=False), "kid": "x"},
    "kty is a list": {**OLD.public(), "kty": ["EC"]},
    "no point of the curve": {**OLD.public(), "x": "AAAA"},
    "a curve that does not exist": {**OLD.public(), "crv": "P-1"},
    "weak RSA": {**RSA.public(), "n": urlsafe_b64encode(b"\xc5" * 128).decode().rstrip("=")},
    "RSA without modulus": {"kty": "RSA", "kid": "x", "e": "AQAB"},
    "modulus is a number": {"kty": "RSA", "kid": "x", "e": "AQAB", "n": 65537},
    "a word": "key",
    "null": None,
}


@pytest.mark.parametrize("name", WRONG)
def test_which_keys_do_not(name: str) -> None:
    found, refused = read_keys({"keys": [WRONG[name], NEW.public()]})
    assert list(found) == ["new"], "one bad key must not cost the others"
    assert len(refused) == 1
    assert refused[0].startswith("keys[0] ")
    for material in OLD.key.as_dict(private=True).values():
        assert str(material) not in refused[0] or len(str(material)) < 6


@pytest.mark.parametrize("value", [None, [], {}, {"keys": {}}, {"keys": [OLD.public()] * 101}, "keys"])
def test_what_is_no_set(value: Any) -> None:
    with pytest.raises(ValueError, match="not a JWK Set"):
        read_keys(value)


class Clock:
    """Monotonic seconds that pass when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def known(server: KeyServer, folder: Path, content: Content) -> Clients:
    file = folder / "clients.toml"
    file.write_text(f'[client.north.token]\nissuer = "i"\njwks_url = "{server.url}"\n')
    return load_clients(Settings(clients=file), content)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(OLD.public()) as serving:
        yield serving


@pytest.fixture
def ring(server: KeyServer, clock: Clock, tmp_path: Path, content: Content) -> Iterator[KeyRing]:
    made = KeyRing.from_settings(Settings())
    made._clock = clock
    made.serve(known(server, tmp_path, content))
    assert made.wait(5)
    yield made
    made.close()


def rules(server: KeyServer) -> TokenRules:
    return TokenRules(issuer="i", jwks_url=server.url)


def wake(ring: KeyRing) -> None:
    """The clock was moved by hand: the thread must look at it."""
    with ring._work:
        ring._work.notify_all()


@pytest.mark.row("A8")
def test_an_unknown_key_has_the_set_fetched_once_a_minute(ring: KeyRing, server: KeyServer, clock: Clock) -> None:
    assert len(ring.find("north", rules(server), "old")) == 1
    assert len(server.asked) == 1
    server.keys = [OLD.public(), NEW.public()]
    started = time.monotonic()
    for number in range(2000):
        assert ring.find("north", rules(server), f"made up {number}") == ()
    assert ring.find("north", rules(server), "new") == ()
    assert time.monotonic() - started < 1, "no look-up waits for a server"
    assert len(server.asked) == 1, "whoever makes up key ids cannot have the server asked"
    clock.now += UNKNOWN_KID_SECONDS + 1
    ring.find("north", rules(server), "new")
    wake(ring)
    until(lambda: len(ring.find("north", rules(server), "new")) == 1)
    assert len(server.asked) == 2
    assert len(ring.find("north", rules(server), "old")) == 1


def test_a_withdrawn_key_ends_with_the_next_fetch(ring: KeyRing, server: KeyServer, clock: Clock) -> None:
    server.keys = [NEW.public()]
    clock.now += REFRESH_SECONDS + 1
    wake(ring)
    until(lambda: len(ring.find("north", rules(server), "new")) == 1)
    assert ring.find("north", rules(server), "old") == ()


BROKEN: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "404": {"status": 404},
    "a page": {"body": b"<html>", "headers": {"Content-Type": "text/html"}},
    "no JSON": {"body": b"{"},
    "a list": {"body": b"[]"},
    "no set": {"body": b"{}"},
    "an empty set": {"body": b'{"keys": []}'},
    "too large": {"body": b'{"keys": [' + b" " * 300_000 + b"]}"},
    "moved": {"status": 302, "headers": {"Location": "/elsewhere"}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_keys_are_kept_while_their_server_is_broken(
    ring: KeyRing, server: KeyServer, clock: Clock, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for field, value in BROKEN[name].items():
        setattr(server, field, value)
    clock.now += REFRESH_SECONDS + 1
    wake(ring)
    until(lambda: any(one.why for one in ring.states))
    assert len(ring.find("north", rules(server), "old")) == 1
    assert set(server.asked) == {"/keys"}, "no redirect is followed"
    assert "keys_not_fetched" in caplog.text
    clock.now += STALE_SECONDS
    wake(ring)
    until(lambda: ring.find("north", rules(server), "old") == ())
    until(lambda: "keys_too_old" in caplog.text)
    server.status, server.body, server.headers = 200, None, {}
    clock.now += 61
    wake(ring)
    until(lambda: len(ring.find("north", rules(server), "old")) == 1)
    until(lambda: "keys_fetched_again" in caplog.text)


def test_a_server_that_is_away_at_the_start(tmp_path: Path, content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "_PAUSES", (0.05,))
    with key_server() as gone:
        port = gone.port
    ring = KeyRing.from_settings(Settings())
    ring.serve(known(gone, tmp_path, content))
    assert ring.wait(5)
    assert [one.why for one in ring.states] == ["unreachable"]
    with key_server(OLD.public(), port=port) as back:
        until(lambda: len(ring.find("north", rules(back), "old")) == 1)
    ring.close()


def test_clients_that_are_loaded_anew_keep_their_keys(
    ring: KeyRing, server: KeyServer, tmp_path: Path, content: Content
) -> None:
    ring.serve(known(server, tmp_path, content))
    assert len(ring.find("north", rules(server), "old")) == 1
    assert len(server.asked) == 1
    ring.serve(Clients((), ()))
    assert ring.find("north", rules(server), "old") == ()


MISTAKES = {
    "no keys": ('issuer = "i"', "needs jwks_url or jwks_file"),
    "no issuer": ('jwks_url = "https://x.example/k"', "issuer"),
    "plain HTTP": ('issuer = "i"\njwks_url = "http://x.example/k"', "must be https"),
    "user info": ('issuer = "i"\njwks_url = "https://a@x.example/k"', "plain base URL"),
    "another scheme": ('issuer = "i"\njwks_url = "file:///etc/passwd"', "http"),
    "a symmetric algorithm": ('issuer = "i"\njwks_url = "https://x.example/k"\nalgorithms = ["HS256"]', "algorithms"),
    "none": ('issuer = "i"\njwks_url = "https://x.example/k"\nalgorithms = ["none"]', "algorithms"),
    "no algorithm": ('issuer = "i"\njwks_url = "https://x.example/k"\nalgorithms = []', "algorithms"),
    "a file that is not there": ('issuer = "i"\njwks_file = "none.json"', "none.json"),
    "a slip of the pen": ('issuer = "i"\njwks_ulr = "https://x.example/k"', "jwks_url"),
    "tokens for ever": ('issuer = "i"\njwks_url = "https://x.example/k"\nlongest_seconds = 999999', "longest_seconds"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_plain_words(tmp_path: Path, content: Content, name: str) -> None:
    text, said = MISTAKES[name]
    file = tmp_path / "clients.toml"
    file.write_text(f"[client.north.token]\n{text}\n")
    with pytest.raises(ContentError, match=said):
        load_clients(Settings(clients=file), content)


def test_two_clients_are_never_meant_by_one_token(tmp_path: Path, content: Content) -> None:
    one = '[client.{}.token]\nissuer = "i"\njwks_url = "https://x.example/{}"\n'
    file = tmp_path / "clients.toml"
    file.write_text(one.format("a", "a") + one.format("b", "b"))
    with pytest.raises(ContentError, match="same issuer"):
        load_clients(Settings(clients=file), content)
    file.write_text(one.format("a", "a") + one.format("b", "b") + 'tenant = "b"\n')
    assert len(load_clients(Settings(clients=file), content).with_tokens) == 2


def test_a_key_file_must_be_right(tmp_path: Path, content: Content) -> None:
    file = tmp_path / "clients.toml"
    file.write_text('[client.north.token]\nissuer = "i"\njwks_file = "k.json"\n')
    for text, said in (("no", "not a JWK Set"), ('{"keys": []}', "holds no key"), ('{"keys": [{}]}', "no kid")):
        (tmp_path / "k.json").write_text(text)
        with pytest.raises(ContentError, match=said):
            load_clients(Settings(clients=file), content)


def test_clients_may_come_from_the_environment(content: Content, tmp_path: Path) -> None:
    text = '[client.north.token]\nissuer = "i"\njwks_url = "https://x.example/k"\n'
    assert [one.name for one in load_clients(Settings(clients_toml=text), content).with_tokens] == ["north"]
    file = tmp_path / "clients.toml"
    file.write_text(text)
    with pytest.raises(ContentError, match="set only one"):
        load_clients(Settings(clients_toml=text, clients=file), content)


class FailsAtOne(Client):
    """A client with a bug that shows at one address only."""

    bad = ""

    def get(self, url: str, token: str | None, deadline: Deadline) -> Any:
        if url == self.bad:
            raise RuntimeError("canary-4711")
        return super().get(url, token, deadline)


def test_a_bug_at_one_server_does_not_stop_the_others(
    server: KeyServer, clock: Clock, tmp_path: Path, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "clients.toml"
    with key_server(NEW.public()) as other:
        file.write_text(
            f'[client.south.token]\nissuer = "s"\njwks_url = "{other.url}"\n'
            f'[client.north.token]\nissuer = "i"\njwks_url = "{server.url}"\n'
        )
        terms = Terms(size=2, per_call=5.0, ca_bundle=None, networks=Networks(), accept="application/json")
        transport, client = Transport(terms), FailsAtOne(terms)
        transport._client, client.bad = client, other.url
        ring = KeyRing(transport, clock)
        ring.serve(load_clients(Settings(clients=file), content))
        assert ring.wait(5)
        assert {state.client: (state.keys, state.why) for state in ring.states} == {
            "south": (0, "RuntimeError"),
            "north": (1, ""),
        }
        assert "'event': 'key_fetching_failed'" in caplog.text
        assert "test_keys.py:" in caplog.text
        assert "canary-4711" not in caplog.text
        client.bad = ""
        clock.now += 100
        wake(ring)
        until(lambda: all(state.keys == 1 for state in ring.states))
        ring.close()
