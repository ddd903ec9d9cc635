"""The net of words: what is said in words only, or by types that are not read, is not passed over."""

from __future__ import annotations

import pytest

from cds_service.clinical.content import Content
from tests.charts import condition, judged, named


@pytest.mark.parametrize("text", ["Acute DVT of left leg", "suspected DVT", "DVT left thigh", "?DVT"])
def test_an_acronym_is_a_name(content: Content, text: str) -> None:
    (unread,) = judged(content, condition({"text": text})).record.unread
    assert "dvt" in unread.keys
    assert judged(content, condition({"text": text})).doubts.complaint


@pytest.mark.parametrize("text", ["Right shoulder pain", "Essential hypertension", "Fracture of wrist"])
def test_other_words_raise_nothing(content: Content, text: str) -> None:
    assert not judged(content, condition({"text": text})).doubts.complaint


@pytest.mark.parametrize("status", ["completed", "amended", "in-progress"])
def test_a_questionnaire_that_is_completed_is_not_over(content: Content, status: str) -> None:
    item = [{"linkId": "1", "text": "Calf swelling", "answer": [{"valueBoolean": True}]}]
    row = named("QuestionnaireResponse", status=status, item=item, authored="2026-03-14")
    assert judged(content, row).doubts.complaint


@pytest.mark.parametrize("status", ["completed", "in-progress"])
def test_neither_is_an_impression(content: Content, status: str) -> None:
    row = named("ClinicalImpression", status=status, summary="Acute DVT likely", date="2026-03-14")
    assert judged(content, row).doubts.complaint
