"""The proposed order behind the link of an urgent card, with its reasons in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH
from cds_service.clinical.content.models import Priority
from cds_service.clinical.record import Side


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """A proposed order that is not signed.

    Attributes:
        rule: rule of the card.
        cause: the suspected cause.
        orders: our orders that the card offers, the preferred one first.
        side: UNKNOWN if the chart does not say; it is never guessed.
        words: the reason in a few words.
        note: the facts for the recipient of the order, without side and anticoagulant, which the order states itself.
        why: recorded facts with their dates.
        unknown: what is not recorded and would matter.
        anticoagulated: an anticoagulant is recorded. False means only that none is recorded.
        asked_and_none: a clinician has asked today, and the patient takes none.
        references: ``Type/id`` of the resources behind the facts.
        language: code of the language of its texts.
    """

    rule: str
    cause: str
    orders: tuple[str, ...]
    side: Side
    priority: Priority
    words: str
    note: str
    why: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    anticoagulated: bool = False
    asked_and_none: bool = False
    references: tuple[str, ...] = ()
    language: str = ENGLISH

    @classmethod
    def bare(cls, content: Content, order: str) -> OrderDraft:
        """Return a draft without any facts, for an address that carries no draft."""
        template = content.orders[order]
        return cls(
            rule="",
            cause="",
            orders=(order,),
            side=Side.UNKNOWN,
            priority="asap" if template.same_day else "routine",
            words="",
            note="",
            language=content.texts.language.code,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the draft as JSON for a sealed link, without references, which mean nothing outside the chart."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "references"}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> OrderDraft:
        """Read the result of ``as_json``."""
        lists = {name: tuple(value[name]) for name in ("orders", "why", "unknown")}
        return cls(**{**value, **lists, "side": Side(value["side"])})
