"""Observations: coded, boolean, measured, interpreted, in components, as answers to questions, in panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cds_service.clinical.code_index import CodeUse
from cds_service.clinical.content import Measure
from cds_service.clinical.reading import pregnancy
from cds_service.clinical.reading.dates import still_going
from cds_service.clinical.reading.diagnoses import diagnosed
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.measurements import SidedReading, convert, judge
from cds_service.clinical.reading.places import Place, contained_body_structures, place_of, uses_of
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.statements import Statement, Trouble, answer_in, lost_place, meant, state
from cds_service.clinical.record import Side, Status, UnreadKind, When

_NOT_MADE = frozenset({"entered-in-error", "cancelled"})
_EARLY = frozenset({"registered", "preliminary", "unknown"})
_OTHER_VALUES = (
    "valueString", "valueInteger", "valueRange", "valueRatio", "valueSampledData", "valueTime", "valueDateTime",
    "valuePeriod",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """What an Observation gives to those that it lists as ``hasMember``."""

    place: Place
    clinical: When | None


def panel(raw: Mapping[str, Any], name: str, findings: Findings) -> Panel | None:
    """The panel that ``raw`` is; None if it cannot be read."""
    try:
        model = build(raw)[0]
    except Unreadable:
        return None
    place = place_of(findings.content, [model.bodySite] if model.bodySite else [])
    return Panel(place, _effective(model, name, findings))


@dataclass(frozen=True, slots=True)
class _Context:
    """What every statement of one Observation shares. ``without_value``: what its code says where no value is given."""

    findings: Findings
    place: Place
    clinical: When | None
    recorded: When | None
    provisional: bool
    without_value: Status


def read(model: Any, raw: Mapping[str, Any], name: str, findings: Findings, panels: Sequence[Panel | None]) -> None:
    """Everything one validated Observation says; ``panels`` that list it give side and date when it does not.

    ``raw``: its JSON, which also holds the extensions of values that are not there.
    """
    if model.status in _NOT_MADE:
        findings.leave_out("Observation", model.status)
        return
    content = findings.content
    if any(str(member.reference).startswith("#") for member in model.hasMember or ()):
        findings.report(name, [Trouble(UnreadKind.INVALID, "a member contained in it is not read")])
    sites = [model.bodySite] if model.bodySite else [*contained_body_structures(model)]
    place = place_of(content, sites)
    readable = [one for one in panels if one is not None]
    if not sites:
        for one in readable:
            place = place.joined(one.place)
    place = place.joined(place_of(content, [model.code], in_code=True))
    for part in model.component or ():
        if not any(use.kind == "finding" for use in uses_of(content, part.valueCodeableConcept)):
            place = place.joined(place_of(content, [part.valueCodeableConcept], in_code=True))
    clinical = _effective(model, name, findings)
    if len(readable) < len(panels) and (clinical is None or not sites):
        findings.report(name, [Trouble(UnreadKind.INVALID, "a panel that lists it is not valid FHIR R4")])
    if clinical is None:
        dates = [one.clinical for one in readable if one.clinical is not None]
        clinical = min(dates, key=lambda when: when.day, default=None)
    context = _Context(
        findings,
        place,
        clinical,
        findings.when(model.issued, name),
        model.status in _EARLY,
        # Registered, but without a result yet: the code alone states nothing.
        Status.UNKNOWN if model.status == "registered" else Status.PRESENT,
    )
    _read_part(_as_withheld(context, raw), model, name)
    raw_parts = raw.get("component") or ()
    for number, (part, raw_part) in enumerate(zip(model.component or (), raw_parts, strict=False), start=1):
        own_place = place.joined(place_of(content, [part.code], in_code=True))
        _read_part(_as_withheld(replace(context, place=own_place), raw_part), part, f"{name}#{number}")


def _as_withheld(context: _Context, raw: Mapping[str, Any]) -> _Context:
    """A value that is there by its extensions only (why it is absent, say) is no value: its code states nothing."""
    withheld = any(key.startswith(("_value", "_dataAbsent")) for key in raw)
    return replace(context, without_value=Status.UNKNOWN) if withheld else context


def _effective(model: Any, name: str, findings: Findings) -> When | None:
    period = model.effectivePeriod
    value = model.effectiveDateTime or model.effectiveInstant
    if value is None and period is not None:
        if period.end is None:
            return still_going(findings.when(period.start, name), findings.now)
        value = period.end
    if value is None and model.effectiveTiming is not None and model.effectiveTiming.event:
        value = max(model.effectiveTiming.event, key=str)
    return findings.when(value, name)


def _read_part(context: _Context, part: Any, source: str) -> None:
    """One code with its value: an Observation or a component."""
    findings, content = context.findings, context.findings.content
    uses = uses_of(content, part.code)
    if kind := pregnancy.timed(uses):
        pregnancy.read(kind, part, source, findings, context.clinical, provisional=context.provisional)
        return
    asked = [use for use in uses if use.kind == "finding"]
    answered = _has_value(part) or bool(part.interpretation)
    held = meant(content, asked, context.place, answered=answered)
    if part.valueQuantity is not None:
        _read_quantity(context, part, source, uses, held)
        return
    if part.valueCodeableConcept is not None and _read_value_finding(context, part, source):
        return
    _read_causes(context, part, source, uses)
    findings.report(source, lost_place(uses, held, context.place))
    if not held:
        if asked and not answered:  # a question of ours that nobody has answered
            _add(context, [use for use in asked if use.relation == "question"], Status.UNKNOWN, source)
        return
    status = _status(context, part)
    if status is None:
        findings.report(source, [Trouble(UnreadKind.VALUE, "its value is not one this service knows", _keys(held))])
        return
    _add(context, held, status, source)


def _has_value(part: Any) -> bool:
    return (
        part.valueBoolean is not None
        or part.valueCodeableConcept is not None
        or part.valueQuantity is not None
        or any(getattr(part, name) is not None for name in _OTHER_VALUES)
    )


def _status(context: _Context, part: Any) -> Status | None:
    """What the value says; None if there is a value that is not understood."""
    content = context.findings.content
    if part.dataAbsentReason is not None:
        return Status.UNKNOWN
    flags = {answer for concept in part.interpretation or () if (answer := answer_in(content, concept))}
    stated: Status | None
    if part.valueBoolean is not None:
        stated = Status.PRESENT if part.valueBoolean else Status.ABSENT
    elif part.valueCodeableConcept is not None:
        stated = answer_in(content, part.valueCodeableConcept)
    elif any(getattr(part, name) is not None for name in _OTHER_VALUES):
        return None
    elif part.interpretation:
        return flags.pop() if len(flags) == 1 else None
    else:
        return context.without_value  # of a result that was made, the code alone states the finding
    # A "no" that is flagged as abnormal is no clear no.
    return None if stated is Status.ABSENT and Status.PRESENT in flags else stated


def _read_value_finding(context: _Context, part: Any, source: str) -> bool:
    """A finding as the value of a question: present. Whether the value named one."""
    content = context.findings.content
    every = uses_of(content, part.valueCodeableConcept)
    uses = [use for use in every if use.kind == "finding"]
    causes = [use for use in every if use.kind == "cause"]
    if not uses and not causes:
        return False
    place = context.place.joined(place_of(content, [part.valueCodeableConcept], in_code=True))
    held = meant(content, uses, place, answered=True)
    here = replace(context, place=place)
    _add(here, held, Status.PRESENT, source)
    stated = _state_causes(here, causes, source)
    if not held and not stated:
        context.findings.report(source, [Trouble(UnreadKind.PLACE, "nothing says which place it means", _keys(every))])
    return True


def _read_causes(context: _Context, part: Any, source: str, uses: list[CodeUse]) -> None:
    """A diagnosis as the code of an Observation, stated to be there."""
    causes = [use for use in uses if use.kind == "cause"]
    if causes and _status(context, part) is Status.PRESENT:
        _state_causes(context, causes, source)


def _state_causes(context: _Context, causes: list[CodeUse], source: str) -> bool:
    """Diagnoses by way of an Observation, as for an image report; a preliminary one is a suspicion of DVT."""
    found = diagnosed(causes, context.place)
    for key, side in found:
        context.findings.diagnose(key, side, context.clinical, context.recorded, source, possible=context.provisional)
    return bool(found)


def _read_quantity(context: _Context, part: Any, source: str, uses: list[CodeUse], held: list[CodeUse]) -> None:
    findings, content = context.findings, context.findings.content
    measures = [
        (use.key, content.measures[use.key])
        for use in uses
        if use.kind == "measure" and (use.relation != "broader" or not context.place.sites.isdisjoint(use.narrowed_by))
    ]
    if not measures:
        lost = tuple(sorted({content.measures[use.key].finding for use in uses if use.kind == "measure"}))
        if lost:
            findings.report(source, [Trouble(UnreadKind.PLACE, "nothing says which place it means", lost)])
        elif held:
            trouble = Trouble(UnreadKind.VALUE, "a number is not an answer to it", _keys(held))
            findings.report(source, [trouble])
        return
    for key, measure in measures:
        _read_measure(context, part, source, key, measure)


def _read_measure(context: _Context, part: Any, source: str, key: str, measure: Measure) -> None:
    findings = context.findings
    side = context.place.side_with(None)
    if findings.content.findings[measure.finding].side == "body":
        side = Side.BODY
    elif side is None:
        findings.report(source, [Trouble(UnreadKind.SIDE, "its codes name different legs", (measure.finding,))])
        side = Side.UNKNOWN
    reading = convert(measure, part.valueQuantity, findings.content.measures.values())
    if isinstance(reading, str):
        findings.report(source, [Trouble(UnreadKind.VALUE, reading, (measure.finding,))])
        # A laboratory's own "high" still counts when the number cannot be compared; its "normal" does not.
        if part.interpretation and all(
            answer_in(findings.content, concept) is Status.PRESENT for concept in part.interpretation
        ):
            _record(context, [Statement(measure.finding, Status.PRESENT, side)], source)
        return
    if measure.compare_sides:
        if reading.comparator or side not in (Side.LEFT, Side.RIGHT):
            findings.report(source, [Trouble(UnreadKind.SIDE, "the leg it measures is not stated", (measure.finding,))])
            return
        findings.sided.append(SidedReading(key, side, reading.value, context.clinical, context.recorded, source))
        return
    status = judge(measure, reading, findings.age)
    flags = {answer_in(findings.content, concept) for concept in part.interpretation or ()}
    if status is Status.ABSENT and Status.PRESENT in flags:
        findings.report(source, [Trouble(UnreadKind.VALUE, "number and laboratory flag disagree", (measure.finding,))])
    elif status is not Status.UNKNOWN:
        _record(context, [Statement(measure.finding, status, side)], source)


def _add(context: _Context, held: list[CodeUse], status: Status, source: str) -> None:
    statements, troubles = state(context.findings.content, held, context.place, status)
    context.findings.report(source, troubles)
    _record(context, statements, source)


def _record(context: _Context, statements: list[Statement], source: str) -> None:
    context.findings.add(statements, source, context.clinical, context.recorded, provisional=context.provisional)


def _keys(uses: list[CodeUse]) -> tuple[str, ...]:
    return tuple(sorted({use.key for use in uses}))
