"""One call from chart to answer: the seven steps in order, used by the web and the command line alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content import Content
from cds_service.clinical.loading import load
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.ground.files import read_local_codes, read_texts
from cds_service.ground.settings import Settings
from cds_service.hooks.compose import compose
from cds_service.hooks.messages import Card, Context, HookRequest, HookResponse
from cds_service.hooks.orders import prove_templates
from cds_service.hooks.parts import Call
from cds_service.hooks.prefetch import gather

EXTENSION = "com.posterior-knee-cds.reading"


def load_content(settings: Settings) -> Content:
    """The content that ``settings`` name.

    Raises:
        ContentError: with every mistake; nothing may start on it.
    """
    content = load(read_texts(settings.cards), settings.pathway, read_local_codes(settings.local_codes))
    prove_templates(content)
    return content


@dataclass(frozen=True, slots=True)
class Service:
    """The content and the site's choices; answers calls without keeping anything."""

    content: Content
    base_url: str
    order_url: str | None = None
    layout: Literal["differential", "per_cause"] = "differential"

    @classmethod
    def of(cls, settings: Settings) -> Service:
        """The service as a site has set it up.

        Raises:
            ContentError: the content is wrong.
        """
        return cls(load_content(settings), settings.base_url, settings.order_url, settings.card_layout)

    def answer(self, request: HookRequest, now: datetime) -> tuple[HookResponse, Assessment]:
        """The answer to a hook call.

        Raises:
            UnusableInput: the prefetched patient is another one.
            NothingToJudgeBy: nothing in the chart sent can hold a complaint.
        """
        context = request.context
        prefetched = gather(request.prefetch, context.patientId)
        assessment = self.judge(
            context.patientId,
            prefetched.entries,
            now,
            fhir_server=str(request.fhirServer) if request.fhirServer else None,
            not_available=prefetched.not_available,
        )
        return HookResponse(cards=self.cards(assessment, context, now), extension=_extension(assessment)), assessment

    def judge(
        self,
        patient_id: str,
        entries: tuple[ChartEntry, ...],
        now: datetime,
        *,
        fhir_server: str | None = None,
        not_available: tuple[str, ...] = (),
    ) -> Assessment:
        """Read and judge a chart."""
        record = read_record(
            self.content, patient_id, entries, now.date(), fhir_server=fhir_server, not_available=not_available
        )
        return assess(self.content, record, now.date())

    def cards(self, assessment: Assessment, context: Context, now: datetime) -> tuple[Card, ...]:
        """The cards of an assessment."""
        return compose(Call(self.content, assessment, context, now, self.base_url, self.order_url, self.layout))


def _extension(assessment: Assessment) -> dict[str, Any] | None:
    """For integrators: what was not available or not read. Counts and our own words only."""
    record = assessment.record
    told: dict[str, Any] = {}
    if record.not_available:
        told["notAvailable"] = list(record.not_available)
    if record.unread:
        told["unread"] = dict(sorted(Counter(one.kind.value for one in record.unread).items()))
    return {EXTENSION: told} if told else None
