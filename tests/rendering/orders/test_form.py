"""The order form: what is preset, what is missing, and that text and resource say the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.record import Side
from cds_service.protocol.messages import Context
from cds_service.rendering.order_draft import OrderDraft
from cds_service.rendering.orders.form import (
    ANTICOAGULANT,
    PRIORITIES,
    SIDES,
    OrderForm,
    anticoagulants,
    priorities,
    service_request,
    sides,
)
from tests.conftest import NOW, shipped_service

SERVICE = shipped_service()
CONTENT = SERVICE.content
CONTEXT = Context(userId="Practitioner/p", patientId="x", encounterId="e")
DRAFT = OrderDraft(
    rule="RF01",
    cause="dvt",
    orders=("dvt_referral", "venous_duplex"),
    side=Side.LEFT,
    priority="asap",
    words="suspected DVT",
    note="Wells 2 to 7.",
    why=("calf swelling 14 Mar",),
    unknown=("previous DVT",),
    references=("Observation/a", "Procedure/b"),
)
LEGS = {"32153003": "left", "62175007": "right"}
GOOD = OrderForm.preset(CONTENT, DRAFT)


def test_a_draft_comes_back_from_json_as_it_was() -> None:
    assert OrderDraft.of_json(DRAFT.as_json()) == replace(DRAFT, references=())


@pytest.mark.parametrize("side", list(Side))
def test_only_a_recorded_leg_is_preset(side: Side) -> None:
    preset = OrderForm.preset(CONTENT, replace(DRAFT, side=side))
    assert preset.side == (side.value if side in (Side.LEFT, Side.RIGHT) else "")
    assert ("side" in preset.mistakes(CONTENT)) is (preset.side == "")


def test_only_a_recorded_anticoagulant_is_preset() -> None:
    """None recorded is not none taken."""
    assert OrderForm.preset(CONTENT, DRAFT).anticoagulant == "unknown"
    assert OrderForm.preset(CONTENT, replace(DRAFT, anticoagulated=True)).anticoagulant == "taking"


FORMS = st.builds(
    OrderForm,
    service=st.sampled_from(sorted(CONTENT.orders)),
    priority=st.sampled_from(sorted(PRIORITIES)),
    side=st.sampled_from(sorted(SIDES)),
    indication=st.text(min_size=1, max_size=60).map(lambda t: t.strip() or "x"),
    question=st.text(max_size=60),
    anticoagulant=st.sampled_from(sorted(ANTICOAGULANT)),
    contact=st.text(max_size=30),
    note=st.text(max_size=60),
)


@given(FORMS)
def test_text_and_resource_say_what_the_form_says(form: OrderForm) -> None:
    form = OrderForm.read(form.as_dict())
    if form.mistakes(CONTENT):
        assert form.indication == ""  # nothing but what does not print was typed
        return
    template = CONTENT.orders[form.service]
    text = form.text(CONTENT, "Somebody")
    resource = service_request(CONTENT, form, DRAFT, CONTEXT, None, "u-1", NOW)
    ServiceRequest.model_validate(resource)
    assert f"Service: {template.title}" in text
    assert resource["code"]["text"].startswith(template.title)
    assert f"Priority: {priorities(CONTENT)[form.priority]}" in text
    assert resource["priority"] == form.priority
    legs = {LEGS[site["coding"][0]["code"]] for site in resource.get("bodySite", [])}
    if template.sided:
        assert f"Side: {sides(CONTENT)[form.side]}" in text
        assert legs == ({"left", "right"} if form.side == "both" else {form.side})
    else:
        assert "Side:" not in text
        assert not legs
    note = resource["note"][0]["text"]
    assert anticoagulants(CONTENT)[form.anticoagulant].lower() in note
    assert f"Anticoagulant: {anticoagulants(CONTENT)[form.anticoagulant]}" in text
    for typed in (form.question, form.note, form.contact):
        assert typed in note
        assert typed in text
    assert resource["reasonCode"][0]["text"] == form.indication
    assert (resource["status"], resource["intent"]) == ("active", "order")


def test_what_becomes_of_an_order_without_a_cause() -> None:
    bare = OrderDraft.bare(CONTENT, "dvt_referral")
    form = replace(GOOD, indication="seen by me")
    resource = service_request(CONTENT, form, bare, CONTEXT, None, "u-1", NOW)
    assert resource["reasonCode"] == [{"text": "seen by me"}]
    assert "reasonReference" not in resource


def test_references_are_reasons_or_support() -> None:
    resource = service_request(CONTENT, GOOD, DRAFT, CONTEXT, None, "u-1", NOW)
    assert resource["reasonReference"] == [{"reference": "Observation/a"}]
    assert resource["supportingInfo"] == [{"reference": "Procedure/b"}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", "nothing"), ("priority", "now"), ("side", "unknown"), ("side", ""), ("indication", ""),
        ("anticoagulant", ""), ("indication", "x" * 201), ("question", "x" * 401), ("contact", "x" * 121),
        ("note", "x" * 1501),
    ],
)  # fmt: skip
def test_mistakes_are_told_by_field(field: str, value: str) -> None:
    assert set(replace(GOOD, **{field: value}).mistakes(CONTENT)) == {field}
    assert GOOD.mistakes(CONTENT) == {}


def test_typed_text_stays_as_typed_but_for_what_does_not_print() -> None:
    read = OrderForm.read({"note": "a\r\nb\tc\u202e\u0000 <d> & 1. e@f.example", "side": " left "})
    assert read.note == "a b c <d> & 1. e@f.example"
    assert read.side == "left"
