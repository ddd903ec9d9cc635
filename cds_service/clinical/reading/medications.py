"""Read what is taken from MedicationRequest, -Statement, -Administration and -Dispense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import ANTICOAGULANT
from cds_service.clinical.reading.dates import FutureDate, day_of, lasting
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.places import Place, codings
from cds_service.clinical.reading.statements import Trouble, meant, state
from cds_service.clinical.reading.statuses import word_of
from cds_service.clinical.reading.treatments import may_not_treat
from cds_service.clinical.record import Status, Stop, UnreadKind, When

_ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_NOT_GIVEN: Mapping[str, frozenset[str]] = {
    "MedicationRequest": frozenset({"cancelled", "stopped", "draft"}),
    "MedicationStatement": frozenset({"not-taken", "stopped", "intended"}),
    "MedicationAdministration": frozenset({"not-done"}),
    "MedicationDispense": frozenset({"preparation", "cancelled", "declined"}),
}
"""Statuses that show that nothing is or was taken."""
_STOPPED: Mapping[str, frozenset[str]] = {
    "MedicationRequest": frozenset({"stopped", "on-hold"}),
    # A "completed" statement means that the medicine is no longer taken; a "completed" request was only carried out.
    "MedicationStatement": frozenset({"stopped", "on-hold", "not-taken", "completed"}),
}
"""Statuses that end a course. A single dose or package that was not given does not end it."""
_GIVEN: Mapping[str, frozenset[str]] = {
    "MedicationAdministration": frozenset({"in-progress", "on-hold", "completed", "stopped"}),
    "MedicationDispense": frozenset({"in-progress", "on-hold", "completed", "stopped"}),
}
"""Statuses with which some doses may already have been given."""


@dataclass(frozen=True, slots=True)
class _Taking:
    """What one resource states about taking its medicine.

    Attributes:
        status: UNKNOWN if it states nothing about it.
        running: the resource itself shows that the course is ongoing.
        clinical: when it was true.
        recorded: when it was written down.
        ended: the last day it was taken, for a completed course.
    """

    status: Status
    running: bool
    clinical: When | None
    recorded: When | None = None
    ended: When | None = None


def is_not_taken(raw: Mapping[str, Any]) -> bool:
    """Whether the status or intent shows that nothing is taken because of this resource."""
    kind = raw["resourceType"]
    if word_of(raw, "status") in _NOT_GIVEN[kind] or raw.get("doNotPerform") is True:
        return True
    return kind == "MedicationRequest" and word_of(raw, "intent") in ("proposal", "option")


def may_end_a_course(raw: Mapping[str, Any]) -> bool:
    """Whether it shows that a medicine is no longer taken. If the medicine is unknown, any course may be meant."""
    kind = raw["resourceType"]
    return word_of(raw, "status") in _STOPPED.get(kind, ()) or (kind in _STOPPED and raw.get("doNotPerform") is True)


def read(model: Any, name: str, findings: Findings, uses: Iterable[CodeUse], words: Iterable[str] = ()) -> None:
    """Read one validated resource into ``findings``. ``uses``: the medicine's meanings; ``words``: its names."""
    content = findings.content
    kind = model.get_resource_type()
    routes = [list(codings(route)) for route in _routes(model)]
    uses = [use for use in uses if not content.formulary.is_local(use, routes)]
    held = meant(content, uses, Place(), answered=False)
    taking = _READERS[kind](model, name, findings)
    if model.status in _STOPPED.get(kind, ()) or (kind == "MedicationRequest" and model.doNotPerform):
        # The start of a period does not show when it was stopped.
        began = getattr(model, "effectivePeriod", None) is not None and taking.ended is None
        when = taking.ended or taking.recorded or (None if began else taking.clinical)
        findings.stops += [Stop(use.key, use.substance, when, name) for use in held]
    if taking.status is Status.UNKNOWN:
        _leave_out(model, kind, name, findings, held)
        return
    if any(map(_is_nothing, _doses(model))):
        findings.report(
            name, [Trouble(UnreadKind.VALUE, "its dose is nothing", tuple(sorted({use.key for use in held})))]
        )
    drugs = {use.key: use.substance for use in held if use.substance}
    statements, troubles = state(content, held, Place(), taking.status)
    findings.report(name, troubles)
    begun = taking.clinical or taking.recorded
    doubtful = taking.running and may_not_treat(content, model, words, begun, findings)
    for statement in statements:
        substance = drugs.get(statement.key, "")
        findings.add(
            [statement],
            name,
            taking.clinical,
            taking.recorded,
            ongoing=taking.running,
            substance=substance,
            doubtful=doubtful and statement.key == ANTICOAGULANT,
        )


def _routes(model: Any) -> Iterator[Any]:
    """Yield the route of each dosage; None if it has none."""
    dosages = getattr(model, "dosageInstruction", None) or getattr(model, "dosage", None) or []
    for dosage in dosages if isinstance(dosages, list) else [dosages]:
        yield dosage.route


def _doses(model: Any) -> Iterator[Any]:
    """Yield every dose as a quantity; None if there is none."""
    for dosage in getattr(model, "dosageInstruction", None) or ():
        for part in dosage.doseAndRate or ():
            yield from (part.doseQuantity, part.doseRange.high if part.doseRange is not None else None)
    given = getattr(model, "dosage", None) or []
    for dosage in given if isinstance(given, list) else [given]:
        parts = getattr(dosage, "doseAndRate", None)
        yield from (part.doseQuantity for part in parts or ()) if hasattr(dosage, "doseAndRate") else (dosage.dose,)


def _is_nothing(dose: Any) -> bool:
    return dose is not None and dose.value is not None and not dose.value > 0


def _leave_out(model: Any, kind: str, name: str, findings: Findings, held: Iterable[CodeUse]) -> None:
    """Set the resource aside by its status, unless it is a plan that the patient may be taking."""
    if kind == "MedicationRequest" and _may_be_reported(model):
        keys = tuple(sorted({use.key for use in held}))
        reason = "is a plan that does not say whether the medicine is taken"
        findings.report(name, [Trouble(UnreadKind.STATUS, reason, keys)])
        return
    findings.leave_out(kind, model.status, *([model.intent] if kind == "MedicationRequest" else ()))


def _may_be_reported(model: Any) -> bool:
    """Whether this may be what the patient reports taking. Some systems send that as a plan without ``reported``."""
    unsaid = model.reportedBoolean is None and model.reportedReference is None
    return bool(model.intent == "plan" and model.status == "active" and unsaid and not model.doNotPerform)


def _request(model: Any, name: str, findings: Findings) -> _Taking:
    reported = bool(model.reportedBoolean or model.reportedReference)
    meant_to_be_taken = model.intent in _ORDERED or (model.intent == "plan" and reported)
    wanted = model.status in ("active", "completed") and meant_to_be_taken and not model.doNotPerform
    written = findings.when(model.authoredOn, name)
    period = model.dispenseRequest.validityPeriod if model.dispenseRequest is not None else None
    is_over = (
        _is_over(period, name, findings)
        or _begins_later(period, findings)
        or _is_for_other_days(model.dosageInstruction or (), findings)
        or _has_run_out(model.dosageInstruction or (), name, findings)
    )
    status = Status.PRESENT if wanted else Status.UNKNOWN
    return _Taking(status, model.status == "active" and not is_over, written)


def _is_for_other_days(dosages: Sequence[Any], findings: Findings) -> bool:
    """Whether every dosage starts later, or is only for single moments that are not today."""
    timings = [dosage.timing for dosage in dosages]
    return bool(timings) and all(timing is not None and _is_not_now(timing, findings) for timing in timings)


def _is_not_now(timing: Any, findings: Findings) -> bool:
    repeat = timing.repeat
    if repeat is not None and _begins_later(repeat.boundsPeriod, findings):
        return True
    moments = [day_of(moment) for moment in timing.event or ()]
    only_moments = repeat is None or repeat.count is not None
    return bool(moments) and only_moments and all(day != findings.today for day in moments)


def _has_run_out(dosages: Sequence[Any], name: str, findings: Findings) -> bool:
    """Whether every dosage ends before today."""
    repeats = [dosage.timing.repeat if dosage.timing is not None else None for dosage in dosages]
    bounds = [repeat.boundsPeriod if repeat is not None else None for repeat in repeats]
    return bool(bounds) and all(_is_over(period, name, findings) for period in bounds)


def _statement(model: Any, name: str, findings: Findings) -> _Taking:
    period = model.effectivePeriod
    is_over = _is_over(period, name, findings)
    value = model.effectiveDateTime
    if value is None and period is not None:
        value = period.end if is_over else period.start
    begins_later = _begins_later(period, findings)
    status = {"active": Status.PRESENT, "completed": Status.PRESENT, "not-taken": Status.ABSENT}.get(
        model.status, Status.UNKNOWN
    )
    when = findings.when(value, name)
    running = model.status == "active" and not is_over and not begins_later
    ended = None
    if model.status != "active" and period is not None and period.end is not None:
        ended = when if is_over else findings.when(period.end, name)
    return _Taking(status, running, when, findings.when(model.dateAsserted, name), ended)


def _administration(model: Any, name: str, findings: Findings) -> _Taking:
    """Read one dose or infusion. It does not show an ongoing course."""
    period = model.effectivePeriod
    value = model.effectiveDateTime
    if value is None and period is not None:
        value = period.end if _is_over(period, name, findings) else period.start
    return _Taking(_given(model), running=False, clinical=findings.when(value, name))


def _dispense(model: Any, name: str, findings: Findings) -> _Taking:
    """Read a package. It may be taken for its days of supply, but it does not show an ongoing course."""
    when = findings.when(model.whenHandedOver or model.whenPrepared, name)
    supply = model.daysSupply
    days = float(supply.value) if supply is not None and supply.value is not None else 0.0
    return _Taking(_given(model), running=False, clinical=lasting(when, days, findings.today))


def _given(model: Any) -> Status:
    return Status.PRESENT if model.status in _GIVEN[model.get_resource_type()] else Status.UNKNOWN


_READERS: Mapping[str, Callable[[Any, str, Findings], _Taking]] = {
    "MedicationRequest": _request,
    "MedicationStatement": _statement,
    "MedicationAdministration": _administration,
    "MedicationDispense": _dispense,
}


def _begins_later(period: Any, findings: Findings) -> bool:
    """Whether the period starts in the future; a medicine that is not yet taken treats nothing."""
    start = period.start if period is not None else None
    try:
        when = findings.dated(start)
    except FutureDate:
        return True
    return when is not None and when.ahead


def _is_over(period: Any, name: str, findings: Findings) -> bool:
    """Whether the period ended before today. An end in the future is not an error."""
    if period is None or period.end is None:
        return False
    end = period.end.date() if hasattr(period.end, "date") else period.end
    if isinstance(end, str):
        known = findings.when(end, name)
        return known is not None and known.day < findings.today
    return bool(end < findings.today)
