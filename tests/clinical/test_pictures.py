"""Small invented pictures of disease, coded in many ways, and charts that must stay silent: what must come out.

``pictures.tsv`` has a row for each. Facts were taken from what published cases of pain behind the knee are like and
from the evidence behind the content; no chart is of a real patient. What must come out was written down from the
guidelines and the rules before the charts were judged.

An entry: ``[!]code[=value][@place][~days]``. ``!`` denies. ``s`` before digits is a SNOMED CT finding, ``S`` a SNOMED
CT diagnosis, ``c`` an ICD-10-CM and ``w`` a WHO ICD-10 diagnosis, ``p`` a provisional, ``x`` a resolved, ``i`` an
inactive and ``e`` a mistaken ICD-10-CM one, ``rx`` a medicine; anything else is one of our own findings. All are of the
left leg and of yesterday unless they say otherwise; ``@-`` has no place.

What must come out: ``dvt:LEVEL`` (``any``: whichever), ``rf:RULE cause``, ``top:cause`` and ``in3:cause`` among the
causes as a card has them, ``quiet`` (cards, none urgent), ``card`` (not silent), ``silent``.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.assess import shown
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from tests.charts import (
    CALF,
    ICD10CM,
    LOINC,
    POPLITEAL,
    RXNORM,
    SIDE_LEFT,
    SNOMED,
    UCUM,
    concept,
    condition,
    days_ago,
    judged,
    named,
    observation,
    patient,
)  # fmt: skip
from tests.conftest import NOW

Resource = dict[str, Any]

_TABLE = (Path(__file__).parent / "pictures.tsv").read_text(encoding="utf-8")
CHARTS = list(csv.DictReader(_TABLE.splitlines(), delimiter="\t"))
_ENTRY = re.compile(r"(?P<no>!?)(?P<code>[A-Za-z0-9_.]+)(=(?P<value>[\d.]+))?(@(?P<at>[\w-]+))?(~(?P<ago>\d+))?")
_DIAGNOSIS = re.compile(r"(?P<kind>[Scwpxie])(?P<code>[A-Z]\d.*|\d+)")
_SIDES = {"L": SIDE_LEFT, "B": "51440002"}
_PLACES = {
    "leg": "61685007", "wholeleg": "362785004", "thigh": "68367000", "postthigh": "4578000",
    "knee": "72696002", "kneejoint": "49076000", "pop": POPLITEAL, "popvein": "56849005", "lowerleg": "30021000",
    "calf": CALF, "foot": "56459004",
}  # fmt: skip
_MEASURED = {
    "temp": ("8310-5", "Cel"), "hr": ("8867-4", "/min"), "bmi": ("39156-5", "kg/m2"), "crp": ("1988-5", "mg/L"),
}  # fmt: skip
_SYSTEMS = {"S": SNOMED, "w": "http://hl7.org/fhir/sid/icd-10"}
_CLINICAL = {"x": "resolved", "i": "inactive", "e": None}
_VERIFICATION = {"p": "provisional", "e": "entered-in-error"}


def site(at: str | None) -> Resource | None:
    if at == "-":
        return None
    if at is None or at in _SIDES:
        return concept((SNOMED, _SIDES[at or "L"]))
    return concept((SNOMED, _PLACES[at]), (SNOMED, SIDE_LEFT))


def entry(content: Content, words: str) -> Resource:
    read = _ENTRY.fullmatch(words)
    assert read, words
    code, at, ago = read["code"], read["at"], int(read["ago"] or 1)
    denied = {"valueBoolean": False} if read["no"] else {}
    if read["value"]:
        loinc, unit = _MEASURED[code]
        quantity = {"value": float(read["value"]), "unit": unit, "system": UCUM, "code": unit}
        return observation(concept((LOINC, loinc)), ago=0, valueQuantity=quantity)
    if re.fullmatch(r"s\d+", code):
        return observation(concept((SNOMED, code[1:])), ago=ago, site=site(at), **denied)
    if code.startswith("rx"):
        taken = {"medicationCodeableConcept": concept((RXNORM, code[2:])), "effectivePeriod": {"start": days_ago(30)}}
        return named("MedicationStatement", status="active", **taken)
    if diagnosis := _DIAGNOSIS.fullmatch(code):
        kind = diagnosis["kind"]
        placed = at is not None if kind not in _SYSTEMS else at != "-"
        return condition(
            concept((_SYSTEMS.get(kind, ICD10CM), diagnosis["code"])),
            ago=ago,
            clinical=_CLINICAL.get(kind, "active"),
            verification=_VERIFICATION.get(kind, "confirmed"),
            bodySite=[site(at)] if placed and at != "-" else None,
        )
    of_leg = content.findings[code].side == "leg"
    return observation(code, ago=ago, site=site(at) if of_leg else None, **denied)


def person(words: str) -> Resource:
    """``62F``: born in June, so many full years ago."""
    return patient(birth=f"{NOW.year - int(words[:-1]) - 1}-06-01", gender="female" if words[-1] == "F" else "male")


def causes(content: Content, assessment: Assessment) -> list[str]:
    """As cards have them: one a family, those of an urgent card there and not here."""
    urgent = {flag.cause for flag in assessment.urgent}
    ranked = [one.cause for leg in assessment.legs for one in shown(leg) or leg.at_prior]
    first = {content.causes[cause].family: cause for cause in reversed(ranked) if cause not in urgent}
    return [cause for cause in dict.fromkeys(ranked) if first.get(content.causes[cause].family) == cause]


def holds(content: Content, assessment: Assessment, wanted: str) -> bool:
    kind, _, what = wanted.partition(":")
    levels = [flag.indicator for flag in assessment.urgent if flag.rule == "RF01"]
    ranked = causes(content, assessment)
    return {
        "dvt": bool(levels) and what in ("any", *levels),
        "rf": what in {name for flag in assessment.urgent for name in (flag.rule, f"{flag.rule} {flag.cause}")},
        "top": ranked[:1] == [what],
        "in3": what in ranked[:3],
        "quiet": not assessment.urgent and not assessment.silent_because,
        "card": not assessment.silent_because,
        "silent": bool(assessment.silent_because),
    }[kind]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{chart['chart']}-{chart['about'].replace(' ', '-')}")
def test_a_picture(content: Content, chart: dict[str, str]) -> None:
    entries = [entry(content, words.strip()) for words in chart["entries"].split(";")]
    assessment = judged(content, *entries, who=person(chart["who"]))
    missed = [one for one in chart["expected"].split("; ") if not holds(content, assessment, one)]
    assert not missed, (assessment.urgent, causes(content, assessment), assessment.silent_because)
