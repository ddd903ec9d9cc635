"""Find the leg, and the place on it: from body sites, qualifiers, extensions, body structures and the code itself.

Records state a side in many forms, and every country has its own extensions for it. An extension whose name is about a
place is read as a place. A side that is stated but not understood is always reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import SIDE_ONLY
from cds_service.clinical.reading.icd10_gm_letters import side_behind
from cds_service.clinical.record import Side

BODY_STRUCTURE = "BodyStructure"
_NAMES_OF_SIDES = ("laterality", "seitenlokalisation", "bodyside")
_NAMES_OF_PLACES = (*_NAMES_OF_SIDES, "bodysite", "bodystructure", "bodylocation")
"""Parts of the names of extensions for a side or a place, letters only: of mCODE and its copies, KBV and HL7."""
_LEFT_RIGHT_BOTH = """
left right bilateral both lt rt links rechts linke linken linker linkes rechte rechten rechter rechtes li re
beide beiden beidseits beiderseits beidseitig bds beiderzijds gauche droite droit bilaterale sinistra sinistro
destra destro izquierda izquierdo derecha derecho esquerda esquerdo direita direito vänster höger venstre højre
høyre vasen oikea
"""
_SIDE_WORDS = frozenset(_LEFT_RIGHT_BOTH.split())
"""Words that name a side. They show that a side is stated in words, but never prove which one."""
_WORD = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"\b[lr]\b(?!['\u2019])", re.IGNORECASE)
"""L or R alone, but not the French article and not in L5."""
DIFFERENT_LEGS = "its codes name different legs"
_IN_WORDS = "names a side in words only"
_UNKNOWN_SITE = "its body site, which may name the leg, is not one this service knows"
_UNKNOWN_SIDE = "states a side in a way that this service does not know"
_NO_STRUCTURE = "refers to a body structure that did not come along"
_BAD_STRUCTURE = "refers to a body structure that cannot be read"


@dataclass(frozen=True, slots=True)
class Place:
    """The place that a resource states.

    Attributes:
        sites: body sites of the content, each with the wider ones that contain it.
        sides: the legs named; empty if none.
        stated: a place (not only a side) is stated.
        understood: at least one stated place is in the content.
        elsewhere: no stated place is in the content, and the words of each name a place off the leg.
        contradictory: one concept names the left and the right leg.
        lost: why a side may be stated that is not in ``sides``; empty if none is. It matters only if no leg is known.
        unread: what was certainly stated about the place but not understood; empty if nothing.
    """

    sites: frozenset[str] = frozenset()
    sides: frozenset[Side] = frozenset()
    stated: bool = False
    understood: bool = False
    contradictory: bool = False
    lost: str = ""
    unread: str = ""
    elsewhere: bool = False

    def joined(self, other: Place) -> Place:
        """Return both places together. Elements that name different legs contradict each other."""
        if other is NOWHERE:
            return self
        if self is NOWHERE:
            return other
        apart = bool(self.named) and bool(other.named) and self.named.isdisjoint(other.named)
        return Place(
            self.sites | other.sites,
            self.sides | other.sides,
            self.stated or other.stated,
            self.understood or other.understood,
            self.contradictory or other.contradictory or apart,
            self.lost or other.lost,
            self.unread or other.unread,
            self.elsewhere if not other.stated else other.elsewhere and (self.elsewhere or not self.stated),
        )

    @property
    def named(self) -> frozenset[Side]:
        """The single legs named."""
        return self.sides - {Side.BOTH}

    def side_with(self, from_code: Side | None) -> Side | None:
        """Return the leg of a finding whose code names ``from_code``; None if place and code contradict each other.

        A code for both sides at one named leg means that leg.
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

    def why_lost(self, side: Side | None) -> str:
        """Return why the leg that was read as ``side`` may be another one; empty if everything was understood."""
        if self.contradictory:
            return DIFFERENT_LEGS
        return self.unread or (self.lost if side is Side.UNKNOWN else "")


NOWHERE = Place()
"""No statement about a place."""


def codings(concept: Any) -> Iterable[tuple[str, str]]:
    """Yield (system, code) of every coding of a validated CodeableConcept with a code; a missing system is empty."""
    if concept is None:
        return
    for coding in concept.coding or ():
        if coding.code:
            yield str(coding.system or ""), str(coding.code)


def uses_of(content: Content, concept: Any) -> list[CodeUse]:
    """Return the meanings of all codings of ``concept``. The first one is not special.

    A late effect of an old injury (ICD-10-CM 7th character S) means nothing that is current.
    """
    return [use for system, code in codings(concept) for use in content.current_uses(system, code)]


@dataclass(frozen=True, slots=True)
class _OneCoding:
    """A Coding in a place where a CodeableConcept is allowed."""

    coding: tuple[Any, ...]
    text: None = None
    extension: None = None


@dataclass
class _Spot:
    """The description of one place.

    Attributes:
        concepts: the concepts that describe it together. Both legs in one place are a contradiction.
        sides: the concepts that extensions add.
        unread: what was stated about it but not understood; empty if nothing.
    """

    concepts: list[Any] = field(default_factory=list)
    sides: list[Any] = field(default_factory=list)
    unread: str = ""


class Places:
    """Reads places. ``structure``: returns the BodyStructure of the chart for a reference; None if there is none."""

    def __init__(self, content: Content, structure: Callable[[str], Any] = lambda _: None) -> None:
        self._content = content
        self._structure = structure
        self._remembered: dict[tuple[Any, ...], Place] = {}

    def of_code(self, concept: Any) -> Place:
        """Return the place that a finding's own code names."""
        return NOWHERE if concept is None else self._of_concept(concept, (), in_code=True)

    def _of_concept(self, concept: Any, inside: Iterable[Any], *, in_code: bool) -> Place:
        """Return the place of a concept. Cached if it has no extensions, because a chart has few different places."""
        coded = getattr(concept, "coding", None) or ()
        if any(getattr(element, "extension", None) for element in (concept, *coded)):
            return self._of_spot(self._spot_of(concept, inside), in_code=in_code)
        key = (in_code, concept.text, *((coding.system, coding.code, coding.display) for coding in coded))
        found = self._remembered.get(key)
        if found is None:
            place = self._of_spot(_Spot([concept]), in_code=in_code)
            found = self._remembered[key] = NOWHERE if place == NOWHERE else place
        return found

    def of(self, model: Any) -> Place:
        """Return the place of a whole resource, from its body sites and its own extensions."""
        sites = getattr(model, "bodySite", None) or ()
        if not sites and not getattr(model, "extension", None):
            return NOWHERE
        inside = getattr(model, "contained", None) or ()
        return self.of_concepts(sites if isinstance(sites, list | tuple) else [sites], inside).joined(
            self.of_extensions(model, inside)
        )

    def of_extensions(self, element: Any, inside: Iterable[Any] = ()) -> Place:
        """Return the place that extensions of a resource or component name. ``inside``: the contained resources."""
        place = NOWHERE
        for spot in self._spots_in(element, inside):
            place = place.joined(self._of_spot(spot, in_code=False))
        return place

    def of_concepts(self, concepts: Iterable[Any], inside: Iterable[Any] = (), *, in_code: bool = False) -> Place:
        """Return the place that ``concepts`` (body sites, or with ``in_code`` the finding's own code) name.

        ``inside``: the contained resources that extensions of ``concepts`` may point to.

        Several body sites are several places: the left and the right calf are both calves.
        """
        concepts = [concept for concept in concepts if concept is not None]
        if len(concepts) == 1:
            return self._of_concept(concepts[0], inside, in_code=in_code)
        sites: set[str] = set()
        sides: set[Side] = set()
        stated = understood = contradictory = False
        elsewhere = True
        lost = unread = ""
        for concept in concepts:
            place = self._of_concept(concept, inside, in_code=in_code)
            sites |= place.sites
            sides |= place.sides
            stated, understood = stated or place.stated, understood or place.understood
            contradictory = contradictory or place.contradictory
            lost, unread = lost or place.lost, unread or place.unread
            elsewhere = elsewhere and (place.elsewhere or not place.stated)
        elsewhere = elsewhere and stated
        return Place(frozenset(sites), frozenset(sides), stated, understood, contradictory, lost, unread, elsewhere)

    def _spot_of(self, concept: Any, inside: Iterable[Any], *, follow: bool = True) -> _Spot:
        """Return ``concept`` with what its extensions and those of its codings add. ``follow``: also references."""
        spot = _Spot([] if concept is None else [concept])
        for element in (concept, *(getattr(concept, "coding", None) or ())):
            for added in self._spots_in(element, inside, follow=follow):
                spot.sides += [*added.sides, *added.concepts]
                spot.unread = spot.unread or added.unread
        return spot

    def _spots_in(self, element: Any, inside: Iterable[Any], *, follow: bool = True) -> Iterator[_Spot]:
        """Yield the description in each extension of ``element`` that is about a place."""
        for extension in _about_places(element):
            concept, reference = extension.valueCodeableConcept, extension.valueReference
            if extension.valueCoding is not None:
                concept = _OneCoding((extension.valueCoding,))
            if concept is not None:
                yield _Spot(sides=[concept]) if _has_name(extension, _NAMES_OF_SIDES) else _Spot([concept])
            elif reference is not None and follow:
                yield self._spot_at(str(reference.reference or ""), inside)
            else:
                yield _Spot(unread=_UNKNOWN_SIDE)

    def _spot_at(self, reference: str, inside: Iterable[Any]) -> _Spot:
        if reference.startswith("#"):
            named = (resource for resource in inside if str(resource.id) == reference[1:])
            found = next((resource for resource in named if resource.get_resource_type() == BODY_STRUCTURE), None)
        else:
            found = self._structure(reference)
        if found is None:
            return _Spot(unread=_NO_STRUCTURE)
        if found.active is False or not (found.location or found.locationQualifier):
            return _Spot(unread=_BAD_STRUCTURE)
        whole = _Spot()
        for concept in (found.location, *(found.locationQualifier or ())):
            spot = self._spot_of(concept, (), follow=False)
            whole.concepts += spot.concepts
            whole.sides += spot.sides
            whole.unread = whole.unread or spot.unread
        return whole

    def _of_spot(self, spot: _Spot, *, in_code: bool) -> Place:
        every = [use for concept in spot.concepts for use in uses_of(self._content, concept)]
        added = [uses_of(self._content, concept) for concept in spot.sides]
        uses = [use for use in (*every, *(use for meanings in added for use in meanings)) if use.kind == "site"]
        sides = {Side(use.side) for use in uses if use.side}
        if in_code:
            sides |= {Side(use.side) for use in every if use.side}
            pairs = (pair for concept in spot.concepts for pair in codings(concept))
            sides |= {side for pair in pairs if (side := side_behind(self._content, *pair))}
        keys = {use.key for use in uses} - {SIDE_ONLY}
        only_side = bool(uses or spot.unread) and not keys
        unread = spot.unread
        if any(not any(use.kind in ("site", "unknown") for use in meanings) for meanings in added):
            unread = unread or _UNKNOWN_SIDE
        return Place(
            frozenset(site for key in keys for site in self._content.site_and_wider(key)),
            frozenset(sides),
            bool(keys) or (not in_code and bool(spot.concepts) and not only_side),
            bool(keys),
            {Side.LEFT, Side.RIGHT} <= sides,
            "" if sides else _lost_in(spot.concepts, uses, in_code=in_code),
            unread,
            not keys and not in_code and bool(spot.concepts) and all(map(self._is_elsewhere, spot.concepts)),
        )

    def _is_elsewhere(self, concept: Any) -> bool:
        texts = [text for text in _texts(concept) if text.strip()]
        return bool(texts) and all(map(self._content.word_net.is_elsewhere, texts))


def _lost_in(concepts: Iterable[Any], uses: Iterable[CodeUse], *, in_code: bool) -> str:
    """Return why ``concepts``, in which no leg was understood, may still name one; empty if they do not."""
    if any(_names_side(text) for concept in concepts for text in _texts(concept)):
        return _IN_WORDS
    return _UNKNOWN_SITE if not in_code and any(True for _ in concepts) and not any(True for _ in uses) else ""


def _names_side(text: str) -> bool:
    """Whether ``text`` names a side. Escaped characters, as in ``&lt; 3 cm``, are decoded first."""
    text = unescape(text)
    return not _SIDE_WORDS.isdisjoint(_WORD.findall(text.lower())) or bool(_LETTER.search(text))


def _texts(concept: Any) -> Iterator[str]:
    yield str(concept.text or "")
    for coding in concept.coding or ():
        yield str(coding.display or "")


def _about_places(element: Any, *, inherited: bool = False) -> Iterator[Any]:
    """Yield the extensions of ``element``, at any depth, that are about a place and have a value."""
    for extension in getattr(element, "extension", None) or ():
        about = inherited or _is_about_place(extension)
        if extension.extension:
            yield from _about_places(extension, inherited=about)
        elif about:
            yield extension


def _is_about_place(extension: Any) -> bool:
    if _has_name(extension, _NAMES_OF_PLACES):
        return True
    reference = extension.valueReference
    return reference is not None and BODY_STRUCTURE in (
        str(reference.type or ""),
        *str(reference.reference or "").split("/"),
    )


def _has_name(extension: Any, parts: Iterable[str]) -> bool:
    name = "".join(letter for letter in str(extension.url).rpartition("/")[2].lower() if letter.isalpha())
    return any(part in name for part in parts)
