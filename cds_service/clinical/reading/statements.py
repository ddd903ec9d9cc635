"""Turn codes, a place and an answer into statements about findings; shared by all resource types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.reading.places import DIFFERENT_LEGS, Place, uses_of
from cds_service.clinical.record import Measured, Side, Status, UnreadKind


@dataclass(frozen=True, slots=True)
class Statement:
    """A finding with its status and leg. ``measured`` and ``part``: see ``Fact``."""

    key: str
    status: Status
    side: Side
    measured: Measured | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of a statement that could not be read."""

    kind: UnreadKind
    reason: str
    keys: tuple[str, ...] = ()


def meant(content: Content, uses: Sequence[CodeUse], place: Place, *, answered: bool) -> list[CodeUse]:
    """Return the finding uses that apply.

    A place that is understood decides: a finding that cannot be there is left out, and within a group the finding of
    that place replaces the one without a place. A general finding is left out if the same concept also means a specific
    one. But only a specific complaint replaces a general complaint: a dull pain of the calf is both pain and dull.
    """
    if not uses:
        return []
    closest = content.closest(place.sites)
    held = [
        use
        for use in uses
        if use.kind == "finding"
        and (use.relation != "broader" or not place.sites.isdisjoint(use.narrowed_by))
        and (use.relation != "question" or answered)
        and not (closest and closest <= set(content.findings[use.key].not_at))
    ]
    of_place = {content.findings[use.key].group for use in held if use.relation == "broader"}
    held = [use for use in held if content.findings[use.key].group not in of_place or not _of_no_place(content, use)]
    specific = [content.findings[use.key] for use in held if not content.findings[use.key].general]
    complained = any(finding.complaint for finding in specific)
    return [
        use
        for use in held
        if not specific
        or not (finding := content.findings[use.key]).general
        or (finding.complaint and not complained)
        or _stands_alone(content, use.key)
    ]


def lost_place(uses: Iterable[CodeUse], held: Iterable[CodeUse], place: Place) -> list[Trouble]:
    """Report general codes whose place is stated but not understood; it may be a place that makes them relevant."""
    if not place.stated or place.understood or place.elsewhere:
        return []
    kept = {use.key for use in held}
    dropped = sorted({use.key for use in uses if use.kind in ("finding", "cause") and use.relation == "broader"} - kept)
    return [Trouble(UnreadKind.PLACE, "its body site is not one this service knows", tuple(dropped))] if dropped else []


def lost_side(place: Place, side: Side | None, key: str) -> list[Trouble]:
    """Report a side that was stated but not understood, for the finding or cause ``key`` read as ``side``."""
    reason = place.why_lost(side)
    return [Trouble(UnreadKind.SIDE, reason, (key,))] if reason else []


def _of_no_place(content: Content, use: CodeUse) -> bool:
    """Whether the use applies only while the place is not known."""
    return use.anywhere and content.findings[use.key].general and not _stands_alone(content, use.key)


def _stands_alone(content: Content, key: str) -> bool:
    """Whether the finding is kept beside specific ones, because others are derived from it."""
    return any(key in (*derived.all, derived.one_leg_only) for derived in content.reasoning.derived)


def state(
    content: Content, uses: Iterable[CodeUse], place: Place, status: Status
) -> tuple[list[Statement], list[Trouble]]:
    """Return the statements that ``uses`` make with ``status``, and the problems with their places."""
    statements: dict[str, Statement] = {}
    troubles: list[Trouble] = []
    for use in uses:
        finding = content.findings[use.key]
        if use.status and not (status is Status.PRESENT and _is_stated_by_itself(content, use)):
            troubles += possible_only([use.key]) if use.status == "possible" and status is Status.PRESENT else []
            continue
        if use.status == "absent":
            statements[use.key] = Statement(use.key, Status.ABSENT, Side.BODY)
            continue
        if status is Status.ABSENT and (use.relation == "narrower" or finding.absence_ignored):
            continue  # "no bucket-handle tear" does not mean "no injury", and some absences must be ignored
        if use.anywhere and place.stated and not place.understood:
            troubles.append(Trouble(UnreadKind.PLACE, "its body site is not one this service knows", (use.key,)))
            continue
        if finding.side == "body":
            side = Side.BODY
        else:
            settled = place.side_with(Side(use.side) if use.side else None)
            if settled is None:
                troubles.append(Trouble(UnreadKind.SIDE, DIFFERENT_LEGS, (use.key,)))
            side = settled or Side.UNKNOWN
            troubles += lost_side(place, settled, use.key) if settled else []
        earlier = statements.get(use.key)
        if earlier and earlier.side not in (side, Side.UNKNOWN) and side is not Side.UNKNOWN:
            troubles.append(Trouble(UnreadKind.SIDE, DIFFERENT_LEGS, (use.key,)))
            side = Side.UNKNOWN
        elif earlier and side is Side.UNKNOWN:
            side = earlier.side
        statements[use.key] = Statement(use.key, status, side, part=use.part)
    return list(statements.values()), troubles


def _is_stated_by_itself(content: Content, use: CodeUse) -> bool:
    """Whether a code with a status of its own states a finding: its absence, or a past that counts."""
    finding = content.findings[use.key]
    if use.status == "absent":
        return finding.side == "body" and not finding.absence_ignored
    return use.status == "past" and finding.past_counts


def possible_only(keys: Iterable[str]) -> list[Trouble]:
    """Report risk factors recorded only as possible. They are neither facts nor ignored."""
    named = tuple(sorted(set(keys)))
    return [Trouble(UnreadKind.STATUS, "is recorded as possible only", named)] if named else []


def disagrees(content: Content, concept: Any) -> bool:
    """Whether one answer says yes and no."""
    return {"present", "absent"} <= {use.kind for use in uses_of(content, concept)}


def answer_in(content: Content, concept: Any) -> Status | None:
    """Return what a coded answer states; UNKNOWN also if its codings disagree, None if it is not an answer."""
    kinds = {use.kind for use in uses_of(content, concept)} & {"present", "absent", "unknown"}
    if not kinds:
        return None
    return Status(kinds.pop()) if len(kinds) == 1 else Status.UNKNOWN
