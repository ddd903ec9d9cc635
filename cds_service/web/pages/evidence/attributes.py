"""The 13 source attributes of an evidence-based decision support intervention (45 CFR 170.315(b)(11)(iv)(A))."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Condition
from cds_service.clinical.content.names import (
    DVT_SUSPECTED,
    POST_PARTUM,
    PREGNANCY,
    SELF_TEST,
    SUSPECTED_DVT,
    VIRTUAL_TERMS,
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. ``number``: 1 to 13, as in the regulation. ``parts``: the items of a value that is a list."""

    number: int
    name: str
    value: str
    parts: tuple[str, ...] = ()


def attributes(content: Content, findings: Iterable[str], citations: Iterable[str]) -> tuple[Attribute, ...]:
    """Return all 13 attributes of a rule or cause that reads ``findings`` and cites ``citations`` (texts)."""
    about, read, cited, texts = content.about, set(findings), tuple(citations), content.pages.evidence.attributes
    dates = texts.released.fill(released=about.released, revised=about.revised, version=content.version)
    values = (
        (texts.citation, "; ".join(cited) or texts.no_citation),
        (texts.developer, about.developer),
        (texts.funding, about.funding),
        (texts.dates, dates),
        (texts.race, about.race or texts.not_used),
        (texts.ethnicity, about.ethnicity or texts.not_used),
        (texts.language, about.language or texts.not_used),
        (texts.sexual_orientation, about.sexual_orientation or texts.not_used),
        (texts.gender_identity, about.gender_identity or texts.not_used),
        (texts.sex, _sex(content, read)),
        (texts.birth, _birth(content, read)),
        (texts.social, about.social_determinants or texts.not_used),
        (texts.health, _names(content, [k for k in about.health_status if k in read])),
    )
    parts = {1: cited}
    return tuple(Attribute(number, *value, parts.get(number, ())) for number, value in enumerate(values, 1))


def findings_of(content: Content, when: Condition) -> frozenset[str]:
    """Return every finding that a condition reads, including those it reads through the DVT pathway."""
    terms = set(when.terms())
    found = terms - VIRTUAL_TERMS
    if DVT_SUSPECTED in terms:
        found |= dvt_findings(content)
    return with_bases(content, found)


def dvt_findings(content: Content) -> set[str]:
    """Return every finding that the DVT pathway reads."""
    found = {
        key
        for key, finding in content.findings.items()
        if finding.dvt.local_sign or finding.dvt.risk or finding.dvt.wells_item
    }
    return found | {PREGNANCY, POST_PARTUM, SUSPECTED_DVT, SELF_TEST}


def with_bases(content: Content, findings: Iterable[str]) -> frozenset[str]:
    """Return ``findings`` together with the findings from which some of them are derived."""
    found = set(findings)
    for derived in content.reasoning.derived:
        if derived.finding in found:
            found |= {*derived.all, *filter(None, [derived.one_leg_only])}
    return frozenset(found)


def _birth(content: Content, read: set[str]) -> str:
    """Return how the date of birth is used. All rules use it: they apply to adults only (evidence C.4)."""
    by_age = [age.finding for age in content.reasoning.ages if age.finding in read]
    texts = content.pages.evidence.attributes
    limit = texts.adult_from.fill(years=content.reasoning.adult_from)
    return texts.age_for.fill(limit=limit, findings=_joined(content, by_age)) if by_age else limit


def _sex(content: Content, read: set[str]) -> str:
    by_sex = [age.finding for age in content.reasoning.ages if age.finding in read and age.sex]
    texts = content.pages.evidence.attributes
    return texts.sex_for.fill(findings=_joined(content, by_sex)) if by_sex else texts.not_used


def _names(content: Content, keys: list[str]) -> str:
    texts = content.pages.evidence.attributes
    return texts.health_for.fill(findings=_joined(content, keys)) if keys else texts.not_used


def _joined(content: Content, keys: list[str]) -> str:
    return ", ".join(dict.fromkeys(content.name(key)[:1].lower() + content.name(key)[1:] for key in keys))
