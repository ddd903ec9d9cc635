"""Derive pregnancy from an estimated date of delivery or a gestational age.

The patient counts as pregnant until three weeks after the date, then as within six weeks after delivery, even if no
birth is recorded. A gestational age can also be in a newborn's chart, where it says nothing about this patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.names import POST_PARTUM, PREGNANCY
from cds_service.clinical.reading.dates import day_of
from cds_service.clinical.reading.findings import Findings
from cds_service.clinical.reading.statements import Statement, Trouble
from cds_service.clinical.record import Side, Status, UnreadKind, When

_OVERDUE = timedelta(days=21)
_TERM = timedelta(days=280)
_YOUNGEST, _OLDEST = 10, 60
_UNITS = {"wk": 7.0, "d": 1.0}
_MAX_WEEKS = 45
_NOT_KNOWN = "its value is not one this service knows"


def timed(uses: Iterable[CodeUse]) -> str:
    """Return ``due`` or ``weeks`` if the value beside such a code dates a pregnancy; empty otherwise."""
    return next((use.status for use in uses if use.status in ("due", "weeks")), "")


def read(kind: str, part: Any, source: str, findings: Findings, clinical: When | None, *, provisional: bool) -> None:
    """Read the value of an Observation or component whose code is ``timed`` as ``kind``."""
    if not _may_be_pregnant(findings):
        findings.set_aside.append("A date of pregnancy that is not about this patient")
        return
    if part.dataAbsentReason is not None:
        return
    due = _due(kind, part, clinical)
    if due is None:
        findings.report(source, [Trouble(UnreadKind.VALUE, _NOT_KNOWN, (PREGNANCY,))])
        return
    ends = due + _OVERDUE
    if ends - findings.today > _TERM + _OVERDUE:
        findings.report(source, [Trouble(UnreadKind.DATE, "its date of delivery is too far ahead", (PREGNANCY,))])
    elif findings.today <= ends:
        pregnant = Statement(PREGNANCY, Status.PRESENT, Side.BODY)
        findings.add([pregnant], source, clinical, None, provisional=provisional)
    else:
        born = When(ends, ends.isoformat(), due)
        findings.add([Statement(POST_PARTUM, Status.PRESENT, Side.BODY)], source, born, None, provisional=provisional)


def _may_be_pregnant(findings: Findings) -> bool:
    """Whether sex and age allow a pregnancy."""
    return findings.sex != "male" and (findings.age is None or _YOUNGEST <= findings.age <= _OLDEST)


def _due(kind: str, part: Any, clinical: When | None) -> Any:
    """Return the estimated day of delivery; None if the value does not give one."""
    if kind == "due":
        return day_of(part.valueDateTime)
    quantity = part.valueQuantity
    if quantity is None or quantity.value is None or clinical is None or quantity.comparator:
        return None
    days = float(quantity.value) * _UNITS.get(str(quantity.code or quantity.unit or ""), 0.0)
    return clinical.day + _TERM - timedelta(days=days) if 0 < days <= _MAX_WEEKS * 7 else None
