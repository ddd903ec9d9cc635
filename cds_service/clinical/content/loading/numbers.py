"""Check that numbers agree with each other, and that words agree with the numbers they repeat.

The scores of a band are filled into its words from the thresholds. Other words that repeat a value are compared with
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from cds_service.base.errors import Problem
from cds_service.clinical.content import models as c
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.texts import Texts

RANGE = "{range}"
"""The placeholder for the scores of a band."""

_BRACES = re.compile(r"[{}]")
_SCORE = re.compile(r"(?<![\w.])-?\d+ (?:or (?:more|less|above|below|over|under)|to -?\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.^])\d+(?:\.\d+)?(?![\w^]|\.\d)")
_WINDOW = re.compile(r"\b(?:within|in last|in the last) (\d+) (days|weeks|months)\b", re.IGNORECASE)
_DAYS = {"days": 1.0, "weeks": 7.0, "months": 30.5}


def numbers_in(text: str) -> set[float]:
    """Return the numbers of ``text`` that are separate words; the 2 of SpO2 does not count."""
    return {float(number) for number in _NUMBER.findall(text)}


# --- the bands of a score ---


def range_words(bands: tuple[c.Band, ...], place: int, texts: Texts) -> str:
    """Return the scores of one of ``bands`` in words: ``2 or more``, ``1 to 2``, ``1 or less``.

    ``bands``: the highest first. ``place``: the index of the band.
    """
    least, score_texts = bands[place].at_least, texts.score
    if place == 0:
        return score_texts.or_more.fill(points=least)
    most = bands[place - 1].at_least - 1
    if place == len(bands) - 1:
        return score_texts.or_less.fill(points=most)
    return f"{least}" if least == most else score_texts.to.fill(least=least, most=most)


def bands_of(content: Content) -> tuple[c.Band, ...]:
    """Return the bands of the pathway with their scores filled in, in the language of the content."""
    bands = content.pathway.bands
    return tuple(
        band.model_copy(update={"score": band.score.replace(RANGE, range_words(bands, place, content.texts))})
        for place, band in enumerate(bands)
    )


def of_pathway(file: str, pathway: c.Pathway) -> Iterator[Problem]:
    """Yield points, bands and windows that contradict each other, and scores written out in words."""
    for item in pathway.items:
        if (item.points < 0) != (item.number == c.ASSERTED_ITEM):
            words = f"only item {c.ASSERTED_ITEM} may subtract points, and it must"
            yield Problem(file, f"items.{item.number}.points", words, "one of the other items adds 1")
    yield from _of_bands(file, pathway)
    spans = (
        ("fresh_sign", "stale_sign"),
        ("new_pain", "complaint"),
        ("repeat_scan_after", "repeat_scan_before"),
    )
    for shorter, longer in spans:
        if getattr(pathway, shorter).days > getattr(pathway, longer).days:
            yield Problem(file, shorter, f"is longer than `{longer}`", "the two are in days")


def _of_bands(file: str, pathway: c.Pathway) -> Iterator[Problem]:
    limits = [band.at_least for band in pathway.bands]
    lowest = sum(item.points for item in pathway.items if item.points < 0)
    highest = sum(item.points for item in pathway.items if item.points > 0)
    if limits != sorted(set(limits), reverse=True):
        yield Problem(file, "bands", "`at_least` must fall from band to band", "put the highest band first")
    elif limits[-1] != lowest or limits[0] > highest:
        yield Problem(file, "bands", f"must reach from the lowest score, {lowest}, to at most {highest}")
    elif not limits[-2] <= pathway.critical_at <= limits[0]:
        words = f"must lie in a band above the lowest: from {limits[-2]} to {limits[0]}"
        yield Problem(file, "critical_at", words, "change the bands with it")
    elif pathway.excluded_by_d_dimer_at_most != limits[-2] - 1:
        words = f"must be the top of the lowest band, {limits[-2] - 1}"
        yield Problem(file, "excluded_by_d_dimer_at_most", words, "change the bands with it")
    for place, band in enumerate(pathway.bands):
        for text in (band.name, band.score, *band.options):
            yield from _of_band_words(file, f"bands.{place}", text)
        if RANGE not in band.score:
            yield Problem(file, f"bands.{place}", "does not give its scores", f"put {RANGE} where they belong")


def _of_band_words(file: str, place: str, text: str) -> Iterator[Problem]:
    if _BRACES.search(text.replace(RANGE, "")):
        yield Problem(file, place, f"contains braces other than {RANGE}", f"only {RANGE} can be filled in")
    if found := _SCORE.search(text):
        yield Problem(file, place, f"writes out a score: `{found.group()}`", f"put {RANGE}; the numbers fill it in")


# --- words that repeat a value ---


def of_units(measures: Mapping[str, c.Measure], others: Iterable[str]) -> Iterator[Problem]:
    """Yield units listed as irrelevant that a measure uses."""
    own = {unit.ucum.lower(): key for key, measure in measures.items() for unit in measure.units}
    for unit in others:
        if unit.lower() in own:
            yield Problem("vocabulary/answers.toml", "other_units", f"`{unit}` is a unit of `{own[unit.lower()]}`")


def of_findings(
    findings: Mapping[str, c.Finding],
    measures: Mapping[str, c.Measure],
    reasoning: c.Reasoning | None,
    files: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield findings whose name gives another limit or window than the one in use. ``files``: key -> file."""
    for key, measure in measures.items():
        low, high = measure.plausible
        # If two legs are compared, `plausible` is for one leg and the threshold is for their difference.
        if not measure.compare_sides and not low < measure.threshold < high:
            yield Problem("vocabulary/measures.toml", f"{key}.threshold", "lies outside `plausible`")
        finding = findings.get(measure.finding)
        if finding is not None:
            limits = ((measure.threshold,),)
            yield from _unsaid("vocabulary/measures.toml", f"{key}.threshold", finding.name, limits)
    for age in reasoning.ages if reasoning else ():
        finding = findings.get(age.finding)
        if finding is not None:
            yield from _unsaid("reasoning.toml", f"ages.{age.finding}", finding.name, _age_limits(age))
    for key, finding in findings.items():
        for number, unit in _WINDOW.findall(finding.name):
            if finding.recency is None or round(finding.recency.days / _DAYS[unit]) != int(number):
                words = f"the name says {number} {unit}, which is not its `recency`"
                yield Problem(files[key], f"{key}.recency", words, "change both or neither")
        if own := numbers_in(finding.short) - numbers_in(finding.name):
            words = f"says {min(own):g}, which is not in the name"
            yield Problem(files[key], f"{key}.short", words, "the name must give the limit that is used")


def _age_limits(age: c.AgeFinding) -> tuple[tuple[float, ...], ...]:
    """Return each limit with the numbers that may express it: "younger than 41" may be written "up to 40"."""
    below = () if age.younger_than is None else ((age.younger_than, age.younger_than - 1),)
    return tuple((limit,) for limit in (age.older_than, age.at_least) if limit is not None) + below


def _unsaid(file: str, place: str, name: str, limits: tuple[tuple[float, ...], ...]) -> Iterator[Problem]:
    numbers = numbers_in(name)
    for limit in limits:
        if numbers and numbers.isdisjoint(limit):
            yield Problem(file, place, f"the limit {limit[0]:g} is not the one in the name `{name}`", "change both")


def of_items(file: str, pathway: c.Pathway, findings: Mapping[str, c.Finding]) -> Iterator[Problem]:
    """Yield Wells items whose name has a number that is in none of its findings' names."""
    for item in pathway.items:
        known = [findings[key].name for key in item.any if key in findings]
        strange = numbers_in(item.name) - {number for name in known for number in numbers_in(name)}
        for number in sorted(strange if known else ()):
            words = f"says {number:g}, which is in the name of none of its findings"
            yield Problem(file, f"items.{item.number}.name", words, "change both or neither")


def of_rule(
    file: str, flag: c.RedFlag, findings: Mapping[str, c.Finding], measures: Mapping[str, c.Measure]
) -> Iterator[Problem]:
    """Yield rules whose words give another limit, in the same unit, than the measured finding that fires them."""
    read = set(flag.when.terms())
    texts = (flag.card.summary, *flag.card.do, *flag.card.avoid)
    by_unit: dict[str, set[float]] = {}
    for measure in measures.values():
        if measure.finding in read and measure.finding in findings:
            by_unit.setdefault(measure.unit, set()).add(measure.threshold)
    for unit, limits in by_unit.items():
        pattern = r"\b0\.\d+\b" if unit == "1" else rf"\b\d+(?:\.\d+)?(?= ?{re.escape(unit)}(?!\w))"
        for text in texts:
            for number in re.findall(pattern, text):
                if float(number) not in limits:
                    words = f"says {number} where the limit is {', '.join(f'{limit:g}' for limit in sorted(limits))}"
                    yield Problem(file, "card", words, "change both or neither")
    for text in texts:
        if "Wells" in text and _SCORE.search(text):
            yield Problem(file, "card", "writes out a Wells score", "give scores only in the bands of the pathways")


def of_reasoning(reasoning: c.Reasoning) -> Iterator[Problem]:
    """Yield limits of the method that contradict each other."""
    falling = (
        ("strong_fit", "fits"),
        ("fits", "possible"),
        ("strong_words", "moderate_words"),
        ("total_cap", "group_cap"),
    )
    for larger, smaller in falling:
        if getattr(reasoning, larger) <= getattr(reasoning, smaller):
            yield Problem("reasoning.toml", larger, f"must be more than `{smaller}`")
    for age in reasoning.ages:
        lowest = max(age.at_least or 0, age.older_than or 0)
        if age.younger_than is not None and age.younger_than <= lowest:
            yield Problem("reasoning.toml", f"ages.{age.finding}", "no age fits all its limits")
