"""The parts of a chart by prefetch key: what each one's state is, and the chart entries it brought."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cds_service.base.errors import NothingToJudgeBy, UnusableInput
from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.outcomes import OUTCOME, says_none, says_not_offered
from cds_service.protocol.queries import EXTRA_KEYS, PARTS, PATIENT, SEARCHED, WHOLE, Plan
from cds_service.protocol.searchset import BUNDLE, WRONG_TYPE, Matches, Searchset, brings_resource, read_searchset

KEYS = PARTS
JUDGED_BY = ("observations", "conditions")
"""Keys that can hold a complaint; without any of them there is nothing to judge by."""
DVT_NEEDS = ("observations", "conditions", "procedures")
"""Keys that can hold a local sign or a major risk (evidence C.5): without them DVT cannot be excluded."""

NAMES = {
    PATIENT: "patient details",
    "observations": "observations",
    "conditions": "problems",
    "procedures": "procedures",
    "medications": "medicines",
    "orders": "orders",
}

KINDS: dict[str, tuple[str, ...]] = {"": (), **{key: kinds for key, (_, kinds) in SEARCHED.items()}}
"""The resource types that each key asks for; none for a key of the site's own, which may ask for anything."""

NOT_ASKED = frozenset({"not_sent", "not_allowed", "no_token", "plain_http", "token_of_another_patient"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_NAMES = 20
_NOT_OFFERED = "not_offered"
_NOT_THERE = NOT_ASKED | {_NOT_OFFERED, "not_found", "refused"}
"""Reasons for which a key that a server need not have leaves its part whole."""


class KeyState(StrEnum):
    """How a prefetch key came, from the EHR or from its FHIR server."""

    PRESENT = "present"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"
    TRUNCATED = "truncated"


LACKING = (KeyState.MISSING, KeyState.FAILED, KeyState.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a chart, or one prefetch key of it.

    Attributes:
        key: of the part (``KEYS``) or of a search of it (``SEARCHED``); empty for a key of the site's own, whose name
            is never kept.
        entries: every row that came, also those that bring no resource.
        next_page: where the rest of a truncated search is, if the sender said so.
        matches: the resources that the search itself found.
        total: how many it found in all, if the sender said so.
        why: a code for what keeps it from being whole; empty if it is.
        was_read: it came from the FHIR server, at least in part.
        pieces: the keys that fill this part, sent or not; none if it is itself one key.
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
        """For an integrator: ``procedures``, ``observations (not all)``."""
        return NAMES[self.key] + (" (not all)" if self.came_in_part else "")

    @property
    def came_in_part(self) -> bool:
        """Whether some of it is there."""
        return (self.state is KeyState.TRUNCATED or self.has_some) and self.key != PATIENT

    @property
    def has_some(self) -> bool:
        """Whether resources of the kind asked for came."""
        return any(entry.kind in KINDS[self.key] for entry in self.entries)

    @property
    def has_resources(self) -> bool:
        """Whether any resources of a chart came."""
        return any(map(brings_resource, self.entries))


@dataclass(frozen=True, slots=True)
class Prefetched:
    """The chart as it came, in the order of ``KEYS``.

    Attributes:
        others: what came under keys of the site's own.
        unused: names of those that could not be used, or not wholly.
        plan: what was asked.
    """

    parts: tuple[Part, ...]
    others: tuple[Part, ...] = ()
    plan: Plan = WHOLE
    unused: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        """The entries of all parts; those of ``patient`` come first."""
        return tuple(entry for part in (*self.parts, *self.others) for entry in part.entries)

    @property
    def incomplete(self) -> tuple[Part, ...]:
        """Parts that did not come whole."""
        return tuple(part for part in self.parts if part.state in LACKING)

    @property
    def pieces(self) -> tuple[Part, ...]:
        """Every key of ours, sent or not."""
        return tuple(piece for part in self.parts for piece in (part.pieces or (part,)))

    @property
    def not_offered(self) -> tuple[str, ...]:
        """Keys of ours that the sender or its FHIR server does not have, and need not have."""
        missing = (one for one in self.pieces if one.key in EXTRA_KEYS and one.state in LACKING)
        return tuple(one.key for one in missing if one.why in _NOT_THERE - NOT_ASKED)

    @property
    def to_read(self) -> tuple[Part, ...]:
        """Keys that the FHIR server may still have, of parts that are not whole. What failed is not tried again."""
        unfinished = (part for part in self.parts if part.state in (KeyState.MISSING, KeyState.TRUNCATED))
        pieces = (piece for part in unfinished for piece in (part.pieces or (part,)))
        return tuple(piece for piece in pieces if piece.state in (KeyState.MISSING, KeyState.TRUNCATED))

    def with_parts(self, read: Sequence[Part]) -> Prefetched:
        """The same with some keys replaced."""
        newer = {piece.key: piece for piece in read}
        return replace(self, parts=tuple(self._newer(part, newer) for part in self.parts))

    def _newer(self, part: Part, newer: Mapping[str, Part]) -> Part:
        if not part.pieces:
            return newer.get(part.key, part)
        if newer.keys().isdisjoint(piece.key for piece in part.pieces):
            return part
        return _joined(part.key, tuple(newer.get(piece.key, piece) for piece in part.pieces), self.plan)

    def check_patient(self, patient_id: str) -> None:
        """Whether the chart that was sent is the right one; to be asked before anything more is read.

        Raises:
            UnusableInput: the Patient is not the one of the context.
        """
        sent = [part for part in self.parts if part.key == PATIENT and not part.was_read]
        if any(is_anothers(part, patient_id) for part in sent):
            raise UnusableInput("prefetch.patient is not the patient of context.patientId")

    def check(self, patient_id: str) -> None:
        """Whether there is anything to judge by.

        Raises:
            UnusableInput: the Patient is not the one of the context.
            NothingToJudgeBy: no key that can hold a complaint could be had.
        """
        self.check_patient(patient_id)
        judged_by = [part for part in self.parts if part.key in JUDGED_BY]
        is_any_whole = any(part.state not in LACKING for part in judged_by)
        if not is_any_whole and not any(part.has_resources for part in (*judged_by, *self.others)):
            raise NothingToJudgeBy({part.key: part.why for part in judged_by})


def is_anothers(part: Part, patient_id: str) -> bool:
    """Whether ``part`` brings Patients and none of them is the one of this id."""
    patients = [entry for entry in part.entries if entry.kind == "Patient"]
    return bool(patients) and patient_id not in map(patient_name, patients)


def patient_name(patient: ChartEntry) -> str:
    """The id of a Patient, or the UUID that it goes by in a Bundle; empty if it has neither."""
    return patient.identity or (patient.full_url or "").removeprefix("urn:uuid:")


def gather(prefetch: Mapping[str, Any] | None, plan: Plan = WHOLE) -> Prefetched:
    """Every key of ``prefetch``, by what it holds. Those that are not ours are read too: charts come in many cuts.

    ``plan``: what this client was asked for; the keys of other styles are taken as well.
    """
    sent = prefetch or {}
    parts = tuple(_gathered(key, sent, plan) for key in KEYS)
    others = {key: _read_other(value) for key, value in sent.items() if key not in SEARCHED}
    unused = _named(key for key, part in others.items() if part.state in LACKING)
    return Prefetched(parts, tuple(others.values()), plan, unused)


def _named(keys: Iterable[str]) -> tuple[str, ...]:
    """The sender's own names as far as they are plain: any text may stand in the place of a name."""
    names = [key if _PLAIN_NAME.fullmatch(key) else "(name not shown)" for key in keys]
    more = len(names) - _MAX_NAMES
    return (*names[:_MAX_NAMES], f"(and {more} more)") if more > 0 else tuple(names)


def _gathered(part: str, sent: Mapping[str, Any], plan: Plan) -> Part:
    """The part by the keys that were sent, and those that the FHIR server has to be asked for."""
    pieces = [_read_piece(key, sent[key]) for key, (of, _) in SEARCHED.items() if of == part and key in sent]
    there = {one.key for one in pieces}
    if part not in there:  # what is sent under the name of the part is all of it, whatever the style
        wanted = (one.key for one in plan.of_part(part))
        pieces += [Part(key, KeyState.MISSING, why="not_sent") for key in wanted if key not in there]
    return _joined(part, tuple(pieces), plan)


def _read_piece(key: str, value: Any) -> Part:
    piece = read_part(key, value)
    return replace(piece, why=_NOT_OFFERED) if key in EXTRA_KEYS and says_not_offered(value) else piece


def _joined(part: str, pieces: tuple[Part, ...], plan: Plan) -> Part:
    """A part of the chart from its keys. It is whole only if every key that it needs is."""
    if len(pieces) == 1:
        return replace(pieces[0], key=part, pieces=pieces)
    entries = tuple(_once(pieces))
    was_read = any(piece.was_read for piece in pieces)
    whole = {piece.key for piece in pieces if piece.state not in LACKING}
    is_whole = any(needed <= whole for needed in plan.brings(part))
    extras = [piece for piece in pieces if piece.key in EXTRA_KEYS]
    flawed = [piece for piece in extras if piece.state in LACKING and piece.why not in _NOT_THERE]
    if not is_whole:
        flawed = [one for one in pieces if one.state in LACKING and one.key not in EXTRA_KEYS] + flawed
    state = _state_of(pieces, flawed)
    why = next((one.why for one in flawed), "")
    return Part(part, state, entries, why=why, was_read=was_read, pieces=pieces)


def _once(pieces: Sequence[Part]) -> Iterator[ChartEntry]:
    """Each row once that several searches have found; what differs under one name is handed on."""
    seen: dict[tuple[str | None, str], ChartEntry] = {}
    for entry in (entry for piece in pieces for entry in piece.entries):
        first = seen.setdefault((entry.kind, entry.identity), entry) if entry.identity is not None else entry
        if first is entry or first.resource != entry.resource:
            yield entry


def _state_of(pieces: Sequence[Part], flawed: Sequence[Part]) -> KeyState:
    """``flawed``: the keys that keep the part from being whole."""
    has_some = any(piece.has_some for piece in pieces)
    if not flawed:
        return KeyState.PRESENT if any(piece.has_resources for piece in pieces) else KeyState.EMPTY
    states = {piece.state for piece in flawed}
    if has_some or KeyState.TRUNCATED in states:
        return KeyState.TRUNCATED
    return KeyState.FAILED if KeyState.FAILED in states else KeyState.MISSING


def read_part(key: str, value: Any) -> Part:
    """One key's value, as prefetched or as the FHIR server answered. ``key``: empty for one of the site's own."""
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


def part_of(key: str, found: Searchset) -> Part:
    """What came as a Bundle for ``key``."""
    state, why = _state(key, found)
    return Part(key, state, found.entries, found.next_page, found.matches, found.total, why)


def _state(key: str, found: Searchset) -> tuple[KeyState, str]:
    kinds = KINDS[key]
    if found.failed:
        return KeyState.FAILED, found.failed
    if kinds and found.matches and found.kinds.isdisjoint((*kinds, None)):
        return KeyState.FAILED, WRONG_TYPE
    if found.flaw:
        return KeyState.TRUNCATED, found.flaw
    if any(map(brings_resource, found.entries)):
        return KeyState.PRESENT, ""
    is_none = key != PATIENT and found.says_none
    return (KeyState.EMPTY, "") if is_none else (KeyState.FAILED, WRONG_TYPE)


def _read_other(value: Any) -> Part:
    """A key of the site's own. What brings nothing of a chart is not ours to complain of on a card."""
    part = read_part("", value)
    return part if part.has_resources else replace(part, entries=())
