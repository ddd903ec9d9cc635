"""The API for people: a page drawn from the OpenAPI document, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.responses import Response

from cds_service.web.current_service import CurrentService
from cds_service.web.openapi import PATH
from cds_service.web.pages.layout import Pages

_PLACES = {"path": "in the address", "query": "after the question mark"}
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "format": "format {}",
    "pattern": "pattern {}",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of an object. ``model``: the name of the object it holds, if it has one."""

    name: str
    kind: str
    model: str
    needed: bool
    more: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation may end in."""

    status: str
    words: str
    media: str
    model: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. ``closed``: callers must bring a token."""

    method: str
    path: str
    summary: str
    closed: bool
    parameters: tuple[Field, ...]
    body: str
    answers: tuple[Answer, ...]

    @property
    def key(self) -> str:
        """For links within the page."""
        return f"{self.method}-{''.join(one if one.isalnum() else '-' for one in self.path).strip('-') or 'first'}"


@dataclass(frozen=True, slots=True)
class Model:
    """An object of JSON, by name."""

    name: str
    words: str
    fields: tuple[Field, ...]


def add_api_page(app: FastAPI, running: CurrentService, pages: Pages) -> None:
    """``GET /docs``."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        document = app.openapi()
        return pages.page(
            "api.html",
            content=running.service.content,
            words=document["info"]["description"],
            operations=tuple(operations(document)),
            models=tuple(models(document)),
            bearer=document["components"]["securitySchemes"]["bearer"]["description"],
            document=PATH,
        )


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation, in the order of the document."""
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield Operation(
                method=method,
                path=path,
                summary=one["summary"],
                closed=bool(one.get("security")),
                parameters=tuple(_parameter(parameter) for parameter in one.get("parameters", ())),
                body=_content(one.get("requestBody", {}))[1],
                answers=tuple(
                    Answer(status, answer["description"], *_content(answer))
                    for status, answer in sorted(one["responses"].items())
                ),
            )


def models(document: Mapping[str, Any]) -> Iterator[Model]:
    """Every named object, by name."""
    for name, schema in sorted(document["components"]["schemas"].items(), key=lambda one: one[0].lstrip("_").lower()):
        needed = schema.get("required", ())
        fields = tuple(_field(key, value, needed=key in needed) for key, value in schema.get("properties", {}).items())
        yield Model(name, schema.get("description", "").replace("``", ""), fields)


def _content(message: Mapping[str, Any]) -> tuple[str, str]:
    """The media type of a message and the name of its object; both may be empty."""
    for media, held in message.get("content", {}).items():
        return media, _kind(held.get("schema", {}))[1]
    return "", ""


def _parameter(one: Mapping[str, Any]) -> Field:
    found = _field(one["name"], one["schema"], needed=bool(one.get("required")))
    more = "; ".join(part for part in (_PLACES[one["in"]], found.more) if part)
    return Field(found.name, found.kind, found.model, found.needed, more)


def _field(name: str, schema: Mapping[str, Any], *, needed: bool) -> Field:
    kind, model = _kind(schema)
    return Field(name, kind, model, needed, "; ".join(_more(schema)))


def _kind(schema: Mapping[str, Any]) -> tuple[str, str]:
    """The type of a value in words, and the name of the object in it."""
    if "$ref" in schema:
        return "object", str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("anyOf"):
        kinds = [_kind(one) for one in choices]
        names = dict.fromkeys(kind for kind, _ in kinds)
        return " or ".join(names), next((model for _, model in kinds if model), "")
    if schema.get("type") == "array":
        kind, model = _kind(schema.get("items", {}))
        return f"array of {kind}", model
    return str(schema.get("type", "any")), ""


def _more(schema: Mapping[str, Any]) -> Iterator[str]:
    """What else binds a value."""
    for choice in schema.get("anyOf", ()):
        yield from _more(choice)
    if "const" in schema:
        yield f"always {orjson.dumps(schema['const']).decode()}"
    if "enum" in schema:
        yield f"one of {', '.join(orjson.dumps(one).decode() for one in schema['enum'])}"
    for name, words in _LIMITS.items():
        if name in schema:
            yield words.format(schema[name])
