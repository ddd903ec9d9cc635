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

NOT_USED = "not used"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. ``number``: 1 to 13, as in the regulation. ``parts``: the items of a value that is a list."""

    number: int
    name: str
    value: str
    parts: tuple[str, ...] = ()


def attributes(content: Content, findings: Iterable[str], citations: Iterable[str]) -> tuple[Attribute, ...]:
    """Return all 13 attributes of a rule or cause that reads ``findings`` and cites ``citations`` (texts)."""
    about, read, cited = content.about, set(findings), tuple(citations)
    values = (
        ("Bibliographic citation", "; ".join(cited) or "none: expert choice"),
        ("Developer", about.developer),
        ("Funding source of the implementation", about.funding),
        (
            "Release and revision dates",
            f"released {about.released}, revised {about.revised}, content {content.version}",
        ),
        ("Race", about.race or NOT_USED),
        ("Ethnicity", about.ethnicity or NOT_USED),
        ("Language", about.language or NOT_USED),
        ("Sexual orientation", about.sexual_orientation or NOT_USED),
        ("Gender identity", about.gender_identity or NOT_USED),
        ("Sex", _sex(content, read)),
        ("Date of birth", _birth(content, read)),
        ("Social determinants of health data", about.social_determinants or NOT_USED),
        ("Health status assessments data", _names(content, [k for k in about.health_status if k in read])),
    )
    parts = {1: cited}
    return tuple(Attribute(number, *one, parts.get(number, ())) for number, one in enumerate(values, 1))


def findings_of(content: Content, when: Condition) -> frozenset[str]:
    """Return every finding that a condition reads, including those it reads through the DVT pathway."""
    terms = set(when.terms())
    found = terms - VIRTUAL_TERMS
    if DVT_SUSPECTED in terms:
        found |= dvt_findings(content)
    return with_bases(content, found)


def dvt_findings(content: Content) -> set[str]:
    """Return every finding that the DVT pathway reads."""
    found = {key for key, one in content.findings.items() if one.dvt.local_sign or one.dvt.risk or one.dvt.wells_item}
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
    limit = f"used: below {content.reasoning.adult_from} years no adult rule is applied"
    return f"{limit}; and for {_joined(content, by_age)}" if by_age else limit


def _sex(content: Content, read: set[str]) -> str:
    by_sex = [age.finding for age in content.reasoning.ages if age.finding in read and age.sex]
    return f"used for {_joined(content, by_sex)}" if by_sex else NOT_USED


def _names(content: Content, keys: list[str]) -> str:
    return f"used: {_joined(content, keys)}" if keys else NOT_USED


def _joined(content: Content, keys: list[str]) -> str:
    return ", ".join(dict.fromkeys(content.name(key)[:1].lower() + content.name(key)[1:] for key in keys))
