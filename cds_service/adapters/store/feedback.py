"""What clinicians did with the cards: CDS Hooks 2.0 feedback, and the dialect that Epic sends."""

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

LONGEST_COMMENT = 4_000
LONGEST_NAME = 200
MAX_ITEMS = 5_000
MAX_REASONS = 20
MAX_ACCEPTED = 50
"""Far more than a card has buttons."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)",
)
_EPIC = "com.epic.cdshooks.feedback.overrideReason."
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _text(value: Any) -> Any:
    """NUL and half characters cannot be stored everywhere; their place is kept."""
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _instant(value: Any) -> datetime:
    """RFC 3339 with its offset, to UTC. Digits beyond the microsecond are cut off."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a date and time with an offset, such as 2026-03-16T14:02:00Z")
    day, clock, fraction, offset = found.groups()
    zone = "+00:00" if offset in "Zz" else offset
    leap = clock.endswith(":60")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock[:-2] + '59' if leap else clock}{zone}")
        return moment.replace(microsecond=int((fraction or "")[:6].ljust(6, "0"))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no date and time that can be") from None


def _name(value: Any) -> Any:
    """UUIDs are the same in capitals."""
    value = _text(value)
    return value.lower() if isinstance(value, str) and _UUID.fullmatch(value) else value


_Text = Annotated[str, BeforeValidator(_text)]
_Name = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=LONGEST_NAME)]


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Accepted(_Received):
    id: _Name


class _Reason(_Received):
    """A Coding; the client may use reasons of its own."""

    code: Annotated[_Text, Field(min_length=1, max_length=1_000)]
    system: Annotated[_Text, Field(max_length=1_000)] | None = None
    display: Annotated[_Text, Field(max_length=1_000)] | None = None


class _Override(_Received):
    """Why a card was overridden. Epic's category and display are taken where no reason of ours was picked."""

    reason: _Reason | None = None
    userComment: Annotated[_Text, Field(max_length=LONGEST_COMMENT)] | None = None

    @model_validator(mode="before")
    @classmethod
    def epic(cls, value: Any) -> Any:
        """``extension`` of Epic's acknowledgement reasons -> a reason."""
        if not isinstance(value, dict) or value.get("reason") is not None:
            return value
        extension = value.get("extension")
        told = extension if isinstance(extension, dict) else {}
        category = told.get(f"{_EPIC}reasonCategory")
        if category is None:
            return value
        display = told.get(f"{_EPIC}reasonDisplay") or told.get(f"{_EPIC}reasonTitle")
        reason = {"code": str(category), "system": f"{_EPIC}reasonCategory", "display": display}
        return {**value, "reason": reason}


_ACCEPTED_WHAT: dict[str, Any] = {
    "if": {"properties": {"outcome": {"const": "accepted"}}},
    "then": {"properties": {"acceptedSuggestions": {"minItems": 1}}, "required": ["acceptedSuggestions"]},
}
"""``Item.accepted_what`` for readers of our OpenAPI document."""


class Item(_Received):
    """One statement about one card."""

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
        """Epic sends one object as ``overrideReasons``; absent and null are the same here."""
        if not isinstance(value, dict):
            return value
        given = {key: inner for key, inner in value.items() if inner is not None}
        if isinstance(given.get("overrideReasons"), dict):
            given["overrideReasons"] = (given["overrideReasons"],)
        return given

    @model_validator(mode="after")
    def accepted_what(self) -> Item:
        """An accepted card names what was accepted."""
        if self.outcome == "accepted" and not self.acceptedSuggestions:
            raise ValueError("acceptedSuggestions must name at least one suggestion")
        return self

    @model_validator(mode="after")
    def comment_of_one_length(self) -> Item:
        """However many reasons it is spread over."""
        if len(self.comment or "") > LONGEST_COMMENT:
            raise ValueError(f"its comments may have at most {LONGEST_COMMENT} characters together")
        return self

    @property
    def said(self) -> tuple[_Override, ...]:
        """Why the card was overridden; nothing if it was accepted."""
        given = (self.overrideReason, *self.overrideReasons)
        return tuple(one for one in given if one) if self.outcome == "overridden" else ()

    @property
    def comment(self) -> str | None:
        """All comments, each once."""
        return "\n".join(dict.fromkeys(one.userComment for one in self.said if one.userComment)) or None


@dataclass(frozen=True, slots=True)
class Feedback:
    """A feedback call as understood.

    Attributes:
        places: the index of each of ``rows`` in the call.
        wrong: for each item that is not understood, its index and what is wrong with it.
    """

    rows: tuple[FeedbackRow, ...]
    places: tuple[int, ...]
    wrong: tuple[str, ...]


def understand(body: Any, service: str, now: datetime, client: str | None = None) -> Feedback:
    """The items of a feedback call, the lawful ones as rows. ``client``: who has proved to have sent it.

    Raises:
        UnusableInput: there is no array ``feedback``, or it is too long.
    """
    items = body.get("feedback") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise UnusableInput("The request is not CDS Hooks feedback: feedback must be an array")
    if len(items) > MAX_ITEMS:
        raise UnusableInput(f"at most {MAX_ITEMS} items of feedback in one call")
    rows: list[FeedbackRow] = []
    places: list[int] = []
    wrong: list[str] = []
    for index, item in enumerate(items):
        try:
            rows.append(_row(Item.model_validate(item), service, now, client))
            places.append(index)
        except ValidationError as error:
            wrong += [
                f"feedback[{index}]{_place(one['loc'])}: {words(one['type'], one['msg'])}" for one in _mistakes(error)
            ]
    return Feedback(tuple(rows), tuple(places), tuple(wrong))


def _mistakes(error: ValidationError) -> Sequence[Any]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def _place(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _row(item: Item, service: str, now: datetime, client: str | None) -> FeedbackRow:
    overridden = item.outcome == "overridden"
    reason = next((one.reason for one in item.said if one.reason), None)
    row = FeedbackRow(
        id="",
        card=item.card,
        outcome=item.outcome,
        outcome_at=item.outcomeTimestamp,
        received_at=now,
        accepted=() if overridden else tuple(sorted({one.id for one in item.acceptedSuggestions})),
        reason_system=reason.system if reason else None,
        reason_code=reason.code if reason else None,
        reason_display=reason.display if reason else None,
        comment=item.comment,
        client=client,
    )
    return replace(row, id=_identity(row, service))


def _identity(row: FeedbackRow, service: str) -> str:
    """The same for the same statement: everything that was said, without the moment of receiving it."""
    said = (row.card, row.outcome, row.outcome_at.isoformat(), row.accepted)
    why = (row.reason_system, row.reason_code, row.reason_display, row.comment)
    who = (row.client,) if row.client is not None else ()
    return hashlib.sha256(orjson.dumps((service, said, why, *who))).hexdigest()
