"""What a clinician has to decide: each open point with what stands now, why, and what else it could be."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from cds_service.clinical.content.figures import ContentModel, FigureStatus, Key, PlainText

OPEN_PAGE = "OPEN.md"
"""The open points with what each alternative would change, beside the content; `knee-cds review` writes it."""

Area = Literal["dvt", "emergency", "urgent", "differential", "limits"]
"""What a decision is about, the most dangerous first."""


class Place(ContentModel):
    """A value of the content: a file, and the place in it as ``knee-cds check --against`` writes it."""

    file: str = Field(min_length=5)
    place: str = Field(min_length=1)


class Change(Place):
    """Another value at a place."""

    value: Any


class Alternative(ContentModel):
    """What could stand instead. Without ``changes`` or ``pathway`` it needs another rule than the files can say."""

    words: PlainText = Field(min_length=3)
    changes: tuple[Change, ...] = ()
    pathway: Key | None = None

    @property
    def can_be_tried(self) -> bool:
        """Whether the examples can be judged by it."""
        return bool(self.changes or self.pathway)


class Decision(ContentModel):
    """One open point of policy. ``at``: the values that stand now, which its page repeats."""

    title: PlainText = Field(min_length=3)
    area: Area
    stands: PlainText = Field(min_length=3)
    reason: PlainText = Field(min_length=3)
    source: Key
    status: FigureStatus
    at: tuple[Place, ...] = ()
    alternatives: tuple[Alternative, ...] = Field(min_length=1)
