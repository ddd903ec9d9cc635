"""Counts that add up over parts of the work, and are stored as JSON between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Tally:
    """Named counters of texts."""

    def __init__(self, counters: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._counters: dict[str, Counter[str]] = {name: Counter(counts) for name, counts in (counters or {}).items()}

    def add(self, name: str, what: str = "", times: int = 1) -> None:
        """Count ``what`` under ``name``."""
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = Counter()
        counter[what] += times

    def of(self, name: str) -> Counter[str]:
        """Return the counts of ``name``."""
        return self._counters.get(name, Counter())

    def total(self, name: str) -> int:
        """Return the total of ``name``."""
        return self.of(name).total()

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally."""
        for name, counter in other._counters.items():
            self._counters.setdefault(name, Counter()).update(counter)

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts in the form that ``Tally(...)`` takes."""
        return {name: dict(sorted(counter.items())) for name, counter in sorted(self._counters.items())}


def by_count(counter: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return text and count, the most frequent first; equal counts in the order of their texts."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))
