"""The searches for each part of a chart, in a style that the EHR's FHIR server accepts.

``all`` asks for all resources of a type. ``by_category`` and ``by_code`` use only the searches that US Core requires:
Observations by category or by code, medicines by intent, the other types by patient. ``by_code`` leaves out measured
results and vital signs for which this service has no code. Anything that can hold a complaint is asked for by category.
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
"""The parts of a chart. Each name is also the prefetch key of one search for the whole part."""

PATIENT_ID = "{{context.patientId}}"
ENCOUNTER_ID = "{{context.encounterId}}"
MAX_QUERY_LENGTH = 2_000
"""Characters of a query. A longer one is sent as a form (``POST _search``): servers and proxies cut long addresses."""

_PAGE = "&_count=500"
"""Page size in resources. CDS Hooks allows it in a template."""
_INTENTS = "proposal,plan,order,original-order,reflex-order,filler-order,instance-order,option"
"""All intents of FHIR R4: US Core searches medicines by intent, and no medicine may be left out."""
_FELT = "exam,survey,social-history,imaging,procedure,therapy,activity"
"""FHIR's categories of Observations except laboratory and vital signs: these are most rows of a chart, and measured."""
_IN_OBSERVATIONS = frozenset({"snomed", "loinc"})
"""Code systems whose long tables hold codes that an Observation may have."""
_ABOUT_PREGNANCY = frozenset({PREGNANCY, POST_PARTUM})
_NOT_IN_OBSERVATIONS = frozenset({"icd10", "icd10cm", "rxnorm"})
"""Code systems of problems and medicines. Observations are coded in other systems."""
_LASTING = frozenset({"history", "risk", "demographic"})
"""Kinds of findings that are not measurements. A time window must not leave them out."""


_ANSWER_OF_LOINC = "LA"


@dataclass(frozen=True, slots=True)
class Search:
    """One prefetch key.

    Attributes:
        key: the prefetch key.
        part: the part of the chart that it fills, alone or together with other keys.
        kinds: the resource types that it returns.
        template: the query relative to the FHIR base, with the tokens of CDS Hooks 2.0.
        window_days: our own reads leave out older resources; None to read all.
        is_extra: the search is optional. If a server does not offer it, the key is named in the response and the part
            counts as complete without it.
    """

    key: str
    part: str
    kinds: tuple[str, ...]
    template: str
    window_days: int | None = None
    is_extra: bool = False

    def asked(self, patient: str, encounter: str | None, today: date) -> str | None:
        """Return the query with its tokens filled in; None if it needs an encounter and there is none.

        It asks for large pages, because time is short.
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
"""The keys that together return all Observations, by style."""
SEARCHED: dict[str, tuple[str, tuple[str, ...]]] = {
    **{search.key: (search.part, search.kinds) for search in (*_WHOLE.values(), *_EXTRAS)},
    **dict.fromkeys((BY_CATEGORY, FELT, VITALS, BY_CODE), (OBSERVATIONS, ("Observation",))),
}
"""Every key of any style -> its part and the resource types that it asks for."""
EXTRA_KEYS = frozenset(search.key for search in _EXTRAS)


@dataclass(frozen=True, slots=True)
class Plan:
    """The searches of one style, in the order of ``PARTS``."""

    style: Style
    searches: tuple[Search, ...]

    def of_part(self, part: str) -> tuple[Search, ...]:
        """Return the searches of a part."""
        return tuple(search for search in self.searches if search.part == part)

    def search(self, key: str) -> Search:
        """Return the search of a key. For a key of another style, return the search for the whole part."""
        part = SEARCHED[key][0]
        return next((search for search in self.searches if search.key == key), _WHOLE[part])

    def brings(self, part: str) -> tuple[frozenset[str], ...]:
        """Return the sets of keys that each make ``part`` complete, for every style an EHR may be set up with."""
        if part != OBSERVATIONS:
            return (frozenset({part}),)
        return tuple(frozenset(OBSERVED[style]) for style in ("all", "by_category", self.style))

    def templates(self) -> dict[str, str]:
        """Return the templates for discovery. They ask for large pages, because some EHRs read only the first page."""
        return {search.key: search.template + (_PAGE if "?" in search.template else "") for search in self.searches}


def plan_of(content: Content, style: Style) -> Plan:
    """Return the searches for everything that ``content`` uses."""
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
    searches: list[Search] = []
    for part in PARTS:
        searches += observed if part == OBSERVATIONS else [whole[part]]
        searches += [search for search in _EXTRAS if search.part == part]
    return Plan(style, tuple(searches))


def _listed(codes: Iterable[str]) -> str:
    """Return the alternatives of a token search. FHIR requires backslash, comma, bar and dollar to be escaped."""
    escaped = ("".join(f"\\{char}" if char in "\\,|$" else char for char in code) for code in codes)
    return ",".join(quote(code, safe=".-_~") for code in escaped)


def _codes(content: Content) -> list[str]:
    """Return the codes that an Observation may have, without their systems, which charts spell in many ways."""
    codes = {
        entry.code
        for kind, _, entry in content.entries()
        if kind in ("finding", "measure") and entry.system not in _NOT_IN_OBSERVATIONS
    }
    codes |= {key for key, finding in content.findings.items() if not finding.general}
    codes |= {local.code for local in content.local_codes}
    codes |= {row.code for table in content.tables.values() for row in table.rows if _is_observed(content, row)}
    return sorted(codes)


def _is_observed(content: Content, row: Row) -> bool:
    """Return whether an Observation may have the code of a row of a long table: a sign, or a state of pregnancy."""
    use = row.use
    if row.system not in _IN_OBSERVATIONS or not use.is_of_concern or row.code.startswith(_ANSWER_OF_LOINC):
        return False
    if use.kind != "finding":
        return use.kind == "measure"
    is_sign = content.findings[use.key].kind not in _LASTING
    return is_sign or (row.system == "loinc" and use.key in _ABOUT_PREGNANCY)


def _measured_days(content: Content) -> int:
    """Return how long any measured value matters. FHIR requires a date for vital signs, so the window misses none."""
    findings = [finding for finding in content.findings.values() if finding.kind not in _LASTING]
    windows = [finding.recency.days for finding in findings if finding.recency]
    return max(content.pathway.complaint.days, content.pathway.stale_sign.days, *windows)


WHOLE = _plan("all", _WHOLE, [_WHOLE[OBSERVATIONS]])
"""All resources of each type, with one search for each type."""
