"""What opens a suspicion of DVT in one leg (evidence C.5): signs, risks with new pain, what is stated or on record."""

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
    """The roads by which a suspicion is open."""

    complaints: tuple[Fact, ...]
    new_pain: tuple[Fact, ...]
    fresh: tuple[Fact, ...]
    stale: tuple[Fact, ...]
    risk_road: tuple[Fact, ...]
    minor_road: tuple[Fact, ...]
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
        """Whether nothing but signs of the leg opens it."""
        others = (self.risk_road, self.minor_road, self.self_test, self.coded, self.chest, self.untreated)
        return bool(self.fresh or self.stale) and not any(others)

    @property
    def _otherwise(self) -> bool:
        others = (self.self_test, self.coded, self.chest, self.untreated)
        return bool(self.fresh or self.risk_road or self.minor_road or any(others))

    @property
    def facts(self) -> tuple[Fact, ...]:
        found = [*self.fresh, *self.stale, *self.risk_road, *self.minor_road]
        found += [one for one in (self.self_test, self.coded, self.chest) if one]
        if isinstance(self.untreated, Fact):
            found.append(self.untreated)
        return tuple(dict.fromkeys(stated for fact in found for stated in fact.stated))


def opening_of(leg: Leg, closing: Closing | None) -> Opening:
    """C.5, leaving out what ``closing`` answers."""
    pathway, content = leg.content.pathway, leg.content

    def unanswered(fact: Fact) -> bool:
        return closing is None or fact.when is None or fact.when.may_be_after(closing.when)

    here = [fact for key in leg.recorded() for fact in leg.all_of(key)]
    pains = complaints(content, here, leg.today, pathway.complaint.days)
    pains = [fact for fact in pains if content.findings[fact.key].complaint not in _NO_COMPLAINT_OF_THE_LEG]
    signs = [
        fact
        for fact in here
        if content.findings[fact.key].dvt.local_sign
        and fact.status is Status.PRESENT
        and in_window(fact, pathway.stale_sign.days, leg.today)
        and unanswered(fact)
    ]
    fresh = tuple(fact for fact in signs if in_window(fact, pathway.fresh_sign.days, leg.today))
    renewed = {sign.key for sign in fresh}
    stale = tuple(fact for fact in signs if fact.key not in renewed)
    places = (*PAIN, "back_of_thigh", "proximal") if pregnancy_of(leg) else PAIN
    new_pain = [
        fact
        for fact in pains
        if content.findings[fact.key].complaint in places
        and content.findings[fact.key].kind == "symptom"
        and in_window(fact, pathway.new_pain.days, leg.today)
        and unanswered(fact)
    ]
    risks = [
        fact
        for key in leg.recorded()
        if content.findings[key].dvt.risk == "major" and (fact := leg.present(key)) is not None
    ]
    self_test = leg.present(SELF_TEST)
    coded = _coded_suspicion(leg, in_orders=False)
    chest = leg.present(PE_SYMPTOMS) if leg.diagnosis(DVT) or leg.present(SCAN) else None
    untreated = _untreated(leg)
    if untreated and closing and untreated.when and not _is_newer(untreated, closing):
        untreated = None
    opening = Opening(
        complaints=tuple(pains),
        new_pain=tuple(new_pain),
        fresh=fresh if pains else (),
        stale=stale if pains else (),
        # A DVT on record, treated or not, is no smaller risk than a previous one.
        risk_road=(*new_pain, *risks) if new_pain and (risks or leg.diagnosis(DVT)) else (),
        minor_road=_minor_road(leg, new_pain),
        self_test=self_test if self_test and pains and unanswered(self_test) else None,
        coded=coded if coded and (closing is None or coded.when is None or _is_newer(coded, closing)) else None,
        chest=chest if chest and unanswered(chest) else None,
        untreated=untreated,
    )
    # An order for a suspicion states it too; where something else opens it already, it says nothing new.
    ordered = _coded_suspicion(leg, in_orders=True)
    if ordered and unanswered(ordered) and (not opening.is_open or opening.only_stale):
        return replace(opening, coded=ordered)
    return opening


def _minor_road(leg: Leg, new_pain: list[Fact]) -> tuple[Fact, ...]:
    """New pain and a risk that no Wells item asks for."""
    pains = pains_for_any_risk(leg, new_pain)
    findings = leg.content.findings
    keys = [key for key in leg.recorded() if findings[key].dvt.risk == "minor"]
    risks = [fact for key in keys if (fact := leg.present(key)) is not None]
    return (*pains, *risks) if pains and risks else ()


def pains_for_any_risk(leg: Leg, new_pain: Iterable[Fact]) -> list[Fact]:
    """New pain behind the knee or in the calf of one leg: any risk would open it (see the switch)."""
    pathway, findings = leg.content.pathway, leg.content.findings
    choice = pathway.risk_outside_wells
    # An injury of weeks ago does not explain a pain that is new: it is a reason to think of a clot.
    if not choice.opens or any(leg.present(key, pathway.new_pain.days) for key in choice.unless):
        return []
    pains = [fact for fact in new_pain if findings[fact.key].complaint == "posterior"]
    return [] if pains and _hurts_elsewhere(leg, {fact.key for fact in pains}) else pains


def _hurts_elsewhere(leg: Leg, pains: set[str]) -> bool:
    """Whether one of ``pains`` is new in the other leg too. What else is wrong with that leg does not matter."""
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
    """A clinician's own suspicion: recent, or still open on the problem list (F.5, C.8)."""
    finding = leg.content.findings[SUSPECTED_DVT]
    recency, stale = finding.recency, leg.content.pathway.stale_sign.days
    for fact in leg.all_of(SUSPECTED_DVT):
        if fact.status is Status.PRESENT and is_order(fact) == in_orders:
            recent = in_window(fact, recency.days if recency else None, leg.today)
            persists = finding.persists and fact.ongoing
            if recent or persists or (fact.ongoing and in_window(fact, stale, leg.today)):
                return fact
    return None


def _is_newer(one: Diagnosis | Fact, closing: Closing) -> bool:
    """Whether it may have come, or been written down, after ``closing``."""
    return any(when.may_be_after(closing.when) for when in (one.clinical, one.recorded) if when)


def _untreated(leg: Leg) -> Diagnosis | Fact | None:
    """A DVT of this episode on record and no anticoagulant, or one that may have been stopped: at least suspected."""
    diagnosis = leg.diagnosis(DVT)
    scan = leg.present(SCAN)
    age = age_in_days(diagnosis, leg.today) if diagnosis else None
    found = diagnosis if diagnosis and (age is None or age <= leg.content.pathway.stale_sign.days) else scan
    if found is None:
        return None
    is_treated = taking_anticoagulant(leg, found.when.day if found.when else None) and not leg.doubts.ends
    return None if is_treated else found
