"""FHIR R4's resource types, grouped by what they can state about the causes of pain behind the knee."""

from __future__ import annotations

from typing import Any

from cds_service.clinical.record import MEDICINES

READ = frozenset(
    {
        "Observation", "Condition", "Procedure", "MedicationRequest", "MedicationStatement",
        "MedicationAdministration", "MedicationDispense", "ServiceRequest", "DiagnosticReport", "Encounter",
    }
)  # fmt: skip
"""Types of which every resource is read."""

TAKEN = MEDICINES - {"Medication"}
"""Types that state that a medicine is or is not taken."""

MAY_SAY_SOMETHING = frozenset(
    {
        "AdverseEvent", "Appointment", "ClinicalImpression", "Communication", "CommunicationRequest", "DetectedIssue",
        "EpisodeOfCare", "Flag", "ImagingStudy", "QuestionnaireResponse", "RiskAssessment", "Task",
    }
)  # fmt: skip
"""Types that can state a finding or a reason but are not read. A known code or name in one is reported."""

THINGS = frozenset({"Specimen", "Device"})
"""Types for what something was measured in or with."""

PICTURES = frozenset({"ImagingStudy"})
"""Types in which a place only means where the picture was taken."""


_OTHERS = """
Account ActivityDefinition AllergyIntolerance AppointmentResponse AuditEvent Basic Binary
BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
ChargeItemDefinition Claim ClaimResponse CodeSystem CompartmentDefinition
Composition ConceptMap Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse Device
DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DocumentManifest DocumentReference
EffectEvidenceSynthesis Endpoint EnrollmentRequest EnrollmentResponse EventDefinition Evidence EvidenceVariable
ExampleScenario ExplanationOfBenefit FamilyMemberHistory Goal GraphDefinition Group GuidanceResponse
HealthcareService Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide
InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media Medication MedicationKnowledge
MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader MolecularSequence
NamingSystem NutritionOrder ObservationDefinition OperationDefinition OperationOutcome Organization
OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner
PractitionerRole Provenance Questionnaire RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition
ResearchStudy ResearchSubject RiskEvidenceSynthesis Schedule SearchParameter Slot Specimen SpecimenDefinition
StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest
TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
"""

ALL = READ | MAY_SAY_SOMETHING | frozenset(_OTHERS.split())
"""Every resource type of FHIR R4. Any other type is not understood."""


def kind_of(resource: Any) -> str | None:
    """Return the resource type that JSON of any shape names; None if it names none."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else None
