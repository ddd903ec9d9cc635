"""The content as FHIR R4 knowledge resources: what rules there are, on what sources, and as far as it goes their logic.

What decides is this service's code. CQL is given for the combination of findings that a red flag asks for; sides,
dates, statuses and doubts, the pathway for DVT and the ranking are not in it and are only named. Nothing here has a
date of its own, so that the same content gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.codes import URI
from cds_service.clinical.content.models import Condition, OrderCode, RedFlag
from cds_service.clinical.content.names import DVT_RULE
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.rendering.terminology import BASE, resources, value_set

Resource = dict[str, Any]
LIBRARY, PLAN, MEASURE, GUIDE = "posterior-knee-logic", POSTERIOR_KNEE_PAIN.id, "urgent-cards", "posterior-knee-cds"
PACKAGE = "posterior-knee-cds.fhir"
_TYPES = "http://terminology.hl7.org/CodeSystem"
_SPEEDS = {"now": "stat", "same_day": "asap", "days": "urgent", "two_weeks": "urgent"}
_CQL = "text/cql"


def knowledge(content: Content) -> list[Resource]:
    """Every resource of the package, the guide last; ids are unique by type."""
    found = [
        *resources(content),
        library(content),
        *(activity(content, key) for key in sorted(content.orders)),
        plan(content),
        measure(content),
        script(),
    ]
    return [*found, guide(content, found)]


def _canonical(kind: str, identity: str) -> str:
    return f"{BASE}/{kind}/{identity}"


def _head(kind: str, identity: str, name: str, title: str) -> Resource:
    return {
        "resourceType": kind,
        "id": identity,
        "url": _canonical(kind, identity),
        "version": __version__,
        "name": name,
        "title": title,
        "status": "draft",
        "experimental": True,
    }


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{_TYPES}/{system}", "code": code}]}


def _citation(content: Content, key: str) -> dict[str, str]:
    cited = content.citations[key]
    found = {"type": "citation", "label": key, "citation": cited.text}
    return found | ({"url": cited.url} if cited.url else {})


def library(content: Content) -> Resource:
    """The sources, and the combinations of findings in CQL as an attachment (see ``cql``)."""
    return _head("Library", LIBRARY, "PosteriorKneeLogic", "Red flags in pain behind the knee") | {
        "type": _coded("library-type", "logic-library"),
        "description": (
            f"Content {content.version}. The CQL says which findings a rule asks for. It leaves out sides, dates, "
            "statuses and what was not understood, was not translated to ELM, and is not to be run in place of the "
            "service."
        ),
        "relatedArtifact": [_citation(content, key) for key in sorted(content.citations)],
        "content": [{"contentType": _CQL, "data": b64encode(cql(content).encode()).decode()}],
    }


def cql(content: Content) -> str:
    """One definition a finding and a rule. What has no value set is null: like unknown here, it satisfies nothing."""
    rules = {key: one for key, one in sorted(content.red_flags.items()) if key != DVT_RULE}
    terms = sorted({term for one in rules.values() for term in one.when.terms()})
    sets = {term: found for term in terms if (found := value_set(content, term))}
    lines = [
        f"library PosteriorKneeLogic version '{__version__}'",
        "using FHIR version '4.0.1'",
        "include FHIRHelpers version '4.0.1'",
        *(f"valueset \"{term} codes\": '{found['url']}'" for term, found in sets.items()),
        "context Patient",
        "// A coded Observation or Condition. Sides, dates and statuses are judged by the service.",
        *(f'define "{term}": {_finding(term) if term in sets else "null"}' for term in terms),
        *(f'// {one.card.title}\ndefine "{key}": {_logic(one.when)}' for key, one in rules.items()),
        f'define "Any red flag": {" or ".join(f"{_quoted(key)}" for key in rules)}',
        'define "Chart opened": true',
    ]
    return "\n\n".join(lines) + "\n"


def _finding(term: str) -> str:
    return f'exists ([Observation: "{term} codes"]) or exists ([Condition: "{term} codes"])'


def _quoted(name: str) -> str:
    return f'"{name}"'


def _logic(condition: Condition) -> str:
    word, parts = (" and ", condition.all) if condition.all else (" or ", condition.any)
    return word.join(_quoted(one) if isinstance(one, str) else f"({_logic(one)})" for one in parts)


def activity(content: Content, key: str) -> Resource:
    """An order that a card can offer: what the draft of it is."""
    template = content.orders[key]
    identity = key.replace("_", "-")
    name = "PosteriorKnee" + "".join(part.capitalize() for part in key.split("_"))
    return _head("ActivityDefinition", identity, name, template.title) | {
        "description": f"{template.question} {template.tells}.",
        "kind": "ServiceRequest",
        "intent": "proposal",
        "code": {"coding": [_coding(template.code)], "text": template.title},
    }


def _coding(code: OrderCode) -> dict[str, str]:
    return {"system": URI[code.system], "code": code.code, "display": code.display}


def plan(content: Content) -> Resource:
    """The service as a rule: at the opening of a chart, one action a red flag; the pathway for DVT is one of them."""
    about = content.about
    return _head("PlanDefinition", PLAN, "PosteriorKneePain", "Decision support for pain behind the knee") | {
        "type": _coded("plan-definition-type", "eca-rule"),
        "purpose": about.purpose,
        "usage": "Called over CDS Hooks 2.0; the service decides. Not a diagnosis, and silence is not an all-clear.",
        "description": f"Content {content.version}. {about.population}",
        "library": [_canonical("Library", LIBRARY)],
        "action": [
            {
                "id": POSTERIOR_KNEE_PAIN.id,
                "title": "Judge the chart",
                "trigger": [{"type": "named-event", "name": POSTERIOR_KNEE_PAIN.hook}],
                "action": [_flag(content, key, one) for key, one in sorted(content.red_flags.items())],
            }
        ],
    }


def _flag(content: Content, key: str, flag: RedFlag) -> Resource:
    found: Resource = {
        "id": key,
        "title": flag.card.title,
        "description": " ".join(flag.card.do),
        "priority": _SPEEDS[flag.speed],
        "documentation": [_citation(content, flag.source)],
        "selectionBehavior": "any",
        "action": [
            {"title": content.orders[one].title, "definitionCanonical": _canonical("ActivityDefinition", _id(one))}
            for one in flag.card.consider
        ],
    }
    if key == DVT_RULE:
        pathway = content.pathway
        steps = {"type": "documentation", "display": f"{pathway.title}: judged by the service, not expressed here"}
        found["documentation"] = [_citation(content, pathway.source), steps]
        return found
    applies = {"kind": "applicability", "expression": {"language": _CQL, "expression": key}}
    return found | {"condition": [applies]}


def _id(key: str) -> str:
    return key.replace("_", "-")


def measure(content: Content) -> Resource:
    """How often opened charts got a red flag, which a replay counts from the service's own verdicts."""

    def population(code: str, criteria: str) -> Resource:
        coded = _coded("measure-population", code)
        return {"code": coded, "criteria": {"language": _CQL, "expression": criteria}}

    return _head("Measure", MEASURE, "PosteriorKneeUrgentCards", "Opened charts with a red flag") | {
        "description": (
            "`knee-cds replay` counts what the service shows, suspected DVT included; the criteria here leave out what "
            f"the library leaves out, and give another number. Content {content.version}."
        ),
        "library": [_canonical("Library", LIBRARY)],
        "scoring": _coded("measure-scoring", "proportion"),
        "group": [
            {
                "population": [
                    population("initial-population", "Chart opened"),
                    population("denominator", "Chart opened"),
                    population("numerator", "Any red flag"),
                ]
            }
        ],
    }


def script() -> Resource:
    """What a FHIR test engine can try of a running service: its code system is served."""
    read: Resource = {
        "type": {"system": f"{_TYPES}/testscript-operation-codes", "code": "read"},
        "resource": "CodeSystem",
        "accept": "application/json",
        "encodeRequestUrl": True,
        "params": "/finding",
    }
    ok = {"response": "okay", "warningOnly": False}
    kind = {"resource": "CodeSystem", "warningOnly": False}
    steps = [{"operation": read}, {"assert": ok}, {"assert": kind}]
    return _head("TestScript", "terminology", "PosteriorKneeTerminology", "The code system of findings is served") | {
        "description": "The base of the server under test is the service's address with /fhir.",
        "test": [{"id": "read", "name": "Read the code system", "action": steps}],
    }


def guide(content: Content, others: Sequence[Resource]) -> Resource:
    """The package's table of contents."""
    return _head("ImplementationGuide", GUIDE, "PosteriorKneeCds", "Posterior knee CDS") | {
        "packageId": PACKAGE,
        "license": "Apache-2.0",
        "description": f"Codes, value sets and rules of the posterior knee CDS service. Content {content.version}.",
        "fhirVersion": ["4.0.1"],
        "definition": {"resource": list(_listed(others))},
    }


def _listed(others: Sequence[Resource]) -> Iterator[Resource]:
    for one in others:
        reference = {"reference": f"{one['resourceType']}/{one['id']}"}
        yield {"reference": reference, "name": one["title"], "exampleBoolean": False}
