"""Exports the content as FHIR R4 knowledge resources: the rules, their sources and part of their logic.

The code of this service decides, not these resources. CQL is given for the combination of findings that a red flag
needs. Sides, dates, statuses, doubts, the DVT pathway and the ranking are not expressed in CQL and only named. No
resource has a date, so that the same content gives the same bytes.
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
from cds_service.rendering.questionnaire import assessment_code_system, questionnaire
from cds_service.rendering.terminology import BASE, resources, value_set

Resource = dict[str, Any]
LIBRARY, PLAN, MEASURE, GUIDE = "posterior-knee-logic", POSTERIOR_KNEE_PAIN.id, "urgent-cards", "posterior-knee-cds"
PACKAGE = "posterior-knee-cds.fhir"
_TYPES = "http://terminology.hl7.org/CodeSystem"
_SPEEDS = {"now": "stat", "same_day": "asap", "days": "urgent", "two_weeks": "urgent"}
_CQL = "text/cql"


def knowledge(content: Content) -> list[Resource]:
    """Return every resource of the package, the guide last. Ids are unique within a type."""
    others = [
        *resources(content),
        assessment_code_system(content),
        questionnaire(content),
        library(content),
        *(activity(content, key) for key in sorted(content.orders)),
        plan(content),
        measure(content),
        script(),
    ]
    return [*others, guide(content, others)]


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
    citation = {"type": "citation", "label": key, "citation": cited.text}
    return citation | ({"url": cited.url} if cited.url else {})


def library(content: Content) -> Resource:
    """Return the Library with the sources and, as an attachment, the CQL (see ``cql``)."""
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
    """Return the CQL, with one definition for each finding and each rule.

    A finding without a value set is null. Like an unknown finding, it does not satisfy any condition.
    """
    rules = {key: rule for key, rule in sorted(content.red_flags.items()) if key != DVT_RULE}
    terms = sorted({term for rule in rules.values() for term in rule.when.terms()})
    sets = {term: values for term in terms if (values := value_set(content, term))}
    lines = [
        f"library PosteriorKneeLogic version '{__version__}'",
        "using FHIR version '4.0.1'",
        "include FHIRHelpers version '4.0.1'",
        *(f"valueset \"{term} codes\": '{values['url']}'" for term, values in sets.items()),
        "context Patient",
        "// A coded Observation or Condition. Sides, dates and statuses are judged by the service.",
        *(f'define "{term}": {_finding(term) if term in sets else "null"}' for term in terms),
        *(f'// {rule.card.title}\ndefine "{key}": {_logic(rule.when)}' for key, rule in rules.items()),
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
    return word.join(_quoted(inner) if isinstance(inner, str) else f"({_logic(inner)})" for inner in parts)


def activity(content: Content, key: str) -> Resource:
    """Return the ActivityDefinition of an order that a card can offer as a draft."""
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
    """Return the PlanDefinition: when a chart is opened, one action for each red flag, including the DVT pathway."""
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
                "action": [_flag(content, key, flag) for key, flag in sorted(content.red_flags.items())],
            }
        ],
    }


def _flag(content: Content, key: str, flag: RedFlag) -> Resource:
    action: Resource = {
        "id": key,
        "title": flag.card.title,
        "description": " ".join(flag.card.do),
        "priority": _SPEEDS[flag.speed],
        "documentation": [_citation(content, flag.source)],
        "selectionBehavior": "any",
        "action": [
            {"title": content.orders[order].title, "definitionCanonical": _canonical("ActivityDefinition", _id(order))}
            for order in flag.card.consider
        ],
    }
    if key == DVT_RULE:
        pathway = content.pathway
        steps = {"type": "documentation", "display": f"{pathway.title}: judged by the service, not expressed here"}
        action["documentation"] = [_citation(content, pathway.source), steps]
        return action
    applies = {"kind": "applicability", "expression": {"language": _CQL, "expression": key}}
    return action | {"condition": [applies]}


def _id(key: str) -> str:
    return key.replace("_", "-")


def measure(content: Content) -> Resource:
    """Return the Measure: how often an opened chart has a red flag. A replay counts it from the service's verdicts."""

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
    """Return a TestScript that reads the code system from a running service."""
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
    """Return the ImplementationGuide, which lists all resources of the package."""
    return _head("ImplementationGuide", GUIDE, "PosteriorKneeCds", "Posterior knee CDS") | {
        "packageId": PACKAGE,
        "license": "Apache-2.0",
        "description": f"Codes, value sets and rules of the posterior knee CDS service. Content {content.version}.",
        "fhirVersion": ["4.0.1"],
        "definition": {"resource": list(_listed(others))},
    }


def _listed(others: Sequence[Resource]) -> Iterator[Resource]:
    for resource in others:
        reference = {"reference": f"{resource['resourceType']}/{resource['id']}"}
        yield {"reference": reference, "name": resource["title"], "exampleBoolean": False}
