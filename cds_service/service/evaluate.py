"""One call from chart to answer: the seven steps in order, used by the web and the command line alike."""

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
from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH, in_language
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.reading import ChartEntry, kinds, read_record
from cds_service.clinical.record import Record, RowState
from cds_service.protocol.messages import Context, HookRequest, HookResponse
from cds_service.protocol.prefetch import JUDGED_BY, Part, Prefetched
from cds_service.protocol.queries import Plan, Style, plan_of
from cds_service.rendering.call import Call
from cds_service.rendering.card import Card
from cds_service.rendering.compose import compose
from cds_service.rendering.not_judged_card import not_judged_card
from cds_service.rendering.orders.requests import prove_templates
from cds_service.rendering.sanitize import own_urls

EXTENSION = "com.posterior-knee-cds.reading"


def load_content(settings: Settings) -> Content:
    """The content that ``settings`` name.

    Raises:
        ContentError: with every mistake; nothing may start on it.
    """
    content = load(
        content_files(settings), settings.pathway, read_text(settings.local_codes, "see KNEE_CDS_LOCAL_CODES")
    )
    prove_templates(content)
    return content


def content_files(settings: Settings) -> Mapping[str, str]:
    """The texts of the content folder by their path in it."""
    return read_texts(settings.cards, ".toml", ".tsv")


def _in_languages(settings: Settings, content: Content, clients: Clients) -> dict[str, Content]:
    """The content in each language that a client has.

    Raises:
        ContentError: a language is not there, or not complete.
    """
    wanted = sorted({caller.client.language for caller in clients.everyone} - {ENGLISH})
    files = content_files(settings) if wanted else {}
    found = {one: in_language(content, settings.pathway, files, one) for one in wanted}
    for translated in found.values():
        prove_templates(translated)
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """The cards of a call with what they rest on. ``response_extension``: for integrators."""

    cards: tuple[Card, ...]
    assessment: Assessment
    caller: Caller
    response_extension: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """The content and the site's choices; answers calls without keeping anything.

    ``languages``: the content in the words of other languages. Every chart is judged by ``content`` itself.
    """

    content: Content
    clients: Clients
    base_url: str
    order_url: str | None = None
    layout: Literal["differential", "per_cause"] = "differential"
    languages: Mapping[str, Content] = field(default_factory=dict)
    plans: Mapping[Style, Plan] = field(init=False)

    def __post_init__(self) -> None:
        """What to ask for, once for each style in use."""
        styles = {caller.profile.query_style for caller in self.clients.everyone}
        object.__setattr__(self, "plans", {style: plan_of(self.content, style) for style in styles})

    @classmethod
    def from_settings(cls, settings: Settings) -> Service:
        """The service as a site has set it up.

        Raises:
            ContentError: the content is wrong.
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
        """The same service for one reader of ``language``.

        Raises:
            ContentError: there is no such language, or it is not complete.
        """
        content = in_language(self.content, settings.pathway, content_files(settings), language)
        default = self.clients.default
        caller = replace(default, client=default.client.model_copy(update={"language": language}))
        clients = replace(self.clients, everyone=(caller,), known=())
        return replace(self, clients=clients, languages={language: content})

    def words_in(self, language: str) -> Content:
        """The content for a page asked for in ``language``; without one, in the language that all clients share.

        English where they do not, and where none of them has that language.
        """
        shared = {caller.client.language for caller in self.clients.everyone}
        wanted = language or (shared.pop() if len(shared) == 1 else ENGLISH)
        return self.languages.get(wanted, self.content)

    def words_for(self, caller: Caller) -> Content:
        """The content in the language of a client."""
        return self.languages.get(caller.client.language, self.content)

    def plan(self, caller: Caller | None = None) -> Plan:
        """What a client is asked for, in the style of its profile; without one, the default client."""
        return self.plans[(caller or self.clients.default).profile.query_style]

    @property
    def own_urls(self) -> tuple[str, ...]:
        """Where the links of cards may lead."""
        return own_urls(self.base_url, self.order_url)

    def answer(
        self,
        request: HookRequest,
        prefetched: Prefetched,
        now: datetime,
        caller: Caller | None = None,
        stages: Stages | None = None,
        budget: Budget | None = None,
    ) -> Answer:
        """The answer to a hook call. ``prefetched``: what was sent, completed from the FHIR server where it could be.

        ``caller``: the client; without it, the one whose FHIR server the call names.
        ``stages``: told when reading, assessing and composing end.
        ``budget``: computing time; without one there is no bound.

        Raises:
            UnusableInput: the prefetched patient is another one.
            NothingToJudgeBy: nothing in the chart shows a complaint, and a part that could show one did not come; for
                an EHR that hides errors, a card says so instead.
            TooCostly: the budget is used up.
        """
        caller = caller or self.clients.find(request.fhirServer)
        try:
            return self._judged(request, prefetched, now, caller, stages or Stages(), budget)
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
    ) -> Answer:
        context = request.context
        prefetched.check(context.patientId)
        record = read_record(
            self.content,
            context.patientId,
            prefetched.entries,
            now,
            fhir_server=request.fhirServer,
            not_available=tuple(part.words for part in prefetched.incomplete),
            not_whole=frozenset(part.key for part in prefetched.incomplete),
            check=budget.check if budget is not None else lambda: None,
        )
        _check_whose(record)
        if budget is not None:
            budget.check()
        stages.end("read")
        assessment = assess(self.content, record, now.date())
        stages.end("assess")
        if not assessment.legs and not assessment.patient.deceased:
            _check_silence(prefetched)
        cards = self.cards(assessment, context, now, prefetched.incomplete, caller)
        stages.end("compose")
        return Answer(cards, assessment, caller, _response_extension(assessment, prefetched, request.dropped))

    def _not_judged(self, request: HookRequest, prefetched: Prefetched, now: datetime, caller: Caller) -> Answer:
        """What an EHR that hides errors is told: what came is read only to say what did not."""
        record = read_record(
            self.content,
            request.context.patientId,
            prefetched.entries,
            now,
            fhir_server=request.fhirServer,
            not_available=tuple(part.words for part in prefetched.incomplete),
            not_whole=frozenset(part.key for part in prefetched.incomplete),
        )
        assessment = assess(self.content, record, now.date())
        call = self._call(assessment, request.context, now, prefetched.incomplete, caller)
        return Answer(
            (not_judged_card(call),), assessment, caller, _response_extension(assessment, prefetched, request.dropped)
        )

    def judge(
        self, patient_id: str, entries: tuple[ChartEntry, ...], now: datetime, *, fhir_server: str | None = None
    ) -> Assessment:
        """Read and judge a whole chart."""
        record = read_record(self.content, patient_id, entries, now, fhir_server=fhir_server)
        return assess(self.content, record, now.date())

    def cards(
        self,
        assessment: Assessment,
        context: Context,
        now: datetime,
        incomplete: tuple[Part, ...] = (),
        caller: Caller | None = None,
    ) -> tuple[Card, ...]:
        """The cards of an assessment. ``incomplete``: parts of the chart that did not come whole."""
        return compose(self._call(assessment, context, now, incomplete, caller or self.clients.default))

    def _call(
        self, assessment: Assessment, context: Context, now: datetime, incomplete: tuple[Part, ...], caller: Caller
    ) -> Call:
        return Call(
            content=self.words_for(caller),
            assessment=assessment,
            context=context,
            now=now,
            base_url=self.base_url,
            order_url=self.order_url,
            layout=self.layout,
            incomplete=incomplete,
            switched_off=caller.client.switched_off,
            supported_orders=caller.supported_orders,
        )


def _check_whose(record: Record) -> None:
    """When all that is of concern is another patient's, this is the wrong chart, and silence would be no answer."""
    own = record.rows(RowState.READ, kinds.READ) + record.rows(RowState.NOT_UNDERSTOOD) + record.rows(RowState.TOO_OLD)
    if record.others_of_concern and not own:
        raise NothingToJudgeBy(dict.fromkeys(JUDGED_BY, "somebody_elses"))


def _check_silence(prefetched: Prefetched) -> None:
    """No complaint found is only known when everything that can hold one was read; else it is no answer."""
    unseen = {part.key: part.why for part in prefetched.incomplete if part.key in JUDGED_BY}
    if unseen:
        raise NothingToJudgeBy(unseen)


def response(cards: tuple[Card, ...], extension: Mapping[str, Any]) -> HookResponse:
    """The answer as it goes out."""
    return HookResponse(
        cards=tuple(card.message() for card in cards),
        extension={EXTENSION: dict(extension)} if extension else None,
    )


def _response_extension(assessment: Assessment, prefetched: Prefetched, dropped: tuple[str, ...]) -> dict[str, Any]:
    """For integrators: what was not available, not read or not used. Counts, our own words, plain names of keys."""
    record = assessment.record
    extension: dict[str, Any] = {}
    if record.not_available:
        extension["notAvailable"] = list(record.not_available)
        extension["parts"] = {part.key: {"state": part.state.value, "why": part.why} for part in prefetched.incomplete}
    if prefetched.not_offered:
        extension["notOffered"] = list(prefetched.not_offered)
    if prefetched.unused:
        extension["unusedKeys"] = list(prefetched.unused)
    if dropped:
        extension["dropped"] = list(dropped)
    extension["rows"] = {state.value: count for state in RowState if (count := record.rows(state))}
    if record.unread:
        extension["unread"] = dict(sorted(Counter(one.kind.value for one in record.unread).items()))
    return extension
