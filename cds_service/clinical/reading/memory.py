"""What a replay remembers of a row while it reads the same chart at many moments.

A row never changes, so only what depends on the moment or on other rows has to be read again. A reader that looks at
the day or at another row notes it (``Varying``), and what it read of the row is then not remembered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cds_service.clinical.content.coding.recognition import Recognised
from cds_service.clinical.record import RowState, When


class Varying:
    """``found``: what was read since this was last set to False may be different at a later moment."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found = False


class Reading(NamedTuple):
    """What was read of a row, which is the same at every moment from ``since``.

    Attributes:
        name: of the row in its chart.
        birth, sex: of the patient.
        since: in seconds since 1970, because clocks show one hour twice when summer time ends.
        outcome: the state of the row, and the reason.
        collected: what it added to each list of ``Findings``.
    """

    name: str
    birth: When | None
    sex: str | None
    since: float
    outcome: tuple[RowState, str]
    collected: tuple[list[Any], ...]


class Memory:
    """What is remembered of one row.

    Attributes:
        built: its validated model and the elements that were left out, by ``resources.build``.
        reading: what was read of it; None before, and if that may change.
        recognised: what is named anywhere in it.
        mentions: for a document: the references in it.
        suspicion: for a document: the references that were disregarded, and the suspicion of DVT in the rest.
    """

    __slots__ = ("_content", "built", "mentions", "reading", "recognised", "suspicion")

    def __init__(self) -> None:
        self._content: object = None
        self.built: tuple[Any, tuple[str, ...]] | None = None
        self.mentions: frozenset[str] | None = None
        self._forget()

    def of(self, content: object) -> Memory:
        """Return itself, without what was found by another content."""
        if self._content is not content:
            self._content = content
            self._forget()
        return self

    def _forget(self) -> None:
        self.reading: Reading | None = None
        self.recognised: Recognised | None = None
        self.suspicion: tuple[frozenset[str], tuple[str, ...]] | None = None
