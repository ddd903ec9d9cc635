"""Rows of a chart that were not understood, by what they may hide. Unknown is not absent: this keeps suspicions open.

Unknown is not absent, so these parts keep a suspicion open. A row whose date or category shows that it cannot be about
the present complaint, such as an old fever or a heart rate, is left out. A row that cannot be shown to be harmless is
treated as what matters most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

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
"""Parts of a chart that can contradict the closing of a suspicion: signs, tests, pregnancy, cancer, medicines."""
PAIN = ("posterior", "leg", "arterial")
"""Complaints of pain behind the knee, in the calf, or in the leg without a stated place (evidence F.3)."""
_NO_COMPLAINTS = frozenset(
    {"vital-signs", "laboratory", "imaging", "procedure", "social-history", "therapy", "activity"}
)
"""FHIR categories of Observations that contain no complaint and no sign."""
_RESULTS = frozenset({"vital-signs", "laboratory", "imaging"})
_NO_TESTS = frozenset({"vital-signs", "social-history", "therapy", "activity"})
_SURGERY_DAYS = 84
"""Major surgery counts for 12 weeks (NG158, Wells item 3), so an unknown procedure counts as long."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Rows and parts of the chart that were not understood.

    Attributes:
        complaint: may be a current complaint of the knee, calf or leg, or a DVT by itself.
        signs: may be a sign or a stated suspicion of DVT.
        risks: may be a risk factor for DVT.
        major_risks: may be a risk factor that opens a suspicion together with a new pain.
        flags: may be a finding of another red-flag rule.
        closing: may contradict the closing of a suspicion of DVT.
        medicines: medicines that could not be identified.
        ends: those of them that may say that an anticoagulant is taken no longer.
        not_whole: parts of the chart that may contradict it and did not come whole, by key.
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
        """The rows to show to the clinician, each once. Rows that only keep a suspicion open are left out."""
        return tuple(dict.fromkeys((*self.complaint, *self.signs, *self.risks, *self.flags, *self.medicines)))

    @property
    def of_concern(self) -> tuple[Unread, ...]:
        """All rows that may matter for a patient with a complaint, each once."""
        return tuple(dict.fromkeys((*self.complaint, *self.signs, *self.risks, *self.flags, *self.closing)))


def doubts_of(content: Content, record: Record, today: date) -> Doubts:
    """Return the doubts that ``record`` leaves on ``today``."""
    not_whole = record.not_whole.intersection(CLOSING_NEEDS)
    if not record.unread:
        return Doubts(not_whole=not_whole)
    checks = _RowChecks(content, today)
    repeated = _RepeatedReasons(content, record.facts, today)
    unread = [row for row in record.unread if not repeated.only_repeats(row)]
    hip_pain = checks.pain_near_the_hip(record)
    return Doubts(
        complaint=tuple(one for one in unread if looking.may_be_complaint(one) or (felt and looking.may_open_it(one))),
        signs=tuple(one for one in unread if looking.may_be_sign(one)),
        risks=tuple(one for one in unread if looking.may_be_risk(one, ("major", "minor"))),
        major_risks=tuple(one for one in unread if looking.may_be_risk(one, ("major",))),
        flags=tuple(one for one in unread if looking.may_be_flag(one)),
        closing=tuple(one for one in record.unread if looking.may_contradict(one) and not repeating.is_no_news(one)),
        medicines=tuple(one for one in unread if looking.may_be_medicine(one)),
        ends=tuple(one for one in unread if looking.may_end_a_treatment(one)),
        not_whole=not_whole,
    )


class _RepeatedReasons:
    """Finds reasons in words, of a visit or an order, that only repeat a finding which is also coded."""

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
        """Whether everything the reason may be about was already read, for that leg, as a current finding."""
        return self._is_reason(row) and all(
            any(self._is_current(fact) and _may_be_of(row.side, fact.side) for fact in self._present.get(key, ()))
            for key in row.keys
        )

    def adds_nothing_new(self, row: Unread) -> bool:
        """Whether it only repeats findings read with the same or a later date. A later reason may be a new symptom."""
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
        """Whether the fact is recent enough to make today's reason a repetition, and is not older than a denial.

        The limit is that of new pain: for an older fact, today's reason is new information.
        """
        if fact.when is None or fact.when.earliest < self._denied.get(fact.key, date.min):
            return False
        return (self._today - fact.when.day).days <= self._content.pathway.new_pain.days


def _may_be_of(reason_side: Side, fact_side: Side) -> bool:
    """Whether a fact read for ``fact_side`` covers a reason that names ``reason_side``."""
    return reason_side in (Side.UNKNOWN, fact_side) or fact_side in (Side.BOTH, Side.BODY)


class _Looking:
    """What one row may mean, judged by its readable parts."""

    def __init__(self, content: Content, today: date) -> None:
        self._content = content
        self._today = today
        # How long the pains and swellings that lead to a differential count. Findings used only by red flags may be
        # older, but a row that names nothing is not treated as a finding of ten years ago.
        kinds = ("posterior", "swelling", "knee", *PAIN)
        self._complaint_days = max(
            self._days(finding) for finding in content.findings.values() if finding.complaint in kinds
        )
        self._measured_days = max(
            self._own_days(content.findings[measure.finding]) or 0 for measure in content.measures.values()
        )
        self._flag_terms = {key for flag in content.red_flags.values() for key in flag.when.terms()}

    def may_be_complaint(self, row: Unread) -> bool:
        """Whether the row may open the gate: a complaint, or a DVT on record."""
        if row.anything:
            return self._may_be_anything_felt(row, self._complaint_days) and not row.measured
        if row.past:
            return False
        if DVT in row.keys and self._is_recent(row, self._content.pathway.stale_sign.days):
            return True
        named = (finding for _, finding in self._findings(row) if finding.complaint)
        return any(self._is_recent(row, self._days(finding)) for finding in named)

    def pain_near_the_hip(self, record: Record) -> bool:
        """Whether pain of thigh, groin or buttock is recorded; with a pregnancy, for example, it is a complaint."""
        facts = (fact for fact in record.facts if self._content.findings[fact.key].complaint == "proximal")
        limit = self._content.pathway.complaint.days
        return any(
            fact.status is Status.PRESENT and (fact.when is None or (self._today - fact.when.day).days <= limit)
            for fact in facts
        )

    def may_open_it(self, row: Unread) -> bool:
        """Whether the row may be the finding that makes such a pain a complaint."""
        if row.anything and row.resource in ("Observation", "Condition", ""):
            return not (row.past or row.in_words) and row.categories.isdisjoint(_NO_TESTS)
        return any(finding.dvt.proximal for _, finding in self._findings(row))

    def may_be_sign(self, row: Unread) -> bool:
        """Whether the row may be a sign. Local signs count as long as unresolved ones, others while recent."""
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
        """Whether the row may be a risk factor with one of ``weights``.

        A recent procedure may be an operation; a problem may be a cancer or a pregnancy.
        """
        if row.anything:
            if row.resource == "Procedure":
                return self._is_recent(row, _SURGERY_DAYS)
            return row.resource == "Condition" and not row.in_words
        if row.kind is UnreadKind.WORDS:
            return False  # words of a problem keep a suspicion open but do not open one
        named = (finding for _, finding in self._findings(row) if finding.dvt.risk in weights)
        return any(finding.persists or self._is_recent(row, self._own_days(finding)) for finding in named)

    def may_be_flag(self, row: Unread) -> bool:
        """Whether the row may be a finding of a red-flag rule, within that finding's own window."""
        if row.anything and row.resource == "Observation" and not row.in_words and row.categories & _RESULTS:
            days = self._complaint_days if "imaging" in row.categories else self._measured_days
            return self._is_recent(row, days)
        if row.anything:
            return self._may_be_anything_felt(row, self._complaint_days)
        named = (finding for key, finding in self._findings(row) if key in self._flag_terms)
        return any(self._is_recent(row, self._own_days(finding)) for finding in named)

    def may_contradict(self, row: Unread) -> bool:
        """Whether the row might keep a suspicion open if it were understood: see ``dvt.exclusion``."""
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
        """Whether the row may be an anticoagulant."""
        return ANTICOAGULANT in row.keys or (row.anything and row.resource in MEDICINES and self._is_taken(row))

    def may_end_a_treatment(self, one: Unread) -> bool:
        """A medicine that is stopped, or of a status that is not understood, and may be an anticoagulant."""
        is_medicine = one.resource in MEDICINES and self.may_be_medicine(one) and self._is_taken(one)
        return is_medicine and (one.past or one.kind is UnreadKind.STATUS)

    def _may_be_anything_felt(self, one: Unread, days: int) -> bool:
        """A complaint, a sign or a suspicion: in a problem or an observation, or in what is no resource at all."""
        if one.in_words:
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
        """Whether the medicine is taken, or ended as recently as an ended anticoagulant still counts."""
        return not row.past or self._is_recent(row, self._own_days(self._content.findings[ANTICOAGULANT]))

    def _findings(self, row: Unread) -> Iterator[tuple[str, Finding]]:
        """Yield the findings that its keys name, and the findings that would follow from them."""
        for key in row.keys:
            measure = self._content.measures.get(key)
            name = measure.finding if measure is not None else key
            if name in self._content.findings:
                for implied in (name, *sorted(self._content.implies.get(name, ()))):
                    yield implied, self._content.findings[implied]

    def _is_recent(self, row: Unread, days: int | None) -> bool:
        """Whether the row is at most ``days`` old. Undated rows are, because they may be from today."""
        return days is None or row.when is None or (self._today - row.when.day).days <= days

    def _own_days(self, finding: Finding) -> int | None:
        return finding.recency.days if finding.recency else None

    def _days(self, finding: Finding) -> int:
        """Return the days for which a finding counts as a complaint (see ``leg.complaints``)."""
        return max(self._own_days(finding) or 0, self._content.pathway.complaint.days)
