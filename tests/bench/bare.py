"""Three bare servers to be measured by: they read the same body in three ways, count, and judge nothing."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import orjson
import uvicorn
from fastapi import Body, FastAPI
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.patient import Patient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.bodies import is_relevant

PATH = "/cds-services/{service_id}"


class _Coding(msgspec.Struct):
    system: str | None = None
    code: str | None = None


class _Concept(msgspec.Struct):
    coding: list[_Coding] | None = None


class _Reference(msgspec.Struct):
    reference: str | None = None


class _Quantity(msgspec.Struct):
    value: float | None = None
    code: str | None = None
    system: str | None = None


class _Observation(msgspec.Struct):
    """What a judgement needs of an Observation."""

    resourceType: str
    id: str | None = None
    status: str | None = None
    subject: _Reference | None = None
    code: _Concept | None = None
    category: list[_Concept] | None = None
    valueCodeableConcept: _Concept | None = None
    valueQuantity: _Quantity | None = None
    valueBoolean: bool | None = None
    bodySite: _Concept | None = None
    effectiveDateTime: str | None = None


class _Entry(msgspec.Struct):
    resource: _Observation


class _Found(msgspec.Struct):
    entry: list[_Entry]


class _Prefetch(msgspec.Struct):
    observations: _Found


class _Call(msgspec.Struct):
    hook: str
    prefetch: _Prefetch


_decoder = msgspec.json.Decoder(_Call)


def _answer(observations: int, relevant: int) -> Response:
    return Response(orjson.dumps({"observations": observations, "relevant": relevant}), media_type="application/json")


async def _typed(request: Request) -> Response:
    entries = _decoder.decode(await request.body()).prefetch.observations.entry
    found = sum(
        is_relevant(coding.code)
        for entry in entries
        if entry.resource.code
        for coding in entry.resource.code.coding or ()
        if coding.code
    )
    return _answer(len(entries), found)


async def _dicts(request: Request) -> Response:
    entries = orjson.loads(await request.body())["prefetch"]["observations"]["entry"]
    found = sum(is_relevant(coding["code"]) for entry in entries for coding in entry["resource"]["code"]["coding"])
    return _answer(len(entries), found)


def typed() -> Starlette:
    """Starlette, and msgspec decoding only the needed fields."""
    return Starlette(routes=[Route(PATH, _typed, methods=["POST"])])


def dicts() -> Starlette:
    """Starlette, and orjson making dicts of everything."""
    return Starlette(routes=[Route(PATH, _dicts, methods=["POST"])])


def whole() -> FastAPI:
    """FastAPI, and the whole prefetch through fhir.resources."""
    app = FastAPI()

    @app.post(PATH)
    async def call(service_id: str, prefetch: dict[str, Any] = Body(embed=True)) -> Response:
        Patient.model_validate(prefetch["patient"])
        bundles = {key: Bundle.model_validate(value) for key, value in prefetch.items() if key != "patient"}
        entries: Any = bundles["observations"].entry
        found = sum(is_relevant(coding.code) for entry in entries for coding in entry.resource.code.coding)
        return _answer(len(entries), found)

    return app


def serve(app: Any, port: int) -> None:
    """As the service is served: uvicorn with uvloop and httptools, one process, until killed."""
    gc.collect()
    gc.freeze()  # as the service does: else the collector walks all that was imported, and each call pays for it
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_config=None, access_log=False)
