"""Numbers that contradict each other, or the words that repeat them, are refused; the words of scores are built."""

from __future__ import annotations

import re

import pytest

from cds_service.base.errors import ContentError
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.load import load
from cds_service.clinical.content.loading.numbers import bands_of, numbers_in, range_words
from cds_service.clinical.content.models import Band
from tests.conftest import texts_without_codes

UK, US = "dvt/uk_ng158.toml", "dvt/us_ash2018.toml"
MEASURES, REASONING = "vocabulary/measures.toml", "reasoning.toml"


@pytest.fixture
def texts() -> dict[str, str]:
    return texts_without_codes()


def change(texts: dict[str, str], file: str, old: str, new: str, *, after: str = "") -> None:
    """The first ``old`` behind ``after`` becomes ``new``."""
    start = texts[file].index(after)
    assert old in texts[file][start:], old
    texts[file] = texts[file][:start] + texts[file][start:].replace(old, new, 1)


def mistakes(texts: dict[str, str], pathway: str = "uk_ng158") -> list[tuple[str, str]]:
    with pytest.raises(ContentError) as caught:
        load(texts, pathway)
    return [(problem.file, problem.place) for problem in caught.value.problems]


# --- the bands of a score ---


def bands(*limits: int) -> tuple[Band, ...]:
    return tuple(Band(name="x", score="{range}", at_least=limit, options=("x",)) for limit in limits)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ((2, -2), ["2 or more", "1 or less"]),
        ((3, 1, -2), ["3 or more", "1 to 2", "0 or less"]),
        ((3, 2, -2), ["3 or more", "2", "1 or less"]),
        ((5, 0, -2), ["5 or more", "0 to 4", "-1 or less"]),
    ],
)
def test_words_of_a_range(content: Content, limits: tuple[int, ...], words: list[str]) -> None:
    made = bands(*limits)
    assert [range_words(made, place, content.texts) for place in range(len(made))] == words


def test_no_brace_is_left_and_every_band_says_its_scores(texts: dict[str, str]) -> None:
    for pathway in ("uk_ng158", "us_ash2018"):
        found = load(texts, pathway)
        for place, band in enumerate(bands_of(found)):
            assert range_words(found.pathway.bands, place, found.texts) in band.score
            assert not re.search(r"[{}]", band.name + band.score + "".join(band.options))


def test_the_words_follow_the_numbers(texts: dict[str, str]) -> None:
    change(texts, UK, "at_least = 2", "at_least = 3")
    change(texts, UK, "critical_at = 2", "critical_at = 3")
    change(texts, UK, "excluded_by_d_dimer_at_most = 1", "excluded_by_d_dimer_at_most = 2")
    likely, unlikely = bands_of(load(texts, "uk_ng158"))
    assert (likely.name, likely.score) == ("DVT likely", "Wells 3 or more")
    assert (unlikely.name, unlikely.score) == ("DVT unlikely", "Wells 2 or less")


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (UK, "critical_at = 2", "critical_at = 3", "critical_at"),
        (UK, "critical_at = 2", "critical_at = 1", "critical_at"),
        (US, "critical_at = 2", "critical_at = 4", "critical_at"),
        (US, "critical_at = 2", "critical_at = 0", "critical_at"),
        (UK, "at_least = 2", "at_least = 3", "critical_at"),
        (US, "at_least = 1", "at_least = 2", "excluded_by_d_dimer_at_most"),
        (UK, "at_most = 1", "at_most = 0", "excluded_by_d_dimer_at_most"),
        (US, "at_most = 0", "at_most = 1", "excluded_by_d_dimer_at_most"),
        (UK, "at_least = -2", "at_least = -1", "bands"),
        (UK, "at_least = -2", "at_least = 2", "bands"),
        (US, "at_least = 1", "at_least = 4", "bands"),
        (US, "at_least = 3", "at_least = 10", "bands"),
        (UK, '"DVT likely"', '"DVT likely (2 or more)"', "bands.0"),
        (UK, '"D-dimer, result', '"1 or less: D-dimer, result', "bands.1"),
        (US, "Wells {range}", "Wells 3 or more", "bands.0"),
        (US, "{range}", "{rnge}", "bands.0"),
        (US, "{range}", "{range} {", "bands.0"),
    ],
)
def test_bands_that_contradict_the_limits_or_say_scores_of_their_own(
    texts: dict[str, str], file: str, old: str, new: str, place: str
) -> None:
    change(texts, file, old, new)
    assert (file, place) in mistakes(texts)


def test_a_band_that_does_not_say_its_scores(texts: dict[str, str]) -> None:
    texts[UK] = texts[UK].replace("Wells {range}", "Wells", 1)
    assert (UK, "bands.0") in mistakes(texts)


def test_a_rule_that_says_a_wells_score_of_its_own(texts: dict[str, str]) -> None:
    file = "red_flags/RF01-possible-deep-vein-thrombosis.toml"
    change(texts, file, "Phone the DVT service.", "Wells 2 or more: phone the DVT service.")
    assert (file, "card") in mistakes(texts)


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        (UK, "points = -2", "points = 1", "items.10.points"),
        (US, "points = 1", "points = -2", "items.1.points"),
        (UK, "fresh_sign = { days = 14", "fresh_sign = { days = 43", "fresh_sign"),
        (US, "stale_sign = { days = 42", "stale_sign = { days = 13", "fresh_sign"),
        (US, "new_pain = { days = 14", "new_pain = { days = 60", "new_pain"),
        (UK, "repeat_scan_before = { days = 8", "repeat_scan_before = { days = 5", "repeat_scan_after"),
        (US, "repeat_scan_after = { days = 6", "repeat_scan_after = { days = 9", "repeat_scan_after"),
        (REASONING, "strong_fit = 0.5", "strong_fit = 0.1", "strong_fit"),
        (REASONING, "possible = 0.08", "possible = 0.3", "fits"),
        (REASONING, "moderate_words = 2.0", "moderate_words = 6.0", "strong_words"),
        (REASONING, "group_cap = 15.0", "group_cap = 300.0", "total_cap"),
        (REASONING, "at_least = 15", "at_least = 45", "ages.male_young_athlete"),
        (REASONING, "adult_from = 18", "adult_from = 16", "adult_from"),
    ],
)
def test_limits_that_contradict_each_other(texts: dict[str, str], file: str, old: str, new: str, place: str) -> None:
    change(texts, file, old, new)
    assert (file, place) in mistakes(texts)


# --- words that repeat a value ---


def test_a_short_name_that_says_a_number_of_its_own(texts: dict[str, str]) -> None:
    change(texts, "findings/leg_veins_and_dvt.toml", "calf at least 3 cm larger", "calf at least 4 cm larger")
    file, place = mistakes(texts)[0]
    assert (file, place) == ("findings/leg_veins_and_dvt.toml", "calf_circumference_diff_3cm.short")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Heart rate over 100 or SpO2 under 95%", {100, 95}),
        ("Ankle-brachial index under 0.9", {0.9}),
        ("Male athlete aged 15-40", {15, 40}),
        ("Synovial WCC over 50 x10^9/L", {50}),
        ("calf 3 cm larger", {3}),
        ("warmth", set()),
    ],
)
def test_numbers_of_a_text(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers


@pytest.mark.parametrize(
    ("file", "after", "old", "new", "place"),
    [
        (MEASURES, "[body_temperature]", "threshold = 38", "threshold = 37", "body_temperature.threshold"),
        (MEASURES, "[oxygen_saturation]", "threshold = 95", "threshold = 92", "oxygen_saturation.threshold"),
        (MEASURES, "[calf_circumference]", "threshold = 3", "threshold = 2", "calf_circumference.threshold"),
        (MEASURES, "[heart_rate]", "threshold = 100", "threshold = 900", "heart_rate.threshold"),
        (MEASURES, "[ankle_brachial_index]", "threshold = 0.9", "threshold = 0.8", "ankle_brachial_index.threshold"),
        (REASONING, "", "older_than = 50", "older_than = 55", "ages.age_over_50"),
        (REASONING, "", "younger_than = 41", "younger_than = 36", "ages.male_young_athlete"),
        ("findings/clotting_risks.toml", "[recent_surgery]", "days = 84", "days = 42", "recent_surgery.recency"),
        ("findings/clotting_risks.toml", "[postpartum_6w]", "days = 42", "days = 84", "postpartum_6w.recency"),
        ("findings/clotting_risks.toml", "[long_haul_travel]", "8 weeks", "4 weeks", "long_haul_travel.recency"),
        (UK, "number = 6", "calf 3 cm", "calf 4 cm", "items.6.name"),
        (US, "number = 3", "12 weeks", "4 weeks", "items.3.name"),
    ],
)
def test_words_that_say_another_number(
    texts: dict[str, str], file: str, after: str, old: str, new: str, place: str
) -> None:
    change(texts, file, old, new, after=after)
    assert (file, place) in mistakes(texts)


@pytest.mark.parametrize("old", ["under 0.9", "at least 0.9"])
def test_a_rule_that_says_another_limit_than_the_finding_it_reads(texts: dict[str, str], old: str) -> None:
    file = next(name for name in texts if "/RF10-" in name)
    change(texts, file, old, old.replace("0.9", "0.8"))
    assert (file, "card") in mistakes(texts)


def test_a_lump_rule_that_says_another_size(texts: dict[str, str]) -> None:
    file = next(name for name in texts if "/RF12-" in name)
    change(texts, file, "Under 5 cm", "Under 6 cm")
    assert (file, "card") in mistakes(texts)
