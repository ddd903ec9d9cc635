"""What came back from the service, as a careful EHR takes it: only what the standard names, and nothing trusted."""

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


class _Came(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Named(_Came):
    """A code with words: an override reason, a topic."""

    code: str
    system: str | None = None
    display: str = ""


class SuggestionCame(_Came):
    """A suggestion of a card."""

    label: str
    uuid: str


class LinkCame(_Came):
    """A link of a card. One that is no plain web address is not drawn."""

    label: str
    url: str
    type: str = "absolute"


class SourceCame(_Came):
    """Where a card comes from."""

    label: str
    url: str = ""

    @field_validator("url")
    @classmethod
    def only_plain(cls, value: str) -> str:
        """An address that is none is left out."""
        return value if is_plain_url(value) else ""


class CardCame(_Came):
    """A card as it came."""

    uuid: str = ""
    summary: str = Field(min_length=1)
    detail: str = ""
    indicator: Indicator = "info"
    source: SourceCame
    suggestions: tuple[SuggestionCame, ...] = ()
    overrideReasons: tuple[Named, ...] = ()
    links: tuple[LinkCame, ...] = ()

    @property
    def badge(self) -> str:
        """Its urgency in words."""
        return BADGES[self.indicator]

    @property
    def drawn_links(self) -> tuple[LinkCame, ...]:
        """The links that may be drawn."""
        return tuple(one for one in self.links if is_plain_url(one.url) and one.type == "absolute")


class _AnswerCame(_Came):
    cards: tuple[CardCame, ...]


class Sent(_Came):
    """What the page tells of a call it has made. ``status``: 0 if there was no answer."""

    status: int = Field(ge=0, le=599)
    ms: float = Field(ge=0, le=600_000)
    road: Literal["prefetch", "fhir"] = "prefetch"
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A call that was made. ``problem``: why there was no judgement; empty if there was one."""

    status: int
    ms: int
    road: str
    cards: tuple[CardCame, ...] = ()
    problem: str = ""
    unavailable: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()


def understood(body: Any) -> Drawn:
    """What the page has sent.

    Raises:
        UnusableInput: it is not what the page sends.
    """
    try:
        sent = Sent.model_validate(body)
    except ValidationError as error:
        raise UnusableInput("this is not a call that the page has made") from error
    ms = round(sent.ms)
    if sent.status != 200:
        return Drawn(sent.status, ms, sent.road, problem=_problem(sent))
    try:
        found = _AnswerCame.model_validate(sent.answer)
    except ValidationError:
        return Drawn(sent.status, ms, sent.road, problem="The answer is not one of CDS Hooks.")
    told = _told(sent.answer)
    ranked = sorted(found.cards, key=lambda card: _RANKS.index(card.indicator))
    return Drawn(
        sent.status,
        ms,
        sent.road,
        cards=tuple(ranked),
        unavailable=_texts(told.get("notAvailable")),
        quiet=_texts(told.get("quiet")),
    )


def _told(answer: Any) -> dict[str, Any]:
    extension = answer.get("extension") if isinstance(answer, dict) else None
    told = extension.get("com.posterior-knee-cds.reading") if isinstance(extension, dict) else None
    return told if isinstance(told, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _problem(sent: Sent) -> str:
    if sent.status == 0:
        return "The service did not answer."
    issues = sent.answer.get("issue") if isinstance(sent.answer, dict) else None
    first = issues[0] if isinstance(issues, list) and issues else None
    words = first.get("diagnostics") if isinstance(first, dict) else None
    told = f": {words}" if isinstance(words, str) else "."
    return f"The service answered with HTTP {sent.status}{told}"
