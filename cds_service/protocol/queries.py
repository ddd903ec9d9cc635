"""What is asked of an EHR: the searches for each part of a chart, in the style that its FHIR server accepts.

``all`` asks for everything of a type. ``by_category`` and ``by_code`` keep to the searches that US Core requires:
Observations by category or by code, medicines by intent, the other types by patient. ``by_code`` leaves out measured
results and vital signs that this service has no code for; whatever can hold a complaint is asked for by category.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from urllib.parse import quote

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_tables import Row
from cds_service.clinical.content.names import POST_PARTUM, PREGNANCY

Style = Literal["all", "by_category", "by_code"]

PATIENT = "patient"
OBSERVATIONS = "observations"
PARTS = (PATIENT, OBSERVATIONS, "conditions", "procedures", "medications", "orders")
"""The parts of a chart. Each is also the prefetch key that brings all of it in one search."""

PATIENT_ID = "{{context.patientId}}"
ENCOUNTER_ID = "{{context.encounterId}}"
LONGEST_ADDRESS = 2_000
"""Characters of a query. A longer one is sent as a form (``POST _search``): servers and proxies cut long addresses."""

_PAGE = "&_count=500"
"""How many resources are asked for at once; CDS Hooks allows it in a template."""
_INTENTS = "proposal,plan,order,original-order,reflex-order,filler-order,instance-order,option"
"""All of FHIR R4: US Core has medicines searched by intent, and none may be left out."""
_FELT = "exam,survey,social-history,imaging,procedure,therapy,activity"
"""FHIR's categories of Observations but for the two that hold most rows of a chart, and only measured results."""
_IN_OBSERVATIONS = frozenset({"snomed", "loinc"})
"""Systems of which the long tables hold codes that an Observation may be about."""
_ABOUT_PREGNANCY = frozenset({PREGNANCY, POST_PARTUM})
_NOT_IN_OBSERVATIONS = frozenset({"icd10", "icd10cm", "rxnorm"})
"""Systems of problems and medicines: what an Observation is about is coded in others."""
_LASTING = frozenset({"history", "risk", "demographic"})
"""Kinds of findings that are no measurement: no window may leave them out."""


_ANSWER_OF_LOINC = "LA"


@dataclass(frozen=True, slots=True)
class Search:
    """One prefetch key.

    Attributes:
        part: the part of the chart that it fills, wholly or with others.
        kinds: the resource types that it brings.
        template: relative to the FHIR base, with the tokens of CDS Hooks 2.0.
        window_days: our own reads leave out what is older; None if they may not.
        is_extra: a server may not have it. Then it is named, and the part counts as whole without it.
    """

    key: str
    part: str
    kinds: tuple[str, ...]
    template: str
    window_days: int | None = None
    is_extra: bool = False

    def asked(self, patient: str, encounter: str | None, today: date) -> str | None:
        """The query with its tokens filled in; None if there is nothing to fill one in with.

        In large pages: time is short.
        """
        if ENCOUNTER_ID in self.template and encounter is None:
            return None
        query = self.template.replace(PATIENT_ID, patient).replace(ENCOUNTER_ID, encounter or "")
        if "?" not in query:
            return query
        if self.window_days is not None:
            query += f"&date=ge{(today - timedelta(days=self.window_days)).isoformat()}"
        return f"{query}{_PAGE}"


def _search(part: str, kind: str, rest: str = "", *, key: str = "", window_days: int | None = None) -> Search:
    return Search(key or part, part, (kind,), f"{kind}?patient={PATIENT_ID}{rest}", window_days)


_PATIENT = Search(PATIENT, PATIENT, ("Patient",), f"Patient/{PATIENT_ID}")
_WHOLE = {
    PATIENT: _PATIENT,
    OBSERVATIONS: _search(OBSERVATIONS, "Observation", "&_sort=-date"),
    "conditions": _search("conditions", "Condition"),
    "procedures": _search("procedures", "Procedure"),
    "medications": Search(
        "medications",
        "medications",
        ("MedicationRequest", "MedicationStatement"),
        f"MedicationRequest?patient={PATIENT_ID}",
    ),
    "orders": _search("orders", "ServiceRequest"),
}
_EXTRAS = (
    Search("reports", OBSERVATIONS, ("DiagnosticReport",), f"DiagnosticReport?patient={PATIENT_ID}", is_extra=True),
    Search("encounter", "conditions", ("Encounter",), f"Encounter/{ENCOUNTER_ID}", is_extra=True),
    Search(
        "medication_statements",
        "medications",
        ("MedicationStatement",),
        f"MedicationStatement?patient={PATIENT_ID}",
        is_extra=True,
    ),
)
BY_CATEGORY, FELT, VITALS, BY_CODE = (
    f"observations_{name}" for name in ("by_category", "findings", "vital_signs", "by_code")
)
OBSERVED: dict[Style, tuple[str, ...]] = {
    "all": (OBSERVATIONS,),
    "by_category": (BY_CATEGORY, VITALS, BY_CODE),
    "by_code": (FELT, BY_CODE),
}
"""The keys that bring all Observations, by style."""
SEARCHED: dict[str, tuple[str, tuple[str, ...]]] = {
    **{one.key: (one.part, one.kinds) for one in (*_WHOLE.values(), *_EXTRAS)},
    **dict.fromkeys((BY_CATEGORY, FELT, VITALS, BY_CODE), (OBSERVATIONS, ("Observation",))),
}
"""Every key of ours in any style -> its part, and the resource types that it asks for."""
EXTRA_KEYS = frozenset(one.key for one in _EXTRAS)


@dataclass(frozen=True, slots=True)
class Plan:
    """The searches of one style, in the order of ``PARTS``."""

    style: Style
    searches: tuple[Search, ...]

    def of_part(self, part: str) -> tuple[Search, ...]:
        """What brings a part."""
        return tuple(one for one in self.searches if one.part == part)

    def search(self, key: str) -> Search:
        """The search of a key of ours; that of the part as a whole, for a key of another style."""
        part = SEARCHED[key][0]
        return next((one for one in self.searches if one.key == key), _WHOLE[part])

    def brings(self, part: str) -> tuple[frozenset[str], ...]:
        """The sets of keys of which any brings all of ``part``, whichever style an EHR was set up with."""
        if part != OBSERVATIONS:
            return (frozenset({part}),)
        return tuple(frozenset(OBSERVED[style]) for style in ("all", "by_category", self.style))

    def templates(self) -> dict[str, str]:
        """For discovery: in large pages, because not every EHR reads on where a server ends a page."""
        return {one.key: one.template + (_PAGE if "?" in one.template else "") for one in self.searches}


def plan_of(content: Content, style: Style) -> Plan:
    """The searches for what ``content`` reads."""
    if style == "all":
        return WHOLE
    named = {
        BY_CATEGORY: _search(OBSERVATIONS, "Observation", f"&category={_FELT},laboratory", key=BY_CATEGORY),
        FELT: _search(OBSERVATIONS, "Observation", f"&category={_FELT}", key=FELT),
        VITALS: _search(
            OBSERVATIONS,
            "Observation",
            "&category=vital-signs",
            key=VITALS,
            window_days=_measured_days(content),
        ),
        BY_CODE: _search(OBSERVATIONS, "Observation", f"&code={_listed(_codes(content))}", key=BY_CODE),
    }
    lean = {**_WHOLE, "medications": _search("medications", "MedicationRequest", f"&intent={_INTENTS}")}
    return _plan(style, lean, [named[key] for key in OBSERVED[style]])


def _plan(style: Style, whole: Mapping[str, Search], observed: Iterable[Search]) -> Plan:
    found: list[Search] = []
    for part in PARTS:
        found += observed if part == OBSERVATIONS else [whole[part]]
        found += [one for one in _EXTRAS if one.part == part]
    return Plan(style, tuple(found))


def _listed(codes: Iterable[str]) -> str:
    """A token's alternatives: FHIR has a comma, a bar and a dollar in a code escaped."""
    escaped = ("".join(f"\\{one}" if one in "\\,|$" else one for one in code) for code in codes)
    return ",".join(quote(code, safe=".-_~") for code in escaped)


def _codes(content: Content) -> list[str]:
    """Codes of what an Observation may be about, without their systems: charts spell those in many ways."""
    found = {
        entry.code
        for kind, _, entry in content.entries()
        if kind in ("finding", "measure") and entry.system not in _NOT_IN_OBSERVATIONS
    }
    found |= {key for key, finding in content.findings.items() if not finding.general}
    found |= {local.code for local in content.local_codes}
    found |= {row.code for table in content.tables.values() for row in table.rows if _is_observed(content, row)}
    return sorted(found)


def _is_observed(content: Content, row: Row) -> bool:
    """Whether a row of a long table is what an Observation is about: a sign, or the state of a pregnancy."""
    use = row.use
    if row.system not in _IN_OBSERVATIONS or not use.is_of_concern or row.code.startswith(_ANSWER_OF_LOINC):
        return False
    if use.kind != "finding":
        return use.kind == "measure"
    is_sign = content.findings[use.key].kind not in _LASTING
    return is_sign or (row.system == "loinc" and use.key in _ABOUT_PREGNANCY)


def _measured_days(content: Content) -> int:
    """How long any measured value matters. FHIR's vital signs have a date, so the window loses none of them."""
    windows = [one.recency.days for one in content.findings.values() if one.recency and one.kind not in _LASTING]
    return max(content.pathway.complaint.days, content.pathway.stale_sign.days, *windows)


WHOLE = _plan("all", _WHOLE, [_WHOLE[OBSERVATIONS]])
"""Everything of each type, in one search each."""
