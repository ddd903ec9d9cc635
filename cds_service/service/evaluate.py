"""Answers a call: reads the chart, assesses it and composes the cards. Used by the web server and the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from cds_service.adapters.clients.loading import load_clients
from cds_service.adapters.clients.model import Caller, Clients
from cds_service.base.budget import Budget
from cds_service.base.errors import NothingToJudgeBy
from cds_service.base.files import read_text, read_texts
from cds_service.base.settings import Settings
from cds_service.base.timing import Stages
from cds_service.clinical.again import assess_again
from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH, in_language
from cds_service.clinical.content.loading.load import load, version_of
from cds_service.clinical.reading import ChartEntry, read_record, resource_types
from cds_service.clinical.record import Record, RowState
from cds_service.protocol.messages import Context, HookRequest, HookResponse
from cds_service.protocol.prefetch import JUDGED_BY, Prefetched
from cds_service.protocol.queries import Plan, Style, plan_of
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card
from cds_service.rendering.compose import compose
from cds_service.rendering.not_judged_card import not_judged_card
from cds_service.rendering.orders.requests import check_templates
from cds_service.rendering.sanitize import own_urls

EXTENSION = "com.posterior-knee-cds.reading"


def load_content(settings: Settings) -> Content:
    """Load the content that ``settings`` name.

    Raises:
        ContentError: with every mistake. The service must not start with such content.
    """
    content = load(content_files(settings), settings.pathway, _local_codes(settings))
    check_templates(content)
    return content


def content_version(settings: Settings) -> str:
    """Return the version of the content that ``settings`` name, without checking the content.

    Raises:
        ContentError: a file cannot be read.
    """
    return version_of(content_files(settings), _local_codes(settings))


def content_files(settings: Settings) -> Mapping[str, str]:
    """Return the texts of the content, by their relative path."""
    return read_texts(settings.cards, ".toml", ".tsv")


def _local_codes(settings: Settings) -> str | None:
    return read_text(settings.local_codes, "see KNEE_CDS_LOCAL_CODES")


def _in_languages(settings: Settings, content: Content, clients: Clients) -> dict[str, Content]:
    """Return the content in each language that a client uses, except English.

    Raises:
        ContentError: a language is missing or incomplete.
    """
    wanted = sorted({caller.client.language for caller in clients.everyone} - {ENGLISH})
    files = content_files(settings) if wanted else {}
    languages = {language: in_language(content, settings.pathway, files, language) for language in wanted}
    for translated in languages.values():
        check_templates(translated)
    return languages


@dataclass(frozen=True, slots=True)
class Answer:
    """The cards of a call, and the assessment and the chart behind them. ``dropped``: elements of the call not used."""

    cards: tuple[Card, ...]
    assessment: Assessment
    caller: Caller
    prefetched: Prefetched
    dropped: tuple[str, ...] = ()

    @property
    def response_extension(self) -> dict[str, Any]:
        """Information for integrators."""
        return _response_extension(self.assessment, self.prefetched, self.dropped)


@dataclass(frozen=True, slots=True)
class Service:
    """Answers calls with the content and the settings of a site. It keeps no data of a call.

    Attributes:
        content: the content in English, with which every chart is assessed.
        base_url: public URL of the service, without a trailing slash.
        order_url: template of the site's order entry; None for this service's own page.
        layout: one differential card, or one card per cause.
        languages: the content in other languages, for the wording of cards.
        plans: the FHIR searches, by query style; by default those of ``content``. A copy with other content keeps them
            unless others are given.
    """

    content: Content
    clients: Clients
    base_url: str
    order_url: str | None = None
    layout: Literal["differential", "per_cause"] = "differential"
    languages: Mapping[str, Content] = field(default_factory=dict)
    plans: Mapping[Style, Plan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the searches once for each style in use."""
        styles = {caller.profile.query_style for caller in self.clients.everyone}
        plans = {style: self.plans.get(style) or plan_of(self.content, style) for style in styles}
        object.__setattr__(self, "plans", plans)

    @classmethod
    def from_settings(cls, settings: Settings) -> Service:
        """Build the service from a site's settings.

        Raises:
            ContentError: the content or the clients file has mistakes.
        """
        content = load_content(settings)
        clients = load_clients(settings, content)
        return cls(
            content,
            clients,
            settings.base_url,
            settings.order_url,
            settings.card_layout,
            _in_languages(settings, content, clients),
        )

    def speaking(self, settings: Settings, language: str) -> Service:
        """Return a copy of the service with only one client, which reads ``language``.

        Raises:
            ContentError: the language is missing or incomplete.
        """
        content = in_language(self.content, settings.pathway, content_files(settings), language)
        default = self.clients.default
        caller = replace(default, client=default.client.model_copy(update={"language": language}))
        clients = replace(self.clients, everyone=(caller,), known=())
        return replace(self, clients=clients, languages={language: content})

    def words_in(self, language: str) -> Content:
        """Return the content for a page in ``language``; without a language, in the one that all clients share.

        It is in English if the clients have different languages, or if none of them has that language.
        """
        shared = {caller.client.language for caller in self.clients.everyone}
        wanted = language or (shared.pop() if len(shared) == 1 else ENGLISH)
        return self.languages.get(wanted, self.content)

    def words_for(self, caller: Caller) -> Content:
        """Return the content in the language of a client."""
        return self.languages.get(caller.client.language, self.content)

    def plan(self, caller: Caller | None = None) -> Plan:
        """Return the searches for a client, in the style of its profile. None for the default client."""
        return self.plans[(caller or self.clients.default).profile.query_style]

    @property
    def own_urls(self) -> tuple[str, ...]:
        """The allowed targets of links in cards."""
        return own_urls(self.base_url, self.order_url)

    def answer(
        self,
        request: HookRequest,
        prefetched: Prefetched,
        now: datetime,
        caller: Caller | None = None,
        stages: Stages | None = None,
        budget: Budget | None = None,
        *,
        only_words: bool = False,
        earlier: Assessment | None = None,
    ) -> Answer:
        """Answer a hook call.

        Args:
            request: the call.
            prefetched: the chart as sent, completed from the FHIR server if possible.
            now: with the site's time zone.
            caller: the client; None for the client with the FHIR server of the call.
            stages: measures reading, assessing and composing.
            budget: limit for the computing time; None for no limit.
            only_words: compose only what the cards say, without draft orders and links.
            earlier: this service's assessment of the same chart at an earlier moment; it saves assessing it again.

        Raises:
            UnusableInput: the prefetched patient is not the patient of the call.
            NothingToJudgeBy: the chart shows no complaint, and a part that could show one is missing. For an EHR that
                hides errors, a card says this instead.
            TooCostly: the budget is used up.
        """
        caller = caller or self.clients.find(request.fhirServer)
        try:
            return self._judged(
                request, prefetched, now, caller, stages or Stages(), budget, earlier, only_words=only_words
            )
        except NothingToJudgeBy:
            if not caller.profile.hides_errors or "gap" in caller.client.switched_off:
                raise
            return self._not_judged(request, prefetched, now, caller)

    def _judged(
        self,
        request: HookRequest,
        prefetched: Prefetched,
        now: datetime,
        caller: Caller,
        stages: Stages,
        budget: Budget | None,
        earlier: Assessment | None,
        *,
        only_words: bool,
    ) -> Answer:
        context = request.context
        prefetched.check(context.patientId)
        record = read_record(
            self.content,
            context.patientId,
            prefetched.entries,
            now,
            fhir_server=request.fhirServer,
            not_whole=frozenset(part.key for part in prefetched.incomplete),
            came_in_part=frozenset(part.key for part in prefetched.incomplete if part.came_in_part),
            check=budget.check if budget is not None else lambda: None,
        )
        _check_patient(record)
        if budget is not None:
            budget.check()
        stages.end("read")
        assessment = assess_again(self.content, record, now.date(), earlier)
        stages.end("assess")
        if not assessment.legs and not assessment.patient.deceased:
            _check_silence(prefetched)
        cards = self.cards(assessment, context, now, caller, only_words=only_words)
        stages.end("compose")
        return Answer(cards, assessment, caller, prefetched, request.dropped)

    def _not_judged(self, request: HookRequest, prefetched: Prefetched, now: datetime, caller: Caller) -> Answer:
        """Answer an EHR that hides errors with a card. The chart is read only to name what is missing."""
        record = read_record(
            self.content,
            request.context.patientId,
            prefetched.entries,
            now,
            fhir_server=request.fhirServer,
            not_whole=frozenset(part.key for part in prefetched.incomplete),
            came_in_part=frozenset(part.key for part in prefetched.incomplete if part.came_in_part),
        )
        assessment = assess(self.content, record, now.date())
        call = self._call(assessment, request.context, now, caller)
        return Answer((not_judged_card(call),), assessment, caller, prefetched, request.dropped)

    def judge(
        self, patient_id: str, entries: tuple[ChartEntry, ...], now: datetime, *, fhir_server: str | None = None
    ) -> Assessment:
        """Read and assess a complete chart."""
        record = read_record(self.content, patient_id, entries, now, fhir_server=fhir_server)
        return assess(self.content, record, now.date())

    def cards(
        self,
        assessment: Assessment,
        context: Context,
        now: datetime,
        caller: Caller | None = None,
        *,
        only_words: bool = False,
    ) -> tuple[Card, ...]:
        """Return the cards of an assessment. Its record says which parts of the chart are incomplete.

        ``only_words``: compose only what the cards say, without draft orders and links.
        """
        return compose(self._call(assessment, context, now, caller or self.clients.default, only_words=only_words))

    def _call(
        self, assessment: Assessment, context: Context, now: datetime, caller: Caller, *, only_words: bool = False
    ) -> Call:
        return Call(
            content=self.words_for(caller),
            assessment=assessment,
            context=context,
            now=now,
            base_url=self.base_url,
            order_url=self.order_url,
            layout=self.layout,
            switched_off=caller.client.switched_off,
            supported_orders=caller.supported_orders,
            only_words=only_words,
        )


def _check_patient(record: Record) -> None:
    """Reject a chart whose relevant rows all belong to another patient. No card would look like "no concern"."""
    own = (
        record.rows(RowState.READ, resource_types.READ)
        + record.rows(RowState.NOT_UNDERSTOOD)
        + record.rows(RowState.TOO_OLD)
    )
    if record.others_of_concern and not own:
        raise NothingToJudgeBy(dict.fromkeys(JUDGED_BY, "somebody_elses"))


def _check_silence(prefetched: Prefetched) -> None:
    """Reject a chart without a complaint if a part that could hold one is missing."""
    unseen = {part.key: part.why for part in prefetched.incomplete if part.key in JUDGED_BY}
    if unseen:
        raise NothingToJudgeBy(unseen)


def response(cards: tuple[Card, ...], extension: Mapping[str, Any]) -> HookResponse:
    """Return the response message."""
    return HookResponse(
        cards=tuple(card.message() for card in cards),
        extension={EXTENSION: dict(extension)} if extension else None,
    )


def _response_extension(assessment: Assessment, prefetched: Prefetched, dropped: tuple[str, ...]) -> dict[str, Any]:
    """Return the information for integrators: missing, unread and unused data.

    It holds only counts, our own words and plain names of keys.
    """
    record = assessment.record
    extension: dict[str, Any] = {}
    if prefetched.incomplete:
        extension["notAvailable"] = [part.words for part in prefetched.incomplete]
        extension["parts"] = {part.key: {"state": part.state.value, "why": part.why} for part in prefetched.incomplete}
    if prefetched.not_offered:
        extension["notOffered"] = list(prefetched.not_offered)
    if prefetched.unused:
        extension["unusedKeys"] = list(prefetched.unused)
    if dropped:
        extension["dropped"] = list(dropped)
    extension["rows"] = {state.value: count for state in RowState if (count := record.rows(state))}
    if record.unread:
        extension["unread"] = dict(sorted(Counter(row.kind.value for row in record.unread).items()))
    return extension
