"""Judging a chart in which one fact stands thousands of times grows in proportion to it, not with its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from cds_service.clinical.reading import ChartEntry
from cds_service.protocol.messages import Context
from cds_service.service.evaluate import Service
from tests.charts import LEFT, RIGHT, Resource, observation, patient
from tests.conftest import NOW


def times(count: int, *keys: str, side: str = LEFT) -> list[Resource]:
    return [observation(key, site=side, ago=number % 7) for number in range(count) for key in keys]


CHARTS: dict[str, Callable[[int], list[Resource]]] = {
    "chest symptoms with DVT signs": lambda n: times(n, "chest_pain_dyspnoea", "calf_swelling", "pain_calf"),
    "both legs swollen": lambda n: [
        *times(n, "calf_swelling", "pain_calf"),
        *times(n, "calf_swelling", "pain_calf", side=RIGHT),
        observation("heart_failure"),
    ],
    "a lump and a knee": lambda n: times(n, "swelling_behind_knee", "knee_effusion", "pain_behind_knee", "fever"),
    "unknown codes": lambda n: times(n, "pain_calf", "no_such_finding"),
    "denials": lambda n: (
        [{**one, "valueBoolean": False} for one in times(n, "calf_swelling", "warmth")] + times(n, "pain_calf")
    ),
}


def calls(service: Service, chart: list[Resource]) -> int:
    """The number of Python calls that judging the chart and composing its cards takes."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    rows = tuple(ChartEntry(resource) for resource in (patient(), *chart))
    sys.setprofile(seen)
    try:
        assessment = service.judge("p", rows, NOW)
        service.cards(assessment, Context(userId="Practitioner/a", patientId="p"), NOW)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", CHARTS)
def test_four_times_the_facts_are_four_times_the_work(service: Service, kind: str) -> None:
    few, many = (calls(service, CHARTS[kind](count)) for count in (100, 400))
    assert many < 4.4 * few
