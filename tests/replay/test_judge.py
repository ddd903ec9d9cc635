"""A chart that cannot be judged is counted with its reason, and the others are judged."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.replay.judge import Judge
from cds_service.replay.options import Options
from cds_service.replay.rows import Row
from cds_service.service.evaluate import Service
from tests.charts import LEFT_CALF, observation, patient
from tests.conftest import NOW

SECRET = "Exampleton-4711"


class FailsForOne(KeyedHash):
    """Pseudonyms with a bug that shows for one patient."""

    def of(self, *parts: str) -> str:
        if SECRET in parts:
            raise LookupError(SECRET)
        return super().of(*parts)


def chart(name: str) -> list[Row]:
    resources = [patient(), observation("calf_swelling", site=LEFT_CALF)]
    return [
        Row(
            name,
            one["resourceType"],
            str(one["id"]),
            orjson.dumps(one).replace(b"Patient/p", f"Patient/{name}".encode()),
        )
        for one in resources
    ]


def test_a_bug_in_one_chart_is_counted_logged_by_its_place_and_ends_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    judge = Judge(service, Options("in", Path("out"), at=NOW), FailsForOne("k" * 32), NOW, 10)
    failed = judge.chart(SECRET, chart(SECRET))
    (reason,) = failed.tally.of("patients_not_judged")
    assert reason.startswith("fault of the service: LookupError, test_judge.py:")
    assert failed.tally.total("patients") == 1
    assert failed.openings == []
    assert "'event': 'chart_not_judged'" in caplog.text
    assert "'place': 'test_judge.py:" in caplog.text
    assert SECRET not in caplog.text
    other = judge.chart("another", chart("another"))
    assert len(other.openings) == 1
    assert not other.tally.of("patients_not_judged")
