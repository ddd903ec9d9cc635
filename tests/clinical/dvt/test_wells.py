"""The two-level Wells score as a range of what is recorded (evidence C.1)."""

from __future__ import annotations

from cds_service.clinical.content.catalogue import Content
from tests.charts import SNOMED, concept, condition
from tests.clinical.dvt.signs import ALL_BUT_ONE, on, verdict


def test_complete_and_low_is_a_warning(content: Content) -> None:
    chart = [on("pain_calf"), on("calf_swelling"), on("redness"), *ALL_BUT_ONE, on("previous_dvt")]
    found = verdict(content, *chart)
    assert found.wells is not None
    assert found.wells.complete
    assert (found.wells.least, found.wells.most) == (1, 1)
    assert found.level == "warning"


def test_bed_rest_and_surgery_share_one_point(content: Content) -> None:
    found = verdict(content, on("pain_calf"), on("bedrest_3d"), on("recent_surgery"))
    assert found.wells is not None
    assert found.wells.least == 1
    one_denied = verdict(content, on("pain_calf"), on("calf_swelling"), on("bedrest_3d", present=False))
    assert one_denied.wells is not None
    assert ("recent_surgery",) in [item.not_recorded for item in one_denied.wells.not_recorded]


def test_item_ten_only_when_asserted(content: Content) -> None:
    cyst = condition(concept((SNOMED, "82675004")))
    with_cyst = verdict(content, on("pain_calf"), on("calf_swelling"), cyst)
    assert with_cyst.wells is not None
    assert with_cyst.wells.least == 0
    asserted = verdict(content, on("pain_calf"), on("calf_swelling"), on("alternative_diagnosis_asserted"))
    assert asserted.wells is not None
    assert asserted.wells.least == -2
    assert asserted.suspected
