"""Parse the service's answer as a careful EHR does: only the fields of CDS Hooks, and trust none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cds_service.base.errors import UnusableInput
from cds_service.base.plain_text import is_plain_url

Indicator = Literal["critical", "warning", "info"]
BADGES: dict[Indicator, str] = {"critical": "Urgent", "warning": "Soon", "info": "For information"}
NOT_JUDGED = "No judgement was made. This is not an all-clear."
_RANKS = list(BADGES)


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Named(_Received):
    """A code with a display text, such as an override reason."""

    code: str
    system: str | None = None
    display: str = ""


class ReceivedSuggestion(_Received):
    """A suggestion of a card."""

    label: str
    uuid: str


class ReceivedLink(_Received):
    """A link of a card. It is shown only if its address is a plain web address."""

    label: str
    url: str
    type: str = "absolute"


class ReceivedSource(_Received):
    """The source of a card."""

    label: str
    url: str = ""

    @field_validator("url")
    @classmethod
    def only_plain(cls, value: str) -> str:
        """Drop an address that is not a plain web address."""
        return value if is_plain_url(value) else ""


class ReceivedCard(_Received):
    """A card as received."""

    uuid: str = ""
    summary: str = Field(min_length=1)
    detail: str = ""
    indicator: Indicator = "info"
    source: ReceivedSource
    suggestions: tuple[ReceivedSuggestion, ...] = ()
    overrideReasons: tuple[Named, ...] = ()
    links: tuple[ReceivedLink, ...] = ()

    @property
    def badge(self) -> str:
        """The urgency in words."""
        return BADGES[self.indicator]

    @property
    def drawn_links(self) -> tuple[ReceivedLink, ...]:
        """The links that may be shown."""
        return tuple(link for link in self.links if is_plain_url(link.url) and link.type == "absolute")


class _ReceivedAnswer(_Received):
    cards: tuple[ReceivedCard, ...]


class Sent(_Received):
    """The page's report of a call it has made. ``status``: HTTP status; 0 if there was no answer."""

    status: int = Field(ge=0, le=599)
    ms: float = Field(ge=0, le=600_000)
    road: Literal["prefetch", "fhir"] = "prefetch"
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A call, ready to show. ``problem``: why there was no judgement; empty if there was one."""

    status: int
    ms: int
    road: str
    cards: tuple[ReceivedCard, ...] = ()
    problem: str = ""
    unavailable: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()


def parse_report(body: Any) -> Drawn:
    """Parse the page's report of a call.

    Raises:
        UnusableInput: the body is not such a report.
    """
    try:
        sent = Sent.model_validate(body)
    except ValidationError as error:
        raise UnusableInput("the body is not a report of a call: reload the page") from error
    ms = round(sent.ms)
    if sent.status != 200:
        return Drawn(sent.status, ms, sent.road, problem=_problem(sent))
    try:
        answer = _ReceivedAnswer.model_validate(sent.answer)
    except ValidationError:
        return Drawn(sent.status, ms, sent.road, problem="The answer is not one of CDS Hooks.")
    extension = _reading_extension(sent.answer)
    ranked = sorted(answer.cards, key=lambda card: _RANKS.index(card.indicator))
    return Drawn(
        sent.status,
        ms,
        sent.road,
        cards=tuple(ranked),
        unavailable=_texts(extension.get("notAvailable")),
        suppressed=_texts(extension.get("quiet")),
    )


def _reading_extension(answer: Any) -> dict[str, Any]:
    extension = answer.get("extension") if isinstance(answer, dict) else None
    reading = extension.get("com.posterior-knee-cds.reading") if isinstance(extension, dict) else None
    return reading if isinstance(reading, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _problem(sent: Sent) -> str:
    if sent.status == 0:
        return "The service did not answer."
    issues = sent.answer.get("issue") if isinstance(sent.answer, dict) else None
    first = issues[0] if isinstance(issues, list) and issues else None
    words = first.get("diagnostics") if isinstance(first, dict) else None
    reason = f": {words}" if isinstance(words, str) else "."
    return f"The service answered with HTTP {sent.status}{reason}"
