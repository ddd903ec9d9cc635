"""Counters for monitoring, in Prometheus' text format. No label holds a patient, a user or free text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException

from cds_service import __version__
from cds_service.adapters.audit.journal import Journal, NoJournal
from cds_service.adapters.clients.keys import KeyRing
from cds_service.adapters.store.nonces import Nonces
from cds_service.adapters.store.writer import CardLog
from cds_service.base.errors import KneeCdsError, NothingToJudgeBy
from cds_service.base.timing import Stages
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.record import RowState, UnreadKind
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import Prefetched
from cds_service.service.canary import is_canary
from cds_service.service.delivery import Delivered
from cds_service.web.openapi import errors

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)

OUTCOMES = ("urgent", "cards", "quiet", "silent_mode", "nothing", "lacking", "refused", "fault")
"""How a hook call can end: with an urgent card; with other cards; with all cards answered before; in silent mode; with
no card; without enough of the chart (412); refused for its body or its token; with an error of this service. These are
labels of a metric, so they keep their names."""

_STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """The counters of one application."""

    def __init__(self, card_log: CardLog, keys: KeyRing, nonces: Nonces, journal: Journal | NoJournal) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "knee_cds_answers", "HTTP answers by route and status.", ["route", "status"], registry=self.registry
        )
        self.calls = Counter("knee_cds_calls", "Hook calls by how they ended.", ["outcome"], registry=self.registry)
        self.in_flight = Gauge("knee_cds_calls_in_flight", "Hook calls being worked on.", registry=self.registry)
        self.canaries = Counter(
            "knee_cds_canary_calls", "Answered calls of the canary, which count nowhere else.", registry=self.registry
        )
        self.silent = Counter(
            "knee_cds_silent", "Answers with nothing to say, by the reason.", ["reason"], registry=self.registry
        )
        self.entries = Counter("knee_cds_entries", "Resources in the charts judged.", registry=self.registry)
        self.rows = Counter("knee_cds_rows", "Rows of the charts judged, by state.", ["state"], registry=self.registry)
        self.unread = Counter(
            "knee_cds_unread", "Parts of charts that could not be read.", ["kind"], registry=self.registry
        )
        self.fhir_seconds = Histogram(
            "knee_cds_fhir_seconds", "Time that a call waited for a FHIR server, of calls that asked one.",
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "knee_cds_call_seconds", "Time of a hook call.", buckets=_SECONDS, registry=self.registry
        )
        self.stages = Histogram(
            "knee_cds_stage_seconds", "Time of each stage of a hook call.", ["stage"], buckets=_STAGE_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.cards = Counter(
            "knee_cds_cards", "Cards by rule, urgency and disposition.", ["rule", "indicator", "fate"],
            registry=self.registry,
        )  # fmt: skip
        self.incomplete = Counter(
            "knee_cds_lacking", "Incomplete parts of charts.", ["key", "why"], registry=self.registry
        )
        self.unsafe_parts = Counter(
            "knee_cds_texts_mended", "Markup that sanitizing took out of cards.", ["rule", "kind"],
            registry=self.registry,
        )  # fmt: skip
        self.feedback = Counter("knee_cds_feedback", "Feedback kept.", ["outcome"], registry=self.registry)
        self.refused = Counter(
            "knee_cds_refused", "Calls refused for their token or their number.", ["reason"], registry=self.registry
        )
        self._start_at_zero()
        self.registry.register(_CardLogCollector(card_log))
        self.registry.register(_AuthenticationState(keys, nonces))
        self.registry.register(_JournalState(journal))

    def _start_at_zero(self) -> None:
        """Let every known label count 0, so that an alert on a falling rate works before the first call."""
        for outcome in OUTCOMES:
            self.calls.labels(outcome)
        for disposition in ("shown", "reminder", "silent"):
            self.cards.labels(DVT_RULE, "critical", disposition)
        for state in RowState:
            self.rows.labels(state.value)
        for kind in UnreadKind:
            self.unread.labels(kind.value)

    def count_answer(self, route: str, status: int) -> None:
        """Count an HTTP answer of any route."""
        self.answers.labels(route, str(status)).inc()

    def count_refusal(self, reason: str) -> None:
        """Count a refused call."""
        self.refused.labels(reason).inc()

    def count_incomplete(self, prefetched: Prefetched) -> None:
        """Count the incomplete parts of a chart, also for calls that end in 412."""
        for part in prefetched.incomplete:
            self.incomplete.labels(part.key, part.why).inc()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count the calls in flight and, on an exception, how the call ended."""
        with self.in_flight.track_inprogress():
            try:
                yield
            except NothingToJudgeBy:
                self.calls.labels("lacking").inc()
                raise
            except (KneeCdsError, HTTPException):
                self.calls.labels("refused").inc()
                raise
            except Exception:
                self.calls.labels("fault").inc()
                raise

    def count_call(self, request: HookRequest, assessment: Assessment, delivered: Delivered, stages: Stages) -> None:
        """Count an answered call. Canary calls have their own counter, so that they do not look like real cards."""
        if is_canary(request):
            self.canaries.inc()
            return
        self.calls.labels(_outcome(delivered)).inc()
        if assessment.silent_because:
            self.silent.labels(assessment.silent_because).inc()
        self.entries.inc(assessment.record.entries)
        for line in assessment.record.ledger:
            self.rows.labels(line.state.value).inc(line.count)
        for unread in assessment.record.unread:
            self.unread.labels(unread.kind.value).inc()
        self.seconds.observe(stages.total)
        for stage, seconds in stages.seconds.items():
            self.stages.labels(stage).observe(seconds)
        for card, disposition in delivered.dispositions:
            self.cards.labels(card.rule, card.indicator, disposition).inc()
        for part in delivered.unsafe_parts:
            self.unsafe_parts.labels(part.rule, part.kind).inc()


def _outcome(delivered: Delivered) -> str:
    if "silentMode" in delivered.response_extension:
        return "silent_mode"
    if any(card.indicator == "critical" for card in delivered.cards):
        return "urgent"
    if delivered.cards:
        return "cards"
    return "quiet" if delivered.dispositions else "nothing"


class ContentState(Collector):
    """Versions of the content and of the release. Replicas must not differ in them."""

    def __init__(self, content: Callable[[], Content], pathway: str) -> None:
        """``content``: returns the content that was last loaded."""
        self._content = content
        self._pathway = pathway

    def collect(self) -> Iterator[Metric]:
        """Yield two gauges of value 1 whose labels hold the versions."""
        content = GaugeMetricFamily("knee_cds_content_info", "The content.", labels=["version", "pathway"])
        content.add_metric([self._content().version, self._pathway], 1)
        yield content
        build = GaugeMetricFamily("knee_cds_build_info", "The release.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


class _CardLogCollector(Collector):
    def __init__(self, card_log: CardLog) -> None:
        self._card_log = card_log

    def collect(self) -> Iterator[Metric]:
        """Yield the present state of the card log."""
        state = self._card_log.state
        yield GaugeMetricFamily("knee_cds_database_up", "Whether the database serves.", float(state.status == "up"))
        yield GaugeMetricFamily("knee_cds_cards_waiting", "Cards not yet in the database.", state.waiting)
        yield CounterMetricFamily("knee_cds_cards_lost", "Cards that never got into the database.", state.lost)
        yield CounterMetricFamily("knee_cds_cards_registered", "Cards in the database.", state.cards)
        yield CounterMetricFamily(
            "knee_cds_answered_look_ups_failed",
            "Calls that could not look up which cards were answered; they showed all cards.",
            state.look_ups_failed,
        )


class _AuthenticationState(Collector):
    def __init__(self, keys: KeyRing, nonces: Nonces) -> None:
        self._keys = keys
        self._nonces = nonces

    def collect(self) -> Iterator[Metric]:
        """Yield the present state of client keys and of the shared list of used tokens."""
        keys = GaugeMetricFamily("knee_cds_keys", "Keys of a client's key server that count.", labels=["client"])
        for server in self._keys.states:
            keys.add_metric([server.client], server.keys)
        yield keys
        failing = sum(bool(server.why) for server in self._keys.states)
        yield GaugeMetricFamily("knee_cds_key_servers_failing", "Key servers whose last answer was no use.", failing)
        shared = float(not self._nonces.alone)
        yield GaugeMetricFamily("knee_cds_tokens_shared", "Whether all processes know which tokens are used.", shared)


class _JournalState(Collector):
    def __init__(self, journal: Journal | NoJournal) -> None:
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        """Yield the present state of the audit journal; nothing if there is no journal."""
        state = self._journal.state
        if state.status == "off":
            return
        yield GaugeMetricFamily(
            "knee_cds_audit_up", "Whether the audit journal is written.", float(state.status == "up")
        )
        yield GaugeMetricFamily("knee_cds_audit_waiting", "Audit events not yet on disk.", state.waiting)
        yield CounterMetricFamily("knee_cds_audit_lost", "Audit events that were never written.", state.lost)
        yield CounterMetricFamily("knee_cds_audit_written", "Audit events on disk.", state.written)


def add_metrics_route(app: FastAPI, metrics: Metrics) -> None:
    """Add ``GET /metrics``."""

    @app.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse, responses=errors())
    async def read() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
