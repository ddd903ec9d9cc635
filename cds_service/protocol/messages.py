"""CDS Hooks 2.0 messages. Sent messages are strict; received messages are read leniently.

Unknown fields are ignored. An optional field that is invalid is dropped, and the response says so. The chart is still
assessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self
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
    create_model,
    model_validator,
)

from cds_service.protocol.services import HookService, hooks

CANARY_USER = "Practitioner/knee-cds-canary"
"""The user of canary calls, which no clinician makes."""

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
    """Accept ``Patient/1`` for ``1`` in a field that can only be a Patient."""
    return AfterValidator(lambda value: value.removeprefix(f"{kind}/"))


_URL = TypeAdapter(AnyHttpUrl)


def _is_url(value: str) -> str:
    """Check a URL but return it as sent, because the allow-list must compare the URL that is then used."""
    _URL.validate_python(value)
    return value


def _is_number(value: Any) -> Any:
    """Reject strings and booleans, such as "300" and true, which pydantic would accept as numbers."""
    if isinstance(value, str | bool):
        raise ValueError("must be a whole number")
    return value


def _written_as(pattern: str, **more: str) -> WithJsonSchema:
    """Return the pattern of a text field, for our OpenAPI document."""
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
    """Add to our OpenAPI document that the call is accepted with any other value in this field."""
    schema["anyOf"].append({"description": "Anything else counts as not sent; the answer's extension says so."})


def _droppable() -> Any:
    return Field(default=None, json_schema_extra=_or_anything)


def _is_answered(hook: str) -> str:
    if hook not in hooks():
        raise ValueError(f"must be {' or '.join(hooks())}")
    return hook


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Context(_Received):
    """``context`` of a hook: the user, the patient whose chart is open, and the encounter."""

    userId: UserReference
    patientId: PatientId
    encounterId: EncounterId | None = _droppable()


class EncounterContext(Context):
    """``context`` of a hook that is about one encounter, which it must name."""

    encounterId: EncounterId


class FhirAuthorization(_Received):
    """The access token that the client sends for reading its FHIR server. Never logged or stored."""

    access_token: Annotated[str, Field(min_length=1, repr=False)]
    token_type: Annotated[str, _matches(_BEARER, "Bearer"), _written_as("[Bb][Ee][Aa][Rr][Ee][Rr]")]
    expires_in: Annotated[int, Field(ge=-(2**53), le=2**53), BeforeValidator(_is_number)]
    scope: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    patient: str | None = None


_Place = tuple[int | str, ...]
_ACCESS: tuple[_Place, ...] = (("fhirServer",), ("fhirAuthorization",))
_ENCOUNTER: _Place = ("context", "encounterId")


class HookRequest(_Received):
    """A call of any service's hook. The values of ``prefetch`` stay raw JSON and are read resource by resource."""

    hook: Annotated[str, AfterValidator(_is_answered)]
    hookInstance: UUID
    context: Context
    fhirServer: Annotated[str, AfterValidator(_is_url), _written_as("https?://.+", format="uri")] | None = _droppable()
    fhirAuthorization: FhirAuthorization | None = _droppable()
    prefetch: dict[str, Any] | None = None
    optional: ClassVar[tuple[_Place, ...]] = (*_ACCESS, _ENCOUNTER)
    """Fields that an assessment does not need. If one is invalid, the whole field counts as not sent."""
    _dropped: tuple[str, ...] = PrivateAttr(())

    @property
    def dropped(self) -> tuple[str, ...]:
        """The invalid optional fields that were dropped, by name, such as ``fhirAuthorization.expires_in``."""
        return self._dropped

    @model_validator(mode="wrap")
    @classmethod
    def _without_invalid_fields(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            if not isinstance(value, Mapping):
                raise
            errors = error.errors(include_url=False, include_input=False, include_context=False)
            wrong = [mistake["loc"] for mistake in errors]
            unusable = {part for part in cls.optional for place in wrong if place[: len(part)] == part}
            request = handler(_without(value, unusable))  # any other mistake ends the call
            request._dropped = tuple(sorted({".".join(map(str, place)) for place in wrong}))
            return request


def _without(call: Mapping[str, Any], unusable: Collection[_Place]) -> dict[str, Any]:
    """Return the call without some of its fields, which may be nested one level down."""
    copy = dict(call)
    for *above, name in unusable:
        holder = copy
        for step in map(str, above):
            holder[step] = dict(holder[step])
            holder = holder[step]
        holder.pop(str(name), None)
    return copy


def request_model(service: HookService) -> type[HookRequest]:
    """Return what a call of ``service`` must be: of its hook, and with an encounter if its hook needs one."""
    return _request_model(service.hook, needs_encounter=service.needs_encounter)


@cache
def _request_model(hook: str, *, needs_encounter: bool) -> type[HookRequest]:
    this_hook: Any = Annotated[str, _matches(re.compile(re.escape(hook)), hook)]
    model = create_model(
        f"{''.join(word.capitalize() for word in hook.split('-'))}Request",
        __base__=HookRequest,
        __doc__=f"A call of the hook {hook}.",
        hook=(this_hook, Field(json_schema_extra={"const": hook})),
        context=(EncounterContext if needs_encounter else Context, ...),
    )
    model.optional = _ACCESS if needs_encounter else HookRequest.optional
    return model


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coding(_Sent):
    """A code with its system and our display text."""

    system: str
    code: str
    display: str


class Source(_Sent):
    """The source of a card's guidance."""

    label: str
    url: str
    topic: Coding


class Action(_Sent):
    """One change that a suggestion makes; here always the creation of a draft order."""

    type: Literal["create"] = "create"
    description: str
    resource: dict[str, Any]


class Suggestion(_Sent):
    """A button with one action, because some EHRs run only one."""

    label: str
    uuid: str
    actions: tuple[Action, ...] = Field(min_length=1, max_length=1)


class Link(_Sent):
    """A link below a card. ``appContext``: only for a SMART launch."""

    label: str
    url: str
    type: Literal["absolute", "smart"] = "absolute"
    appContext: str | None = None


class Card(_Sent):
    """A card. ``summary``: one plain sentence under 140 characters. ``detail``: Markdown without HTML."""

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
    """The response. ``extension`` lists missing and unreadable data for integrators; absent if there is none."""

    cards: tuple[Card, ...]
    extension: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the response as JSON without nulls and empty values, which the standard forbids."""
        return self.model_dump(mode="json", exclude_none=True)
