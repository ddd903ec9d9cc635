"""Profiles as shipped and a site's clients file, checked against the content: every mistake at once."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cds_service.adapters.clients.jwks import CLIENTS, Keys, read_key_file
from cds_service.adapters.clients.model import Caller, Client, Clients, ClientsFile, Profile, known_keys
from cds_service.adapters.clients.signing import SigningKey, read_signing_key
from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text, read_texts
from cds_service.base.networks import is_loopback
from cds_service.base.settings import Settings
from cds_service.base.strict_toml import validated
from cds_service.base.urls import Address
from cds_service.clinical.content.catalogue import Content

PROFILES = Path(__file__).resolve().parent / "profiles"
MANUAL = "deploy/README.md"
CARDS_WITHOUT_RULE = ("gap", "new_pain", "unread")


def load_clients(settings: Settings, content: Content) -> Clients:
    """The clients as a site has set them up; without a clients file, one that follows the standard.

    Raises:
        ContentError: with every mistake of the file.
    """
    shipped = _shipped()
    name, text = _text(settings)
    file = _parsed(name, text) if text is not None else ClientsFile()
    profiles = {**shipped, **file.profile}
    everyone = {"default": file.default, **file.client}
    problems = [one for key, client in everyone.items() for one in _mistakes(name, key, client, profiles, content)]
    problems += _shared_servers(name, file)
    problems += _alike(name, file)
    problems += _links_nowhere(name, everyone, settings)
    problems += _launches(name, everyone, settings)
    if problems:
        raise ContentError(tuple(problems), CLIENTS)
    callers = {key: Caller(key, client, profiles[client.profile]) for key, client in everyone.items()}
    known = [(Address.parse(url), caller) for caller in callers.values() for url in caller.client.fhir_servers]
    return Clients(
        tuple(callers.values()), tuple(known), _key_files(name, settings, file), _signing(name, settings, everyone)
    )


def _key_files(name: str, settings: Settings, found: ClientsFile) -> dict[str, Keys]:
    """Client -> its keys on disk. A relative path starts at the clients file."""
    folder = settings.clients.parent if settings.clients else Path()
    return {
        key: read_key_file(folder / client.token.jwks_file, name, f"client.{key}.token.jwks_file")
        for key, client in found.client.items()
        if client.token is not None and client.token.jwks_file is not None
    }


def _signing(name: str, settings: Settings, everyone: Mapping[str, Client]) -> dict[str, SigningKey]:
    """Client -> the private key with which we prove to its EHR who we are."""
    folder = settings.clients.parent if settings.clients else Path()
    return {
        key: read_signing_key(folder / client.smart.key_file, name, f"client.{key}.smart", client.smart.algorithm)
        for key, client in everyone.items()
        if client.smart is not None and client.smart.key_file is not None
    }


def _text(settings: Settings) -> tuple[str, str | None]:
    """The clients file by name and text."""
    if settings.clients_toml is None:
        return str(settings.clients), read_text(settings.clients, "see KNEE_CDS_CLIENTS")
    if settings.clients is not None:
        raise ContentError(
            (Problem("KNEE_CDS_CLIENTS_TOML", "", "is set as well as KNEE_CDS_CLIENTS", "set one"),), CLIENTS
        )
    return "KNEE_CDS_CLIENTS_TOML", settings.clients_toml


def _shipped() -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for file, text in read_texts(PROFILES).items():
        profile, problems = validated(
            Profile, file, tomllib.loads(text), prefix="", keys=known_keys(), manual="the profile generic.toml"
        )
        if profile is None:
            raise ContentError(tuple(problems), CLIENTS)
        found[file.removesuffix(".toml")] = profile
    return found


def _parsed(name: str, text: str) -> ClientsFile:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContentError((Problem(name, "", f"is not valid TOML: {error}"),), CLIENTS) from error
    found, problems = validated(ClientsFile, name, data, prefix="", keys=known_keys(), manual=MANUAL)
    if found is None:
        raise ContentError(tuple(problems), CLIENTS)
    return found


def _mistakes(
    file: str, key: str, client: Client, profiles: Mapping[str, Profile], content: Content
) -> Iterator[Problem]:
    place = "default" if key == "default" else f"client.{key}"
    rules = {*content.red_flags, *content.causes, *CARDS_WITHOUT_RULE}
    for rule in sorted(client.switched_off - rules):
        yield Problem(file, f"{place}.switched_off", f"`{rule}` is no rule or cause", "knee-cds serve lists them at /")
    profile = profiles.get(client.profile)
    if profile is None:
        yield Problem(file, f"{place}.profile", f"`{client.profile}` is no profile", f"there are {', '.join(profiles)}")
    for order, own in client.orders.items():
        if order not in content.orders:
            yield Problem(file, f"{place}.orders", f"`{order}` is no order", "cards/orders/ holds one file for each")
        if profile and not (own.system or profile.order_system):
            yield Problem(file, f"{place}.orders.{order}", "the key `system` is missing", "the profile names none")


def _shared_servers(file: str, found: ClientsFile) -> Iterator[Problem]:
    servers = [str(Address.parse(url)) for client in found.client.values() for url in client.fhir_servers]
    for server, count in Counter(servers).items():
        if count > 1:
            yield Problem(file, "client", f"{server} is listed {count} times", "a server belongs to one client")


def _alike(file: str, found: ClientsFile) -> Iterator[Problem]:
    """Who calls must be certain: no two clients may be meant by the same token."""
    if found.default.token is not None:
        yield Problem(file, "default.token", "a client with a token has a name", "move it to [client.NAME.token]")
    seen: dict[tuple[str, str | None, str | None], str] = {}
    for key, client in found.client.items():
        if (rules := client.token) is None:
            continue
        mark = (rules.issuer, rules.subject, rules.tenant)
        if mark in seen:
            message = f"has the same issuer, subject and tenant as client `{seen[mark]}`"
            yield Problem(file, f"client.{key}.token", message, "tell them apart by `subject` or `tenant`")
        seen.setdefault(mark, key)


def _links_nowhere(file: str, everyone: Mapping[str, Client], settings: Settings) -> Iterator[Problem]:
    """Reject a ``link_hosts`` list that would drop the referral link from urgent cards."""
    host = urlsplit(settings.order_url or settings.base_url).hostname
    for key, client in everyone.items():
        if client.link_hosts and host not in client.link_hosts:
            place = f"{'default' if key == 'default' else f'client.{key}'}.link_hosts"
            yield Problem(file, place, f"leaves out {host}, to which the referral links lead", "add it")


def _launches(file: str, everyone: Mapping[str, Client], settings: Settings) -> Iterator[Problem]:
    """A launch must say for certain from which EHR it comes, and the way back must be ours alone."""
    seen: dict[Address, str] = {}
    for key, client in everyone.items():
        if client.smart is None:
            continue
        place = "default.smart" if key == "default" else f"client.{key}.smart"
        iss = client.smart.iss or next(iter(client.fhir_servers), None)
        if iss is None:
            yield Problem(file, place, "the key `iss` is missing", "it is the FHIR base URL that launches name")
            continue
        address = Address.parse(iss)
        if address.scheme != "https" and not is_loopback(address.host):
            yield Problem(
                file, place, f"launches from {iss}, which is not https", "tokens would cross the network open"
            )
        if address in seen:
            yield Problem(file, place, f"has the same iss as client `{seen[address]}`", "one EHR is one client")
        seen.setdefault(address, key)
        if settings.order_url:
            yield Problem(file, place, "KNEE_CDS_ORDER_URL leads links elsewhere", "use one or the other")
