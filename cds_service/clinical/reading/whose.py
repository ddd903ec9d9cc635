"""Decide who owns a resource: this patient, another patient, or unclear.

Addresses are compared by their parts. What is neither surely this patient's nor surely another's is UNCLEAR: it
gives no facts, and it is always reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any

from cds_service.base.urls import Address
from cds_service.clinical.reading import resource_types

_DEFAULT_PORTS = frozenset({80, 443})
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_UUID = "urn:uuid:"
_PEOPLE = frozenset({"RelatedPerson", "Person", "Group", "Practitioner", "PractitionerRole"})
"""Types of people who are not the patient."""


class Owner(StrEnum):
    """The owner of a resource."""

    MINE = "mine"
    ANOTHERS = "anothers"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Belongs:
    """The owner of a resource and the reason in plain words; the reason is empty for this patient's."""

    owner: Owner
    reason: str = ""

    @property
    def is_mine(self) -> bool:
        """Whether it is this patient's."""
        return self.owner is Owner.MINE


_MINE = Belongs(Owner.MINE)
_ANOTHERS = Belongs(Owner.ANOTHERS, "belongs to another patient")
_SOMETHING_ELSES = Belongs(Owner.ANOTHERS, "is not about a patient")
_A_THING = Belongs(Owner.UNCLEAR, "is about a thing, which may be this patient's")
_NOBODYS = Belongs(Owner.UNCLEAR, "does not say whose it is")
_UNRESOLVED = Belongs(Owner.UNCLEAR, "names its patient by a reference that cannot be resolved")
_OTHER_SERVER = Belongs(Owner.UNCLEAR, "names a patient of the same id on another server")
_LINKED = Belongs(Owner.UNCLEAR, "belongs to a record that is linked with this patient's")
_CONTRADICTORY = Belongs(Owner.UNCLEAR, "names its patient by a reference and an identifier that disagree")
_OTHER_IDENTIFIER = Belongs(Owner.UNCLEAR, "names its patient by an identifier that the Patient does not have")


class Owners:
    """Decides the owner of each resource of one chart. Results are cached, because charts repeat few references."""

    def __init__(
        self, patient_id: str, bases: Callable[[], Iterable[str]], *, own_urls: Iterable[str], other_urls: Iterable[str]
    ) -> None:
        """Set up the owner rules.

        ``bases``: returns the base URLs of the server that the chart comes from. It is called for the first reference
        that names a server, because most charts have none. ``own_urls``, ``other_urls``: the ``fullUrl`` of this
        patient's and of other Patient resources.
        """
        self._patient_id = patient_id
        self._find_bases = bases
        self._own_urls = frozenset(map(_spelt, own_urls))
        self._other_urls = frozenset(map(_spelt, other_urls))
        self._identifiers: set[tuple[str, str]] = set()
        self._linked: set[str] = set()
        self._remembered: dict[str, Belongs] = {}

    def know(self, patient: Mapping[str, Any]) -> None:
        """Store the identifiers and links of this patient's Patient resource."""
        self._identifiers |= set(identifiers_of(patient.get("identifier")))
        links = patient.get("link")
        for link in links if isinstance(links, list) else ():
            other = link.get("other") if isinstance(link, dict) else None
            reference = other.get("reference") if isinstance(other, dict) else None
            if isinstance(reference, str):
                self._linked.add(reference.split("/_history/")[0].rpartition("/")[2])
        self._remembered.clear()

    def know_other(self, patient: Mapping[str, Any], url: str | None) -> None:
        """Store another Patient, at ``url``. If it is linked with this one, its owner is unclear."""
        links = patient.get("link")
        for link in links if isinstance(links, list) else ():
            other = link.get("other") if isinstance(link, dict) else None
            if isinstance(other, dict) and self.of(other).owner is Owner.MINE:
                self._linked |= {name for name in (patient.get("id"), url and _spelt(url)) if isinstance(name, str)}
        self._remembered.clear()

    def of_reference(self, reference: str) -> Belongs:
        """Return the owner of a resource that names its patient only by ``reference``."""
        owner = self._remembered.get(reference)
        if owner is None:
            owner = self._remembered[reference] = self._by_reference(reference, None)
        return owner

    def of(self, subject: Any, contained: Any = None) -> Belongs:
        """Return the owner of a resource with this ``subject`` element. ``contained``: the resources inside it."""
        if not isinstance(subject, Mapping):
            return _NOBODYS
        reference, kind = subject.get("reference"), subject.get("type")
        named = self._is_identified(subject.get("identifier"))
        if isinstance(reference, str) and reference:
            owner = self._by_reference(reference, kind)
            if reference.startswith("#"):
                owner = self._by_contained(reference[1:], contained)
            if named and owner.owner is Owner.ANOTHERS:
                return _CONTRADICTORY
            if owner is _MINE and self._is_contradicted(subject.get("identifier")):
                return _CONTRADICTORY
            return _MINE if named else owner
        if named:
            return _MINE
        return _OTHER_IDENTIFIER if subject.get("identifier") else _NOBODYS

    def of_focus(self, focus: Any, contained: Any = None) -> Belongs:
        """Return the owner by an Observation's ``focus``. A thing, such as an implant, may be the patient's own."""
        owner = self.of(focus, contained)
        if owner is not _SOMETHING_ELSES:
            return owner
        return _ANOTHERS if _split(str(focus.get("reference")))[1] in _PEOPLE else _A_THING

    def is_here(self, reference: str) -> bool:
        """Whether ``reference``, to any type, may point into this chart: it is relative or on the chart's server."""
        base = _split(reference)[0]
        return not base or self._is_own_base(base)

    def _by_reference(self, reference: str, kind: Any) -> Belongs:
        spelt = _spelt(reference)
        if spelt in self._own_urls or spelt == _spelt(f"{_UUID}{self._patient_id}"):
            return _MINE
        if spelt in self._other_urls:
            return _LINKED if spelt in self._linked else _ANOTHERS
        base, resource, identity = _split(reference)
        if not resource:
            if kind != "Patient" or not _ID.fullmatch(identity):
                return _UNRESOLVED
            resource = "Patient"
        if resource not in resource_types.ALL or not _ID.fullmatch(identity) or "?" in base:
            return _UNRESOLVED
        if resource != "Patient":
            return _SOMETHING_ELSES
        if identity != self._patient_id:
            return _LINKED if identity in self._linked else _ANOTHERS
        return _MINE if not base or self._is_own_base(base) else _OTHER_SERVER

    def _is_own_base(self, base: str) -> bool:
        return place_of_server(base) in self._bases

    @cached_property
    def _bases(self) -> frozenset[str]:
        return frozenset(map(place_of_server, self._find_bases()))

    def _by_contained(self, identity: str, contained: Any) -> Belongs:
        inside = contained if isinstance(contained, list) else ()
        for resource in inside:
            if (
                isinstance(resource, dict)
                and resource.get("id") == identity
                and resource.get("resourceType") == "Patient"
            ):
                mine = not self._identifiers.isdisjoint(identifiers_of(resource.get("identifier")))
                return _MINE if mine else _UNRESOLVED
        return _UNRESOLVED

    def _is_identified(self, identifier: Any) -> bool:
        return not self._identifiers.isdisjoint(identifiers_of([identifier]))

    def _is_contradicted(self, identifier: Any) -> bool:
        """Whether this is a different number in a system in which the Patient has one."""
        systems = {system for system, _ in self._identifiers}
        given = set(identifiers_of([identifier]))
        return given.isdisjoint(self._identifiers) and any(system in systems for system, _ in given)


def identifiers_of(value: Any) -> Iterable[tuple[str, str]]:
    """Yield (system, value) of every identifier that has both."""
    for identifier in value if isinstance(value, list) else ():
        if isinstance(identifier, Mapping):
            system, text = identifier.get("system"), identifier.get("value")
            if isinstance(system, str) and isinstance(text, str) and system and text:
                yield system, text


def _spelt(url: str) -> str:
    """Return ``url``, with a UUID in lower case."""
    return url.lower() if url[: len(_UUID)].lower() == _UUID else url


@lru_cache(maxsize=256)
def place_of_server(base: str) -> str:
    """Return one normalised spelling for all base URLs of the same server; unchanged if it is not a URL.

    http and https on their usual ports count as the same, because a proxy may change one to the other.
    """
    address = _address(base)
    if address is None:
        return base
    port = "" if address.port in _DEFAULT_PORTS else f"{address.scheme}:{address.port}"
    return f"{port}//{address.host}{address.path}"


def _address(url: str) -> Address | None:
    try:
        return Address.parse(url)
    except ValueError:
        return None


def _split(reference: str) -> tuple[str, str, str]:
    """Split a reference into base URL, resource type and id, without the version. A bare id has only the id."""
    plain = reference.split("/_history/")[0]
    rest, slash, identity = plain.rpartition("/")
    base, _, resource = rest.rpartition("/")
    return (base, resource, identity) if slash else ("", "", plain)


def local_name(reference: str) -> str:
    """Return ``Type/id`` of a relative, absolute or versioned reference; a ``urn:uuid`` is unchanged."""
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else reference
