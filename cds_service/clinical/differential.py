"""The differential: grouped and capped log likelihood ratios, eligibility and bands (evidence F.1 steps 5 to 9).

Causes coexist, so nothing is normalised across them; nothing is shown as a percentage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cds_service.clinical.assessment import BandName, Contribution, RankedCause
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Cause
from cds_service.clinical.content.weights import LogWeight
from cds_service.clinical.leg import Leg, age_in_days
from cds_service.clinical.record import Fact, Status

_NO_SUPPORT = frozenset({"demographic", "risk"})
_SMALL = 1e-9  # ln 2 against ln 2.0
_BANDS: tuple[BandName, ...] = ("confirmed", "strong fit", "fits", "possible", "low")
_NO_WEIGHT = LogWeight(0.0, 0.0)
_HARM = {"yes": 0, "mimic": 1, "linked": 1, "no": 2}


def rank(leg: Leg, *, general_knee_pain: bool, alike: bool) -> tuple[list[RankedCause], list[str]]:
    """Every eligible cause in rank order, and the causes left out because they are diagnosed and under treatment.

    ``general_knee_pain``: the complaint names no place on the knee, so place-specific priors differ (F.1).
    ``alike``: both legs are complained of alike, so that what is of one leg needs a sign of this one.
    """
    age = leg.patient.age_on(leg.today)
    ranked: list[RankedCause] = []
    treated: list[str] = []
    for key in _candidates(leg):
        cause = leg.content.causes[key]
        if not cause.ranked or (age is not None and age < cause.from_age):
            continue
        scored = score(leg, key, general_knee_pain=general_knee_pain)
        if not _eligible(leg.content, scored) or (alike and cause.one_sided and not _has_own_sign(leg, scored)):
            continue
        if scored.diagnosis and _under_treatment(leg, key, cause):
            treated.append(key)
            continue
        if scored.band == "low" and _pointed_at(leg.content, scored):
            scored = replace(scored, band="possible")
        elif scored.band in ("fits", "possible") and _of_this_episode(leg, scored):
            scored = replace(scored, band="strong fit")
        ranked.append(replace(scored, missing=_missing(leg, key)))
    return sorted(ranked, key=lambda one: _rank_key(leg.content, one)), treated


def _has_own_sign(leg: Leg, scored: RankedCause) -> bool:
    """Whether something of this leg alone, besides the complaint, speaks for it."""
    return any(
        one.fact.status is Status.PRESENT
        and one.fact.side is leg.side
        and leg.content.findings[one.finding].complaint is None
        for one in scored.for_it
    )


def at_prior(leg: Leg, complaints: Sequence[Fact], *, alike: bool) -> list[RankedCause]:
    """The causes to think of when nothing recorded points to one: those that fit complaint, age and sex best."""
    content, age = leg.content, leg.patient.age_on(leg.today)
    felt = {content.findings[fact.key].candidates or fact.key for fact in complaints}
    keys = {
        cause
        for finding in felt
        for cause in content.weighing.weighed_in.get(finding, ())
        if content.weighing.weights[cause][finding].present > 0
    }
    ranked = [
        score(leg, key, general_knee_pain=False)
        for key in keys or content.causes
        if content.causes[key].ranked
        and (age is None or age >= content.causes[key].from_age)
        and not (alike and content.causes[key].one_sided)
    ]
    best: dict[str, RankedCause] = {}
    ranked = [one for one in ranked if one.posterior >= content.reasoning.at_prior_from]
    for one in sorted(ranked, key=lambda one: (-one.posterior, one.cause)):
        best.setdefault(content.causes[one.cause].family, replace(one, missing=_missing(leg, one.cause)))
    return list(best.values())[: content.reasoning.benign_shown]


def _candidates(leg: Leg) -> list[str]:
    """Causes that what is recorded could make eligible: most causes of most charts are not among them.

    What supports a cause is summed up here without groups and caps, so never as less than ``_eligible`` will find.
    """
    findings, weighing = leg.content.findings, leg.content.weighing
    support: dict[str, float] = {}
    for key, fact in leg.ranked.items():
        if fact.status is Status.PRESENT and findings[key].kind not in _NO_SUPPORT:
            for cause in weighing.weighed_in.get(key, ()):
                support[cause] = support.get(cause, 0.0) + max(0.0, weighing.weights[cause][key].present)
    confirming = {cause for key, fact in leg.ranked.items() for cause in weighing.confirmed_by.get(key, ())}
    enough = math.log(leg.content.reasoning.eligible_from) - _SMALL
    found = {cause for cause, most in support.items() if most >= enough}
    return sorted(found | confirming | {one.cause for one in leg.diagnoses})


def score(leg: Leg, key: str, *, general_knee_pain: bool) -> RankedCause:
    """One cause, whether eligible or not; what is missing is left to ``rank``."""
    content = leg.content
    cause = content.causes[key]
    prior = min(cause.prior.value * (cause.prior.knee_pain_factor if general_knee_pain else 1.0), 0.99)
    contributions, confirmed = _contributions(leg, key)
    total = _capped_sum(content, contributions)
    posterior = 1 / (1 + math.exp(-(math.log(prior / (1 - prior)) + total)))
    diagnosis = leg.diagnosis(key)
    return RankedCause(
        cause=key,
        side=leg.side,
        band=_band(content, posterior, confirmed=confirmed, diagnosed=diagnosis is not None),
        prior=prior,
        sum_log_lr=total,
        posterior=posterior,
        contributions=tuple(contributions),
        diagnosis=diagnosis,
        missing=(),
    )


def _contributions(leg: Leg, cause: str) -> tuple[list[Contribution], bool]:
    """Recorded findings with their log-LR, the strongest first, and whether one of them confirms the cause."""
    found: list[Contribution] = []
    confirmed = False
    weights = leg.content.weighing.weights[cause]
    for finding, fact in leg.ranked.items():
        weight = weights.get(finding)
        if weight is None:
            continue
        if fact.status is Status.PRESENT:
            confirmed = confirmed or weight.confirms
            log_lr = weight.present
        else:
            log_lr = 0.0 if weight.confirms else weight.absent
        if abs(log_lr) > _SMALL:
            found.append(Contribution(finding, log_lr, fact))
    found.sort(key=lambda one: (-abs(one.log_lr), one.finding))
    return _mark_counted(leg.content, found), confirmed


def _mark_counted(content: Content, contributions: list[Contribution]) -> list[Contribution]:
    """The strongest for and the strongest against in each group enter the sum, the others do not."""
    seen: set[tuple[str, bool]] = set()
    marked = []
    for one in contributions:
        place = (content.findings[one.finding].group, one.log_lr > 0)
        marked.append(one if place not in seen else replace(one, counted=False))
        seen.add(place)
    return marked


def _capped_sum(content: Content, contributions: Iterable[Contribution]) -> float:
    """Per group the largest positive plus the most negative log-LR, capped; then the total, capped (F.1 step 5)."""
    high: dict[str, float] = {}
    low: dict[str, float] = {}
    for one in contributions:
        log_lr = one.log_lr
        if log_lr == math.inf:
            continue
        group = content.findings[one.finding].group
        strongest = high if log_lr > 0 else low
        if abs(log_lr) > abs(strongest.get(group, 0.0)):
            strongest[group] = log_lr
    cap = math.log(content.reasoning.group_cap)
    sums = [high.get(group, 0.0) + low.get(group, 0.0) for group in {**high, **low}]
    total = math.fsum([max(-cap, min(cap, one)) for one in sums])
    limit = math.log(content.reasoning.total_cap)
    return max(-limit, min(limit, total))


def _eligible(content: Content, scored: RankedCause) -> bool:
    """Support from a present finding that is neither demographic nor a risk, and a positive sum (F.1 step 6).

    A diagnosis on record or a confirming scan makes a cause eligible by itself.
    """
    if scored.diagnosis or scored.band == "confirmed":
        return True
    return (
        _support(content, scored) >= math.log(content.reasoning.eligible_from) - _SMALL and scored.sum_log_lr > _SMALL
    )


def _support(content: Content, scored: RankedCause) -> float:
    """What present findings that are no risk and no age say for it, as a log-LR."""
    return _capped_sum(
        content,
        [
            one
            for one in scored.contributions
            if one.log_lr > 0
            and one.fact.status is Status.PRESENT
            and content.findings[one.finding].kind not in _NO_SUPPORT
        ],
    )


def _of_this_episode(leg: Leg, scored: RankedCause) -> bool:
    """Whether a clinician has made this diagnosis within the time of a complaint: no inference here outweighs that."""
    age = age_in_days(scored.diagnosis, leg.today) if scored.diagnosis else None
    return age is not None and age <= leg.content.pathway.complaint.days


def _pointed_at(content: Content, scored: RankedCause) -> bool:
    """Whether a strong finding speaks for a cause that its prior alone would hide. Dangers are kept in mind anyway."""
    limits = content.reasoning
    return (
        content.causes[scored.cause].must_not_miss != "yes"
        and scored.posterior >= limits.rare_named_at_least
        and _support(content, scored) >= math.log(limits.rare_named_from) - _SMALL
    )


def _band(content: Content, posterior: float, *, confirmed: bool, diagnosed: bool) -> BandName:
    limits = content.reasoning
    if confirmed:
        return "confirmed"
    if posterior >= limits.strong_fit:
        return "strong fit"
    if posterior >= limits.fits:
        return "fits"
    return "possible" if posterior >= limits.possible or diagnosed else "low"


def _rank_key(content: Content, one: RankedCause) -> tuple[int, bool, int, float, str]:
    """By band, rare causes named for their sign last in it, then by potential harm, then by fit (F.1 step 8)."""
    rare = one.band == "possible" and not one.diagnosis and one.posterior < content.reasoning.possible
    harm = _HARM[content.causes[one.cause].must_not_miss]
    return (_BANDS.index(one.band), rare, harm, -one.posterior, one.cause)


def _under_treatment(leg: Leg, key: str, cause: Cause) -> bool:
    """Diagnosed, and one of the orders that treat it is in place for this leg (F.5)."""
    return any(
        placed.order in cause.card.consider
        and leg.is_here(placed.side, unknown_counts=leg.alone)
        and (not leg.content.orders[placed.order].needs_reason or key in placed.reasons)
        for placed in leg.orders
    )


def _missing(leg: Leg, cause: str) -> tuple[str, ...]:
    """Unrecorded findings that could be asked or examined, the one that would change most first (F.4)."""
    return tuple(key for key in leg.content.weighing.askable[cause] if leg.status(key) is Status.UNKNOWN)


def _rules_out_a_danger(leg: Leg, ranked: Sequence[RankedCause]) -> str | None:
    """The unrecorded finding whose absence would speak most against a cause that must not be missed and fits little."""
    content = leg.content
    limit = math.log(content.reasoning.rules_out_from) + _SMALL
    found = [
        (content.weighing.weights[one.cause][key].absent, key)
        for one in ranked
        if one.band == "low" and content.causes[one.cause].must_not_miss == "yes"
        for key in one.missing
        if content.weighing.weights[one.cause][key].absent <= limit
    ]
    return min(found)[1] if found else None


def ask_next(leg: Leg, shown: Sequence[RankedCause], ranked: Sequence[RankedCause] = ()) -> str | None:
    """What to ask or examine next: what could rule out a danger in mind, else what would change the ranking most.

    Effect: the widest spread of log-odds that presence or absence would put between any two of those shown.
    """
    if decisive := _rules_out_a_danger(leg, ranked):
        return decisive
    tables = [leg.content.weighing.weights[one.cause] for one in shown]
    best: tuple[float, str] | None = None
    for key in sorted({key for one in shown for key in one.missing}):
        weights = [table.get(key, _NO_WEIGHT) for table in tables]
        if_present = [0.0 if weight.confirms else weight.present for weight in weights]
        if_absent = [weight.absent for weight in weights]
        effect = max(max(shift) - min(shift) if len(shift) > 1 else abs(shift[0]) for shift in (if_present, if_absent))
        if best is None or effect > best[0] + _SMALL:
            best = (effect, key)
    return best[1] if best else None
