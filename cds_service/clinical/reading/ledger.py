"""The ledger of a chart: every row with the one state in which it ended."""

from __future__ import annotations

from collections import Counter

from cds_service.clinical.record import LedgerLine, RowState


class Ledger:
    """Counts rows by state, resource type and reason."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[RowState, str, str]] = Counter()

    def add(self, state: RowState, resource: str, reason: str = "", count: int = 1) -> None:
        """Count ``count`` rows of type ``resource`` (empty if not a resource) that ended in ``state``."""
        self._counts[state, resource, reason] += count

    def lines(self) -> tuple[LedgerLine, ...]:
        """Return all counts in a fixed order."""
        lines = (LedgerLine(*what, count) for what, count in self._counts.items())
        return tuple(sorted(lines))
