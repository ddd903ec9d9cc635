"""What opens a suspicion of DVT in one leg (evidence C.5).

Signs, risk factors with new pain, a stated suspicion, or a DVT on record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cds_service.clinical.content.names import (
    DVT,
    PE_SYMPTOMS,
    POST_PARTUM,
    PREGNANCY,
    SCAN,
    SELF_TEST,
    SUSPECTED_DVT,
)
from cds_service.clinical.doubt import PAIN
from cds_service.clinical.dvt.exclusion import Closing, taking_anticoagulant
from cds_service.clinical.leg import Leg, age_in_days, complaints, in_window, is_order
from cds_service.clinical.record import Diagnosis, Fact, Side, Status

_NO_COMPLAINT_OF_THE_LEG = ("by_itself", "red_flags", "knee_sign")


@dataclass(frozen=True, slots=True)
class Opening:
    """The facts that open a suspicion of DVT, by the reason for which they do.

    Attributes:
        complaints: complaints of this leg.
        new_pain: complaints of pain that are recent enough to count with a risk factor.
        fresh: recent local signs.
        stale: older local signs without a recent record of the same sign.
        by_major_risk: new pain with a risk factor of the Wells score, or with a DVT on record.
        by_minor_risk: new pain with a risk factor outside the Wells score.
        self_test: a positive self-test.
        coded: a suspicion of DVT stated by a clinician.
        chest: symptoms of pulmonary embolism together with a DVT on record.
        untreated: a DVT on record without an anticoagulant.
    """

    complaints: tuple[Fact, ...]
    new_pain: tuple[Fact, ...]
    fresh: tuple[Fact, ...]
    stale: tuple[Fact, ...]
    by_major_risk: tuple[Fact, ...]
    by_minor_risk: tuple[Fact, ...]
    self_test: Fact | None
    coded: Fact | None
    chest: Fact | None
    untreated: Diagnosis | Fact | None

    @property
    def is_open(self) -> bool:
        return bool(self.stale) or self._otherwise

    @property
    def only_stale(self) -> bool:
        return bool(self.stale) and not self._otherwise

    @property
    def rests_on_signs_only(self) -> bool:
        """Whether only signs of the leg open the suspicion."""
        others = (self.by_major_risk, self.by_minor_risk, self.self_test, self.coded, self.chest, self.untreated)
        return bool(self.fresh or self.stale) and not any(others)

    @property
    def _otherwise(self) -> bool:
        others = (self.self_test, self.coded, self.chest, self.untreated)
        return bool(self.fresh or self.by_major_risk or self.by_minor_risk or any(others))

    @property
    def facts(self) -> tuple[Fact, ...]:
        facts = [*self.fresh, *self.stale, *self.by_major_risk, *self.by_minor_risk]
        facts += [fact for fact in (self.self_test, self.coded, self.chest) if fact]
        if isinstance(self.untreated, Fact):
            facts.append(self.untreated)
        return tuple(dict.fromkeys(stated for fact in facts for stated in fact.stated))


def opening_of(leg: Leg, closing: Closing | None) -> Opening:
    """Return what opens a suspicion (evidence C.5), without the facts that ``closing`` answers."""
    content = leg.content
    here = [fact for key in leg.recorded() for fact in leg.all_of(key)]
    pains = complaints(content, here, leg.today, content.pathway.complaint.days)
    pains = [fact for fact in pains if content.findings[fact.key].complaint not in _NO_COMPLAINT_OF_THE_LEG]
    fresh, stale = _local_signs(leg, here, closing)
    new_pain = _new_pain(leg, pains, closing)
    risks = [
        fact
        for key in leg.recorded()
        if content.findings[key].dvt.risk == "major" and (fact := leg.present(key)) is not None
    ]
    self_test = leg.present(SELF_TEST)
    coded = _coded_suspicion(leg, in_orders=False)
    chest = leg.present(PE_SYMPTOMS) if leg.diagnosis(DVT, any_side=True) or leg.present(SCAN) else None
    untreated = _untreated(leg)
    if untreated and closing and untreated.when and not _is_newer(untreated, closing):
        untreated = None
    opening = Opening(
        complaints=tuple(pains),
        new_pain=tuple(new_pain),
        fresh=fresh if pains else (),
        stale=stale if pains else (),
        # A DVT on record, treated or not, is at least as strong a risk factor as a previous DVT.
        by_major_risk=(*new_pain, *risks) if new_pain and (risks or leg.diagnosis(DVT, any_side=True)) else (),
        by_minor_risk=_minor_risk_facts(leg, new_pain),
        self_test=self_test if self_test and pains and _is_unanswered(self_test, closing) else None,
        coded=coded if coded and (closing is None or coded.when is None or _is_newer(coded, closing)) else None,
        chest=chest if chest and _is_unanswered(chest, closing) else None,
        untreated=untreated,
    )
    # An order can also state a suspicion. It adds nothing if something else already opens one.
    ordered = _coded_suspicion(leg, in_orders=True)
    if ordered and _is_unanswered(ordered, closing) and (not opening.is_open or opening.only_stale):
        return replace(opening, coded=ordered)
    return opening


def _is_unanswered(fact: Fact, closing: Closing | None) -> bool:
    return closing is None or fact.when is None or fact.when.may_be_after(closing.when)


def _local_signs(leg: Leg, here: Iterable[Fact], closing: Closing | None) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return the fresh signs of this leg, and the stale ones without a fresh record of the same sign."""
    pathway = leg.content.pathway
    signs = [
        fact
        for fact in here
        if leg.content.findings[fact.key].dvt.local_sign
        and fact.status is Status.PRESENT
        and in_window(fact, pathway.stale_sign.days, leg.today)
        and _is_unanswered(fact, closing)
    ]
    fresh = tuple(fact for fact in signs if in_window(fact, pathway.fresh_sign.days, leg.today))
    renewed = {sign.key for sign in fresh}
    return fresh, tuple(fact for fact in signs if fact.key not in renewed)


def _new_pain(leg: Leg, pains: Iterable[Fact], closing: Closing | None) -> list[Fact]:
    """Return the pains that count with a risk factor. In pregnancy, pain above the knee counts too (evidence C.4)."""
    content = leg.content
    places = (*PAIN, "back_of_thigh", "proximal") if pregnancy_of(leg) else PAIN
    return [
        fact
        for fact in pains
        if content.findings[fact.key].complaint in places
        and content.findings[fact.key].kind == "symptom"
        and in_window(fact, content.pathway.new_pain.days, leg.today)
        and _is_unanswered(fact, closing)
    ]


def _minor_risk_facts(leg: Leg, new_pain: list[Fact]) -> tuple[Fact, ...]:
    """Return new pain together with risk factors that are not in the Wells score; empty unless both exist."""
    pains = pains_for_any_risk(leg, new_pain)
    findings = leg.content.findings
    keys = [key for key in leg.recorded() if findings[key].dvt.risk == "minor"]
    risks = [fact for key in keys if (fact := leg.present(key)) is not None]
    return (*pains, *risks) if pains and risks else ()


def pains_for_any_risk(leg: Leg, new_pain: Iterable[Fact]) -> list[Fact]:
    """Return new pain behind the knee or in the calf of one leg, with which any risk opens a suspicion."""
    pathway, findings = leg.content.pathway, leg.content.findings
    choice = pathway.risk_outside_wells
    # An injury weeks ago does not explain new pain; it is a reason to think of a clot.
    if not choice.opens or any(leg.present(key, pathway.new_pain.days) for key in choice.unless):
        return []
    pains = [fact for fact in new_pain if findings[fact.key].complaint == "posterior"]
    return [] if pains and _hurts_elsewhere(leg, {fact.key for fact in pains}) else pains


def _hurts_elsewhere(leg: Leg, pains: set[str]) -> bool:
    """Whether one of ``pains`` is also new in the other leg. Other problems of that leg do not matter."""
    days = leg.content.pathway.new_pain.days
    felt = (fact for fact in leg.facts if fact.key in pains and fact.status is Status.PRESENT)
    return any(
        fact.side is Side.BOTH or (leg.side is not Side.UNKNOWN and not leg.is_here(fact.side))
        for fact in felt
        if in_window(fact, days, leg.today)
    )


def pregnancy_of(leg: Leg) -> Fact | None:
    return next((fact for key in (PREGNANCY, POST_PARTUM) if (fact := leg.present(key))), None)


def _coded_suspicion(leg: Leg, *, in_orders: bool) -> Fact | None:
    """Return a clinician's own suspicion that is recent or still open on the problem list (evidence F.5, C.8).

    ``in_orders`` selects suspicions stated in orders, or those stated elsewhere.
    """
    finding = leg.content.findings[SUSPECTED_DVT]
    recency, stale = finding.recency, leg.content.pathway.stale_sign.days
    for fact in leg.all_of(SUSPECTED_DVT):
        if fact.status is Status.PRESENT and is_order(fact) == in_orders:
            recent = in_window(fact, recency.days if recency else None, leg.today)
            persists = finding.persists and fact.ongoing
            if recent or persists or (fact.ongoing and in_window(fact, stale, leg.today)):
                return fact
    return None


def _is_newer(fact: Diagnosis | Fact, closing: Closing) -> bool:
    """Whether this may have occurred, or been written down, after ``closing``."""
    return any(when.may_be_after(closing.when) for when in (fact.clinical, fact.recorded) if when)


def _untreated(leg: Leg) -> Diagnosis | Fact | None:
    """Return a recorded DVT of this episode without an anticoagulant, or with one that may have been stopped."""
    diagnosis = leg.diagnosis(DVT, any_side=True)
    scan = leg.present(SCAN)
    age = age_in_days(diagnosis, leg.today) if diagnosis else None
    found = diagnosis if diagnosis and (age is None or age <= leg.content.pathway.stale_sign.days) else scan
    if found is None:
        return None
    is_treated = taking_anticoagulant(leg, found.when.day if found.when else None) and not leg.doubts.ends
    return None if is_treated else found
