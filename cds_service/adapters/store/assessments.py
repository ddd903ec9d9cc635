"""Counts of the assessment page: how often it was used and a score completed with it, and which findings were answered.

Counts of days only: no row stands for a patient, a clinician or a moment, and no answer is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select

from cds_service.adapters.store.store import DatabaseError, Store
from cds_service.adapters.store.tables import assessment_counts as table
from cds_service.base.logs import get_log

log = get_log()

USED, COMPLETED = "*used", "*completed"
"""No findings, as their first letter tells: what led to an order or into the chart, and what had a whole score."""


@dataclass(slots=True)
class Use:
    """What became of the page behind the cards of one rule. ``answered``: finding -> how often."""

    rule: str
    used: int = 0
    completed: int = 0
    answered: dict[str, int] = field(default_factory=dict)

    @property
    def most(self) -> list[tuple[str, int]]:
        """The findings answered most often, the first ten."""
        return sorted(self.answered.items(), key=lambda one: (-one[1], one[0]))[:10]


class Assessments:
    """Counts one assessment after the other. Blocks; never fails: a count is no reason to hold anybody up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(
        self, now: datetime, client: str, rule: str, version: str, answered: Iterable[str], *, complete: bool
    ) -> None:
        """One assessment, at the moment at which something came of it."""
        what = [USED, *([COMPLETED] if complete else []), *sorted(answered)]
        frame = {"day": now.astimezone(UTC).date().isoformat(), "client": client, "rule": rule}
        rows = [{**frame, "content_version": version, "what": one, "count": 1} for one in what]
        insert = self._store.insert(table)
        keys = [column.name for column in table.primary_key]
        more = insert.on_conflict_do_update(index_elements=keys, set_={"count": table.c.count + 1})
        try:
            with self._store.engine.begin() as connection:
                connection.execute(more, rows)
        except (DatabaseError, OSError) as error:
            log.warning("assessment_not_counted", error=type(error).__name__)


def uses(store: Store) -> tuple[Use, ...]:
    """What was counted, rule by rule; under the empty rule what was opened without a card."""
    found: dict[str, Use] = {}
    for rule, what, count in store.stream(
        select(table.c.rule, table.c.what, func.sum(table.c.count)).group_by(table.c.rule, table.c.what)
    ):
        use = found.setdefault(rule, Use(rule))
        if what == USED:
            use.used = int(count)
        elif what == COMPLETED:
            use.completed = int(count)
        else:
            use.answered[what] = int(count)
    return tuple(found[rule] for rule in sorted(found))
