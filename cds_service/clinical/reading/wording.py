"""Find known names in the words of a resource whose codes are understood but not used here.

An irrelevant question may still have an answer that names a DVT. A match is a hint, never a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import SUSPICION
from cds_service.clinical.reading.statuses import is_void

_WORD = re.compile(r"[^\W\d_]{3}")
"""Excludes numbers and results like "A+", which would be taken for codes."""
ELSEWHERE = "names something in an element that this service does not read"
ONLY_IN_WORDS = "its code is none that this service knows, but its words may mean one"


def named_in_answer(content: Content, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the findings and causes that the values of an Observation may name; empty for other types.

    Numbers are skipped: only answers in words or codes are searched.
    """
    if raw.get("resourceType") != "Observation" or ("valueQuantity" in raw and "component" not in raw):
        return ()
    values = [value for part in _parts(raw) for value in _values_in(content, part)]
    if not values or is_void(raw):
        return ()
    return content.recogniser.recognise(values).keys


def named_beside_code(content: Content, concept: Any) -> tuple[str, ...]:
    """Return the findings and causes that a problem's CodeableConcept may name beyond its codes.

    The displays of known codes are searched only by the rules for words, because names in them are expected.
    """
    if not isinstance(concept, Mapping):
        return ()
    words = _words_of(content, concept)
    keys = set(content.recogniser.recognise(words).keys) if words else set()
    for coding in concept.get("coding") or ():
        display = coding.get("display")
        if isinstance(display, str):
            keys |= content.word_net.keys_in(display, names=False)
    return tuple(sorted(keys))


def named_at_place(content: Content, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the words of an irrelevant code may mean together with the place on the leg in the same row.

    "Swelling" alone is not one of our findings, but "Swelling" with the calf as its body site may be one.
    """
    if "bodySite" not in raw or raw.get("valueBoolean") is False:
        return ()
    places = " ".join(_places_of(content, raw["bodySite"]))
    if not places:
        return ()
    spoken = (word for name in ("code", "valueCodeableConcept") for word in _all_words(raw.get(name)))
    net = content.word_net
    return tuple(sorted({key for word in spoken for key in net.keys_in(f"{word} {places}", names=False)}))


def suspected_beside(content: Content, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the DVT that the evidence and notes of a Condition may name although its codes do not."""
    beside = [raw[name] for name in ("evidence", "note") if name in raw]
    if not beside or is_void(raw):
        return ()
    return tuple(key for key in content.recogniser.recognise(beside).keys if key in SUSPICION)


def named_elsewhere(content: Content, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the findings and causes that a visit, an order or a report names anywhere.

    Other FHIR versions keep reasons in other elements than R4, and people write them into notes.
    """
    return () if is_void(raw) else content.recogniser.recognise(raw).keys


def _places_of(content: Content, sites: Any) -> Iterator[str]:
    """Yield the words for the places of the content that body sites name by code."""
    for site in sites if isinstance(sites, list) else [sites]:
        for coding in (site.get("coding") or ()) if isinstance(site, Mapping) else ():
            pair = (str(coding.get("system") or ""), str(coding.get("code") or ""))
            yield from (use.key.replace("_", " ") for use in content.uses(*pair) if use.kind == "site" and use.key)


def _all_words(concept: Any) -> Iterator[str]:
    if isinstance(concept, Mapping):
        texts = (concept.get("text"), *(coding.get("display") for coding in concept.get("coding") or ()))
        yield from (text for text in texts if isinstance(text, str))


def _parts(raw: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield raw
    yield from raw.get("component") or ()


def _values_in(content: Content, part: Mapping[str, Any]) -> list[Any]:
    """Return the value in words, or the words beside the code if nothing else is stated."""
    if "valueQuantity" in part:
        return []
    text, concept = part.get("valueString"), part.get("valueCodeableConcept")
    if text is not None:
        return [text] if _WORD.search(str(text)) else []
    if concept is not None:
        return _words_of(content, concept)
    is_answered = any(key.startswith(("value", "component", "dataAbsentReason", "hasMember")) for key in part)
    if is_answered and part.get("valueBoolean") is not True:
        return []
    code = part.get("code")
    return _words_of(content, code) if code is not None else []


def _words_of(content: Content, concept: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a concept beyond its known codes: other words, and codings of unknown systems."""
    codings = concept.get("coding") or ()
    text = concept.get("text")
    unknown = [coding for coding in codings if not _is_known(content, coding)]
    known_words = {str(coding.get("display") or "").strip().lower() for coding in codings} if not unknown else set()
    is_new = isinstance(text, str) and text.strip().lower() not in known_words
    return [*unknown, text] if is_new else unknown


def _is_known(content: Content, coding: Mapping[str, Any]) -> bool:
    system, code = coding.get("system"), coding.get("code")
    return bool(system and code) and content.identifies(str(system), str(code))
