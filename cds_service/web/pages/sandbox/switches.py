"""Change one fact of a chart.

The entries that state the fact are removed, the other facts of those entries are restated in new entries, and the new
value is added as an Observation with our own code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.base.errors import UnusableInput
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM, URI
from cds_service.clinical.record import Diagnosis, Fact, PlacedOrder, Record, Side, Status
from cds_service.web.pages.sandbox.charts import Chart, Resource

MAX_DAYS_AGO = 36_500
SIDES = (Side.LEFT, Side.RIGHT, Side.BOTH, Side.UNKNOWN)
_SITES = {
    Side.LEFT: ("32153003", "Structure of left lower limb"),
    Side.RIGHT: ("62175007", "Structure of right lower limb"),
    Side.BOTH: ("51440002", "Right and left"),
}
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-"
_WHOLE_DATE = len("2026-03-16")


@dataclass(frozen=True, slots=True)
class Switch:
    """The wanted state of a fact. ``status``: None for not recorded. ``days``: age in days; None for undated."""

    finding: str
    status: Status | None
    side: Side
    days: int | None


def parse(content: Content, body: Any) -> Switch:
    """Parse a switch that the page has sent.

    Raises:
        UnusableInput: it is not a switch, or this finding cannot have that state.
    """
    sent = body if isinstance(body, dict) else {}
    key, status, side, days = (sent.get(name) for name in ("finding", "status", "side", "days"))
    if not isinstance(key, str) or key not in content.findings:
        raise UnusableInput("finding: unknown name")
    if status not in ("present", "absent", "not recorded"):
        raise UnusableInput("status: must be present, absent or not recorded")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= MAX_DAYS_AGO):
        raise UnusableInput(f"days ago: must be a whole number from 0 to {MAX_DAYS_AGO}, or empty")
    if status == "not recorded":
        return Switch(key, None, Side.UNKNOWN, None)
    if not can_be_stated(content, key):
        raise UnusableInput(
            f"{content.findings[key].name} cannot be set: it is derived from other facts or has no own code"
        )
    if status == "absent" and content.findings[key].absence_ignored:
        raise UnusableInput(f"the absence of {content.findings[key].name} is never read, so it cannot be set")
    if content.findings[key].side == "body":
        return Switch(key, Status(status), Side.BODY, days)
    if side not in [allowed.value for allowed in SIDES]:
        raise UnusableInput("side: must be left, right, both or unknown")
    return Switch(key, Status(status), Side(side), days)


def can_be_stated(content: Content, key: str) -> bool:
    """Whether a finding can be set: it has a code of our own and is not decided by age and sex."""
    decided = {age.finding for age in content.reasoning.ages}
    return not content.findings[key].general and key not in decided


def apply(content: Content, chart: Chart, record: Record, switch: Switch, today: date) -> None:
    """Apply ``switch`` to ``chart``. ``record``: the present reading of the chart."""
    stating = {_resource(fact.source) for fact in record.facts if fact.key == switch.finding}
    other_facts = [fact for fact in record.facts if fact.key != switch.finding and _resource(fact.source) in stating]
    for source in stating:
        chart.remove(source)
    chart.resources += [resource for fact in other_facts if (resource := _restated(content, chart, fact)) is not None]
    if switch.status is not None:
        chart.resources.append(_observation(chart, switch, today))


def lost(content: Content, before: Record, after: Record, switch: Switch) -> list[str]:
    """Return the names of other facts that a change removed: they were in the same entry and no code restates them."""
    kept = {(fact.key, fact.status) for fact in after.facts} | {
        (diagnosis.cause, diagnosis.state) for diagnosis in after.diagnoses
    }
    facts = [f.key for f in before.facts if f.key != switch.finding and (f.key, f.status) not in kept]
    causes = [diagnosis.cause for diagnosis in before.diagnoses if (diagnosis.cause, diagnosis.state) not in kept]
    return list(dict.fromkeys(content.name(key) for key in (*facts, *causes)))


def remove(content: Content, chart: Chart, record: Record, source: str) -> bool:
    """Remove an entry and restate its facts in new entries. Returns whether the entry existed."""
    if not chart.remove(source):
        return False
    other_facts = [fact for fact in record.facts if _resource(fact.source) == source]
    chart.resources += [resource for fact in other_facts if (resource := _restated(content, chart, fact)) is not None]
    return True


def _resource(source: str) -> str:
    """Return ``Type/id`` of a fact's source, without the number of its component or version."""
    return source.split("#")[0].split("~")[0]


def source_of(item: Fact | Diagnosis | PlacedOrder) -> str:
    """Return the entry behind a fact, diagnosis or order, in the form that ``remove`` expects."""
    return _resource(item.source)


def _observation(chart: Chart, switch: Switch, today: date) -> Resource:
    return _without_none(
        {
            "resourceType": "Observation",
            "id": chart.new_id(),
            "status": "final",
            "code": _own_code(switch.finding),
            "subject": {"reference": f"Patient/{chart.patient_id}"},
            "effectiveDateTime": None if switch.days is None else (today - timedelta(days=switch.days)).isoformat(),
            "valueBoolean": switch.status is Status.PRESENT,
            "bodySite": _site(switch.side),
        }
    )


def _restated(content: Content, chart: Chart, fact: Fact) -> Resource | None:
    """Return the same statement as an entry of its own; None if no code states it alone."""
    code = _code(content, fact.key)
    if code is None or fact.status is Status.UNKNOWN:
        return None
    site = _site(fact.side)
    shared = {
        "id": chart.new_id(),
        "code": code,
        "subject": {"reference": f"Patient/{chart.patient_id}"},
    }
    if fact.ongoing:
        verification = "refuted" if fact.status is Status.ABSENT else "unconfirmed" if fact.provisional else "confirmed"
        return _without_none(
            {
                "resourceType": "Condition",
                **shared,
                "clinicalStatus": _concept((f"{_CONDITION}clinical", "active")),
                "verificationStatus": _concept((f"{_CONDITION}ver-status", verification)),
                "onsetDateTime": fact.clinical.text if fact.clinical else None,
                "recordedDate": fact.recorded.text if fact.recorded else None,
                "bodySite": [site] if site else None,
            }
        )
    when, noted = fact.clinical, fact.recorded
    whole = noted is not None and len(noted.text) == _WHOLE_DATE
    return _without_none(
        {
            "resourceType": "Observation",
            **shared,
            "status": "preliminary" if fact.provisional else "final",
            "effectiveDateTime": when.text if when else (noted.text if noted and not whole else None),
            "issued": f"{noted.text}T00:00:00Z" if noted and whole else None,
            "valueBoolean": fact.status is Status.PRESENT,
            "bodySite": site,
        }
    )


def _code(content: Content, key: str) -> Resource | None:
    finding = content.findings[key]
    if not finding.general:
        return _own_code(key)
    for code in finding.codes:
        says = {use.key for use in content.uses(URI[code.system], code.code)}
        if code.relation == "exact" and code.side is None and says == {key}:
            return _concept((URI[code.system], code.code), code.display)
    return None


def _own_code(key: str) -> Resource:
    return _concept((FINDING_SYSTEM, key))


def _site(side: Side) -> Resource | None:
    site = _SITES.get(side)
    return _concept((URI["snomed"], site[0]), site[1]) if site else None


def _concept(code: tuple[str, str], display: str | None = None) -> Resource:
    coding = {"system": code[0], "code": code[1]}
    return {"coding": [{**coding, "display": display} if display else coding]}


def _without_none(resource: dict[str, Any]) -> Resource:
    return {name: value for name, value in resource.items() if value is not None}


def removable(facts: Iterable[Fact], key: str) -> bool:
    """Whether entries of the chart state ``key`` directly, so that it can be removed."""
    return any(fact.key == key and "/" in fact.source for fact in facts)
