"""Who a chart of the sandbox is about, in a few words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.reading.dates import to_when
from cds_service.rendering.wording import Wording
from cds_service.web.pages.sandbox.charts import Chart

_ALWAYS_WITH_YEAR = date.min


def person_words(content: Content, chart: Chart, now: datetime) -> str:
    """``Fixtura Fictor, female, born 14 May 1968`` as far as the chart tells."""
    patient = chart.patient
    names = patient.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = first.get("given")
    parts = [*(given if isinstance(given, list) else []), first.get("family")]
    name = " ".join(part for part in parts if isinstance(part, str))
    told = [name or f"Patient {chart.patient_id}", patient.get("gender"), _born(content, patient.get("birthDate"), now)]
    return ", ".join(str(part) for part in told if part)


def _born(content: Content, birth: Any, now: datetime) -> str:
    try:
        when = to_when(birth, now)
    except ValueError:
        return f"born {birth}"  # as it stands there: what is wrong with it has to be seen
    return f"born {Wording(content, _ALWAYS_WITH_YEAR).day(when)}" if when else ""
