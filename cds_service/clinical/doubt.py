"""Rows of a chart that were not understood, by what they may hide. Unknown is not absent: this keeps suspicions open.

A row whose own date or category shows that it cannot be about the present complaint hides nothing: an old fever, a
heart rate. Any other row that is not understood is treated as if it were the worst that it can be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.models import Finding
from cds_service.clinical.content.names import (
    ANTICOAGULANT,
    D_DIMER,
    DVT,
    MALIGNANCY,
    PE_SYMPTOMS,
    SCAN,
    SELF_TEST,
)
from cds_service.clinical.record import (
    DOCUMENTS,
    MEDICINES,
    WITH_REASONS,
    Fact,
    Record,
    Side,
    Status,
    Unread,
    UnreadKind,
)

CLOSING_NEEDS = ("observations", "conditions", "medications")
"""Parts of a chart that can contradict what closes a suspicion: signs and tests, pregnancy and cancer, medicines."""
PAIN = ("posterior", "leg", "arterial")
"""Complaints of pain behind the knee, in the calf, or in the leg without a place. An unstated place counts (F.3)."""
_NO_COMPLAINTS = frozenset(
    {"vital-signs", "laboratory", "imaging", "procedure", "social-history", "therapy", "activity"}
)
"""FHIR's categories of Observations that contain neither complaints nor signs."""
_RESULTS = frozenset({"vital-signs", "laboratory", "imaging"})
_NO_TESTS = frozenset({"vital-signs", "social-history", "therapy", "activity"})
_SURGERY_DAYS = 84
"""Major surgery counts for 12 weeks (NG158, Wells item 3): for that time an unknown procedure may be one."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Rows and parts that were not understood.

    Attributes:
        complaint: may be a current complaint of the knee, calf or leg, or a DVT by itself.
        signs: may be a sign or a stated suspicion of DVT.
        risks: may be a risk of DVT. major_risks: may be one that alone, with new pain, opens a suspicion.
        flags: may be a finding of another red flag.
        closing: may contradict what closes a suspicion of DVT.
        medicines: medicines that could not be identified.
        ends: those medicines that may state that an anticoagulant is no longer taken.
        not_whole: keys of the incomplete parts of the chart that may contradict what closes a suspicion.
    """

    complaint: tuple[Unread, ...] = ()
    signs: tuple[Unread, ...] = ()
    risks: tuple[Unread, ...] = ()
    major_risks: tuple[Unread, ...] = ()
    flags: tuple[Unread, ...] = ()
    closing: tuple[Unread, ...] = ()
    medicines: tuple[Unread, ...] = ()
    ends: tuple[Unread, ...] = ()
    not_whole: frozenset[str] = frozenset()

    @property
    def forbid_closing(self) -> bool:
        """Whether something that could contradict a closing is unknown."""
        return bool(self.closing or self.not_whole)

    @property
    def on_card(self) -> tuple[Unread, ...]:
        """The rows that a card must mention, each once. Rows that only keep a suspicion open are left out."""
        return tuple(dict.fromkeys((*self.complaint, *self.signs, *self.risks, *self.flags, *self.medicines)))

    @property
    def of_concern(self) -> tuple[Unread, ...]:
        """Everything that may matter for a patient with a complaint, each once."""
        return tuple(dict.fromkeys((*self.complaint, *self.signs, *self.risks, *self.flags, *self.closing)))


def doubts_of(content: Content, record: Record, today: date) -> Doubts:
    """Return the doubts that ``record`` leaves on ``today``."""
    not_whole = record.not_whole.intersection(CLOSING_NEEDS)
    if not record.unread:
        return Doubts(not_whole=not_whole)
    looking = _Looking(content, today)
    repeating = _Repeating(content, record.facts, today)
    unread = [row for row in record.unread if not repeating.only_repeats(row)]
    felt = looking.pain_near_the_hip(record)
    return Doubts(
        complaint=tuple(row for row in unread if looking.may_be_complaint(row) or (felt and looking.may_open_it(row))),
        signs=tuple(row for row in unread if looking.may_be_sign(row)),
        risks=tuple(row for row in unread if looking.may_be_risk(row, ("major", "minor"))),
        major_risks=tuple(row for row in unread if looking.may_be_risk(row, ("major",))),
        flags=tuple(row for row in unread if looking.may_be_flag(row)),
        closing=tuple(row for row in record.unread if looking.may_contradict(row) and not repeating.is_no_news(row)),
        medicines=tuple(row for row in unread if looking.may_be_medicine(row)),
        ends=tuple(row for row in unread if looking.may_end_a_treatment(row)),
        not_whole=not_whole,
    )


class _Repeating:
    """Recognises reasons of visits and orders in words that only repeat what is coded elsewhere."""

    def __init__(self, content: Content, facts: Iterable[Fact], today: date) -> None:
        self._content = content
        self._today = today
        self._present: dict[str, list[Fact]] = {}
        denied: dict[str, date] = {}
        for fact in facts:
            if fact.status is Status.PRESENT:
                self._present.setdefault(fact.key, []).append(fact)
            elif fact.status is Status.ABSENT and fact.when:
                denied[fact.key] = max(fact.when.day, denied.get(fact.key, date.min))
        self._denied = denied

    def only_repeats(self, row: Unread) -> bool:
        """Whether everything that a reason may be about was read, for that leg, as a current finding."""
        return self._is_reason(row) and all(
            any(self._is_current(fact) and _may_be_of(row.side, fact.side) for fact in self._present.get(key, ()))
            for key in row.keys
        )

    def is_no_news(self, row: Unread) -> bool:
        """Whether it only repeats findings that are not older than itself. A newer reason may be a new symptom."""
        when = row.when
        return (
            when is not None
            and self.only_repeats(row)
            and all(
                any(
                    fact.when is not None and fact.when.earliest >= when.day and not when.may_be_after(fact.when)
                    for fact in self._present[key]
                )
                for key in row.keys
            )
        )

    def _is_reason(self, row: Unread) -> bool:
        in_words = row.kind in (UnreadKind.SYSTEM, UnreadKind.UNCODED, UnreadKind.WORDS) and not row.anything
        return in_words and bool(row.keys) and row.resource in WITH_REASONS

    def _is_current(self, fact: Fact) -> bool:
        """Whether the fact is as recent as new pain must be, and not denied later. Otherwise a reason today is news."""
        if fact.when is None or fact.when.earliest < self._denied.get(fact.key, date.min):
            return False
        return (self._today - fact.when.day).days <= self._content.pathway.new_pain.days


def _may_be_of(words: Side, read: Side) -> bool:
    """Whether a finding read for one side may be the one that the words mean."""
    return words in (Side.UNKNOWN, read) or read in (Side.BOTH, Side.BODY)


class _Looking:
    """Decides what one row may mean, by its readable parts."""

    def __init__(self, content: Content, today: date) -> None:
        self._content = content
        self._today = today

    @cached_property
    def _complaint_days(self) -> int:
        """The longest time for which pains and swellings that lead to a differential count.

        Findings that only red flags use may be older, but a row that names nothing is not taken for a finding of ten
        years ago.
        """
        felt = ("posterior", "swelling", "knee", *PAIN)
        return max(self._days(finding) for finding in self._content.findings.values() if finding.complaint in felt)

    @cached_property
    def _measured_days(self) -> int:
        findings = self._content.findings
        return max(self._own_days(findings[measure.finding]) or 0 for measure in self._content.measures.values())

    def may_be_complaint(self, row: Unread) -> bool:
        """Whether it may open the gate: as a complaint, or as a DVT on record."""
        if row.anything:
            return self._may_be_anything_felt(row, self._complaint_days) and not row.measured
        if row.past:
            return False
        if DVT in row.keys and self._is_recent(row, self._content.pathway.stale_sign.days):
            return True
        named = (finding for _, finding in self._findings(row) if finding.complaint)
        return any(self._is_recent(row, self._days(finding)) for finding in named)

    def pain_near_the_hip(self, record: Record) -> bool:
        """Whether pain of thigh, groin or buttock is recorded. With a pregnancy, for example, it is a complaint."""
        facts = (fact for fact in record.facts if self._content.findings[fact.key].complaint == "proximal")
        limit = self._content.pathway.complaint.days
        return any(
            fact.status is Status.PRESENT and (fact.when is None or (self._today - fact.when.day).days <= limit)
            for fact in facts
        )

    def may_open_it(self, row: Unread) -> bool:
        """Whether a row may be a finding that makes such a pain a complaint."""
        if row.anything and row.resource in ("Observation", "Condition", ""):
            return not (row.past or row.in_words) and row.categories.isdisjoint(_NO_TESTS)
        return any(finding.dvt.proximal for _, finding in self._findings(row))

    def may_be_sign(self, row: Unread) -> bool:
        """Whether it may be a sign or a suspicion. All count at least as long as an unresolved local sign."""
        stale = self._content.pathway.stale_sign.days
        if row.anything:
            return self._may_be_anything_felt(row, stale)
        if row.past:
            return False
        if DVT in row.keys and self._is_recent(row, stale):
            return True
        named = (
            finding
            for key, finding in self._findings(row)
            if finding.dvt.local_sign or finding.complaint in (*PAIN, "by_itself") or key in (SELF_TEST, SCAN)
        )
        return any(self._is_recent(row, max(stale, self._days(finding))) for finding in named)

    def may_be_risk(self, row: Unread, weights: Collection[str]) -> bool:
        """Whether it may be a risk: a recent procedure may be an operation, a problem a cancer or a pregnancy."""
        if row.anything:
            if row.resource == "Procedure":
                return self._is_recent(row, _SURGERY_DAYS)
            return row.resource == "Condition" and not row.in_words
        if row.kind is UnreadKind.WORDS:
            return False  # words of a problem keep a suspicion open but never open one
        named = (finding for _, finding in self._findings(row) if finding.dvt.risk in weights)
        return any(finding.persists or self._is_recent(row, self._own_days(finding)) for finding in named)

    def may_be_flag(self, row: Unread) -> bool:
        """Whether it may be a finding of a red-flag rule, within its own window."""
        if row.anything and row.resource == "Observation" and not row.in_words and row.categories & _RESULTS:
            days = self._complaint_days if "imaging" in row.categories else self._measured_days
            return self._is_recent(row, days)
        if row.anything:
            return self._may_be_anything_felt(row, self._complaint_days)
        named = (finding for key, finding in self._findings(row) if key in self._content.alarming)
        return any(self._is_recent(row, self._own_days(finding)) for finding in named)

    def may_contradict(self, row: Unread) -> bool:
        """Whether it may contradict what closes a suspicion: see ``dvt.exclusion``."""
        if row.anything and self._may_be_anything_contradicting(row):
            return True
        if DVT in row.keys:
            return row.resource not in DOCUMENTS or self._is_recent(row, self._content.pathway.stale_sign.days)
        named = (
            finding
            for key, finding in self._findings(row)
            if finding.dvt.risk
            or finding.dvt.local_sign
            or finding.dvt.wells_item
            or finding.complaint in PAIN
            or key in (SCAN, D_DIMER, ANTICOAGULANT, MALIGNANCY, PE_SYMPTOMS, SELF_TEST)
        )
        return any(finding.persists or self._is_recent(row, self._own_days(finding)) for finding in named)

    def may_be_medicine(self, row: Unread) -> bool:
        """Whether it is a medicine that may be an anticoagulant."""
        return ANTICOAGULANT in row.keys or (row.anything and row.resource in MEDICINES and self._is_taken(row))

    def may_end_a_treatment(self, row: Unread) -> bool:
        """Whether it may be an anticoagulant that was stopped, or whose status is not understood."""
        is_medicine = row.resource in MEDICINES and self.may_be_medicine(row) and self._is_taken(row)
        return is_medicine and (row.past or row.kind is UnreadKind.STATUS)

    def _may_be_anything_felt(self, row: Unread, days: int) -> bool:
        """Whether it may be a complaint, a sign or a suspicion: a problem, an observation, or not a resource at all."""
        if row.in_words:
            return False
        if row.resource == "Observation":
            return row.categories.isdisjoint(_NO_COMPLAINTS) and self._is_recent(row, days)
        if row.resource in ("Condition", ""):
            return not row.past and self._is_recent(row, days)
        return row.resource not in MEDICINES and row.resource not in ("Procedure", "Patient")

    def _may_be_anything_contradicting(self, row: Unread) -> bool:
        if row.resource in MEDICINES:
            return self._is_taken(row)
        if row.resource == "Observation":
            recent = self._is_recent(row, self._content.pathway.stale_sign.days)
            return recent and row.categories.isdisjoint(_NO_TESTS)
        return row.resource not in ("Procedure", "Patient")

    def _is_taken(self, row: Unread) -> bool:
        """Whether the medicine may matter. One that has ended counts as long as an ended anticoagulant does."""
        return not row.past or self._is_recent(row, self._own_days(self._content.findings[ANTICOAGULANT]))

    def _findings(self, row: Unread) -> Iterator[tuple[str, Finding]]:
        """Yield the findings that its keys name, and those that would follow from them."""
        for key in row.keys:
            measure = self._content.measures.get(key)
            name = measure.finding if measure is not None else key
            if name in self._content.findings:
                for finding in (name, *sorted(self._content.implies.get(name, ()))):
                    yield finding, self._content.findings[finding]

    def _is_recent(self, row: Unread, days: int | None) -> bool:
        """Whether it is at most ``days`` old. Undated rows are, because they may be from today."""
        return days is None or row.when is None or (self._today - row.when.day).days <= days

    def _own_days(self, finding: Finding) -> int | None:
        return finding.recency.days if finding.recency else None

    def _days(self, finding: Finding) -> int:
        """Return how many days a finding counts as a complaint (see ``leg.complaints``)."""
        return max(self._own_days(finding) or 0, self._content.pathway.complaint.days)
