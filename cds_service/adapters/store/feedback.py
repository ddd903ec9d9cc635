"""Reads feedback on cards: CDS Hooks 2.0, and the variant that Epic sends."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cds_service.adapters.store.rows import FeedbackRow
from cds_service.base.errors import UnusableInput
from cds_service.base.field_errors import words

MAX_COMMENT_LENGTH = 4_000
MAX_NAME_LENGTH = 200
MAX_ITEMS = 5_000
MAX_REASONS = 20
MAX_ACCEPTED = 50
"""Limit for accepted suggestions in one item, far above the number of buttons on a card."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)",
)
_EPIC = "com.epic.cdshooks.feedback.overrideReason."
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _text(value: Any) -> Any:
    """Replace NUL and surrogate characters, which some databases cannot store."""
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _instant(value: Any) -> datetime:
    """Convert an RFC 3339 time with an offset to UTC. Digits beyond microseconds are cut off."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a date and time with an offset, such as 2026-03-16T14:02:00Z")
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in "Zz" else offset
    leap = clock.endswith(":60")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock[:-2] + '59' if leap else clock}{zone}")
        return moment.replace(microsecond=int((fraction or "")[:6].ljust(6, "0"))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a possible date and time") from None


def _name(value: Any) -> Any:
    """Return UUIDs in lower case, because they are the same in capitals."""
    value = _text(value)
    return value.lower() if isinstance(value, str) and _UUID.fullmatch(value) else value


_Text = Annotated[str, BeforeValidator(_text)]
_Name = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=MAX_NAME_LENGTH)]


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Accepted(_Received):
    id: _Name


class _Reason(_Received):
    """The Coding of an override reason. Clients may use their own reasons."""

    code: Annotated[_Text, Field(min_length=1, max_length=1_000)]
    system: Annotated[_Text, Field(max_length=1_000)] | None = None
    display: Annotated[_Text, Field(max_length=1_000)] | None = None


class _Override(_Received):
    """Why a card was overridden. Epic's category and display are used if there is no CDS Hooks reason."""

    reason: _Reason | None = None
    userComment: Annotated[_Text, Field(max_length=MAX_COMMENT_LENGTH)] | None = None

    @model_validator(mode="before")
    @classmethod
    def epic(cls, value: Any) -> Any:
        """Convert the ``extension`` of Epic's acknowledgement reasons to a reason."""
        if not isinstance(value, dict) or value.get("reason") is not None:
            return value
        extension = value.get("extension")
        fields = extension if isinstance(extension, dict) else {}
        category = fields.get(f"{_EPIC}reasonCategory")
        if category is None:
            return value
        display = fields.get(f"{_EPIC}reasonDisplay") or fields.get(f"{_EPIC}reasonTitle")
        reason = {"code": str(category), "system": f"{_EPIC}reasonCategory", "display": display}
        return {**value, "reason": reason}


_ACCEPTED_WHAT: dict[str, Any] = {
    "if": {"properties": {"outcome": {"const": "accepted"}}},
    "then": {"properties": {"acceptedSuggestions": {"minItems": 1}}, "required": ["acceptedSuggestions"]},
}
"""The rule of ``Item.accepted_what`` as JSON Schema, for our OpenAPI document."""


class Item(_Received):
    """One feedback statement about one card."""

    model_config = ConfigDict(json_schema_extra=_ACCEPTED_WHAT)

    card: _Name
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[datetime, BeforeValidator(_instant)]
    acceptedSuggestions: Annotated[tuple[_Accepted, ...], Field(max_length=MAX_ACCEPTED)] = ()
    overrideReason: _Override | None = None
    overrideReasons: Annotated[tuple[_Override, ...], Field(max_length=MAX_REASONS)] = ()

    @model_validator(mode="before")
    @classmethod
    def one_or_many(cls, value: Any) -> Any:
        """Accept one object as ``overrideReasons``, which Epic sends, and treat null like an absent field."""
        if not isinstance(value, dict):
            return value
        fields = {key: inner for key, inner in value.items() if inner is not None}
        if isinstance(fields.get("overrideReasons"), dict):
            fields["overrideReasons"] = (fields["overrideReasons"],)
        return fields

    @model_validator(mode="after")
    def accepted_what(self) -> Item:
        """Reject an accepted card without accepted suggestions."""
        if self.outcome == "accepted" and not self.acceptedSuggestions:
            raise ValueError("acceptedSuggestions must name at least one suggestion")
        return self

    @model_validator(mode="after")
    def comment_of_one_length(self) -> Item:
        """Reject comments that are too long, counted together over all reasons."""
        if len(self.comment or "") > MAX_COMMENT_LENGTH:
            raise ValueError(f"its comments may have at most {MAX_COMMENT_LENGTH} characters together")
        return self

    @property
    def overrides(self) -> tuple[_Override, ...]:
        """Why the card was overridden; empty if it was accepted."""
        overrides = (self.overrideReason, *self.overrideReasons)
        return tuple(override for override in overrides if override) if self.outcome == "overridden" else ()

    @property
    def comment(self) -> str | None:
        """All comments, each once; None if there are none."""
        comments = (override.userComment for override in self.overrides)
        return "\n".join(dict.fromkeys(comment for comment in comments if comment)) or None


@dataclass(frozen=True, slots=True)
class Feedback:
    """A feedback call that was read.

    Attributes:
        rows: the valid items.
        places: the index of each of ``rows`` in the call.
        wrong: a message for each mistake, with the index of its item.
    """

    rows: tuple[FeedbackRow, ...]
    places: tuple[int, ...]
    wrong: tuple[str, ...]


def understand(body: Any, service: str, now: datetime, client: str | None = None) -> Feedback:
    """Read the items of a feedback call.

    ``service``: id of the service that the call is for. ``client``: the authenticated client; None if callers need
    not authenticate.

    Raises:
        UnusableInput: there is no array ``feedback``, or it is too long.
    """
    items = body.get("feedback") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise UnusableInput("The request is not CDS Hooks feedback: feedback must be an array")
    if len(items) > MAX_ITEMS:
        raise UnusableInput(f"a call may hold at most {MAX_ITEMS} items of feedback")
    rows: list[FeedbackRow] = []
    places: list[int] = []
    wrong: list[str] = []
    for index, item in enumerate(items):
        try:
            rows.append(_row(Item.model_validate(item), service, now, client))
            places.append(index)
        except ValidationError as error:
            wrong += [
                f"feedback[{index}]{_place(mistake['loc'])}: {words(mistake['type'], mistake['msg'])}"
                for mistake in _mistakes(error)
            ]
    return Feedback(tuple(rows), tuple(places), tuple(wrong))


def _mistakes(error: ValidationError) -> Sequence[Any]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def _place(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _row(item: Item, service: str, now: datetime, client: str | None) -> FeedbackRow:
    overridden = item.outcome == "overridden"
    reason = next((override.reason for override in item.overrides if override.reason), None)
    row = FeedbackRow(
        id="",
        service=service,
        card=item.card,
        outcome=item.outcome,
        outcome_at=item.outcomeTimestamp,
        received_at=now,
        accepted=() if overridden else tuple(sorted({suggestion.id for suggestion in item.acceptedSuggestions})),
        reason_system=reason.system if reason else None,
        reason_code=reason.code if reason else None,
        reason_display=reason.display if reason else None,
        comment=item.comment,
        client=client,
    )
    return replace(row, id=_identity(row))


def _identity(row: FeedbackRow) -> str:
    """Return a hash of the statement, without the time of receipt: a repeated statement has the same hash."""
    what = (row.card, row.outcome, row.outcome_at.isoformat(), row.accepted)
    why = (row.reason_system, row.reason_code, row.reason_display, row.comment)
    who = (row.client,) if row.client is not None else ()
    return hashlib.sha256(orjson.dumps((row.service, what, why, *who))).hexdigest()
