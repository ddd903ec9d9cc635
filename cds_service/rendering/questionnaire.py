"""The assessment of a suspected DVT as a FHIR Questionnaire, and the code system of its own codes.

It is for sites that prefer their own form (Structured Data Capture). It has the questions of the assessment page in the
same order, each with our finding code as ``linkId``. Only the page knows which questions a chart leaves open and what
the chart already shows. The service itself writes Observations, because the next card reads those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cds_service.clinical.answers import CALVES, dvt_questions
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import (
    ASSESSMENT_CODE,
    ASSESSMENT_NAME,
    ASSESSMENT_SYSTEM,
    FINDING_SYSTEM,
    UCUM,
    URI,
)
from cds_service.clinical.content.names import CALF_DIFFERENCE
from cds_service.rendering.orders.requests import SITE_OF_LEG
from cds_service.rendering.terminology import BASE

Item = dict[str, Any]
QUESTIONNAIRE: Final = "dvt-assessment"
YES: Final = ("373066001", "Yes (qualifier value)")
NO: Final = ("373067005", "No (qualifier value)")
CONTRAINDICATED: Final = "anticoagulant-contraindicated"
_THIS_LEG, _OTHER_LEG = "calf-girth-this-leg", "calf-girth-other-leg"
_STATES = ("(finding)", "(situation)")
"""SNOMED CT hierarchies whose codes state a finding. The code of a procedure states that something was done."""
_CORE = "http://hl7.org/fhir/StructureDefinition"


def assessment_code_system(content: Content) -> dict[str, Any]:
    """Return the codes of the assessment itself as a FHIR CodeSystem."""
    concepts = [
        (ASSESSMENT_CODE, ASSESSMENT_NAME),
        (CONTRAINDICATED, content.texts.assess.against.fill()),
        (_THIS_LEG, content.pages.assess.this_leg),
        (_OTHER_LEG, content.pages.assess.other_leg),
    ]
    return {
        "resourceType": "CodeSystem",
        "id": "assessment",
        "url": ASSESSMENT_SYSTEM,
        "version": content.version,
        "name": "PosteriorKneeAssessment",
        "title": "Assessment of pain behind the knee",
        "status": "active",
        "experimental": True,
        "caseSensitive": True,
        "content": "complete",
        "count": len(concepts),
        "concept": [{"code": code, "display": display} for code, display in concepts],
    }


def questionnaire(content: Content) -> dict[str, Any]:
    """Return the questions of the assessment page about a suspected DVT as a FHIR Questionnaire."""
    groups = {"score": list[Item](), "pathway": list[Item]()}
    for key, group, points in dvt_questions(content):
        groups[group].append(_question(content, key, points))
    groups["pathway"].append(_contraindicated(content))
    headings = content.texts.assess.groups
    return {
        "resourceType": "Questionnaire",
        "id": QUESTIONNAIRE,
        "url": f"{BASE}/Questionnaire/{QUESTIONNAIRE}",
        "version": content.version,
        "name": "PosteriorKneeDvtAssessment",
        "title": content.pathway.title,
        "status": "draft",
        "experimental": True,
        "subjectType": ["Patient"],
        "code": [{"system": ASSESSMENT_SYSTEM, "code": ASSESSMENT_CODE, "display": ASSESSMENT_NAME}],
        "item": [
            _leg(content),
            {"linkId": "score", "text": headings.score.fill(), "type": "group", "item": groups["score"]},
            {"linkId": "pathway", "text": headings.pathway.fill(), "type": "group", "item": groups["pathway"]},
        ],
    }


def _leg(content: Content) -> Item:
    options = [_coding(URI["snomed"], *site) for site in SITE_OF_LEG.values()]
    return {"linkId": "side", "text": content.pages.assess.which_leg, "type": "choice", "required": True} | _of(options)


def _question(content: Content, key: str, points: int) -> Item:
    """Return one question. ``points``: its points in the score; 0 if none. No answer means that it was not examined."""
    finding = content.findings[key]
    item: Item = {
        "linkId": key,
        "code": [_coding(FINDING_SYSTEM, key, finding.name), *standard_codings(content, key)],
        "text": finding.name,
        "type": "choice",
    } | _of(_replies())
    if points:
        item["prefix"] = f"{points:+d}"
    if key == CALF_DIFFERENCE:
        pages = content.pages.assess
        item["item"] = [_girth(_THIS_LEG, pages.this_leg), _girth(_OTHER_LEG, pages.other_leg)]
    return item


def _contraindicated(content: Content) -> Item:
    words = content.texts.assess.against.fill()
    code = _coding(ASSESSMENT_SYSTEM, CONTRAINDICATED, words)
    return {"linkId": CONTRAINDICATED, "code": [code], "text": words, "type": "choice"} | _of(_replies())


def _girth(code: str, words: str) -> Item:
    min_girth, max_girth = CALVES
    return {
        "extension": [
            {"url": f"{_CORE}/questionnaire-unit", "valueCoding": _coding(UCUM, "cm", "cm")},
            {"url": f"{_CORE}/minValue", "valueDecimal": min_girth},
            {"url": f"{_CORE}/maxValue", "valueDecimal": max_girth},
        ],
        "linkId": code,
        "code": [_coding(ASSESSMENT_SYSTEM, code, words)],
        "text": words,
        "type": "decimal",
    }


def standard_codings(content: Content, key: str) -> Iterator[dict[str, str]]:
    """Yield the SNOMED CT codes with exactly the meaning of a finding, so that its "no" also denies them."""
    for entry in content.findings[key].codes:
        means_it = entry.relation == "exact" and not entry.status and entry.side is None
        if entry.system == "snomed" and means_it and entry.display.endswith(_STATES):
            yield _coding(URI["snomed"], entry.code, entry.display)


def _replies() -> list[dict[str, str]]:
    return [_coding(URI["snomed"], code, display) for code, display in (YES, NO)]


def _of(options: list[dict[str, str]]) -> Item:
    return {"answerOption": [{"valueCoding": option} for option in options]}


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
