"""The shape of our orders is a strict subset of FHIR: what fits it, ``fhir.resources`` accepts too."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.base.errors import ContentError
from cds_service.clinical.content.models import OrderCode
from cds_service.clinical.record import Fact, Side, Status
from cds_service.protocol.messages import Context
from cds_service.rendering.orders.requests import OrderReason, check_templates, draft
from cds_service.rendering.orders.valid import check_order, fits
from tests.conftest import shipped_service
from tests.mutations import ANYTHING, mutate, retype
from tests.mutations import resources as resources_of

CONTENT = shipped_service().content
CONTEXT = Context(userId="Practitioner/p", patientId="x", encounterId="e")
KEYS = sorted(CONTENT.orders)


def order(key: str, side: Side) -> dict[str, Any]:
    facts = tuple(
        Fact(next(iter(CONTENT.findings)), Status.PRESENT, side, None, None, source)
        for source in ("Observation/a", "Procedure/b")
    )
    return draft(CONTENT, key, side, OrderReason("dvt", "w", facts, "n", "urgent"), CONTEXT, date(2026, 1, 1))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("side", list(Side))
def test_every_draft_fits_and_is_valid_fhir(key: str, side: Side) -> None:
    assert fits(order(key, side))
    ServiceRequest.model_validate(order(key, side))


@given(st.randoms(use_true_random=True), st.sampled_from(KEYS), st.sampled_from(list(Side)))
def test_what_fits_after_damage_is_valid_fhir(dice: Random, key: str, side: Side) -> None:
    body = {
        "hook": "",
        "hookInstance": "",
        "context": {},
        "prefetch": {"orders": {"entry": [{"resource": copy.deepcopy(order(key, side))}]}},
    }
    mutate(dice, body, ANYTHING if dice.random() < 0.7 else (retype,), 3)
    for spoilt in resources_of(body):
        if fits(spoilt):
            ServiceRequest.model_validate(spoilt)


def test_what_does_not_fit_may_be_valid_all_the_same() -> None:
    more = {**order(KEYS[0], Side.LEFT), "doNotPerform": False}
    assert not fits(more)
    check_order(more)


@pytest.mark.parametrize("wrong", [{"status": 1}, {"note": [{}]}, {"authoredOn": "yesterday"}])
def test_what_is_not_valid_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        check_order({**order(KEYS[0], Side.LEFT), **wrong})


def test_a_template_that_makes_no_valid_order_is_named() -> None:
    code = OrderCode.model_construct(system="snomed", code=" ", display="")
    broken = CONTENT.orders[KEYS[0]].model_copy(update={"category": code})
    with pytest.raises(ContentError) as raised:
        check_templates(replace(CONTENT, orders={**CONTENT.orders, KEYS[0]: broken}))
    assert {problem.file for problem in raised.value.problems} == {f"orders/{KEYS[0]}.toml"}
