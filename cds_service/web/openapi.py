"""The OpenAPI document at ``/openapi.json``: the inputs and the possible answers of each route.

Routes read the raw body so that its limits are checked first. FastAPI therefore does not know the models of the bodies;
this module adds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from cds_service.adapters.store.feedback import MAX_ITEMS, Item
from cds_service.protocol import services
from cds_service.protocol.messages import request_model
from cds_service.protocol.services import HookService

PATH = "/openapi.json"
SERVICE_ROUTE = "/cds-services/{service_id}"
"""The route of all services, which the document lists one by one. Other ids are answered with 404."""
_REF = "#/components/schemas/{model}"
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token that a known client has signed (CDS Hooks 2.0, Trusting CDS Clients), valid for one call.",
}
_DESCRIPTION = (
    "Decision support for pain behind the knee over CDS Hooks 2.0. Methods that are not listed get 405. Request lines "
    "and headers that are too large get 431 without a body. For an unknown address, a browser gets a page."
)
_RETRY = {
    "Retry-After": {"description": "Seconds to wait before the call is sent again.", "schema": {"type": "string"}}
}
_ERRORS = {
    400: "Malformed. The text names the wrong fields, without their values.",
    404: "There is nothing with this name.",
    408: "The body did not arrive in time.",
    412: "The chart cannot be judged. The text names the prefetch keys that are not available, with the reasons.",
    413: "The body is too large, or its chart needs too much computing time.",
    415: "The body is not application/json in UTF-8.",
    429: "Too many calls of this client; send the call again after `Retry-After`.",
    500: "The service failed; no judgement was made. This is not an all-clear.",
    503: "The service is too busy or cannot store the data; send the call again after `Retry-After`.",
}
BODY_ERRORS = (400, 408, 413, 415)
"""Statuses of a body that cannot be read."""
BUSY = (429, 503)
"""Statuses of a call over a rate or load limit."""


def _of_our_hooks(schema: dict[str, Any]) -> None:
    schema["enum"] = list(services.hooks())


class Issue(BaseModel):
    """What went wrong. The words never repeat what was sent."""

    severity: Literal["error"]
    code: str
    diagnostics: str


class OperationOutcome(BaseModel):
    """The body of every error except 401."""

    resourceType: Literal["OperationOutcome"]
    issue: list[Issue] = Field(min_length=1, max_length=1)


class OfferedService(BaseModel):
    """One service of the discovery answer."""

    hook: Annotated[str, Field(json_schema_extra=_of_our_hooks)]
    id: str
    title: str
    description: str
    usageRequirements: str
    prefetch: dict[str, str]


class Discovery(BaseModel):
    """The discovery answer."""

    version: str
    services: list[OfferedService]


class FeedbackCall(BaseModel):
    """A feedback call."""

    feedback: list[Item] = Field(max_length=MAX_ITEMS)


class FeedbackReceived(BaseModel):
    """How many items of a feedback call are on disk."""

    extension: dict[str, dict[str, int]]


_MODELS: tuple[type[BaseModel], ...] = (FeedbackCall, OperationOutcome)
"""Models of bodies that FastAPI does not know, beside those of hook calls."""


def errors(*statuses: int, closed: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route: these errors and 500. ``closed``: it needs a token, so add 401."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": _ERRORS[status], **_json(OperationOutcome)} for status in sorted({*statuses, 500})
    }
    for status in {*BUSY} & {*statuses}:
        responses[status]["headers"] = _RETRY
    if closed:
        challenge = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        responses[401] = {"description": "No token of a known client; without a body.", "headers": challenge}
    return responses


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route that reads a JSON body of ``model``, one of ``_MODELS``."""
    return {"requestBody": {"required": True, **_json(model)}}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}}


class Documented(FastAPI):
    """A FastAPI application whose document includes the raw bodies. ``/docs`` is our own page about it."""

    def __init__(self, **more: Any) -> None:
        """``more``: keyword arguments of ``FastAPI``."""
        super().__init__(
            **more,
            description=_DESCRIPTION,
            openapi_url=PATH,
            docs_url=None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is built once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    calls = {service.path: request_model(service) for service in services.SERVICES}
    models = dict.fromkeys((*_MODELS, *calls.values()))
    refs, raw_bodies = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas |= raw_bodies["$defs"]
    document["paths"] = dict(_by_service(document["paths"]))
    for path, model in calls.items():
        body = {"content": {"application/json": {"schema": refs[model, "validation"]}}}
        document["paths"][path]["post"]["requestBody"] = {"required": True, **body}
    for operations in document["paths"].values():
        for operation in operations.values():
            # FastAPI documents a check of parameters; ours are plain texts, which always pass it.
            operation["responses"].pop("422", None)
            if "401" in operation["responses"]:
                operation["security"] = [{"bearer": []}]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {"bearer": _BEARER}
    return document


def _by_service(paths: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the paths with one for each service in place of the route of all, because their bodies differ."""
    for path, operations in paths.items():
        if not path.startswith(SERVICE_ROUTE):
            yield path, operations
            continue
        for service in services.SERVICES:
            yield path.replace(SERVICE_ROUTE, service.path), _of_service(operations, service)


def _of_service(operations: Mapping[str, Any], service: HookService) -> dict[str, Any]:
    copies = deepcopy(dict(operations))
    for operation in copies.values():
        del operation["parameters"]  # the id, which the path of a service holds
        operation["operationId"] += f"_{service.id}"
        operation["description"] = f"{service.title} ({service.hook})"
    return copies
