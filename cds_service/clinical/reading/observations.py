"""Read Observations: coded, boolean, measured, interpreted, with components, as answers, or in panels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.models import Measure
from cds_service.clinical.content.names import DVT
from cds_service.clinical.reading import negative_tests, pregnancy
from cds_service.clinical.reading.dates import still_going
from cds_service.clinical.reading.diagnoses import diagnosed, dvt_of_unstated_place
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.measurements import SidedReading, convert, is_above_own_limit, judge, number_in
from cds_service.clinical.reading.performers import assessed_by
from cds_service.clinical.reading.places import NOWHERE, Place, codings, uses_of
from cds_service.clinical.reading.resources import Unreadable, build
from cds_service.clinical.reading.statements import (
    Statement,
    Trouble,
    answer_in,
    disagrees,
    lost_place,
    lost_side,
    meant,
    state,
)
from cds_service.clinical.record import Fact, Measured, Side, Status, UnreadKind, When

_NOT_MADE = frozenset({"entered-in-error", "cancelled"})
_EARLY = frozenset({"registered", "preliminary", "unknown"})
_HEADING = "has no value of its own, and what it lists did not come along"
_NO_ANSWER = "its value is not one this service knows"
_NO_PLACE = "nothing says which place it means"
_NOT_THERE = "has a value, and a reason why it has none"
_OTHER_VALUES = (
    "valueString", "valueInteger", "valueRange", "valueRatio", "valueSampledData", "valueTime", "valueDateTime",
    "valuePeriod",
)  # fmt: skip
_OF_A_DEVICE = ("type", "deviceName", "modelNumber", "note")
_OF_A_SPECIMEN = ("type", "collection", "note")
_REAL_WORD = re.compile(r"[^\W\d_]{3}")
"""Distinguishes words from a specimen number."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The place and date that an Observation gives to the members it lists."""

    place: Place
    clinical: When | None


def panel(raw: Mapping[str, Any], name: str, findings: Findings) -> Panel | None:
    """Return the panel in ``raw``, or None if it cannot be read."""
    try:
        model = build(raw)[0]
    except Unreadable:
        return None
    return Panel(findings.places.of(model), _effective(model, name, findings))


@dataclass(frozen=True, slots=True)
class _Context:
    """What all statements of one Observation share.

    Attributes:
        without_value: the status that its code states if there is no value.
        model: the Observation.
        beside: its ``specimen`` and ``device``, if the chart contains them.
    """

    findings: Findings
    place: Place
    clinical: When | None
    recorded: When | None
    provisional: bool
    without_value: Status
    model: Any
    beside: Mapping[str, Mapping[str, Any]]

    @property
    def method(self) -> str:
        """All words about how it was measured, in lower case."""
        return _words_on_method(self.model, self.beside.get("device"))

    @property
    def specimen(self) -> str:
        """All words about what it was measured in, in lower case; empty if none."""
        return _words_on_specimen(self.model, self.beside.get("specimen"))


def read(
    model: Any,
    raw: Mapping[str, Any],
    name: str,
    findings: Findings,
    panels: Sequence[Panel | None],
    *,
    members_came: bool,
    is_whole: bool = True,
    beside: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Read one validated Observation into ``findings``.

    ``raw``: its JSON, which also has the extensions of missing values.
    ``panels``: the panels that list it; they supply side and date if it has none.
    ``members_came``: the observations it lists are rows of the chart.
    ``is_whole``: no unknown element was left out, which might be a misspelt value.
    ``beside``: its ``specimen`` and ``device``, if the chart contains them.
    """
    if model.status in _NOT_MADE:
        findings.leave_out("Observation", model.status)
        return
    content = findings.content
    if model.hasMember and any(str(member.reference).startswith("#") for member in model.hasMember):
        findings.report(name, [Trouble(UnreadKind.INVALID, "a member contained in it is not read")])
    place = findings.places.of(model)
    placed = place != NOWHERE
    readable = [panel for panel in panels if panel is not None]
    if not placed:
        for panel in readable:
            place = place.joined(panel.place)
    place = place.joined(findings.places.of_code(model.code))
    for part in model.component or ():
        if not any(use.kind == "finding" for use in uses_of(content, part.valueCodeableConcept)):
            place = place.joined(findings.places.of_code(part.valueCodeableConcept))
    clinical = _effective(model, name, findings)
    if len(readable) < len(panels) and (clinical is None or not placed):
        findings.report(name, [Trouble(UnreadKind.INVALID, "a panel that lists it is not valid FHIR R4")])
    if clinical is None:
        dates = [panel.clinical for panel in readable if panel.clinical is not None]
        clinical = min(dates, key=lambda when: when.day, default=None)
    context = _Context(
        findings,
        place,
        clinical,
        findings.when(model.issued, name),
        model.status in _EARLY,
        # Without a result, or with a lost result, the code alone states nothing.
        Status.UNKNOWN if model.status == "registered" or not is_whole else Status.PRESENT,
        model,
        beside,
    )
    if model.hasMember and not (_has_value(model) or model.interpretation):
        # A panel's heading states nothing; its members do.
        context = replace(context, without_value=Status.UNKNOWN)
        if not members_came:
            about = _keys([use for use in uses_of(content, model.code) if use.kind == "finding"])
            findings.report(name, [Trouble(UnreadKind.VALUE, _HEADING, about)] if about else [])
    before = len(findings.facts)
    _read_part(_as_withheld(context, raw), model, name)
    raw_parts = raw.get("component") or ()
    for number, (part, raw_part) in enumerate(zip(model.component or (), raw_parts, strict=False), start=1):
        own_place = place.joined(findings.places.of_code(part.code))
        own_place = own_place.joined(findings.places.of_extensions(part, getattr(model, "contained", None) or ()))
        _read_part(_as_withheld(replace(context, place=own_place), raw_part), part, f"{name}#{number}")
    findings.facts[before:] = _signed(findings.facts[before:], assessed_by(model))
    made = (
        fact for fact in findings.facts[before:] if fact.key in negative_tests.TESTS and fact.status is Status.ABSENT
    )
    findings.report(name, negative_tests.against(content, model, {fact.key: fact.side for fact in made}))


def _signed(facts: Sequence[Fact], by: str | None) -> Sequence[Fact]:
    return facts if by is None else [replace(fact, assessed_by=by) for fact in facts]


def _as_withheld(context: _Context, raw: Mapping[str, Any]) -> _Context:
    """Return the context in which a value with only extensions, such as a reason for absence, states nothing."""
    for key in raw:
        if key.startswith("_") and key.startswith(("_value", "_dataAbsent")):
            return replace(context, without_value=Status.UNKNOWN)
    return context


def _words_on_method(model: Any, device: Mapping[str, Any] | None) -> str:
    """Return the words about the method: from the method, the device, the code and its notes."""
    texts = [str(model.device.display or "")] if model.device is not None else []
    for concept in (model.method, model.code):
        if concept is not None:
            texts += [str(concept.text or ""), *(str(coding.display or "") for coding in concept.coding or ())]
    texts += (str(note.text or "") for note in model.note or ())
    return " ".join((*texts, *_texts_in(device, _OF_A_DEVICE))).lower()


def _words_on_specimen(model: Any, specimen: Mapping[str, Any] | None) -> str:
    """Return the words about the specimen."""
    texts = [str(model.specimen.display or "")] if model.specimen is not None else []
    return " ".join((*texts, *_texts_in(specimen, _OF_A_SPECIMEN))).lower()


def _texts_in(resource: Mapping[str, Any] | None, names: Iterable[str]) -> Iterator[str]:
    left: list[Any] = [resource.get(name) for name in names] if resource is not None else []
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            left += (inner for name, inner in node.items() if name not in ("system", "reference"))
        elif isinstance(node, list):
            left += node
        elif isinstance(node, str):
            yield node


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
    """Read one code with its value: an Observation or a component."""
    findings, content = context.findings, context.findings.content
    uses = uses_of(content, part.code)
    if kind := pregnancy.timed(uses):
        pregnancy.read(kind, part, source, findings, context.clinical, provisional=context.provisional)
        return
    asked = [use for use in uses if use.kind == "finding"]
    answered = _has_value(part) or bool(part.interpretation)
    held = meant(content, asked, context.place, answered=answered)
    measures = _measures_at(context, uses)
    quantity = part.valueQuantity
    if quantity is None and measures and part.valueString is not None:
        quantity = number_in(str(part.valueString))
    wrong = _NOT_THERE if _is_there_and_not_there(content, part) else quantity
    if isinstance(wrong, str):
        named = [value for value in uses_of(content, part.valueCodeableConcept) if value.kind in ("finding", "cause")]
        about = (*_keys([*asked, *named]), *_measured(content, uses), *_causes_at(context, uses))
        findings.report(source, [Trouble(UnreadKind.VALUE, wrong, about)] if about else [])
        return
    if quantity is not None:
        _read_quantity(context, part, source, uses, held, quantity)
        return
    if part.valueCodeableConcept is not None and _read_value_finding(context, part, source):
        return
    _read_causes(context, part, source, uses, answered=answered)
    if answered and _is_test_for_dvt(content, uses) and _status(context, part) is not Status.ABSENT:
        findings.report(source, [Trouble(UnreadKind.VALUE, _NO_ANSWER, (DVT,))])
        return
    findings.report(source, lost_place(uses, held, context.place))
    if measures and not held:
        _read_result(context, part, source, measures)
        return
    if not measures and not held and (about := _measured(content, uses)):
        findings.report(source, [Trouble(UnreadKind.PLACE, _NO_PLACE, about)])
        return
    if not held:
        if asked and not answered:  # a known question without an answer
            _add(context, [use for use in asked if use.relation == "question"], Status.UNKNOWN, source)
        return
    status = _status(context, part)
    if status is None:
        findings.report(source, [Trouble(UnreadKind.VALUE, _NO_ANSWER, _keys(held))])
        return
    _add(context, held, status, source)


def _is_test_for_dvt(content: Content, uses: list[CodeUse]) -> bool:
    """Whether the code means only a test of the DVT pathway, such as a duplex scan; it states no result."""
    return bool(uses) and all(use.kind == "order" and use.key in content.dvt_orders for use in uses)


def _has_value(part: Any) -> bool:
    return (
        part.valueBoolean is not None
        or part.valueCodeableConcept is not None
        or part.valueQuantity is not None
        or any(getattr(part, name) is not None for name in _OTHER_VALUES)
    )


def _is_there_and_not_there(content: Content, part: Any) -> bool:
    """Whether it has a value and a reason for its absence, which obs-6 forbids. A "no" then counts as not answered."""
    if part.dataAbsentReason is None or not _has_value(part) or part.valueBoolean is False:
        return False
    return answer_in(content, part.valueCodeableConcept) not in (Status.UNKNOWN, Status.ABSENT)


def _status(context: _Context, part: Any) -> Status | None:
    """Return the status that the value states; None if the value is not understood."""
    content = context.findings.content
    if part.dataAbsentReason is not None:
        return Status.UNKNOWN
    flags = {answer_in(content, concept) for concept in part.interpretation or ()}
    stated: Status | None
    if part.valueBoolean is not None:
        stated = Status.PRESENT if part.valueBoolean else Status.ABSENT
    elif part.valueCodeableConcept is not None:
        stated = answer_in(content, part.valueCodeableConcept)
        if disagrees(content, part.valueCodeableConcept):
            return None
    elif any(getattr(part, name) is not None for name in _OTHER_VALUES):
        return None
    elif part.interpretation:
        return _agreed(flags)
    else:
        return context.without_value  # if a result exists, the code alone states the finding
    # A clear "no" is accepted only if every flag is clearly normal.
    return None if stated is Status.ABSENT and flags - {Status.ABSENT} else stated


def _agreed(flags: set[Status | None]) -> Status | None:
    """Combine several flags. An unknown flag does not change "high", but it prevents "normal"."""
    if Status.PRESENT in flags:
        flags = flags - {None}
    return flags.pop() if len(flags) == 1 else None


def _read_value_finding(context: _Context, part: Any, source: str) -> bool:
    """Read a finding given as the value of a question. Returns whether the value named one."""
    content = context.findings.content
    value_uses = uses_of(content, part.valueCodeableConcept)
    uses = [use for use in value_uses if use.kind == "finding"]
    causes = [use for use in value_uses if use.kind == "cause"]
    if not uses and not causes:
        return False
    place = context.place.joined(context.findings.places.of_code(part.valueCodeableConcept))
    held = meant(content, uses, place, answered=True)
    here = replace(context, place=place)
    _add(here, held, Status.PRESENT, source)
    stated = _state_causes(here, causes, source)
    if not held and not stated and not _is_off_the_leg(content, part, place, causes):
        context.findings.report(source, [Trouble(UnreadKind.PLACE, _NO_PLACE, _keys(value_uses))])
    return True


def _is_off_the_leg(content: Content, part: Any, place: Place, causes: list[CodeUse]) -> bool:
    """Whether a general answer is irrelevant: pain elsewhere, or pain without a place under an understood question."""
    if place.stated:
        return place.elsewhere
    asked = (str(part.code.text or ""), *(str(coding.display or "") for coding in part.code.coding or ()))
    if causes or any(map(content.word_net.keys_in, asked)):
        return False
    return any(content.identifies(system, code) for system, code in codings(part.code))


def _read_causes(context: _Context, part: Any, source: str, uses: list[CodeUse], *, answered: bool) -> None:
    """Read a diagnosis coded as an Observation. An answer that is neither yes nor no is reported."""
    causes = [use for use in uses if use.kind == "cause"]
    if not causes:
        return
    status = _status(context, part)
    if status is Status.PRESENT:
        _state_causes(context, causes, source)
    elif status is not Status.ABSENT and answered and (about := _causes_at(context, causes)):
        context.findings.report(source, [Trouble(UnreadKind.VALUE, _NO_ANSWER, about)])


def _causes_at(context: _Context, uses: list[CodeUse]) -> tuple[str, ...]:
    """Return the causes that ``uses`` name at this place; a DVT also if no place is stated."""
    causes = {cause for cause, _ in diagnosed(uses, context.place)}
    if dvt_of_unstated_place(uses, context.place):
        causes.add(DVT)
    return tuple(sorted(causes))


def _state_causes(context: _Context, causes: list[CodeUse], source: str) -> bool:
    """Record diagnoses from an Observation, as for an imaging report. A preliminary DVT is only a suspicion."""
    causes_with_side = diagnosed(causes, context.place)
    for key, side in causes_with_side:
        context.findings.report(source, lost_side(context.place, side, key))
        context.findings.diagnose(key, side, context.clinical, context.recorded, source, possible=context.provisional)
    return bool(causes_with_side)


def _measures_at(context: _Context, uses: list[CodeUse]) -> list[tuple[str, Measure]]:
    """Return the measures that ``uses`` name at this place."""
    return [
        (use.key, context.findings.content.measures[use.key])
        for use in uses
        if use.kind == "measure" and (use.relation != "broader" or not context.place.sites.isdisjoint(use.narrowed_by))
    ]


def _measured(content: Content, uses: list[CodeUse]) -> tuple[str, ...]:
    return tuple(sorted({content.measures[use.key].finding for use in uses if use.kind == "measure"}))


def _read_quantity(
    context: _Context, part: Any, source: str, uses: list[CodeUse], held: list[CodeUse], quantity: Any
) -> None:
    findings = context.findings
    measures = _measures_at(context, uses)
    if not measures:
        lost_measures = _measured(findings.content, uses)
        if lost_measures:
            findings.report(source, [Trouble(UnreadKind.PLACE, _NO_PLACE, lost_measures)])
        elif about := (*_keys(held), *_causes_at(context, uses)):
            findings.report(source, [Trouble(UnreadKind.VALUE, "a number is not an answer to it", about)])
        return
    for key, measure in measures:
        _read_measure(context, part, source, key, measure, quantity)


def _read_result(context: _Context, part: Any, source: str, measures: list[tuple[str, Measure]]) -> None:
    """Read a measurement without a number.

    "Positive" counts. "Negative" does not prove absence, because its limits are unknown.
    """
    findings = context.findings
    status = _status(replace(context, without_value=Status.UNKNOWN), part)
    for _, measure in measures:
        key = measure.finding
        if status is None or (status is Status.PRESENT and (measure.compare_sides or _is_low_abnormal(measure))):
            findings.report(source, [Trouble(UnreadKind.VALUE, _NO_ANSWER, (key,))])
            continue
        if status is Status.ABSENT:
            findings.set_aside.append("A negative test without a number")
        accepted = Status.PRESENT if status is Status.PRESENT else Status.UNKNOWN
        side = Side.BODY if findings.content.findings[key].side == "body" else context.place.side_with(None)
        _record(context, [Statement(key, accepted, side or Side.UNKNOWN)], source)


def _is_low_abnormal(measure: Measure) -> bool:
    """Whether the finding means a number that is too low; "high" or "positive" do not state that."""
    return measure.present_when == "less_than"


def _read_measure(context: _Context, part: Any, source: str, key: str, measure: Measure, quantity: Any) -> None:
    findings = context.findings
    side = context.place.side_with(None)
    if findings.content.findings[measure.finding].side == "body":
        side = Side.BODY
    elif side is None:
        findings.report(source, [Trouble(UnreadKind.SIDE, "its codes name different legs", (measure.finding,))])
        side = Side.UNKNOWN
    kinds = findings.content.kinds_of_unit[measure.finding]
    reading = convert(measure, part, quantity, kinds, findings.units.of(key, measure, quantity, kinds))
    if isinstance(reading, str):
        findings.report(source, [Trouble(UnreadKind.VALUE, reading, (measure.finding,))])
        # The laboratory's own "high" still counts if the number cannot be compared; its "normal" does not.
        if _is_flagged(findings.content, part) or is_above_own_limit(part, quantity, kinds):
            _record(context, [Statement(measure.finding, Status.PRESENT, side)], source)
        return
    if measure.compare_sides:
        if reading.comparator or side not in (Side.LEFT, Side.RIGHT):
            findings.report(source, [Trouble(UnreadKind.SIDE, "the leg it measures is not stated", (measure.finding,))])
            return
        findings.sided.append(SidedReading(key, side, reading.value, context.clinical, context.recorded, source))
        return
    status = judge(measure, reading, findings.age if measure.per_year_over_50 else None)
    flags = {answer_in(findings.content, concept) for concept in part.interpretation or ()}
    if status is Status.ABSENT and Status.PRESENT in flags and not measure.own_limit_counts:
        # "High" refers to the laboratory's own range. It neither shows our finding nor denies it.
        _record(context, [Statement(measure.finding, Status.UNKNOWN, side)], source)
    elif status is Status.ABSENT and Status.PRESENT in flags:
        findings.report(source, [Trouble(UnreadKind.VALUE, "number and laboratory flag disagree", (measure.finding,))])
    elif status is Status.ABSENT and measure.own_limit_counts and _is_flag_doubtful(findings.content, part):
        reason = "its flag is not one this service knows"
        findings.report(source, [Trouble(UnreadKind.VALUE, reason, (measure.finding,))])
    elif status is Status.ABSENT and _excludes_nothing(context, measure):
        findings.set_aside.append("A negative test of a kind that excludes nothing")
    elif status is not Status.UNKNOWN:
        number = Measured(key, reading.value, reading.comparator)
        _record(context, [Statement(measure.finding, status, side, number)], source)


def _excludes_nothing(context: _Context, measure: Measure) -> bool:
    """Whether this kind of test or specimen cannot exclude the finding."""
    method, specimen = context.method, context.specimen
    if any(word in method for word in measure.weak_methods):
        return True
    is_described = bool(measure.specimens) and _REAL_WORD.search(specimen) is not None
    return is_described and not any(word in specimen for word in measure.specimens)


def _is_flag_doubtful(content: Content, part: Any) -> bool:
    return any(negative_tests.is_doubtful_flag(content, concept) for concept in part.interpretation or ())


def _is_flagged(content: Content, part: Any) -> bool:
    """Whether every interpretation is "high" or "abnormal"."""
    flags = [answer_in(content, concept) for concept in part.interpretation or ()]
    return bool(flags) and all(flag is Status.PRESENT for flag in flags)


def _add(context: _Context, held: list[CodeUse], status: Status, source: str) -> None:
    statements, troubles = state(context.findings.content, held, context.place, status)
    context.findings.report(source, troubles)
    _record(context, statements, source)


def _record(context: _Context, statements: list[Statement], source: str) -> None:
    context.findings.add(statements, source, context.clinical, context.recorded, provisional=context.provisional)


def _keys(uses: list[CodeUse]) -> tuple[str, ...]:
    return tuple(sorted({use.key for use in uses}))
