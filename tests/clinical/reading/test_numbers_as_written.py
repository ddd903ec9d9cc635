"""What the codes of a number say is remembered as written, for all charts of a content, and within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import orjson
import pytest

from cds_service.base.strict_json import JsonLimits
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import NumberUse
from cds_service.clinical.reading import ChartEntry, Glance, read_record, sorting
from cds_service.clinical.record import RowState
from cds_service.protocol.bundle_rows import UnparsedEntry
from tests.charts import LOINC, patient
from tests.conftest import NOW, shipped_service

SODIUM, CRP = "2951-2", "1988-5"
_glance = msgspec.json.Decoder(Glance)


@pytest.fixture
def content() -> Content:
    """The shipped content, which has read nothing yet."""
    return replace(shipped_service().content)


def number(place: int, code: str = SODIUM, display: str = "", subject: str = "Patient/p") -> ChartEntry:
    row = {
        "resourceType": "Observation",
        "id": f"n{place}",
        "status": "final",
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-03-15",
        "code": {"coding": [{"system": LOINC, "code": code, "display": display}]},
        "valueQuantity": {"value": 140, "unit": "mmol/L"},
    }
    text = orjson.dumps(row)
    raw = msgspec.Raw(orjson.dumps({"resource": row}))
    return UnparsedEntry(_glance.decode(text), None, raw, JsonLimits(64, 100_000))


def states(content: Content, rows: Sequence[ChartEntry]) -> dict[RowState, int]:
    record = read_record(content, "p", [ChartEntry(patient(id="p")), *rows], NOW)
    return {state: record.rows(state) for state in RowState if record.rows(state)}


class Counting:
    """Counts how often codes have been decoded."""

    def __init__(self, content: Content) -> None:
        self.times = 0
        self._use = content.use_of_number
        content.__dict__["use_of_number"] = self

    def __call__(self, *codes: Any) -> NumberUse:
        self.times += 1
        return self._use(*codes)


@pytest.fixture
def decoded(content: Content) -> Counting:
    return Counting(content)


def test_each_spelling_is_decoded_once_for_all_charts(content: Content, decoded: Counting) -> None:
    rows = [number(place, display="Sodium" if place % 2 else "Na") for place in range(20)]
    for _ in range(3):
        assert states(content, rows) == {RowState.READ: 1, RowState.NO_CONCERN: 20}
    assert decoded.times == 2


def test_it_is_decoded_once_however_patients_are_named_and_however_many_spellings_there_are(
    content: Content, decoded: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "_MAX_CODED", 2)
    rows = [number(place, display=f"name {place % 5}", subject=f"Patient/p/_history/{place}") for place in range(40)]
    assert states(content, rows) == {RowState.READ: 1, RowState.NO_CONCERN: 40}
    assert decoded.times == 5


def test_a_long_spelling_is_decoded_once_for_its_chart_and_then_forgotten(content: Content, decoded: Counting) -> None:
    rows = [number(place, display="Sodium " * 300) for place in range(20)]
    for chart in (1, 2, 3):
        assert states(content, rows) == {RowState.READ: 1, RowState.NO_CONCERN: 20}
        assert decoded.times == chart
    assert not content.numbers_as_written


def test_only_so_many_spellings_are_remembered(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_MAX_CODED", 5)
    rows = [number(place, CRP if place % 3 == 0 else SODIUM, f"name {place % 9}") for place in range(60)]
    found = states(content, rows)
    assert 0 < len(content.numbers_as_written) <= 5
    monkeypatch.setattr(sorting, "_MAX_CODED", 1_000)
    assert states(replace(content), rows) == found
    assert found[RowState.NO_CONCERN] == 40


def test_what_one_content_remembers_is_nothing_to_another(content: Content) -> None:
    row = number(1, CRP)  # in a unit that is none of its own
    assert states(content, [row]) == {RowState.READ: 1, RowState.NOT_UNDERSTOOD: 1}
    (known,) = content.numbers_as_written
    content.numbers_as_written[known] = NumberUse(is_of_concern=False, is_identified=True, days=0)
    assert states(content, [row]) == {RowState.READ: 1, RowState.NO_CONCERN: 1}
    assert states(replace(content), [row]) == {RowState.READ: 1, RowState.NOT_UNDERSTOOD: 1}
