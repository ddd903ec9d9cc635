"""Dates name nothing, and resources that differ only in what is not looked at are recognised alike."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.recognition import looked_at

VISIT: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "reasonCode": [{"text": "Calf swelling"}],
    "period": {"start": "2026-03-15T08:00:00+00:00", "end": "2026-03-15T08:30:00Z"},
    "participant": [{"individual": {"reference": "Practitioner/d1"}}],
}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "e2", "status": "in-progress"},
        {"period": {"start": "2025-01-01T10:00:00.123-05:00", "end": "2025-01-01T11:00"}},
        {"participant": [{"individual": {"reference": "Practitioner/dvt"}}]},
    ],
)
def test_what_is_not_looked_at_changes_nothing(content: Content, changes: dict[str, Any]) -> None:
    other = {**VISIT, **changes}
    assert looked_at(other) == looked_at(VISIT)
    assert content.recogniser.recognise(other) == content.recogniser.recognise(VISIT)
    assert content.recogniser.recognise(VISIT).keys


@pytest.mark.parametrize(
    "changes",
    [
        {"resourceType": "Procedure"},
        {"reasonCode": [{"text": "Calf pain"}]},
        {"class": {"system": "http://snomed.info/sct", "code": "AMB"}},
        {"class": {"code": "AMB"}},
        {"class": {"system": "urn:x", "code": "2026-03-15T08:00:00Z"}},
        {"period": {"start": "2026-03-15T08:00:00Z or DVT"}},
        {"length": {"value": 30}},
        {"length": {"value": 30.5}},
        {"partOf": [VISIT]},
    ],
)
def test_what_is_looked_at_counts(changes: dict[str, Any]) -> None:
    assert looked_at({**VISIT, **changes}) != looked_at(VISIT)


def test_a_moment_is_not_searched_for_words(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    def noted(text: str) -> frozenset[str]:
        searched.append(text)
        return frozenset()

    monkeypatch.setattr(content.word_net, "keys_in", noted)
    content.recogniser.recognise(VISIT)
    assert "Calf swelling" in searched
    assert not any(text.startswith("2026") for text in searched)
