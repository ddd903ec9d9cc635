"""The patient of a sandbox chart in a few words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading.dates import to_when
from cds_service.rendering.wording import Wording
from cds_service.web.pages.sandbox.charts import Chart

_ALWAYS_WITH_YEAR = date.min


def person_words(content: Content, chart: Chart, now: datetime) -> str:
    """Return words such as ``Fixtura Fictor, female, born 14 May 1968``, without the parts that the chart lacks."""
    patient = chart.patient
    names = patient.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = first.get("given")
    parts = [*(given if isinstance(given, list) else []), first.get("family")]
    name = " ".join(part for part in parts if isinstance(part, str))
    words = [
        name or f"Patient {chart.patient_id}",
        patient.get("gender"),
        _born(content, patient.get("birthDate"), now),
    ]
    return ", ".join(str(part) for part in words if part)


def _born(content: Content, birth: Any, now: datetime) -> str:
    try:
        when = to_when(birth, now)
    except ValueError:
        return f"born {birth}"  # unchanged, so that the reader sees the error
    return f"born {Wording(content, _ALWAYS_WITH_YEAR).day(when)}" if when else ""
