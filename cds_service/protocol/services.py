"""The services that EHRs can call. Discovery, routes, documents and samples are built from this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookService:
    """One service as discovery offers it.

    Attributes:
        id: the last segment of its path.
        hook: the CDS Hooks event on which the EHR calls it. The context must have a user and a patient.
        title, description, usage: texts for the person who sets up the EHR.
        needs_encounter: whether the hook's context must have an encounter, as encounter-start's must.
    """

    id: str
    hook: str
    title: str
    description: str
    usage: str
    needs_encounter: bool = False

    @property
    def path(self) -> str:
        """Path of the service, relative to the base URL of this installation."""
        return f"/cds-services/{self.id}"


POSTERIOR_KNEE_PAIN = HookService(
    id="posterior-knee-pain",
    hook="patient-view",
    title="Pain behind the knee",
    description=(
        "For clinicians assessing adults with pain behind the knee or in the calf: matches the chart to "
        "suspected DVT and other red flags, then to the causes that fit, each with its reasons and draft "
        "orders. Usually silent. Silence does not mean that DVT has been excluded."
    ),
    usage=(
        "Call when a chart with a knee, calf or leg complaint is opened. Works from prefetch; keys that "
        "are not sent are read from fhirServer where the site allows it, or else named on the card. Not "
        "for emergencies without a clinician present."
    ),
)

SERVICES = (POSTERIOR_KNEE_PAIN,)


def service_of(service_id: str) -> HookService | None:
    """Return the service with this id; None if there is none."""
    return next((service for service in SERVICES if service.id == service_id), None)


def hooks() -> tuple[str, ...]:
    """Return the hooks of all services, each once."""
    return tuple(dict.fromkeys(service.hook for service in SERVICES))
