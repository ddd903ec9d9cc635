"""An EHR that shows an error like an empty answer gets a card where others get 412."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.base.settings import Settings
from tests.charts import LEFT, observation, patient
from tests.conftest import Server, run_server
from tests.web.test_hook import is_outcome, request_for

HIDES = '[default]\nprofile = "sandbox"\n'


def calls_without_a_judgement() -> dict[str, dict[str, Any]]:
    """Calls that have nothing to judge by: nothing sent, the patient only, and a chart that is somebody else's."""
    nothing = request_for("dvt-likely")
    del nothing["prefetch"]
    bare = request_for("dvt-likely")
    bare["prefetch"] = {"patient": bare["prefetch"]["patient"]}
    others = request_for("dvt-likely")
    others["context"]["patientId"] = "p"
    rows = [observation("calf_swelling", site=LEFT), observation("pain_calf", site=LEFT)]
    rows = [row | {"subject": {"reference": "Patient/somebody-else"}} for row in rows]
    empty = dict.fromkeys(("conditions", "procedures", "medications", "orders"))
    found = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": row} for row in rows]}
    others["prefetch"] = {"patient": patient(), "observations": found, **empty}
    return {"nothing": nothing, "patient only": bare, "somebody else's": others}


CALLS = calls_without_a_judgement()


@pytest.fixture(scope="module")
def hiding() -> Iterator[Server]:
    yield from run_server(Settings(clients_toml=HIDES))


@pytest.mark.parametrize("name", CALLS)
def test_where_errors_are_hidden_a_card_says_that_nothing_was_judged(hiding: Server, server: Server, name: str) -> None:
    told = server.call(CALLS[name])
    assert told.status_code == 412
    assert is_outcome(told)
    answer = hiding.call(CALLS[name])
    assert answer.status_code == 200
    (card,) = answer.json()["cards"]
    assert card["summary"].startswith("Not judged: ")
    assert "not an all-clear" in card["summary"]
    assert card["source"]["topic"]["code"] == "kneegap1"
    assert "suggestions" not in card
    assert "links" not in card


def test_what_can_be_judged_is_judged_the_same(hiding: Server, server: Server) -> None:
    one, other = (each.call(request_for("dvt-likely")).json()["cards"] for each in (hiding, server))
    assert [card["summary"] for card in one] == [card["summary"] for card in other]
    assert hiding.call(request_for("other-site-pain")).json()["cards"] == []


def test_other_errors_stay_errors(hiding: Server) -> None:
    assert hiding.call({"hook": "patient-view"}).status_code == 400


def test_a_site_may_switch_the_card_off() -> None:
    for off in run_server(Settings(clients_toml=f'{HIDES}switched_off = ["gap"]\n')):
        assert off.call(CALLS["nothing"]).status_code == 412
