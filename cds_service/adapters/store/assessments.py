"""Counts how often the assessment page was used, a score was completed with it, and each finding was answered.

Only counts for whole days are stored. No row is about one patient, clinician or moment, and no answer is stored.
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
"""Counters of assessments: those that led to an order or were saved, and those with a complete score.

The star distinguishes them from the keys of findings.
"""


@dataclass(slots=True)
class Use:
    """How the assessment page was used from the cards of one rule. ``answered``: finding -> number of answers."""

    rule: str
    used: int = 0
    completed: int = 0
    answered: dict[str, int] = field(default_factory=dict)

    @property
    def most(self) -> list[tuple[str, int]]:
        """The ten findings that were answered most often."""
        return sorted(self.answered.items(), key=lambda answer: (-answer[1], answer[0]))[:10]


class Assessments:
    """Counts assessments. Blocks, but never fails: a missing count must not disturb a clinician."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(
        self, now: datetime, client: str, rule: str, version: str, answered: Iterable[str], *, complete: bool
    ) -> None:
        """Count one assessment. Call this when it has led to an order or was saved."""
        what = [USED, *([COMPLETED] if complete else []), *sorted(answered)]
        frame = {"day": now.astimezone(UTC).date().isoformat(), "client": client, "rule": rule}
        rows = [{**frame, "content_version": version, "what": counted, "count": 1} for counted in what]
        insert = self._store.insert(table)
        keys = [column.name for column in table.primary_key]
        more = insert.on_conflict_do_update(index_elements=keys, set_={"count": table.c.count + 1})
        try:
            with self._store.engine.begin() as connection:
                connection.execute(more, rows)
        except (DatabaseError, OSError) as error:
            log.warning("assessment_not_counted", error=type(error).__name__)


def uses(store: Store) -> tuple[Use, ...]:
    """Return the counts by rule. The empty rule is for pages that were opened without a card."""
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
