"""The nine worked cases of the evidence (F.2), with the numbers printed there.

Where a likelihood ratio was revised since, the sum was worked out anew by hand, group by group: DVT in the cases with
calf pain and swelling (3.0 and 4.0), McMurray 2.3, Lachman 0.22, blood in the joint, rheumatoid arthritis 1.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cds_service.cli.evaluate import judge
from cds_service.clinical.assessment import Assessment
from cds_service.service.evaluate import Service
from tests.conftest import EXAMPLES, NOW

Row = tuple[str, float, float, float]
"""Cause, prior, sum of log-LR, posterior as printed (two decimals)."""


@dataclass(frozen=True)
class Case:
    number: int
    causes: tuple[Row, ...]
    dvt: tuple[float, float]
    card: str
    wells: tuple[int, int] | None = None
    strongest: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)


CASES = (
    Case(
        1,
        (
            ("knee_oa", 0.2, 3.47, 0.89),
            ("bakers_cyst", 0.2, 3.31, 0.87),
            ("hamstring_tendinopathy", 0.05, 1.28, 0.16),
            ("patellofemoral_pain", 0.06, 0.41, 0.09),
            ("chondromalacia_patellae", 0.02, 0.69, 0.04),
        ),
        (0.013, -0.47),
        "none",
        strongest={"bakers_cyst": (("swelling_behind_knee", 1.79), ("knee_effusion", 0.59), ("worse_bending", 0.41))},
    ),
    Case(
        2,
        (
            ("calf_tear", 0.05, 1.95, 0.27),
            ("bakers_cyst_ruptured", 0.02, 2.60, 0.22),
            ("compartment_syndrome", 0.0005, 0.69, 0.00),
        ),
        (0.3361, 3.21),
        "critical",
        (4, 6),
        {"calf_tear": (("pain_calf", 1.10), ("calf_swelling", 0.59), ("deep_vein_tenderness", 0.26))},
    ),
    Case(
        3,
        (
            ("calf_tear", 0.05, 1.69, 0.22),
            ("bakers_cyst_ruptured", 0.02, 2.20, 0.16),
            ("cellulitis", 0.005, 1.50, 0.02),
            ("popliteal_entrapment", 0.001, 0.69, 0.00),
            ("compartment_syndrome", 0.0005, 0.69, 0.00),
        ),
        (0.3625, 3.33),
        "critical",
        (0, 9),
    ),
    Case(
        4,
        (
            ("meniscal_tear", 0.12, 4.92, 0.95),
            ("hyperextension_injury", 0.03, 1.65, 0.14),
            ("ligament_sprain", 0.06, 0.36, 0.08),
            ("inflammatory_arthritis", 0.03, 0.92, 0.07),
            ("pcl_plc_injury", 0.01, 1.16, 0.03),
        ),
        (0.017, -0.14),
        "none",
        strongest={
            "ligament_sprain": (("lachman_positive", -1.51), ("trauma_recent", 1.39), ("haemarthrosis_4h", -0.51))
        },
    ),
    Case(
        5,
        (
            ("hamstring_injury", 0.06, 5.30, 0.93),
            ("hamstring_tendinopathy", 0.05, 3.07, 0.53),
            ("calf_tear", 0.05, 2.16, 0.31),
            ("lumbar_radiculopathy", 0.05, 0.92, 0.12),
            ("ligament_sprain", 0.06, 0.47, 0.09),
        ),
        (0.013, -0.40),
        "none",
    ),
    Case(
        6,
        (
            ("calf_tear", 0.05, 5.30, 0.91),
            ("bakers_cyst_ruptured", 0.02, 2.94, 0.28),
            ("hamstring_injury", 0.06, 1.10, 0.16),
            ("ligament_sprain", 0.06, 0.83, 0.13),
            ("gastrocnemius_tendinopathy", 0.01, 1.10, 0.03),
        ),
        (0.0837, 1.50),
        "warning",
        (-1, -1),
    ),
    Case(
        7,
        (
            ("hyperextension_injury", 0.03, 4.88, 0.80),
            ("pcl_plc_injury", 0.01, 5.30, 0.67),
            ("ligament_sprain", 0.06, 2.25, 0.38),
            ("meniscal_tear", 0.12, 1.60, 0.40),
            ("fracture", 0.01, 2.71, 0.13),
        ),
        (0.026, 0.26),
        "none",
    ),
    Case(
        8,
        (
            ("popliteal_aneurysm", 0.003, 5.30, 0.38),
            ("bakers_cyst", 0.2, 0.84, 0.37),
            ("soft_tissue_sarcoma", 0.0005, 1.61, 0.00),
            ("popliteal_entrapment", 0.001, 0.59, 0.00),
        ),
        (0.026, 0.26),
        "none",
    ),
    Case(
        9,
        (
            ("bakers_cyst_ruptured", 0.02, 5.19, 0.79),
            ("bakers_cyst", 0.2, 0.72, 0.34),
            ("inflammatory_arthritis", 0.03, 3.00, 0.38),
            ("calf_tear", 0.05, 2.38, 0.36),
            ("septic_arthritis", 0.002, 1.61, 0.01),
        ),
        (0.1783, 2.36),
        "critical",
        (1, 6),
        {"bakers_cyst_ruptured": (("crescent_sign_ankle", 2.30),)},
    ),
)


def judged(service: Service, number: int) -> Assessment:
    return judge(service, (EXAMPLES / f"worked-case-{number}.json").read_bytes(), NOW)[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"case-{case.number}")
def test_numbers_are_those_printed(service: Service, case: Case) -> None:
    leg = judged(service, case.number).legs[0]
    found = {one.cause: one for one in leg.differential}
    for cause, prior, total, posterior in case.causes:
        one = found[cause]
        assert one.prior == pytest.approx(prior)
        assert one.sum_log_lr == pytest.approx(total, abs=0.006)
        assert one.posterior == pytest.approx(posterior, abs=0.0051)
    assert leg.dvt_explained.posterior == pytest.approx(case.dvt[0], abs=0.00051)
    assert leg.dvt_explained.sum_log_lr == pytest.approx(case.dvt[1], abs=0.006)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"case-{case.number}")
def test_dvt_card_and_wells(service: Service, case: Case) -> None:
    assessment = judged(service, case.number)
    levels = [flag.indicator for flag in assessment.urgent if flag.rule == "RF01"]
    assert levels == ([] if case.card == "none" else [case.card])
    if case.wells:
        wells = assessment.legs[0].dvt.wells
        assert wells is not None
        assert (wells.least, wells.most) == case.wells


@pytest.mark.parametrize("case", [c for c in CASES if c.strongest], ids=lambda case: f"case-{case.number}")
def test_strongest_contributions(service: Service, case: Case) -> None:
    found = {one.cause: one for one in judged(service, case.number).differential}
    for cause, expected in case.strongest.items():
        counted = [part for part in found[cause].contributions if part.counted]
        for (finding, value), part in zip(expected, counted, strict=False):
            assert part.finding == finding
            assert part.log_lr == pytest.approx(value, abs=0.006)
