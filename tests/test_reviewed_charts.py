"""Thirty invented charts that a clinical review asked for: what must come out, and what must not.

Worked out by hand from the rules they are about. The charts are requests as an EHR sends them, of 28 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.cli.evaluate import judge
from cds_service.service.evaluate import Service

FOLDER = Path(__file__).parent / "clinical" / "reviewed"
THEN = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Expected:
    """What must come out.

    Attributes:
        urgent: (rule, cause, speed) of every red flag. dvt: the level of a suspected DVT.
        named: words that the cards hold. not_named: words that none holds.
        causes: among those shown or in mind, in this order where there are several.
    """

    urgent: tuple[tuple[str, str, str], ...] = ()
    dvt: str = ""
    named: tuple[str, ...] = ()
    not_named: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    silent: bool = False


SEPTIC = ("RF07", "septic_arthritis", "same_day")
DVT = ("RF01", "dvt", "same_day")
EXPECTED = {
    "01": Expected((SEPTIC,), causes=("septic_arthritis",), not_named=("D-dimer",)),
    "02": Expected((SEPTIC,), not_named=("D-dimer", "assessing for PE")),
    "03": Expected((SEPTIC,), causes=("inflammatory_arthritis",), not_named=("D-dimer",)),
    "04": Expected((SEPTIC,)),
    "05": Expected((("RF09", "fracture", "same_day"),), named=("x-ray today", "fall on the bent knee")),
    "06": Expected((("RF08", "compartment_syndrome", "now"),), not_named=("One sign of",)),
    "07": Expected(named=("an Ottawa knee criterion", "fracture at the knee"), causes=("ligament_sprain",)),
    "08": Expected(causes=("peripheral_arterial_disease",), not_named=("phoning vascular on call, and ED",)),
    "09": Expected(
        (("RF21", "knee_dislocation", "same_day"), ("RF15", "peroneal_nerve", "same_day")),
        named=("pulses and ABI today",),
    ),
    "10": Expected((DVT,), dvt="critical", named=("maternity triage",)),
    "11": Expected(named=("DVT suspected?", "Wells first", "Safety net"), causes=()),
    "12": Expected((DVT,), dvt="warning", named=("D-dimer", "HRT")),
    "13a": Expected(named=("popliteal artery entrapment",)),
    "13b": Expected(causes=("peripheral_arterial_disease", "popliteal_aneurysm"), named=("ankle-brachial index",)),
    "14": Expected(causes=("hamstring_injury",)),
    "15": Expected((("RF11", "meniscal_tear", "two_weeks"),), causes=("meniscal_tear",)),
    "16": Expected(silent=True),
    "17": Expected((("RF11", "ligament_sprain", "two_weeks"),), named=("Under 18",), causes=("ligament_sprain",)),
    "18": Expected(named=("both legs",), not_named=("calf muscle tear",)),
    "19": Expected(causes=("meniscal_tear",)),
    "20": Expected(silent=True),
    "21": Expected(silent=True),
    "22": Expected(named=("septic arthritis",), not_named=("Not read", "no fever")),
    "23": Expected(causes=("knee_oa", "meniscal_tear")),
    "24": Expected(
        (DVT,), dvt="warning", named=("uptured Baker's cyst",), causes=("bakers_cyst", "bakers_cyst_ruptured")
    ),
    "25": Expected((("RF19", "pulmonary_embolism", "same_day"),), named=("assessing for PE today", "fainting")),
    "26": Expected(named=("Tender along the deep veins?", "Wells first")),
    "27": Expected((("RF10", "knee_dislocation", "now"),), named=("knee deformity",)),
    "28": Expected((DVT,), dvt="warning"),
    "29": Expected((DVT,), dvt="warning"),
}


def chart(number: str) -> bytes:
    (path,) = FOLDER.glob(f"{number}-*.json")
    return path.read_bytes()


def test_every_chart_has_its_expectation() -> None:
    assert {path.name.split("-")[0] for path in FOLDER.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("number", sorted(EXPECTED))
def test_a_reviewed_chart(service: Service, number: str) -> None:
    wanted = EXPECTED[number]
    cards, assessment = judge(service, chart(number), THEN)
    assert {(flag.rule, flag.cause, flag.speed) for flag in assessment.urgent} == set(wanted.urgent)
    levels = [flag.indicator for flag in assessment.urgent if flag.rule == "RF01"]
    assert levels == ([wanted.dvt] if wanted.dvt else [])
    ranked = [one.cause for one in assessment.differential]
    assert [cause for cause in ranked if cause in wanted.causes] == list(wanted.causes)
    assert (not cards) == wanted.silent
    words = "\n".join(f"{one.summary}\n{one.detail}" for one in cards)
    assert [part for part in wanted.named if part not in words] == []
    assert [part for part in wanted.not_named if part in words] == []


def test_one_entry_is_one_sign_as_its_control_says(service: Service) -> None:
    """Oedema coded at the lower leg and swelling of the lower leg are the same picture."""
    cards = [judge(service, chart(number), THEN)[0] for number in ("28", "29")]
    assert [(one.indicator, one.summary) for one in cards[0]] == [(one.indicator, one.summary) for one in cards[1]]
