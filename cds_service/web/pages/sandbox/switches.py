"""Changing one fact of a chart: what states it goes, what the same entries state besides is stated anew, and the new
value is written as an Observation with our own code."""

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

LONGEST_AGO = 36_500
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
    """A fact as somebody wants it. ``status``: None for not recorded. ``days``: since it was so; None for undated."""

    finding: str
    status: Status | None
    side: Side
    days: int | None


def understood(content: Content, body: Any) -> Switch:
    """A switch as the page sends it.

    Raises:
        UnusableInput: it is none, or one that this finding does not have.
    """
    sent = body if isinstance(body, dict) else {}
    key, status, side, days = (sent.get(name) for name in ("finding", "status", "side", "days"))
    if not isinstance(key, str) or key not in content.findings:
        raise UnusableInput("finding: there is none of that name")
    if status not in ("present", "absent", "not recorded"):
        raise UnusableInput("status: must be present, absent or not recorded")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= LONGEST_AGO):
        raise UnusableInput(f"days ago: must be a whole number from 0 to {LONGEST_AGO}, or empty")
    if status == "not recorded":
        return Switch(key, None, Side.UNKNOWN, None)
    if not can_be_stated(content, key):
        raise UnusableInput(f"{content.findings[key].name} follows from other facts or has no code of ours")
    if status == "absent" and content.findings[key].absence_ignored:
        raise UnusableInput(f"the absence of {content.findings[key].name} is never read: it could only mislead")
    if content.findings[key].side == "body":
        return Switch(key, Status(status), Side.BODY, days)
    if side not in [one.value for one in SIDES]:
        raise UnusableInput("side: must be left, right, both or unknown")
    return Switch(key, Status(status), Side(side), days)


def can_be_stated(content: Content, key: str) -> bool:
    """Whether a finding can be switched on: not one without a code of ours, nor one that age and sex decide."""
    decided = {age.finding for age in content.reasoning.ages}
    return not content.findings[key].general and key not in decided


def apply(content: Content, chart: Chart, record: Record, switch: Switch, today: date) -> None:
    """Change ``chart``, of which ``record`` is the present reading."""
    stating = {_resource(fact.source) for fact in record.facts if fact.key == switch.finding}
    besides = [fact for fact in record.facts if fact.key != switch.finding and _resource(fact.source) in stating]
    for source in stating:
        chart.remove(source)
    chart.resources += [resource for fact in besides if (resource := _restated(content, chart, fact)) is not None]
    if switch.status is not None:
        chart.resources.append(_observation(chart, switch, today))


def lost(content: Content, before: Record, after: Record, switch: Switch) -> list[str]:
    """What a change took away besides, in words: it stood in the same entry and could not be stated anew."""
    kept = {(fact.key, fact.status) for fact in after.facts} | {(one.cause, one.state) for one in after.diagnoses}
    facts = [f.key for f in before.facts if f.key != switch.finding and (f.key, f.status) not in kept]
    causes = [one.cause for one in before.diagnoses if (one.cause, one.state) not in kept]
    return list(dict.fromkeys(content.name(key) for key in (*facts, *causes)))


def remove(content: Content, chart: Chart, record: Record, source: str) -> bool:
    """Take out an entry; facts in it besides a diagnosis or order stay, stated anew. Whether it was there."""
    if not chart.remove(source):
        return False
    besides = [fact for fact in record.facts if _resource(fact.source) == source]
    chart.resources += [resource for fact in besides if (resource := _restated(content, chart, fact)) is not None]
    return True


def _resource(source: str) -> str:
    """``Type/id`` of a fact's source, without the number of its component or version."""
    return source.split("#")[0].split("~")[0]


def source_of(one: Fact | Diagnosis | PlacedOrder) -> str:
    """The entry behind something read, as ``remove`` takes it."""
    return _resource(one.source)


def _observation(chart: Chart, switch: Switch, today: date) -> Resource:
    return _without_nothing(
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
    """The same statement in an entry of its own; None where no code says it alone."""
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
        return _without_nothing(
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
    return _without_nothing(
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
    for one in finding.codes:
        says = {use.key for use in content.uses(URI[one.system], one.code)}
        if one.relation == "exact" and one.side is None and says == {key}:
            return _concept((URI[one.system], one.code), one.display)
    return None


def _own_code(key: str) -> Resource:
    return _concept((FINDING_SYSTEM, key))


def _site(side: Side) -> Resource | None:
    site = _SITES.get(side)
    return _concept((URI["snomed"], site[0]), site[1]) if site else None


def _concept(code: tuple[str, str], display: str | None = None) -> Resource:
    coding = {"system": code[0], "code": code[1]}
    return {"coding": [{**coding, "display": display} if display else coding]}


def _without_nothing(resource: dict[str, Any]) -> Resource:
    return {name: value for name, value in resource.items() if value is not None}


def removable(found: Iterable[Fact], key: str) -> bool:
    """Whether entries of the chart state ``key`` themselves, so that it can be taken out."""
    return any(fact.key == key and "/" in fact.source for fact in found)
