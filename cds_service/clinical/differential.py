"""The differential: grouped and capped log likelihood ratios, eligibility and bands (evidence F.1 steps 5 to 9).

Several causes can be present at once, so the results are not normalised across causes and are never shown as
percentages.
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
_SMALL = 1e-9  # absorbs rounding errors between equal weights
_BANDS: tuple[BandName, ...] = ("confirmed", "strong fit", "fits", "possible", "low")
_NO_WEIGHT = LogWeight(0.0, 0.0)
_HARM = {"yes": 0, "mimic": 1, "linked": 1, "no": 2}


def rank(leg: Leg, *, general_knee_pain: bool, alike: bool) -> tuple[list[RankedCause], list[str]]:
    """Return the eligible causes in rank order, and the causes left out because they are diagnosed and treated.

    ``general_knee_pain``: the complaint names no place on the knee, so place-specific priors differ (F.1).
    ``alike``: both legs have the same complaints, so a one-sided cause needs its own sign in this leg.
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
    return sorted(ranked, key=lambda cause: _rank_key(leg.content, cause)), treated


def _has_own_sign(leg: Leg, scored: RankedCause) -> bool:
    """Whether a finding in this leg only, other than the complaint, supports the cause."""
    return any(
        contribution.fact.status is Status.PRESENT
        and contribution.fact.side is leg.side
        and leg.content.findings[contribution.finding].complaint is None
        for contribution in scored.for_it
    )


def at_prior(leg: Leg, complaints: Sequence[Fact], *, alike: bool) -> list[RankedCause]:
    """Return the causes that best fit complaint, age and sex when no recorded finding supports any cause."""
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
    ranked = [cause for cause in ranked if cause.posterior >= content.reasoning.at_prior_from]
    for cause in sorted(ranked, key=lambda cause: (-cause.posterior, cause.cause)):
        best.setdefault(content.causes[cause.cause].family, replace(cause, missing=_missing(leg, cause.cause)))
    return list(best.values())[: content.reasoning.benign_shown]


def _candidates(leg: Leg) -> list[str]:
    """Return the causes that the recorded findings could make eligible, to avoid scoring all of them.

    The support is summed without groups and caps, so it is never lower than the sum in ``_eligible``.
    """
    findings, weighing = leg.content.findings, leg.content.weighing
    support: dict[str, float] = {}
    for key, fact in leg.ranked.items():
        if fact.status is Status.PRESENT and findings[key].kind not in _NO_SUPPORT:
            for cause in weighing.weighed_in.get(key, ()):
                support[cause] = support.get(cause, 0.0) + max(0.0, weighing.weights[cause][key].present)
    confirming = {cause for key, fact in leg.ranked.items() for cause in weighing.confirmed_by.get(key, ())}
    enough = math.log(leg.content.reasoning.eligible_from) - _SMALL
    supported = {cause for cause, most in support.items() if most >= enough}
    return sorted(supported | confirming | {diagnosis.cause for diagnosis in leg.diagnoses})


def score(leg: Leg, key: str, *, general_knee_pain: bool) -> RankedCause:
    """Score one cause, whether it is eligible or not. ``missing`` is left empty; ``rank`` fills it in."""
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
    """Return the recorded findings with their log-LR, the strongest first, and whether one confirms the cause."""
    contributions: list[Contribution] = []
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
            contributions.append(Contribution(finding, log_lr, fact))
    contributions.sort(key=lambda contribution: (-abs(contribution.log_lr), contribution.finding))
    return _mark_counted(leg.content, contributions), confirmed


def _mark_counted(content: Content, contributions: list[Contribution]) -> list[Contribution]:
    """Mark the contributions that enter the sum: the strongest for and the strongest against in each group."""
    seen: set[tuple[str, bool]] = set()
    marked = []
    for contribution in contributions:
        place = (content.findings[contribution.finding].group, contribution.log_lr > 0)
        marked.append(contribution if place not in seen else replace(contribution, counted=False))
        seen.add(place)
    return marked


def _capped_sum(content: Content, contributions: Iterable[Contribution]) -> float:
    """Sum the log-LRs: per group the most positive plus the most negative, capped; then cap the total (F.1 step 5)."""
    high: dict[str, float] = {}
    low: dict[str, float] = {}
    for contribution in contributions:
        log_lr = contribution.log_lr
        if log_lr == math.inf:
            continue
        group = content.findings[contribution.finding].group
        strongest = high if log_lr > 0 else low
        if abs(log_lr) > abs(strongest.get(group, 0.0)):
            strongest[group] = log_lr
    cap = math.log(content.reasoning.group_cap)
    sums = [high.get(group, 0.0) + low.get(group, 0.0) for group in {**high, **low}]
    total = math.fsum([max(-cap, min(cap, subtotal)) for subtotal in sums])
    limit = math.log(content.reasoning.total_cap)
    return max(-limit, min(limit, total))


def _eligible(content: Content, scored: RankedCause) -> bool:
    """Whether the cause has enough support and a positive sum (evidence F.1 step 6).

    Support comes from present findings that are not demographic and not risk factors. A diagnosis on record or a
    confirming scan makes a cause eligible by itself.
    """
    if scored.diagnosis or scored.band == "confirmed":
        return True
    return (
        _support(content, scored) >= math.log(content.reasoning.eligible_from) - _SMALL and scored.sum_log_lr > _SMALL
    )


def _support(content: Content, scored: RankedCause) -> float:
    """Return the log-LR of the present findings that are neither a risk nor an age."""
    return _capped_sum(
        content,
        [
            contribution
            for contribution in scored.contributions
            if contribution.log_lr > 0
            and contribution.fact.status is Status.PRESENT
            and content.findings[contribution.finding].kind not in _NO_SUPPORT
        ],
    )


def _of_this_episode(leg: Leg, scored: RankedCause) -> bool:
    """Whether a clinician made this diagnosis during the time of a complaint. No inference here outweighs that."""
    age = age_in_days(scored.diagnosis, leg.today) if scored.diagnosis else None
    return age is not None and age <= leg.content.pathway.complaint.days


def _pointed_at(content: Content, scored: RankedCause) -> bool:
    """Whether a strong finding supports a cause that its low prior would hide. Dangers are kept in mind anyway."""
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


def _rank_key(content: Content, ranked: RankedCause) -> tuple[int, bool, int, float, str]:
    """Return the sort key: band, with rare causes that a sign points at last; then harm; then fit (F.1 step 8)."""
    rare = ranked.band == "possible" and not ranked.diagnosis and ranked.posterior < content.reasoning.possible
    harm = _HARM[content.causes[ranked.cause].must_not_miss]
    return (_BANDS.index(ranked.band), rare, harm, -ranked.posterior, ranked.cause)


def _under_treatment(leg: Leg, key: str, cause: Cause) -> bool:
    """Whether one of the orders that treat this cause is already placed for this leg (evidence F.5)."""
    return any(
        placed.order in cause.card.consider
        and leg.is_here(placed.side, unknown_counts=leg.alone)
        and (not leg.content.orders[placed.order].needs_reason or key in placed.reasons)
        for placed in leg.orders
    )


def _missing(leg: Leg, cause: str) -> tuple[str, ...]:
    """Return the unrecorded findings to ask about or examine, the most informative first (evidence F.4)."""
    return tuple(key for key in leg.content.weighing.askable[cause] if leg.status(key) is Status.UNKNOWN)


def _rules_out_a_danger(leg: Leg, ranked: Sequence[RankedCause]) -> str | None:
    """Return the unrecorded finding whose absence would best rule out a dangerous cause with a low fit, or None."""
    content = leg.content
    limit = math.log(content.reasoning.rules_out_from) + _SMALL
    options = [
        (content.weighing.weights[cause.cause][key].absent, key)
        for cause in ranked
        if cause.band == "low" and content.causes[cause.cause].must_not_miss == "yes"
        for key in cause.missing
        if content.weighing.weights[cause.cause][key].absent <= limit
    ]
    return min(options)[1] if options else None


def ask_next(leg: Leg, shown: Sequence[RankedCause], ranked: Sequence[RankedCause] = ()) -> str | None:
    """Return the finding to ask about or examine next, or None.

    First choice: a finding whose absence could rule out a dangerous cause. Otherwise the finding that would change the
    ranking most, measured as the widest spread of log-odds between two of the causes in ``shown``.
    """
    if decisive := _rules_out_a_danger(leg, ranked):
        return decisive
    tables = [leg.content.weighing.weights[cause.cause] for cause in shown]
    best: tuple[float, str] | None = None
    for key in sorted({key for cause in shown for key in cause.missing}):
        weights = [table.get(key, _NO_WEIGHT) for table in tables]
        if_present = [0.0 if weight.confirms else weight.present for weight in weights]
        if_absent = [weight.absent for weight in weights]
        effect = max(max(shift) - min(shift) if len(shift) > 1 else abs(shift[0]) for shift in (if_present, if_absent))
        if best is None or effect > best[0] + _SMALL:
            best = (effect, key)
    return best[1] if best else None
