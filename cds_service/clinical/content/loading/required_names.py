"""Check what code needs from the content: every name in ``names.py`` with the properties that code relies on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from cds_service.base.errors import Problem
from cds_service.clinical.content import models as c
from cds_service.clinical.content import names

RESTORE = "restore it from the last release"
POST_PARTUM_DAYS = 42
ADULT_FROM = 18


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the content that could be read.

    Attributes:
        places: (kind, key) -> file, for every entry, including broken ones.
    """

    places: Mapping[tuple[type[BaseModel], str], str]
    findings: Mapping[str, c.Finding]
    causes: Mapping[str, c.Cause]
    red_flags: Mapping[str, c.RedFlag]
    pathways: Mapping[str, c.Pathway]
    reasoning: c.Reasoning | None


_KINDS: tuple[tuple[type[BaseModel], str, str, tuple[str, ...]], ...] = (
    (c.Finding, "finding", "findings/", names.FINDINGS),
    (c.Cause, "cause", "causes/", names.CAUSES),
    (c.RedFlag, "red-flag rule", "red_flags/", names.RED_FLAGS),
    (c.OrderTemplate, "order", "orders/", names.ORDERS),
    (c.Action, "action", "actions.toml", names.ACTIONS),
    (c.BodySite, "body site", "vocabulary/body_sites.toml", names.SITES),
    (c.WordContext, "context of words", "vocabulary/word_contexts.toml", names.CONTEXTS),
    (c.Citation, "source", "citations.toml", names.SOURCES),
)


def problems(parts: Parts) -> Iterator[Problem]:
    """Yield everything that code needs and the content lacks. A broken entry is not reported a second time."""
    for kind, word, home, keys in _KINDS:
        for key in keys:
            if (kind, key) not in parts.places:
                yield Problem(home, key, f"the code needs the {word} `{key}`; it is not in {home}", RESTORE)
    for term in sorted(names.VIRTUAL_TERMS):
        if file := parts.places.get((c.Finding, term)):
            yield Problem(file, term, "this name is reserved for a term in code", "give the finding another key")
    yield from _of_findings(parts)
    yield from _of_causes(parts)
    yield from _of_rules(parts)
    yield from _of_emergencies(parts)
    yield from _of_reasoning(parts)
    for key, pathway in parts.pathways.items():
        yield from _of_pathway(parts.places[c.Pathway, key], pathway)


_LEG, _BODY = "leg", "body"
_FINDINGS: tuple[tuple[tuple[str, ...], str, Callable[[c.Finding], bool]], ...] = (
    (
        (names.SUSPECTED_DVT, names.PHLEGMASIA, names.SCAN, names.RUPTURED_CYST_SCAN),
        'must have `side = "leg"`: code judges it for one leg',
        lambda finding: finding.side == _LEG,
    ),
    (
        (names.PREVIOUS_DVT, names.POST_PARTUM, names.PREGNANCY, names.ANTICOAGULANT, names.CANCER, names.PE_SYMPTOMS),
        'must have `side = "body"`: code reads it for the whole person',
        lambda finding: finding.side == _BODY,
    ),
    (
        (names.SUSPECTED_DVT,),
        'must have `complaint = "by_itself"`: a recorded suspicion opens the DVT pathway without a complaint',
        lambda finding: finding.complaint == "by_itself",
    ),
    (
        (names.PHLEGMASIA,),
        "must have `dvt.local_sign = true`: code counts it as an emergency of an open suspicion",
        lambda finding: finding.dvt.local_sign,
    ),
    (
        (names.PREVIOUS_DVT, names.PREGNANCY, names.POST_PARTUM, names.CANCER, names.INJECTING),
        'must have `dvt.risk = "major"`: with new pain it opens a suspicion of DVT',
        lambda finding: finding.dvt.risk == "major",
    ),
    (
        (names.POST_PARTUM,),
        f"must have a `recency` of {POST_PARTUM_DAYS} days: words of code and its own key say 6 weeks",
        lambda finding: finding.recency is not None and finding.recency.days == POST_PARTUM_DAYS,
    ),
    (
        (names.SELF_TEST,),
        "must have `absence_ignored = true`: a negative self-test is never read",
        lambda finding: finding.absence_ignored,
    ),
)


def _of_findings(parts: Parts) -> Iterator[Problem]:
    for keys, words, holds in _FINDINGS:
        for key in keys:
            finding = parts.findings.get(key)
            if finding is not None and not holds(finding):
                yield Problem(parts.places[c.Finding, key], key, words, RESTORE)


def _of_causes(parts: Parts) -> Iterator[Problem]:
    for key in names.CAUSES:
        cause = parts.causes.get(key)
        if cause is not None and not cause.codes:
            yield Problem(parts.places[c.Cause, key], "codes", "code reads this diagnosis, so it needs codes", RESTORE)
    dvt = parts.causes.get(names.DVT)
    if dvt is not None and dvt.ranked:
        words = "must be `ranked = false`: DVT has its own pathway and is never named in the differential"
        yield Problem(parts.places[c.Cause, names.DVT], "ranked", words, RESTORE)


def _of_rules(parts: Parts) -> Iterator[Problem]:
    """Check that the DVT card belongs to the rule that fires whenever DVT is suspected."""
    for rule in names.RED_FLAGS:
        flag = parts.red_flags.get(rule)
        if flag is not None and flag.cause != names.DVT:
            words = f"must be a rule of the cause `{names.DVT}`: code shows it for a suspicion of DVT"
            yield Problem(parts.places[c.RedFlag, rule], "cause", words, RESTORE)
    flag = parts.red_flags.get(names.DVT_RULE)
    if flag is not None and not fires_on(flag.when, frozenset({names.DVT_SUSPECTED})):
        words = f"must fire on `{names.DVT_SUSPECTED}` alone: without it no DVT card is shown"
        yield Problem(parts.places[c.RedFlag, names.DVT_RULE], "when", words, RESTORE)
    if flag is not None:
        yield from _of_orders(parts.places[c.RedFlag, names.DVT_RULE], "card.consider", flag.card.consider)


def _of_emergencies(parts: Parts) -> Iterator[Problem]:
    """Check that each emergency beside a suspected DVT has a rule with words for the DVT card."""
    if any(kind is c.RedFlag and key not in parts.red_flags for kind, key in parts.places):
        return  # a broken rule may be the missing one
    flags = parts.red_flags.items()
    for ground in (names.PE_SYMPTOMS, names.PHLEGMASIA):
        shown = frozenset({ground, names.DVT_SUSPECTED})
        if not any(flag.speed == "now" and flag.card.danger and fires_on(flag.when, shown) for _, flag in flags):
            words = f"no rule with speed `now` and `card.danger` fires on `{ground}` with `{names.DVT_SUSPECTED}`"
            yield Problem("red_flags/", ground, words, "the DVT card names the emergency in these words")
    for cause in names.ISCHAEMIA:
        rules = {rule: flag for rule, flag in flags if flag.cause == cause and flag.speed == "now"}
        if not rules:
            yield Problem("red_flags/", cause, "no rule of this cause has the speed `now`", RESTORE)
        for rule, flag in rules.items():
            if not flag.card.danger:
                yield Problem(parts.places[c.RedFlag, rule], "card.danger", "is missing", "an emergency beside a DVT")


def fires_on(condition: c.Condition, terms: frozenset[str]) -> bool:
    """Whether ``terms`` alone satisfy ``condition``."""
    parts = condition.all or condition.any
    results = [part in terms if isinstance(part, str) else fires_on(part, terms) for part in parts]
    return all(results) if condition.all else any(results)


def _of_reasoning(parts: Parts) -> Iterator[Problem]:
    """Check that active cancer is derived from a recorded malignancy; cards rely on it if medicines are missing."""
    if parts.reasoning is None:
        return
    if parts.reasoning.adult_from != ADULT_FROM:
        words = f"must be {ADULT_FROM}: the term `{names.AGE_UNDER_18}` and the words of code say so"
        yield Problem("reasoning.toml", "adult_from", words, RESTORE)
    derived = {(derivation.finding, *derivation.all[:1]) for derivation in parts.reasoning.derived}
    if (names.CANCER, names.MALIGNANCY) not in derived:
        words = f"code needs `{names.CANCER}` to follow from `{names.MALIGNANCY}` first"
        yield Problem("reasoning.toml", "derived", words, RESTORE)


def _of_pathway(file: str, pathway: c.Pathway) -> Iterator[Problem]:
    """Check that the link of a DVT card leads to a referral or a scan, not only to a blood test."""
    for name in ("pregnancy_orders", "emergency_orders"):
        yield from _of_orders(file, name, getattr(pathway, name))


def _of_orders(file: str, place: str, keys: Sequence[str]) -> Iterator[Problem]:
    if all(key == names.D_DIMER_ORDER for key in keys):
        yield Problem(file, place, "names only the D-dimer", "the card links to a referral or a scan")
    if len(set(keys)) < len(keys):
        yield Problem(file, place, "names an order twice", "keep one of the two")
