"""CDS Hooks 2.0 messages: strict where we send, liberal where we receive.

Unknown fields are ignored. An optional field that cannot be used is dropped, and the answer says so: a chart that came
whole is judged all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from cds_service.protocol.services import hooks

CANARY_USER = "Practitioner/knee-cds-canary"
"""Under whom the canary calls: no clinician."""

_BEARER = re.compile("bearer", re.IGNORECASE | re.ASCII)
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")


def _matches(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return AfterValidator(check)


def _without_type(kind: str) -> AfterValidator:
    """Takes ``Patient/1`` for ``1``, where only a Patient can be meant."""
    return AfterValidator(lambda value: value.removeprefix(f"{kind}/"))


_URL = TypeAdapter(AnyHttpUrl)


def _is_url(value: str) -> str:
    """Kept as sent: what the allow-list compares must be what was asked for."""
    _URL.validate_python(value)
    return value


def _is_number(value: Any) -> Any:
    """JSON has numbers for numbers: neither "300" nor true is one."""
    if isinstance(value, str | bool):
        raise ValueError("must be a whole number")
    return value


def _written_as(pattern: str, **more: str) -> WithJsonSchema:
    """For readers of our OpenAPI document: how the text looks."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", **more})


_A_FHIR_ID = _matches(_FHIR_ID, "a bare FHIR id")
PatientId = Annotated[str, _without_type("Patient"), _A_FHIR_ID, _written_as(f"(Patient/)?{_FHIR_ID.pattern}")]
EncounterId = Annotated[str, _without_type("Encounter"), _A_FHIR_ID, _written_as(f"(Encounter/)?{_FHIR_ID.pattern}")]
UserReference = Annotated[
    str,
    _matches(_USER, "Practitioner, PractitionerRole, Patient or RelatedPerson with an id"),
    _written_as(_USER.pattern),
]


def _or_anything(schema: dict[str, Any]) -> None:
    """For readers of our OpenAPI document: the call is not refused for what else may stand there."""
    schema["anyOf"].append({"description": "Anything else counts as not sent; the answer's extension says so."})


def _droppable() -> Any:
    return Field(default=None, json_schema_extra=_or_anything)


def _is_answered(hook: str) -> str:
    if hook not in hooks():
        raise ValueError(f"must be {' or '.join(hooks())}")
    return hook


def _hooks_answered(schema: dict[str, Any]) -> None:
    """For readers of our OpenAPI document."""
    schema |= {"const": hooks()[0]} if len(hooks()) == 1 else {"enum": list(hooks())}


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Context(_Received):
    """``context`` of a hook: who opened whose chart, and in which encounter."""

    userId: UserReference
    patientId: PatientId
    encounterId: EncounterId | None = _droppable()


class FhirAuthorization(_Received):
    """The token the client lends for reading its FHIR server. Never logged or stored."""

    access_token: Annotated[str, Field(min_length=1, repr=False)]
    token_type: Annotated[str, _matches(_BEARER, "Bearer"), _written_as("[Bb][Ee][Aa][Rr][Ee][Rr]")]
    expires_in: Annotated[int, Field(ge=-(2**53), le=2**53), BeforeValidator(_is_number)]
    scope: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    patient: str | None = None


_Place = tuple[int | str, ...]
_DROPPED: tuple[_Place, ...] = (("fhirServer",), ("fhirAuthorization",), ("context", "encounterId"))
"""Fields that a judgement can do without. One that cannot be used counts as not sent, all of it."""


class HookRequest(_Received):
    """A call of a hook. ``prefetch`` values stay raw JSON: they are read resource by resource."""

    hook: Annotated[str, AfterValidator(_is_answered), Field(json_schema_extra=_hooks_answered)]
    hookInstance: UUID
    context: Context
    fhirServer: Annotated[str, AfterValidator(_is_url), _written_as("https?://.+", format="uri")] | None = _droppable()
    fhirAuthorization: FhirAuthorization | None = _droppable()
    prefetch: dict[str, Any] | None = None
    _dropped: tuple[str, ...] = PrivateAttr(())

    @property
    def dropped(self) -> tuple[str, ...]:
        """What could not be used of the optional fields, by our own names: ``fhirAuthorization.expires_in``."""
        return self._dropped

    @model_validator(mode="wrap")
    @classmethod
    def _without_what_is_unusable(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            if not isinstance(value, Mapping):
                raise
            wrong = [one["loc"] for one in error.errors(include_url=False, include_input=False, include_context=False)]
            unusable = {part for part in _DROPPED for place in wrong if place[: len(part)] == part}
            request = handler(_without(value, unusable))  # what else is wrong ends the call
            told = {".".join(map(str, place)) for place in wrong}
            request._dropped = tuple(sorted(told))
            return request


def _without(call: Mapping[str, Any], unusable: Collection[_Place]) -> dict[str, Any]:
    """The call without some of its fields, which may lie one level down."""
    found = dict(call)
    for *above, name in unusable:
        holder = found
        for step in map(str, above):
            holder[step] = dict(holder[step])
            holder = holder[step]
        holder.pop(str(name), None)
    return found


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coding(_Sent):
    """A code with its system and our own display."""

    system: str
    code: str
    display: str


class Source(_Sent):
    """Where the guidance of a card comes from."""

    label: str
    url: str
    topic: Coding


class Action(_Sent):
    """One change a suggestion makes: here always the creation of a draft order."""

    type: Literal["create"] = "create"
    description: str
    resource: dict[str, Any]


class Suggestion(_Sent):
    """A button. One action each: some EHRs run no more."""

    label: str
    uuid: str
    actions: tuple[Action, ...] = Field(min_length=1, max_length=1)


class Link(_Sent):
    """A link below a card. ``appContext``: for a SMART launch only."""

    label: str
    url: str
    type: Literal["absolute", "smart"] = "absolute"
    appContext: str | None = None


class Card(_Sent):
    """A card. ``summary`` is one plain sentence under 140 characters, ``detail`` Markdown without HTML."""

    uuid: str
    summary: str = Field(min_length=1, max_length=139)
    detail: str = Field(min_length=1)
    indicator: Literal["info", "warning", "critical"]
    source: Source
    suggestions: tuple[Suggestion, ...] | None = None
    selectionBehavior: Literal["any", "at-most-one"] | None = None
    overrideReasons: tuple[Coding, ...] | None = None
    links: tuple[Link, ...] | None = None
    extension: dict[str, str] | None = None


class HookResponse(_Sent):
    """The answer. ``extension`` tells integrators what could not be had or read; absent when all could."""

    cards: tuple[Card, ...]
    extension: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Without nulls and empty values, which the standard forbids."""
        return self.model_dump(mode="json", exclude_none=True)
