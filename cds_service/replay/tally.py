"""Counts that add up over pieces of work, and are kept as JSON between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Tally:
    """Counters by name; each counts texts."""

    def __init__(self, counters: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._counters: dict[str, Counter[str]] = {name: Counter(one) for name, one in (counters or {}).items()}

    def add(self, name: str, what: str = "", times: int = 1) -> None:
        """Count ``what`` under ``name``."""
        self._counters.setdefault(name, Counter())[what] += times

    def of(self, name: str) -> Counter[str]:
        """What was counted under ``name``."""
        return self._counters.get(name, Counter())

    def total(self, name: str) -> int:
        """How much was counted under ``name``."""
        return self.of(name).total()

    def merge(self, other: Tally) -> None:
        """Add what another one has counted."""
        for name, counter in other._counters.items():
            self._counters.setdefault(name, Counter()).update(counter)

    def as_json(self) -> dict[str, dict[str, int]]:
        """For ``Tally(...)``."""
        return {name: dict(sorted(one.items())) for name, one in sorted(self._counters.items())}


def by_count(counter: Mapping[str, int]) -> list[tuple[str, int]]:
    """Most frequent first; equals in the order of their texts."""
    return sorted(counter.items(), key=lambda one: (-one[1], one[0]))
