"""Who the patient is, in the words of the order page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.service.smart.chart import patient_words

MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}


@pytest.mark.parametrize(
    ("patient", "words"),
    [
        ({"name": [{"text": "Ann Other"}], "birthDate": "1970-01-02"}, "Ann Other, born 1970-01-02"),
        ({"name": [{"family": "Other", "given": ["Ann", "B."]}], "gender": "female"}, "Ann B. Other, female"),
        ({"name": [{"use": "old", "text": "Was"}, {"use": "official", "text": "Is"}]}, "Is"),
        ({"name": [{"use": "nickname", "text": "Nick"}, {"use": "usual", "text": "Usual"}]}, "Usual"),
        ({"identifier": [{"value": "1"}, {"type": MR, "value": "2"}]}, "number 2"),
        ({"identifier": [{"value": "1"}]}, "number 1"),
        ({"name": [{"text": "A\u202e\nB"}]}, "A B"),
        ({"name": "x", "birthDate": 7, "identifier": {"value": "1"}}, ""),
        ({"name": [None, 7, {"given": "Ann", "family": ["x"]}]}, ""),
        ({}, ""),
    ],
)
def test_words(patient: dict[str, Any], words: str) -> None:
    assert patient_words(patient) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["use", "text", "given", "family", "type", "value"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional={"name": JSON, "birthDate": JSON, "gender": JSON, "identifier": JSON}))
def test_no_patient_is_too_odd(patient: dict[str, Any]) -> None:
    assert patient_words(patient).isprintable()
