"""Words for how well a figure is supported."""

from __future__ import annotations

from cds_service.clinical.content.figures import FigureStatus

STATUS_WORDS: dict[FigureStatus, str] = {
    "seen": "seen in the source",
    "recalled": "from memory of the source, not checked",
    "adapted": "adapted from the source",
    "expert": "expert choice, no study",
    "policy": "set on purpose, whatever a study would give",
    "article": "from the article this content started with",
}
