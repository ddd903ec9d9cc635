"""The API page (``/docs``), rendered from the OpenAPI document so that the two cannot differ."""

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
    """A parameter, or a property of an object. ``model``: name of the object it holds; empty for plain values."""

    name: str
    kind: str
    model: str
    needed: bool
    more: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible answer of an operation."""

    status: str
    words: str
    media: str
    model: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``closed``: callers must send a token."""

    method: str
    path: str
    summary: str
    closed: bool
    parameters: tuple[Field, ...]
    body: str
    answers: tuple[Answer, ...]

    @property
    def key(self) -> str:
        """Return the anchor for links within the page."""
        path = "".join(letter if letter.isalnum() else "-" for letter in self.path).strip("-")
        return f"{self.method}-{path or 'first'}"


@dataclass(frozen=True, slots=True)
class Model:
    """A named JSON object."""

    name: str
    words: str
    fields: tuple[Field, ...]


def add_api_page(app: FastAPI, current: CurrentService, pages: Pages) -> None:
    """Add ``GET /docs``."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        document = app.openapi()
        return pages.page(
            "api.html",
            content=current.service.content,
            words=document["info"]["description"],
            operations=tuple(operations(document)),
            models=tuple(models(document)),
            bearer=document["components"]["securitySchemes"]["bearer"]["description"],
            document=PATH,
        )


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield every operation, in the order of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield Operation(
                method=method,
                path=path,
                summary=operation["summary"],
                closed=bool(operation.get("security")),
                parameters=tuple(_parameter(parameter) for parameter in operation.get("parameters", ())),
                body=_content(operation.get("requestBody", {}))[1],
                answers=tuple(
                    Answer(status, answer["description"], *_content(answer))
                    for status, answer in sorted(operation["responses"].items())
                ),
            )


def models(document: Mapping[str, Any]) -> Iterator[Model]:
    """Yield every named object, sorted by name."""
    for name, schema in sorted(document["components"]["schemas"].items(), key=lambda item: item[0].lstrip("_").lower()):
        needed = schema.get("required", ())
        fields = tuple(_field(key, value, needed=key in needed) for key, value in schema.get("properties", {}).items())
        yield Model(name, schema.get("description", "").replace("``", ""), fields)


def _content(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the media type of a message and the name of its object; both may be empty."""
    for media, held in message.get("content", {}).items():
        return media, _kind(held.get("schema", {}))[1]
    return "", ""


def _parameter(parameter: Mapping[str, Any]) -> Field:
    field = _field(parameter["name"], parameter["schema"], needed=bool(parameter.get("required")))
    more = "; ".join(part for part in (_PLACES[parameter["in"]], field.more) if part)
    return Field(field.name, field.kind, field.model, field.needed, more)


def _field(name: str, schema: Mapping[str, Any], *, needed: bool) -> Field:
    kind, model = _kind(schema)
    return Field(name, kind, model, needed, "; ".join(_more(schema)))


def _kind(schema: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type of a value in words, and the name of the object in it (or an empty string)."""
    if "$ref" in schema:
        return "object", str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("anyOf"):
        kinds = [_kind(choice) for choice in choices]
        names = dict.fromkeys(kind for kind, _ in kinds)
        return " or ".join(names), next((model for _, model in kinds if model), "")
    if schema.get("type") == "array":
        kind, model = _kind(schema.get("items", {}))
        return f"array of {kind}", model
    return str(schema.get("type", "any")), ""


def _more(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the further constraints of a value, in words."""
    for choice in schema.get("anyOf", ()):
        yield from _more(choice)
    if "const" in schema:
        yield f"always {orjson.dumps(schema['const']).decode()}"
    if "enum" in schema:
        yield f"one of {', '.join(orjson.dumps(value).decode() for value in schema['enum'])}"
    for name, words in _LIMITS.items():
        if name in schema:
            yield words.format(schema[name])
