"""Whose a resource is: this patient's, another one's by a reference that resolves elsewhere, or not to be told.

Addresses are compared by their parts. What is neither surely this patient's nor surely another's is UNCLEAR: it
gives no facts, and it is never dropped without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cds_service.ground.addresses import Address

_DEFAULT_PORTS = frozenset({80, 443})
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Z][A-Za-z]+")
_UUID = "urn:uuid:"


class Owner(StrEnum):
    """Whose it is."""

    MINE = "mine"
    ANOTHERS = "anothers"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Belongs:
    """Whose a resource is, and in our words why; the reason is empty for this patient's."""

    owner: Owner
    reason: str = ""


_MINE = Belongs(Owner.MINE)
_ANOTHERS = Belongs(Owner.ANOTHERS, "belongs to another patient")
_SOMETHING_ELSES = Belongs(Owner.ANOTHERS, "is not about a patient")
_NOBODYS = Belongs(Owner.UNCLEAR, "does not say whose it is")
_UNRESOLVED = Belongs(Owner.UNCLEAR, "names its patient by a reference that cannot be resolved")
_OTHER_SERVER = Belongs(Owner.UNCLEAR, "names a patient of the same id on another server")
_LINKED = Belongs(Owner.UNCLEAR, "belongs to a record that is linked with this patient's")
_CONTRADICTORY = Belongs(Owner.UNCLEAR, "names its patient by a reference and an identifier that disagree")
_OTHER_IDENTIFIER = Belongs(Owner.UNCLEAR, "names its patient by an identifier that the Patient does not have")


def same_place(one: Address, other: Address) -> bool:
    """Whether two base URLs name one server. Behind a proxy http and https, on their usual ports, are the same."""
    if (one.host, one.path) != (other.host, other.path):
        return False
    both_usual = {one.port, other.port} <= _DEFAULT_PORTS
    return both_usual or (one.scheme, one.port) == (other.scheme, other.port)


class Owners:
    """Tells whose resources are, for one chart. References are remembered: charts repeat the same few."""

    def __init__(
        self, patient_id: str, bases: Iterable[str], *, own_urls: Iterable[str], other_urls: Iterable[str]
    ) -> None:
        """``bases``: base URLs of the server that the chart is from. ``own_urls``, ``other_urls``: the ``fullUrl`` of
        this patient's and of other Patients.
        """
        self._patient_id = patient_id
        self._bases = tuple(found for url in bases if (found := _address(url)) is not None)
        self._own_urls = frozenset(own_urls)
        self._other_urls = frozenset(other_urls)
        self._identifiers: set[tuple[str, str]] = set()
        self._linked: set[str] = set()
        self._remembered: dict[str, Belongs] = {}

    def know(self, patient: Mapping[str, Any]) -> None:
        """Take up the identifiers and links of this patient's Patient resource."""
        self._identifiers |= set(_identifiers(patient.get("identifier")))
        links = patient.get("link")
        for link in links if isinstance(links, list) else ():
            other = link.get("other") if isinstance(link, dict) else None
            reference = other.get("reference") if isinstance(other, dict) else None
            if isinstance(reference, str):
                self._linked.add(reference.split("/_history/")[0].rpartition("/")[2])
        self._remembered.clear()

    def of_reference(self, reference: str) -> Belongs:
        """Whose a resource is that says no more than ``reference``."""
        found = self._remembered.get(reference)
        if found is None:
            found = self._remembered[reference] = self._by_reference(reference, None)
        return found

    def of(self, subject: Any, contained: Any = None) -> Belongs:
        """Whose a resource with this ``subject`` element is. ``contained``: its own contained resources."""
        if not isinstance(subject, Mapping):
            return _NOBODYS
        reference, kind = subject.get("reference"), subject.get("type")
        named = self._is_identified(subject.get("identifier"))
        if isinstance(reference, str) and reference:
            found = self._by_reference(reference, kind)
            if reference.startswith("#"):
                found = self._by_contained(reference[1:], contained)
            if named and found.owner is Owner.ANOTHERS:
                return _CONTRADICTORY
            return _MINE if named else found
        if named:
            return _MINE
        return _OTHER_IDENTIFIER if subject.get("identifier") else _NOBODYS

    def is_here(self, reference: str) -> bool:
        """Whether ``reference``, to any resource, can be one within this chart: relative, or on its own server."""
        base = _split(reference)[0]
        return not base or self._is_own_base(base)

    def _by_reference(self, reference: str, kind: Any) -> Belongs:
        if reference in self._own_urls or reference == f"{_UUID}{self._patient_id}":
            return _MINE
        if reference in self._other_urls:
            return _ANOTHERS
        base, resource, identity = _split(reference)
        if not resource:
            if kind != "Patient" or not _ID.fullmatch(identity):
                return _UNRESOLVED
            resource = "Patient"
        if not _TYPE.fullmatch(resource) or not _ID.fullmatch(identity):
            return _UNRESOLVED
        if resource != "Patient":
            return _SOMETHING_ELSES
        if identity != self._patient_id:
            return _LINKED if identity in self._linked else _ANOTHERS
        return _MINE if not base or self._is_own_base(base) else _OTHER_SERVER

    def _is_own_base(self, base: str) -> bool:
        found = _address(base)
        return found is not None and any(same_place(found, own) for own in self._bases)

    def _by_contained(self, identity: str, contained: Any) -> Belongs:
        inside = contained if isinstance(contained, list) else ()
        for one in inside:
            if isinstance(one, dict) and one.get("id") == identity and one.get("resourceType") == "Patient":
                mine = not self._identifiers.isdisjoint(_identifiers(one.get("identifier")))
                return _MINE if mine else _UNRESOLVED
        return _UNRESOLVED

    def _is_identified(self, identifier: Any) -> bool:
        return not self._identifiers.isdisjoint(_identifiers([identifier]))


def _identifiers(value: Any) -> Iterable[tuple[str, str]]:
    """(system, value) of every identifier that has both."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            system, text = one.get("system"), one.get("value")
            if isinstance(system, str) and isinstance(text, str) and system and text:
                yield system, text


def _address(url: str) -> Address | None:
    try:
        return Address.parse(url)
    except ValueError:
        return None


def _split(reference: str) -> tuple[str, str, str]:
    """Base URL, resource type and id of a reference, without its version; a bare id has neither base nor type."""
    plain = reference.split("/_history/")[0]
    rest, slash, identity = plain.rpartition("/")
    base, _, resource = rest.rpartition("/")
    return (base, resource, identity) if slash else ("", "", plain)


def local_name(reference: str) -> str:
    """``Type/id`` of a relative, absolute or versioned reference; a ``urn:uuid`` as it is."""
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else reference
