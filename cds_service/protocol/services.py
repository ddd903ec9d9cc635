"""The services that EHRs can call: one entry each. Discovery, routes, documents and samples follow this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookService:
    """One service as discovery offers it.

    Attributes:
        id: the last part of its address.
        hook: when the EHR calls it, a name of the CDS Hooks library; its context names a user and a patient.
        title, description, usage: for whoever sets up the EHR.
    """

    id: str
    hook: str
    title: str
    description: str
    usage: str

    @property
    def path(self) -> str:
        """Where it is called, below the address of this installation."""
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
    """The service with this id; None if there is none."""
    return next((service for service in SERVICES if service.id == service_id), None)


def hooks() -> tuple[str, ...]:
    """The hooks that any service answers, each once."""
    return tuple(dict.fromkeys(service.hook for service in SERVICES))
