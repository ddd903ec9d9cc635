"""Open decisions for a clinician: the current value of each, the reason, and the alternatives."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from cds_service.clinical.content.figures import ContentModel, FigureStatus, Key, PlainText

OPEN_PAGE = "OPEN.md"
"""The page of open decisions and the effect of each alternative. `knee-cds review` writes it beside the content."""

Area = Literal["dvt", "emergency", "urgent", "differential", "limits"]
"""The subject of a decision, the most dangerous first."""


class Place(ContentModel):
    """A value of the content: a file, and the place in it in the form of ``knee-cds check --against``."""

    file: str = Field(min_length=5)
    place: str = Field(min_length=1)


class Change(Place):
    """A different value at a place."""

    value: Any


class Alternative(ContentModel):
    """An alternative to the current values.

    Without ``changes`` or ``pathway`` it needs a rule that the files cannot express.
    """

    words: PlainText = Field(min_length=3)
    changes: tuple[Change, ...] = ()
    pathway: Key | None = None

    @property
    def can_be_tried(self) -> bool:
        """Whether the examples can be run with this alternative."""
        return bool(self.changes or self.pathway)


class Decision(ContentModel):
    """One open decision. ``at``: the places of the current values, which its page shows."""

    title: PlainText = Field(min_length=3)
    area: Area
    stands: PlainText = Field(min_length=3)
    reason: PlainText = Field(min_length=3)
    source: Key
    status: FigureStatus
    at: tuple[Place, ...] = ()
    alternatives: tuple[Alternative, ...] = Field(min_length=1)
