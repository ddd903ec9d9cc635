"""OpenTelemetry traces: one span per hook call, with one child span per stage.

Spans hold nothing of the chart, the headers or the sender. A span continues the caller's ``traceparent`` (W3C Trace
Context).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cds_service import __version__
from cds_service.base.errors import WrongSetting
from cds_service.base.settings import Settings
from cds_service.base.timing import Stages
from cds_service.protocol.services import HookService

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_NANO = 1_000_000_000
_NO_SERVICE = "unknown service"


class TracedCall:
    """A hook call in progress and its open span."""

    __slots__ = ("_span", "_tracing")

    def __init__(self, tracing: Tracing, span: Span) -> None:
        self._tracing = tracing
        self._span = span

    def answered(self, stages: Stages, cards: int) -> None:
        """Record the number of cards and the stages of an answered call."""
        self._span.set_attribute("knee_cds.cards", cards)
        self._tracing.add_stages(self._span, stages)


class NoTracing:
    """Stands in for ``Tracing`` if a site wants no traces."""

    @contextmanager
    def calling(self, called: HookService | None, headers: Mapping[str, str]) -> Iterator[None]:  # noqa: ARG002 - as of Tracing
        """Yield None."""
        yield None

    def close(self) -> None:
        """Do nothing."""


class Tracing:
    """Makes spans and sends them in batches from its own thread, so a slow or missing collector delays no call."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("cds_service", __version__)
        self._parents = TraceContextTextMapPropagator()

    @classmethod
    def to(cls, url: str) -> Tracing:
        """Send traces to ``url`` (OTLP over HTTP, the full address, such as ``http://collector:4318/v1/traces``).

        Raises:
            WrongSetting: the packages for it are not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise WrongSetting(
                "KNEE_CDS_TRACING_URL needs the package's extra `tracing`: install it, or unset the variable"
            ) from error
        resource = Resource({"service.name": "knee-cds", "service.version": __version__})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
        return cls(provider)

    @contextmanager
    def calling(self, called: HookService | None, headers: Mapping[str, str]) -> Iterator[TracedCall]:
        """Open a span for a call, named after the hook of the called service. For an exception, record only its type.

        ``called``: None if there is no service with the id in the address, which the span does not name.
        """
        from opentelemetry.trace import SpanKind, StatusCode

        parent = self._parents.extract({name: headers[name] for name in ("traceparent",) if name in headers})
        span = self._tracer.start_span(called.hook if called else _NO_SERVICE, parent, SpanKind.SERVER)
        try:
            yield TracedCall(self, span)
        except Exception as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            span.end()

    def add_stages(self, span: Span, stages: Stages) -> None:
        """Add the finished stages as spans, one after the other, ending now."""
        from opentelemetry.trace import set_span_in_context

        began = time.time_ns() - round(stages.total * _NANO)
        within = set_span_in_context(span)
        for name, seconds in stages.seconds.items():
            ended = began + round(seconds * _NANO)
            self._tracer.start_span(name, within, start_time=began).end(ended)
            began = ended

    def close(self) -> None:
        """Send the spans that are still waiting."""
        self._provider.shutdown()


def tracing_of(settings: Settings) -> Tracing | NoTracing:
    """Return the tracing that the site has configured.

    Raises:
        WrongSetting: traces are configured, but the packages for them are not installed.
    """
    return Tracing.to(str(settings.tracing_url)) if settings.tracing_url else NoTracing()
