"""The parts of a chart by prefetch key: the state of each part and its entries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.bundle_rows import BUNDLE
from cds_service.protocol.outcomes import OUTCOME, says_none, says_not_offered
from cds_service.protocol.queries import EXTRA_KEYS, PARTS, PATIENT, SEARCHED, WHOLE, Plan
from cds_service.protocol.searchset import WRONG_TYPE, Matches, Searchset, brings_resource, read_searchset

KEYS = PARTS
JUDGED_BY = ("observations", "conditions")
"""Keys that can hold a complaint. Without any of them the chart cannot be assessed."""
DVT_NEEDS = ("observations", "conditions", "procedures")
"""Keys that can hold a local sign or a major risk (evidence C.5). Without them DVT cannot be excluded."""

NAMES = {
    PATIENT: "patient details",
    "observations": "observations",
    "conditions": "problems",
    "procedures": "procedures",
    "medications": "medicines",
    "orders": "orders",
}

KINDS: dict[str, tuple[str, ...]] = {"": (), **{key: kinds for key, (_, kinds) in SEARCHED.items()}}
"""The resource types that each key asks for. Empty for a site's own key, which may ask for anything."""

NOT_ASKED = frozenset({"not_sent", "not_allowed", "no_token", "plain_http", "token_of_another_patient"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_NAMES = 20
_NOT_OFFERED = "not_offered"
_NOT_THERE = NOT_ASKED | {_NOT_OFFERED, "not_found", "refused"}
"""Reasons why an optional key may be missing while its part still counts as complete."""


class KeyState(StrEnum):
    """The state of a prefetch key, sent by the EHR or read from its FHIR server."""

    PRESENT = "present"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"
    TRUNCATED = "truncated"


INCOMPLETE = (KeyState.MISSING, KeyState.FAILED, KeyState.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a chart, or one prefetch key of it.

    Attributes:
        key: key of the part (``KEYS``) or of one of its searches (``SEARCHED``). Empty for a site's own key, whose
            name is never kept.
        entries: all received rows, including those without a resource.
        next_page: address of the rest of a truncated search, if the sender gave it.
        matches: the resources that the search itself found.
        total: number of all matches, if the sender gave it.
        why: a code for why the part is incomplete; empty if it is complete.
        was_read: at least some of it was read from the FHIR server.
        pieces: the keys that fill this part, sent or not; empty if the part is itself one key.
    """

    key: str
    state: KeyState
    entries: tuple[ChartEntry, ...] = ()
    next_page: str | None = None
    matches: Matches = Matches()
    total: int | None = None
    why: str = ""
    was_read: bool = False
    pieces: tuple[Part, ...] = ()

    @property
    def words(self) -> str:
        """Name of the part for an integrator: ``procedures``, ``observations (not all)``."""
        return part_name(self.key, came_in_part=self.came_in_part)

    @property
    def came_in_part(self) -> bool:
        """Whether the part is incomplete but has some resources."""
        return (self.state is KeyState.TRUNCATED or self.has_some) and self.key != PATIENT

    @property
    def has_some(self) -> bool:
        """Whether there are resources of the types that the key asks for."""
        return any(entry.kind in KINDS[self.key] for entry in self.entries)

    @property
    def has_resources(self) -> bool:
        """Whether there are any resources of a chart."""
        return any(map(brings_resource, self.entries))


def part_name(key: str, *, came_in_part: bool) -> str:
    """Name of a part of the chart for an integrator. A clinician reads ``rendering.gaps.part_words``."""
    return NAMES[key] + (" (not all)" if came_in_part else "")


@dataclass(frozen=True, slots=True)
class Prefetched:
    """The received chart.

    Attributes:
        parts: one part for each of ``KEYS``, in that order.
        others: the parts under the site's own keys.
        plan: the searches that were asked for.
        unused: names of the site's own keys that could not be used, or not completely.
    """

    parts: tuple[Part, ...]
    others: tuple[Part, ...] = ()
    plan: Plan = WHOLE
    unused: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """The entries of all parts, those of ``patient`` first."""
        return tuple(entry for part in (*self.parts, *self.others) for entry in part.entries)

    @property
    def incomplete(self) -> tuple[Part, ...]:
        """The parts that are incomplete."""
        return tuple(part for part in self.parts if part.state in INCOMPLETE)

    @property
    def pieces(self) -> tuple[Part, ...]:
        """Every known key, sent or not."""
        return tuple(piece for part in self.parts for piece in (part.pieces or (part,)))

    @property
    def not_offered(self) -> tuple[str, ...]:
        """Optional keys that the sender or its FHIR server does not offer."""
        missing = (piece for piece in self.pieces if piece.key in EXTRA_KEYS and piece.state in INCOMPLETE)
        return tuple(piece.key for piece in missing if piece.why in _NOT_THERE - NOT_ASKED)

    @property
    def to_read(self) -> tuple[Part, ...]:
        """Keys of incomplete parts that can still be read from the FHIR server. Failed keys are not tried again."""
        unfinished = (part for part in self.parts if part.state in (KeyState.MISSING, KeyState.TRUNCATED))
        pieces = (piece for part in unfinished for piece in (part.pieces or (part,)))
        return tuple(piece for piece in pieces if piece.state in (KeyState.MISSING, KeyState.TRUNCATED))

    def with_parts(self, read: Sequence[Part]) -> Prefetched:
        """Return a copy in which the keys in ``read`` are replaced."""
        newer = {piece.key: piece for piece in read}
        return replace(self, parts=tuple(self._newer(part, newer) for part in self.parts))

    def _newer(self, part: Part, newer: Mapping[str, Part]) -> Part:
        if not part.pieces:
            return newer.get(part.key, part)
        if newer.keys().isdisjoint(piece.key for piece in part.pieces):
            return part
        return _joined(part.key, tuple(newer.get(piece.key, piece) for piece in part.pieces), self.plan)

    def check_patient(self, patient_id: str) -> None:
        """Check that the sent chart is that of the patient. Call this before reading anything from the FHIR server.

        Raises:
            UnusableInput: the Patient is not the one of the context.
        """
        sent = [part for part in self.parts if part.key == PATIENT and not part.was_read]
        if any(is_anothers(part, patient_id) for part in sent):
            raise UnusableInput("prefetch.patient is not the patient of context.patientId")

    def check(self, patient_id: str) -> None:
        """Check that the chart can be assessed.

        Raises:
            UnusableInput: the Patient is not the one of the context.
            NothingToJudgeBy: no key that can hold a complaint is available.
        """
        self.check_patient(patient_id)
        judged_by = [part for part in self.parts if part.key in JUDGED_BY]
        is_any_whole = any(part.state not in INCOMPLETE for part in judged_by)
        if not is_any_whole and not any(part.has_resources for part in (*judged_by, *self.others)):
            raise NothingToJudgeBy({part.key: part.why for part in judged_by})


def is_anothers(part: Part, patient_id: str) -> bool:
    """Return whether ``part`` has Patients but none with this id."""
    patients = [entry for entry in part.entries if entry.kind == "Patient"]
    return bool(patients) and patient_id not in map(patient_name, patients)


def patient_name(patient: ChartEntry) -> str:
    """Return the id of a Patient, or else its UUID in the Bundle (``fullUrl``); empty if it has none."""
    return patient.identity or (patient.full_url or "").removeprefix("urn:uuid:")


def gather(prefetch: Mapping[str, Any] | None, plan: Plan = WHOLE) -> Prefetched:
    """Read every key of ``prefetch``, including a site's own keys, because sites divide charts in many ways.

    ``plan``: the searches that this client was asked for. Keys of other styles are read too.
    """
    sent = prefetch or {}
    parts = tuple(_gathered(key, sent, plan) for key in KEYS)
    others = {key: _read_other(value) for key, value in sent.items() if key not in SEARCHED}
    unused = _named(key for key, part in others.items() if part.state in INCOMPLETE)
    return Prefetched(parts, tuple(others.values()), plan, unused)


def _named(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the sender's own key names, only those of plain characters: a key can be any text."""
    names = [key if _PLAIN_NAME.fullmatch(key) else "(name not shown)" for key in keys]
    more = len(names) - _MAX_NAMES
    return (*names[:_MAX_NAMES], f"(and {more} more)") if more > 0 else tuple(names)


def _gathered(part: str, sent: Mapping[str, Any], plan: Plan) -> Part:
    """Return the part from the keys that were sent, plus the missing keys to read from the FHIR server."""
    pieces = [_read_piece(key, sent[key]) for key, (of, _) in SEARCHED.items() if of == part and key in sent]
    sent_keys = {piece.key for piece in pieces}
    if part not in sent_keys:  # a value under the name of the part is the whole part, in every style
        wanted = (search.key for search in plan.of_part(part))
        pieces += [Part(key, KeyState.MISSING, why="not_sent") for key in wanted if key not in sent_keys]
    return _joined(part, tuple(pieces), plan)


def _read_piece(key: str, value: Any) -> Part:
    piece = read_part(key, value)
    return replace(piece, why=_NOT_OFFERED) if key in EXTRA_KEYS and says_not_offered(value) else piece


def _joined(part: str, pieces: tuple[Part, ...], plan: Plan) -> Part:
    """Return a part of the chart, joined from its keys. It is complete only if every key that it needs is complete."""
    if len(pieces) == 1:
        return replace(pieces[0], key=part, pieces=pieces)
    entries = tuple(_once(pieces))
    was_read = any(piece.was_read for piece in pieces)
    whole = {piece.key for piece in pieces if piece.state not in INCOMPLETE}
    is_whole = any(needed <= whole for needed in plan.brings(part))
    extras = [piece for piece in pieces if piece.key in EXTRA_KEYS]
    flawed = [piece for piece in extras if piece.state in INCOMPLETE and piece.why not in _NOT_THERE]
    if not is_whole:
        flawed = [piece for piece in pieces if piece.state in INCOMPLETE and piece.key not in EXTRA_KEYS] + flawed
    state = _state_of(pieces, flawed)
    why = next((piece.why for piece in flawed), "")
    return Part(part, state, entries, why=why, was_read=was_read, pieces=pieces)


def _once(pieces: Sequence[Part]) -> Iterator[ChartEntry]:
    """Yield each row once, even if several searches found it. Different resources with the same id are all kept."""
    seen: dict[tuple[str | None, str], ChartEntry] = {}
    for entry in (entry for piece in pieces for entry in piece.entries):
        first = seen.setdefault((entry.kind, entry.identity), entry) if entry.identity is not None else entry
        if first is entry or first.resource != entry.resource:
            yield entry


def _state_of(pieces: Sequence[Part], flawed: Sequence[Part]) -> KeyState:
    """Return the state of a part. ``flawed``: the keys that make it incomplete."""
    has_some = any(piece.has_some for piece in pieces)
    if not flawed:
        return KeyState.PRESENT if any(piece.has_resources for piece in pieces) else KeyState.EMPTY
    states = {piece.state for piece in flawed}
    if has_some or KeyState.TRUNCATED in states:
        return KeyState.TRUNCATED
    return KeyState.FAILED if KeyState.FAILED in states else KeyState.MISSING


def read_part(key: str, value: Any) -> Part:
    """Read the value of one key, prefetched or from the FHIR server. ``key``: empty for a site's own key."""
    if value is None:
        return Part(key, KeyState.EMPTY)
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == OUTCOME:
        is_none = key != PATIENT and says_none(value)
        return Part(key, KeyState.EMPTY) if is_none else Part(key, KeyState.FAILED, why="operation_outcome")
    if kind == BUNDLE:
        return part_of(key, read_searchset(value))
    entry = ChartEntry(value)
    if entry.kind is None:
        return Part(key, KeyState.FAILED, why=WRONG_TYPE)
    if KINDS[key] and entry.kind not in KINDS[key]:
        return Part(key, KeyState.FAILED, (entry,), why=WRONG_TYPE)
    return Part(key, KeyState.PRESENT, (entry,), matches=Matches(nameless=1))


def part_of(key: str, searchset: Searchset) -> Part:
    """Return the part for ``key`` that a Bundle holds."""
    state, why = _state(key, searchset)
    return Part(key, state, searchset.entries, searchset.next_page, searchset.matches, searchset.total, why)


def _state(key: str, searchset: Searchset) -> tuple[KeyState, str]:
    """Return the state of a key and a code for why it is incomplete."""
    kinds = KINDS[key]
    if searchset.failed:
        return KeyState.FAILED, searchset.failed
    if kinds and searchset.matches and searchset.kinds.isdisjoint((*kinds, None)):
        return KeyState.FAILED, WRONG_TYPE
    if searchset.flaw:
        return KeyState.TRUNCATED, searchset.flaw
    if any(map(brings_resource, searchset.entries)):
        return KeyState.PRESENT, ""
    is_none = key != PATIENT and searchset.says_none
    return (KeyState.EMPTY, "") if is_none else (KeyState.FAILED, WRONG_TYPE)


def _read_other(value: Any) -> Part:
    """Read a site's own key. Rows without any resource are dropped, because they need no mention on a card."""
    part = read_part("", value)
    return part if part.has_resources else replace(part, entries=())
