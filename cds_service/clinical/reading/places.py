"""Which leg, and which place on it: from body sites, qualifiers, contained body structures and the code itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.code_index import CodeUse
from cds_service.clinical.content import Content
from cds_service.clinical.names import SIDE_ONLY
from cds_service.clinical.record import Side

BODY_SITE_EXTENSION = "http://hl7.org/fhir/StructureDefinition/bodySite"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource says something is.

    Attributes:
        sites: body sites of the content, each with the wider ones it lies in.
        sides: legs named; empty if none is.
        stated: a place (not only a side) is given at all.
        understood: at least one given place is one of ours.
        contradictory: one concept names the left and the right leg.
    """

    sites: frozenset[str] = frozenset()
    sides: frozenset[Side] = frozenset()
    stated: bool = False
    understood: bool = False
    contradictory: bool = False

    def joined(self, other: Place) -> Place:
        """Both places together. Elements that name different legs contradict each other."""
        apart = bool(self.named) and bool(other.named) and self.named.isdisjoint(other.named)
        return Place(
            self.sites | other.sites,
            self.sides | other.sides,
            self.stated or other.stated,
            self.understood or other.understood,
            self.contradictory or other.contradictory or apart,
        )

    @property
    def named(self) -> frozenset[Side]:
        """The single legs named."""
        return self.sides - {Side.BOTH}

    def side_with(self, from_code: Side | None) -> Side | None:
        """The leg of a finding whose code names ``from_code``; None when place and code contradict each other.

        A code for both sides at one named leg means the named leg.
        """
        if self.contradictory:
            return None
        place = Side.UNKNOWN
        if self.sides:
            place = next(iter(self.named)) if len(self.named) == 1 else Side.BOTH
        if from_code is None or from_code is Side.UNKNOWN:
            return place
        if place in (Side.UNKNOWN, from_code):
            return from_code
        return place if from_code is Side.BOTH else None


def codings(concept: Any) -> Iterable[tuple[str, str]]:
    """(system, code) of every coding of a validated CodeableConcept with a code; a missing system is empty."""
    if concept is None:
        return
    for coding in concept.coding or ():
        if coding.code:
            yield str(coding.system or ""), str(coding.code)


def uses_of(content: Content, concept: Any) -> list[CodeUse]:
    """What the codings of ``concept`` mean here, all of them: the first one is not special.

    A late effect of an old injury (ICD-10-CM 7th character S) means nothing that is current.
    """
    return [use for system, code in codings(concept) for use in content.current_uses(system, code)]


def place_of(content: Content, concepts: Iterable[Any], *, in_code: bool = False) -> Place:
    """The place that ``concepts`` (body sites, or with ``in_code`` the finding's own code) name."""
    sites: set[str] = set()
    sides: set[Side] = set()
    stated = understood = contradictory = False
    for concept in concepts:
        every = uses_of(content, concept)
        uses = [use for use in every if use.kind == "site"]
        named = {Side(use.side) for use in every if use.side and (use.kind == "site" or in_code)}
        contradictory = contradictory or {Side.LEFT, Side.RIGHT} <= named
        sides |= named
        for use in uses:
            if use.key != SIDE_ONLY:
                sites |= content.site_and_wider(use.key)
                understood = True
        only_side = bool(uses) and all(use.key == SIDE_ONLY for use in uses)
        stated = stated or understood or (not in_code and not only_side)
    return Place(frozenset(sites), frozenset(sides), stated, understood, contradictory)


def contained_body_structures(resource: Any) -> Iterable[Any]:
    """Locations and location qualifiers of contained BodyStructures that the bodySite extension points to."""
    wanted = {
        str(extension.valueReference.reference).removeprefix("#")
        for extension in resource.extension or ()
        if extension.url == BODY_SITE_EXTENSION and extension.valueReference and extension.valueReference.reference
    }
    for inside in resource.contained or ():
        if inside.get_resource_type() == "BodyStructure" and inside.id in wanted:
            if inside.location:
                yield inside.location
            yield from inside.locationQualifier or ()
