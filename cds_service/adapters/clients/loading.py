"""Loads the shipped profiles and a site's clients file, and checks them against the content. Reports all mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import tomli

from cds_service.adapters.clients.model import Caller, Client, Clients, ClientsFile, Profile, known_keys
from cds_service.adapters.clients.names import CLIENTS
from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text, read_texts
from cds_service.base.networks import is_loopback
from cds_service.base.settings import Settings
from cds_service.base.strict_toml import validated
from cds_service.base.urls import Address
from cds_service.clinical.content.catalogue import Content

if TYPE_CHECKING:
    from cds_service.adapters.clients.jwks import Keys
    from cds_service.adapters.clients.signing import SigningKey

# The library for keys is slow to import, and most commands need no keys. So it is imported where keys are read.

PROFILES = Path(__file__).resolve().parent / "profiles"
MANUAL = "deploy/README.md"
CARDS_WITHOUT_RULE = ("gap", "new_pain", "unread")


def load_clients(settings: Settings, content: Content) -> Clients:
    """Return the clients of a site; without a clients file, one default client that follows the standard.

    Raises:
        ContentError: with every mistake in the file.
    """
    shipped = _shipped()
    name, text = _text(settings)
    file = _parsed(name, text) if text is not None else ClientsFile()
    profiles = {**shipped, **file.profile}
    everyone = {"default": file.default, **file.client}
    problems = [
        problem for key, client in everyone.items() for problem in _mistakes(name, key, client, profiles, content)
    ]
    problems += _shared_servers(name, file)
    problems += _same_tokens(name, file)
    problems += _missing_link_hosts(name, everyone, settings)
    problems += _launches(name, everyone, settings)
    if problems:
        raise ContentError(tuple(problems), CLIENTS)
    callers = {key: Caller(key, client, profiles[client.profile]) for key, client in everyone.items()}
    known = [(Address.parse(url), caller) for caller in callers.values() for url in caller.client.fhir_servers]
    return Clients(
        tuple(callers.values()), tuple(known), _key_files(name, settings, file), _signing(name, settings, everyone)
    )


def _key_files(name: str, settings: Settings, file: ClientsFile) -> dict[str, Keys]:
    """Return the public keys from files, by client. A relative path starts at the folder of the clients file."""
    folder = settings.clients.parent if settings.clients else Path()
    tokens = ((key, client.token) for key, client in file.client.items() if client.token is not None)
    paths = {key: folder / token.jwks_file for key, token in tokens if token.jwks_file is not None}
    if not paths:
        return {}
    from cds_service.adapters.clients.jwks import read_key_file

    return {key: read_key_file(path, name, f"client.{key}.token.jwks_file") for key, path in paths.items()}


def _signing(name: str, settings: Settings, everyone: Mapping[str, Client]) -> dict[str, SigningKey]:
    """Return our private keys, by the client to whose EHR they authenticate this service."""
    folder = settings.clients.parent if settings.clients else Path()
    smart = ((key, client.smart) for key, client in everyone.items() if client.smart is not None)
    keys = {key: (folder / access.key_file, access.algorithm) for key, access in smart if access.key_file is not None}
    if not keys:
        return {}
    from cds_service.adapters.clients.signing import read_signing_key

    return {key: read_signing_key(path, name, f"client.{key}.smart", of) for key, (path, of) in keys.items()}


def _text(settings: Settings) -> tuple[str, str | None]:
    """Return the name and the text of the clients file."""
    if settings.clients_toml is None:
        return str(settings.clients), read_text(settings.clients, "see KNEE_CDS_CLIENTS")
    if settings.clients is not None:
        raise ContentError(
            (Problem("KNEE_CDS_CLIENTS_TOML", "", "is set together with KNEE_CDS_CLIENTS", "set only one"),), CLIENTS
        )
    return "KNEE_CDS_CLIENTS_TOML", settings.clients_toml


def _shipped() -> dict[str, Profile]:
    profiles: dict[str, Profile] = {}
    for file, text in read_texts(PROFILES).items():
        profile, problems = validated(
            Profile, file, tomli.loads(text), prefix="", keys=known_keys(), manual="the profile generic.toml"
        )
        if profile is None:
            raise ContentError(tuple(problems), CLIENTS)
        profiles[file.removesuffix(".toml")] = profile
    return profiles


def _parsed(name: str, text: str) -> ClientsFile:
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ContentError((Problem(name, "", f"is not valid TOML: {error}"),), CLIENTS) from error
    file, problems = validated(ClientsFile, name, data, prefix="", keys=known_keys(), manual=MANUAL)
    if file is None:
        raise ContentError(tuple(problems), CLIENTS)
    return file


def _mistakes(
    file: str, key: str, client: Client, profiles: Mapping[str, Profile], content: Content
) -> Iterator[Problem]:
    place = "default" if key == "default" else f"client.{key}"
    rules = {*content.red_flags, *content.causes, *CARDS_WITHOUT_RULE}
    for rule in sorted(client.switched_off - rules):
        yield Problem(
            file, f"{place}.switched_off", f"`{rule}` is not a rule or cause", "knee-cds serve lists them at /"
        )
    profile = profiles.get(client.profile)
    if profile is None:
        hint = f"there are {', '.join(profiles)}"
        yield Problem(file, f"{place}.profile", f"`{client.profile}` is not a profile", hint)
    for order, own in client.orders.items():
        if order not in content.orders:
            yield Problem(file, f"{place}.orders", f"`{order}` is not an order", "cards/orders/ has a file for each")
        if profile and not (own.system or profile.order_system):
            hint = "the profile has no order_system"
            yield Problem(file, f"{place}.orders.{order}", "the key `system` is missing", hint)


def _shared_servers(file: str, clients: ClientsFile) -> Iterator[Problem]:
    """Reject a FHIR server of several clients."""
    servers = [str(Address.parse(url)) for client in clients.client.values() for url in client.fhir_servers]
    for server, count in Counter(servers).items():
        if count > 1:
            yield Problem(file, "client", f"{server} is listed {count} times", "a server must belong to one client")


def _same_tokens(file: str, clients: ClientsFile) -> Iterator[Problem]:
    """Reject clients that a token cannot distinguish."""
    if clients.default.token is not None:
        yield Problem(file, "default.token", "a client with a token needs a name", "move it to [client.NAME.token]")
    seen: dict[tuple[str, str | None, str | None], str] = {}
    for key, client in clients.client.items():
        if (rules := client.token) is None:
            continue
        mark = (rules.issuer, rules.subject, rules.tenant)
        if mark in seen:
            message = f"has the same issuer, subject and tenant as client `{seen[mark]}`"
            yield Problem(file, f"client.{key}.token", message, "distinguish them by `subject` or `tenant`")
        seen.setdefault(mark, key)


def _missing_link_hosts(file: str, everyone: Mapping[str, Client], settings: Settings) -> Iterator[Problem]:
    """Reject a ``link_hosts`` list that would drop the referral link from urgent cards."""
    host = urlsplit(settings.order_url or settings.base_url).hostname
    for key, client in everyone.items():
        if client.link_hosts and host not in client.link_hosts:
            place = f"{'default' if key == 'default' else f'client.{key}'}.link_hosts"
            yield Problem(file, place, f"leaves out {host}, the host of the referral links", "add it")


def _launches(file: str, everyone: Mapping[str, Client], settings: Settings) -> Iterator[Problem]:
    """Reject launches whose EHR is ambiguous, that use plain HTTP, or whose links lead to another order entry."""
    seen: dict[Address, str] = {}
    for key, client in everyone.items():
        if client.smart is None:
            continue
        place = "default.smart" if key == "default" else f"client.{key}.smart"
        iss = client.smart.iss or next(iter(client.fhir_servers), None)
        if iss is None:
            yield Problem(file, place, "the key `iss` is missing", "it is the FHIR base URL in the launches")
            continue
        address = Address.parse(iss)
        if address.scheme != "https" and not is_loopback(address.host):
            yield Problem(file, place, f"launches from {iss}, which is not https", "tokens would be sent unencrypted")
        if address in seen:
            yield Problem(file, place, f"has the same iss as client `{seen[address]}`", "use one client for one EHR")
        seen.setdefault(address, key)
        if settings.order_url:
            yield Problem(file, place, "KNEE_CDS_ORDER_URL leads links to another page", "use only one of them")
