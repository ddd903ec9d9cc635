"""The count of assessments: sums without persons, and never a reason to hold anybody up."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.adapters.store.assessments import Assessments, uses
from cds_service.adapters.store.store import Store
from tests.conftest import NOW


def count_one(assessments: Assessments) -> None:
    assessments.count(NOW, "north", "RF01", "4c38", ["active_cancer", "bedrest_3d"], complete=True)


def test_what_is_counted(database_url: str) -> None:
    store = Store.open(database_url)
    store.migrate()
    assessments = Assessments(store)
    count_one(assessments)
    count_one(assessments)
    assessments.count(NOW, "north", "RF01", "4c38", ["active_cancer"], complete=False)
    (use,) = uses(store)
    assert (use.rule, use.used, use.completed) == ("RF01", 3, 2)
    assert use.answered == {"active_cancer": 3, "bedrest_3d": 2}
    store.close()


def test_without_a_database_it_is_logged_and_fails_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No tables yet: the database refuses the row. The next count is kept."""
    store = Store.open(f"sqlite:///{tmp_path}/cards.db")
    count_one(Assessments(store))
    assert "'event': 'assessment_not_counted'" in caplog.text
    assert "active_cancer" not in caplog.text
    store.migrate()
    count_one(Assessments(store))
    assert uses(store)[0].used == 1
    assert caplog.text.count("assessment_not_counted") == 1
    store.close()
