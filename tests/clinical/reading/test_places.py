"""Every form in which records name a side or a place, and that a side which is not understood is told."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import UnreadKind
from tests.charts import (
    CALF,
    LEFT,
    LEFT_CALF,
    POPLITEAL,
    RIGHT,
    RIGHT_CALF,
    SIDE_LEFT,
    SIDE_RIGHT,
    SNOMED,
    Resource,
    concept,
    condition,
    facts,
    judged,
    named,
    observation,
    read,
    rules,
)

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier"
MCODE_EU = "http://hl7.eu/fhir/ig/pcsp/StructureDefinition/mcode-laterality-qualifier"
KBV = "http://fhir.de/StructureDefinition/seitenlokalisation"
KBV_SIDE = "https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_SEITENLOKALISATION"
KBV_SIDE_OLD = "http://fhir.de/CodeSystem/kbv/s-icd-seitenlokalisation"
BODY_SITE = "http://hl7.org/fhir/StructureDefinition/bodySite"
CALF_PAIN, SWELLING, DVT = "300954003", "449615005", "128053003"
BOTH = "51440002"


def extension(url: str, **value: Any) -> Resource:
    return {"url": url, **value}


def laterality(side: str, url: str = MCODE) -> Resource:
    return extension(url, valueCodeableConcept=concept((SNOMED, side)))


def seitenlokalisation(side: str, system: str = KBV_SIDE) -> Resource:
    return extension(KBV, valueCoding={"system": system, "code": side})


def site(code: str, *extensions: Resource) -> Resource:
    return {**concept((SNOMED, code)), "extension": list(extensions)}


def structure(name: str = "leg", **fields: Any) -> Resource:
    location = fields.pop("location", concept((SNOMED, CALF)))
    return {
        "resourceType": "BodyStructure",
        "id": name,
        "patient": {"reference": "Patient/p"},
        "location": location,
        **fields,
    }


def pointing(reference: str, url: str = BODY_SITE) -> Resource:
    return extension(url, valueReference={"reference": reference})


@pytest.mark.parametrize(
    ("added", "side"),
    [
        (laterality(SIDE_LEFT), "left"),
        (laterality(SIDE_RIGHT, MCODE_EU), "right"),
        (laterality(BOTH), "both"),
        (laterality("419161000", "https://site.example/fhir/StructureDefinition/be-ext-laterality"), "left"),
        (extension(MCODE, valueCoding={"system": SNOMED, "code": SIDE_RIGHT}), "right"),
        (seitenlokalisation("R"), "right"),
        (seitenlokalisation("B"), "both"),
        (extension("https://site.example/body-side", extension=[laterality(SIDE_LEFT, "side")]), "left"),
    ],
)
def test_an_extension_on_a_body_site_names_the_side(content: Content, added: Resource, side: str) -> None:
    swollen = observation(concept((SNOMED, SWELLING)), site=site(CALF, added), valueBoolean=True)
    record = read(content, swollen, condition(concept((SNOMED, CALF_PAIN)), bodySite=[site(CALF, added)]))
    assert facts(record) == {("calf_swelling", "present", side), ("pain_calf", "present", side)}
    assert not record.unread


def test_the_laterality_of_mcode_leads_to_a_card_for_that_leg(content: Content) -> None:
    pain = condition(concept((SNOMED, "10601006")), bodySite=[site(CALF, laterality(SIDE_LEFT))])
    swollen = condition(concept((SNOMED, "267038008")), bodySite=[site(CALF, laterality(SIDE_LEFT))])
    assessment = judged(content, pain, swollen)
    assert rules(assessment) == ["RF01"]
    assert {flag.side for flag in assessment.urgent} == {"left"}


@pytest.mark.parametrize("system", [KBV_SIDE, KBV_SIDE_OLD, "urn:oid:1.2.276.0.76.3.1.1.5.1.22"])
@pytest.mark.parametrize(("code", "side"), [("R", "right"), ("L", "left"), ("B", "both")])
def test_the_german_side_stands_on_the_coding(content: Content, system: str, code: str, side: str) -> None:
    pain = concept((SNOMED, CALF_PAIN))
    german = {
        "system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
        "code": "M79.66",
        "extension": [seitenlokalisation(code, system)],
    }
    pain["coding"].append(german)
    assert ("pain_calf", "present", side) in facts(read(content, condition(pain)))
    clot = concept((SNOMED, "404223003"))
    clot["coding"][0]["extension"] = [seitenlokalisation(code, system)]
    assert [one.side for one in read(content, condition(clot)).diagnoses] == [side]


@pytest.mark.parametrize(
    "url", [BODY_SITE, "http://fhir.ch/ig/ch-emr/StructureDefinition/ch-emr-body-structure-reference"]
)
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"locationQualifier": [concept((SNOMED, SIDE_RIGHT))]}, "right"),
        ({"location": concept((SNOMED, LEFT_CALF))}, "left"),
        ({"location": site(CALF, laterality(SIDE_LEFT))}, "left"),
    ],
)
def test_a_body_structure_beside_or_inside(
    content: Content, url: str, beside: bool, fields: Resource, side: str
) -> None:
    leg = structure(**fields)
    reference = "BodyStructure/leg" if beside else "#leg"
    inside: dict[str, Any] = {} if beside else {"contained": [leg]}
    outside = [leg] if beside else []
    for holder in ({"extension": [pointing(reference, url)]}, {"site": {"extension": [pointing(reference, url)]}}):
        swollen = observation(concept((SNOMED, SWELLING)), valueBoolean=True, **holder, **inside)
        record = read(content, *outside, swollen)
        assert facts(record) == {("calf_swelling", "present", side)}
        assert not record.unread
    pain = condition(concept((SNOMED, "10601006")), bodySite=[{"extension": [pointing(reference, url)]}], **inside)
    assert ("pain_calf", "present", side) in facts(read(content, *outside, pain))


@pytest.mark.parametrize(
    "leg",
    [
        None,
        structure("other"),
        structure(patient={"reference": "Patient/somebody"}, location=concept((SNOMED, LEFT_CALF))),
        structure(patient={"display": "not said who"}, location=concept((SNOMED, LEFT_CALF))),
        structure(active=False, location=concept((SNOMED, LEFT_CALF))),
        structure(location=concept((SNOMED, LEFT_CALF)), status=7, patient={"reference": "Patient/p", "odd": 1}),
    ],
)
def test_a_body_structure_that_cannot_be_had_is_told(content: Content, leg: Resource | None) -> None:
    pain = condition(concept((SNOMED, CALF_PAIN)), extension=[pointing("BodyStructure/leg")])
    record = read(content, *([leg] if leg else []), pain)
    assert facts(record) == {("pain_calf", "present", "unknown")}
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SIDE, ("pain_calf",))]
    assert "body structure" in record.unread[0].reason


def test_components_have_places_of_their_own(content: Content) -> None:
    parts = [
        {
            "code": concept((SNOMED, SWELLING)),
            "valueBoolean": value,
            "extension": [extension(url, valueCodeableConcept=concept((SNOMED, where)))],
        }
        for value, where, url in (
            (True, LEFT_CALF, "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.component.bodySite"),
            (False, RIGHT_CALF, "https://site.example/fhir/StructureDefinition/body-site"),
        )
    ]
    record = read(content, observation({"text": "Legs"}, component=parts))
    assert facts(record) == {("calf_swelling", "present", "left"), ("calf_swelling", "absent", "right")}
    pointed = {"code": concept((SNOMED, SWELLING)), "valueBoolean": True, "extension": [pointing("#leg")]}
    inside = structure(locationQualifier=[concept((SNOMED, SIDE_LEFT))])
    record = read(content, observation({"text": "Legs"}, component=[pointed], contained=[inside]))
    assert facts(record) == {("calf_swelling", "present", "left")}


def test_members_take_the_place_that_a_panel_points_to(content: Content) -> None:
    member = observation("knee_effusion")
    panel = observation(
        {"text": "Knee"},
        extension=[pointing("BodyStructure/leg")],
        hasMember=[{"reference": f"Observation/{member['id']}"}],
    )
    leg = structure(location=concept((SNOMED, RIGHT)))
    assert facts(read(content, leg, panel, member)) == {("knee_effusion", "present", "right")}


@pytest.mark.parametrize(
    "pain",
    [
        {"bodySite": [site(CALF, laterality("399488007"))]},
        {"bodySite": [site(CALF, extension(MCODE, valueString="left"))]},
        {"bodySite": [site(CALF, extension(MCODE, valueCodeableConcept={"text": "Left"}))]},
        {"bodySite": [site(CALF, seitenlokalisation("X"))]},
        {"bodySite": [site(CALF, seitenlokalisation("L", "https://site.example/sides"))]},
        {"bodySite": [{"text": "left calf"}]},
        {"bodySite": [{"text": "Wade links"}]},
        {"bodySite": [{"text": "mollet gauche", **concept((SNOMED, CALF))}]},
        {"bodySite": [concept(("https://site.example/sites", "L-CALF"))]},
        {"extension": [extension("https://site.example/laterality", valueCode="L")]},
        {"code": {**concept((SNOMED, CALF_PAIN)), "text": "Pain in right calf"}},
        {"code": {"coding": [{"system": SNOMED, "code": CALF_PAIN, "display": "Schmerz Wade rechts"}]}},
    ],
)
def test_a_side_that_is_not_understood_is_told(content: Content, pain: Resource) -> None:
    """Neither guessed from words nor lost."""
    said = condition(**{"code": concept((SNOMED, CALF_PAIN)), **pain})
    record = read(content, said)
    assert facts(record) == {("pain_calf", "present", "unknown")}
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SIDE, ("pain_calf",))]
    assert all(fact.doubtful for fact in record.facts)


def test_a_side_of_a_diagnosis_that_is_not_understood_is_told(content: Content) -> None:
    clot = condition({**concept((SNOMED, "404223003")), "text": "DVT left leg"})
    record = read(content, clot)
    assert [one.side for one in record.diagnoses] == ["unknown"]
    assert [(one.kind, one.keys) for one in record.unread] == [(UnreadKind.SIDE, ("dvt",))]
    order = named(
        "ServiceRequest",
        status="active",
        intent="order",
        code={"text": "Duplex"},
        bodySite=[{"text": "left leg"}],
        reasonCode=[concept((SNOMED, "404223003"))],
    )
    assert UnreadKind.SIDE in {one.kind for one in read(content, order).unread}


@pytest.mark.parametrize(
    "pain",
    [
        {},
        {"bodySite": [concept((SNOMED, CALF))]},
        {"bodySite": [site(CALF, extension("https://site.example/side-effect", valueString="left"))]},
        {"bodySite": [site(CALF, laterality("261665006"))]},  # side: unknown
        {"code": {**concept((SNOMED, CALF_PAIN)), "text": "Calf pain since yesterday"}},
        {
            "extension": [
                extension("https://site.example/handedness", valueCodeableConcept=concept((SNOMED, SIDE_LEFT)))
            ]
        },
    ],
)
def test_where_no_side_is_stated_nothing_is_missed(content: Content, pain: Resource) -> None:
    record = read(content, condition(**{"code": concept((SNOMED, CALF_PAIN)), **pain}))
    assert facts(record) == {("pain_calf", "present", "unknown")}
    assert not record.unread


@pytest.mark.parametrize(
    "pain",
    [
        {"bodySite": [site(LEFT_CALF, laterality(SIDE_RIGHT))]},
        {"bodySite": [site(LEFT_CALF)], "extension": [pointing("BodyStructure/leg")]},
        {"bodySite": [{**site(CALF, laterality(SIDE_LEFT), laterality(SIDE_RIGHT))}]},
    ],
)
def test_sides_that_disagree_are_told_not_guessed(content: Content, pain: Resource) -> None:
    leg = structure(locationQualifier=[concept((SNOMED, SIDE_RIGHT))])
    record = read(content, leg, condition(concept((SNOMED, CALF_PAIN)), **pain))
    assert facts(record) == {("pain_calf", "present", "unknown")}
    assert {one.kind for one in record.unread} == {UnreadKind.SIDE}


def test_an_extension_may_narrow_a_general_code(content: Content) -> None:
    where = extension("https://site.example/body-site", valueCodeableConcept=concept((SNOMED, POPLITEAL)))
    pain = observation(concept((SNOMED, "30989003")), extension=[where], valueBoolean=True)
    assert {key for key, _, _ in facts(read(content, pain))} == {"pain_behind_knee"}
    elsewhere = extension("https://site.example/body-site", valueCodeableConcept={"text": "arm"})
    red = observation(concept((SNOMED, "247441003")), extension=[elsewhere], valueBoolean=True)
    record = read(content, red)
    assert not record.facts
    assert [one.kind for one in record.unread] == [UnreadKind.PLACE]


def test_a_calf_is_measured_on_the_leg_of_its_extension(content: Content) -> None:
    def girth(value: float, side: str) -> Resource:
        quantity = {"value": value, "code": "cm", "system": "http://unitsofmeasure.org"}
        return observation(
            concept(("http://loinc.org", "9844-2")), site=site(CALF, laterality(side)), valueQuantity=quantity
        )

    found = facts(read(content, girth(39, SIDE_LEFT), girth(35, SIDE_RIGHT)))
    assert ("calf_circumference_diff_3cm", "present", "left") in found


def test_a_named_leg_outweighs_words(content: Content) -> None:
    """Words are looked at only while no leg is known."""
    pain = condition({**concept((SNOMED, CALF_PAIN)), "text": "right calf"}, bodySite=[concept((SNOMED, LEFT))])
    record = read(content, pain)
    assert facts(record) == {("pain_calf", "present", "left")}


# --- body structures of FHIR R5 ---


def structure_r5(*sides: str, **fields: Any) -> Resource:
    included = [{"structure": concept((SNOMED, CALF)), "laterality": concept((SNOMED, side))} for side in sides]
    return {
        "resourceType": "BodyStructure",
        "id": "r5",
        "patient": {"reference": "Patient/p"},
        "includedStructure": included,
        **fields,
    }


def site_at(reference: str) -> Resource:
    return {"extension": [extension(BODY_SITE, valueReference={"reference": reference})]}


@pytest.mark.parametrize(("side", "expected"), [(SIDE_LEFT, "left"), (SIDE_RIGHT, "right"), (BOTH, "both")])
def test_a_structure_of_r5_names_the_leg(content: Content, side: str, expected: str) -> None:
    beside = condition(concept((SNOMED, CALF_PAIN)), bodySite=[site_at("BodyStructure/r5")])
    record = read(content, beside, structure_r5(side))
    assert ("pain_calf", "present", expected) in facts(record)
    assert not record.unread
    contained = condition(concept((SNOMED, CALF_PAIN)), bodySite=[site_at("#r5")], contained=[structure_r5(side)])
    record = read(content, contained)
    assert ("pain_calf", "present", expected) in facts(record)
    assert not record.unread


@pytest.mark.parametrize(
    "structure",
    [
        structure_r5(SIDE_LEFT, SIDE_RIGHT),
        structure_r5(SIDE_LEFT, excludedStructure=[{"structure": concept((SNOMED, CALF))}]),
        structure_r5(SIDE_LEFT, modifierExtension=[{"url": "https://example.org/not", "valueBoolean": True}]),
        structure_r5("399488007"),
    ],
    ids=["two", "excluded", "modified", "unknown side"],
)
def test_a_structure_of_r5_that_may_mean_something_else_is_told(content: Content, structure: Resource) -> None:
    pain = condition(concept((SNOMED, CALF_PAIN)), bodySite=[site_at("BodyStructure/r5")])
    record = read(content, pain, structure)
    assert ("pain_calf", "present", "unknown") in facts(record)
    assert [one.kind for one in record.unread] == [UnreadKind.SIDE]


@pytest.mark.parametrize(
    ("text", "told"),
    [("Calf L", True), ("(R) calf", True), ("l. calf", True), ("l'arrière de la jambe", False), ("below L5", False)],
)
def test_a_side_by_its_letter_is_told(content: Content, text: str, told: bool) -> None:
    pain = condition(concept((SNOMED, CALF_PAIN)), bodySite=[{**concept((SNOMED, CALF)), "text": text}])
    assert [one.kind for one in read(content, pain).unread] == [UnreadKind.SIDE] * told
