"""A glance at a plain number shows the same as its head; where it cannot, it says so."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.reading.heads import Glance, Head, head_of

_HEAD, _GLANCE = msgspec.json.Decoder(Head), msgspec.json.Decoder(Glance)

SOME_JSON: st.SearchStrategy[Any] = st.sampled_from([None, 7, "x", "", [], {}, [{}], {"x": 1}, [None], True])
CODING = st.fixed_dictionaries(
    {},
    optional={"system": st.sampled_from(["http://loinc.org", None, 3]), "code": st.sampled_from(["8867-4", None, 5])},
)
CONCEPT = st.one_of(SOME_JSON, st.fixed_dictionaries({}, optional={"coding": st.lists(CODING, max_size=2)}))
ODD = ("focus", "extension", "modifierExtension", "implicitRules", "dataAbsentReason")
NUMBER = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "subject": {"reference": "Patient/p"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "valueQuantity": {"value": 72},
    "effectiveDateTime": "2026-03-01",
}
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "resourceType": st.sampled_from(["Observation", "Condition", "X"]),
    "id": st.sampled_from(["o1", None]),
    "status": st.one_of(st.sampled_from(["final", "amended", "preliminary"]), SOME_JSON),
    "subject": st.one_of(
        SOME_JSON,
        st.fixed_dictionaries(
            {"reference": st.sampled_from(["Patient/p", "#p", "", None, 4])},
            optional={"type": SOME_JSON, "identifier": SOME_JSON, "display": st.just("x")},
        ),
    ),
    "code": CONCEPT,
    "category": st.one_of(CONCEPT, st.lists(CONCEPT, max_size=2)),
    "valueQuantity": st.one_of(SOME_JSON, st.just({"value": 3})),
    "effectiveDateTime": st.one_of(st.sampled_from(["2026-03-01T08:00:00Z", "2026-02-30", "2026"]), SOME_JSON),
    **{name: SOME_JSON for name in Head.__struct_fields__ if name not in (*NUMBER, "category", "conclusion")},
}


@given(st.fixed_dictionaries({}, optional=CHANGES))
def test_a_glance_shows_what_the_head_shows(changes: dict[str, Any]) -> None:
    resource = {**NUMBER, **changes}
    glance = _GLANCE.decode(orjson.dumps(resource)) if _has_glance(resource) else None
    if glance is None or not glance.is_number:
        return
    head = head_of(resource)
    codes, patient = glance.codes(), glance.patient()
    if codes is None or patient is None:
        assert head is None or head.codes_of_number() is None or head.subject is None or head.subject.plain is None
        return
    assert head is not None
    assert codes == head.codes_of_number()
    assert head.subject is not None
    assert patient == head.subject.plain
    assert head.hasMember is None
    if all(changes.get(name, 0) is not None for name in ODD):
        assert glance.day == head.day
    else:  # null says nothing, but only the head shows that
        assert glance.day is None


def _has_glance(resource: dict[str, Any]) -> bool:
    return isinstance(resource["valueQuantity"], dict | None)


def test_every_element_of_a_head_is_in_its_glance() -> None:
    """Else a number with such an element would pass for a plain one."""
    beside = {"conclusion"}  # which only a DiagnosticReport has
    assert set(Head.__struct_fields__) - beside == set(Glance.__struct_fields__)


def test_a_plain_number_is_known_at_a_glance() -> None:
    glance = _GLANCE.decode(orjson.dumps(NUMBER))
    assert glance.is_number
    assert (glance.patient(), glance.day) == ("Patient/p", "2026-03-01")
    assert glance.codes() == _HEAD.decode(orjson.dumps(NUMBER)).codes_of_number()
