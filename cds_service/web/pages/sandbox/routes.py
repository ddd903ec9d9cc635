"""``/sandbox``: choose a patient, see and answer the cards, change the facts. Off unless a site enables it."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.rendering.wording import Wording
from cds_service.web.body import Bodies
from cds_service.web.current_service import CurrentService
from cds_service.web.form import check_same_origin, read_form, read_form_pairs
from cds_service.web.json_response import json_response
from cds_service.web.operation_outcomes import outcome
from cds_service.web.pages.layout import Pages
from cds_service.web.pages.sandbox import answers, explain, fhir, patients, switches
from cds_service.web.pages.sandbox.charts import MAX_BYTES_OF_ONE, Chart, ChartGone, Charts, Road, loaded
from cds_service.web.pages.sandbox.person import person_words
from cds_service.web.pages.sandbox.preview import add_preview
from cds_service.web.samples import samples

ROOT = "/sandbox"
_SMALL_BYTES = 500_000
_READERS = {"1": "Clinician A", "2": "Clinician B"}
OWN_TITLE = "Your own Bundle"


class Sandbox:
    """The state that the routes share. One instance per process. ``fhir_root``: base URL of its FHIR servers."""

    def __init__(
        self, current: CurrentService, pages: Pages, bodies: Bodies, clock: Callable[[], datetime], fhir_root: str
    ) -> None:
        self.current = current
        self.pages = pages
        self.bodies = bodies
        self.clock = clock
        self.fhir_root = fhir_root
        self.charts = Charts()
        self.everyone = patients.Everyone()

    def load(self) -> None:
        """Read the example patients in advance, so that the first call does not wait for them."""
        self.everyone.on(self.clock().date())

    def fhir_server(self, chart: Chart) -> str:
        """Return the FHIR base URL of one chart."""
        return f"{self.fhir_root}/charts/{chart.id}/fhir"

    async def posted(self, request: Request, max_bytes: int = _SMALL_BYTES) -> Any:
        """Return the JSON that one of our pages has sent."""
        check_same_origin(request)
        return (await self.bodies.read(request, max_bytes)).value

    def not_here(self) -> HTMLResponse:
        """Return the page for a chart that is no longer open."""
        return self.pages.page("sandbox/gone.html", status=404, content=self.current.service.content)


def add_sandbox(
    app: FastAPI,
    settings: Settings,
    current: CurrentService,
    pages: Pages,
    bodies: Bodies,
    clock: Callable[[], datetime],
) -> Sandbox:
    """Add all routes below ``/sandbox``. Returns the sandbox to load at the start."""
    sandbox = Sandbox(current, pages, bodies, clock, settings.sandbox_fhir_root)
    _add_choosing(app, sandbox)
    add_preview(app, settings, current, pages)
    _add_chart(app, sandbox)
    _add_changes(app, sandbox)
    _add_orders(app, sandbox)
    _add_fhir(app, sandbox)

    @app.get("/samples", include_in_schema=False)
    async def ready_requests() -> Response:
        made = await to_thread(samples, current.service, clock())
        return json_response({"samples": [sample.as_json() for sample in made]})

    @app.exception_handler(ChartGone)
    async def gone(_: Request, error: ChartGone) -> Response:
        return outcome(404, str(error))

    return sandbox


def _add_choosing(app: FastAPI, sandbox: Sandbox) -> None:
    @app.get(ROOT, include_in_schema=False)
    async def choose() -> Response:
        return sandbox.pages.page(
            "sandbox/choose.html",
            forms=True,
            content=sandbox.current.service.content,
            featured=patients.featured(sandbox.current.service.content),
            groups=patients.grouped(sandbox.current.service.content),
            first=patients.FIRST,
            fhir_open=f"{sandbox.fhir_root}/fhir",
            max_megabytes=MAX_BYTES_OF_ONE // 1_000_000,
        )

    @app.post(f"{ROOT}/charts", include_in_schema=False)
    async def open_example(request: Request) -> Response:
        check_same_origin(request)
        name = (await read_form(request)).get("patient", "")
        story = patients.story_of(name)
        if story is None:
            raise HTTPException(404, "there is no such example patient")
        chart = sandbox.charts.open(name, story, name, patients.resources(name, sandbox.clock().date()))
        return RedirectResponse(f"{ROOT}/charts/{chart.id}", 303)

    @app.post(f"{ROOT}/own", include_in_schema=False)
    async def open_own(request: Request) -> Response:
        bundle = await sandbox.posted(request, MAX_BYTES_OF_ONE)
        patient_id, resources = await to_thread(loaded, bundle)
        chart = sandbox.charts.open(OWN_TITLE, f"{len(resources)} resources, pasted or uploaded", patient_id, resources)
        return json_response({"url": f"{ROOT}/charts/{chart.id}"}, 201)


def _add_chart(app: FastAPI, sandbox: Sandbox) -> None:
    @app.get(f"{ROOT}/charts/{{identity}}", include_in_schema=False)
    async def chart(identity: str) -> Response:
        try:
            opened = sandbox.charts.find(identity)
        except ChartGone:
            return sandbox.not_here()
        opened.last_verdict = {}
        return sandbox.pages.page(
            "sandbox/chart.html",
            forms=True,
            content=sandbox.current.service.content,
            chart=opened,
            person=person_words(sandbox.current.service.content, opened, sandbox.clock()),
            readers=_READERS,
            call_path=POSTERIOR_KNEE_PAIN.path,
            to_add=explain.to_add(sandbox.current.service.content),
        )

    @app.get(f"{ROOT}/charts/{{identity}}/request", include_in_schema=False)
    async def request_of(identity: str, road: str = "prefetch", reader: str = "1") -> Response:
        opened = sandbox.charts.find(identity)
        by: Road = "fhir" if road == "fhir" else "prefetch"
        call = opened.request(by, reader if reader in _READERS else "1", sandbox.fhir_server(opened))
        return json_response(call, headers={"Cache-Control": "no-store"})

    @app.post(f"{ROOT}/charts/{{identity}}/drawn", include_in_schema=False)
    async def drawn(identity: str, request: Request) -> Response:
        opened = sandbox.charts.find(identity)
        report = answers.parse_report(await sandbox.posted(request))
        return await to_thread(_drawn, sandbox, opened, report)


def _drawn(sandbox: Sandbox, chart: Chart, report: answers.Drawn) -> HTMLResponse:
    service, now = sandbox.current.service, sandbox.clock()
    content = service.content
    assessment = chart.judged(service, now, sandbox.fhir_server(chart))
    if report.problem:
        verdict = [explain.VerdictLine("Cards", "no judgement", "")]
    else:
        verdict = explain.verdict(content, assessment, [card.indicator for card in report.cards], chart.last_verdict)
        chart.last_verdict = {line.name: line.now for line in verdict}
    return sandbox.pages.page(
        "sandbox/drawn.html",
        chart=chart,
        came=report,
        not_judged=answers.NOT_JUDGED,
        assessment=assessment,
        content=content,
        verdict=verdict,
        fact_groups=explain.fact_rows(content, assessment),
        derived=explain.derived(content, assessment),
        diagnoses=explain.diagnoses(content, assessment),
        orders=explain.orders(content, assessment, chart),
        legs=() if report.problem else explain.legs(content, assessment),
        counts=explain.terms_missing,
        sides=switches.SIDES,
        statements=any(resource["resourceType"] == "MedicationStatement" for resource in chart.resources),
        now=now.isoformat(),
        day=Wording(content, assessment.today).day,
    )


def _add_changes(app: FastAPI, sandbox: Sandbox) -> None:
    @app.post(f"{ROOT}/charts/{{identity}}/facts", include_in_schema=False)
    async def switch(identity: str, request: Request) -> Response:
        chart = sandbox.charts.find(identity)
        wanted = switches.parse(sandbox.current.service.content, await sandbox.posted(request))
        async with chart.changing:
            return json_response({"lost": await to_thread(_switched, sandbox, chart, wanted)})

    @app.post(f"{ROOT}/charts/{{identity}}/removed", include_in_schema=False)
    async def remove(identity: str, request: Request) -> Response:
        chart = sandbox.charts.find(identity)
        source = _text(await sandbox.posted(request), "source")
        async with chart.changing:
            if not await to_thread(_removed, sandbox, chart, source):
                raise UnusableInput("this chart has no such entry")
        return json_response({})

    @app.post(f"{ROOT}/charts/{{identity}}/reset", include_in_schema=False)
    async def reset(identity: str, request: Request) -> Response:
        check_same_origin(request)
        sandbox.charts.find(identity).reset()
        return json_response({})


def _switched(sandbox: Sandbox, chart: Chart, wanted: switches.Switch) -> list[str]:
    service, now, server = sandbox.current.service, sandbox.clock(), sandbox.fhir_server(chart)
    before = chart.judged(service, now, server).record
    switches.apply(service.content, chart, before, wanted, now.date())
    return switches.lost(service.content, before, chart.judged(service, now, server).record, wanted)


def _removed(sandbox: Sandbox, chart: Chart, source: str) -> bool:
    service = sandbox.current.service
    record = chart.judged(service, sandbox.clock(), sandbox.fhir_server(chart)).record
    return switches.remove(service.content, chart, record, source)


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise UnusableInput(f"{name}: must be a text")
    return value


def _add_orders(app: FastAPI, sandbox: Sandbox) -> None:
    @app.post(f"{ROOT}/charts/{{identity}}/orders", include_in_schema=False)
    async def accept(identity: str, request: Request) -> Response:
        chart = sandbox.charts.find(identity)
        return json_response(chart.add_order(await sandbox.posted(request), sandbox.clock()), 201)

    @app.post(f"{ROOT}/charts/{{identity}}/signed", include_in_schema=False)
    async def sign(identity: str, request: Request) -> Response:
        chart = sandbox.charts.find(identity)
        chart.sign(_text(await sandbox.posted(request), "order"), sandbox.clock())
        return json_response({})


def _add_fhir(app: FastAPI, sandbox: Sandbox) -> None:
    of_chart, of_everyone = f"{ROOT}/charts/{{identity}}/fhir", f"{ROOT}/fhir"

    @app.get(f"{of_chart}/{{path:path}}", include_in_schema=False)
    async def read_chart(identity: str, path: str, request: Request) -> Response:
        return _of_chart(sandbox, identity, path, request, request.query_params.multi_items())

    @app.post(f"{of_chart}/{{kind}}/_search", include_in_schema=False)
    async def search_chart(identity: str, kind: str, request: Request) -> Response:
        return _of_chart(sandbox, identity, kind, request, await _search_parameters(request))

    @app.get(f"{of_everyone}/{{path:path}}", include_in_schema=False)
    async def read_everyone(path: str, request: Request) -> Response:
        return await _of_everyone(sandbox, path, request.query_params.multi_items())

    @app.post(f"{of_everyone}/{{kind}}/_search", include_in_schema=False)
    async def search_everyone(kind: str, request: Request) -> Response:
        return await _of_everyone(sandbox, kind, await _search_parameters(request))


def _of_chart(sandbox: Sandbox, identity: str, path: str, request: Request, query: fhir.Query) -> Response:
    chart = sandbox.charts.find(identity)
    authorization = request.headers.get("authorization", "")
    if path != "metadata" and not compare_digest(authorization.encode(), f"Bearer {chart.token}".encode()):
        words = "send the access token of the chart's hook call"
        return fhir.refusal(401, "login", words, {"WWW-Authenticate": "Bearer"})
    return fhir.answer(chart.resources, sandbox.fhir_server(chart), path, query)


async def _of_everyone(sandbox: Sandbox, path: str, query: fhir.Query) -> Response:
    resources = await to_thread(sandbox.everyone.on, sandbox.clock().date())
    return fhir.answer(resources, f"{sandbox.fhir_root}/fhir", path, query)


async def _search_parameters(request: Request) -> fhir.Query:
    """Return the parameters of a search by ``POST``, from its address and its form together (FHIR R4, 3.1.1.3)."""
    return [*request.query_params.multi_items(), *(await read_form_pairs(request))]
