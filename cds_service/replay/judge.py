"""One patient: every opening of the chart, judged by the same code as a call of the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from pydantic import ValidationError

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.base.budget import Budget
from cds_service.base.errors import NothingToJudgeBy, TooCostly, TooLarge, UnusableInput
from cds_service.base.field_errors import field_errors
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.record import RowState, Status
from cds_service.protocol.bundles import opening as opening_call
from cds_service.protocol.bundles import whole_chart
from cds_service.protocol.queries import SEARCHED
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import sanitized
from cds_service.replay.as_known import known_at
from cds_service.replay.chart import StagedEntry
from cds_service.replay.labels import events_of, label
from cds_service.replay.openings import Opening, openings_of
from cds_service.replay.options import Options
from cds_service.replay.rows import Row
from cds_service.replay.tally import Tally
from cds_service.replay.verdicts import Opened, ShownCard
from cds_service.service.evaluate import Service

MAX_ROWS = 100_000
"""Of one chart. More is no patient but a fault of the export, and would not fit into memory."""
_USER = "Practitioner/replay"
_BANDS = ((18, "0-17"), (45, "18-44"), (65, "45-64"), (80, "65-79"), (200, "80 and over"))
_ASKED = {kind for _, kinds in SEARCHED.values() for kind in kinds} | {"Medication"}
_WELLS_ITEMS = 9


@dataclass(slots=True)
class Judged:
    """What became of one chart. ``before``: the cards of the content that is compared with."""

    openings: list[Opened] = field(default_factory=list)
    cards: list[ShownCard] = field(default_factory=list)
    openings_before: list[Opened] = field(default_factory=list)
    cards_before: list[ShownCard] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class _Whose:
    """A patient, and the server that the rows of an export say it is on: the one that the EHR's call would name."""

    patient: str
    pseudonym: str
    server: str | None


class Judge:
    """Judges charts; one for each process."""

    def __init__(
        self,
        service: Service,
        options: Options,
        keyed: KeyedHash,
        now: datetime,
        seconds: float,
        before: Service | None = None,
    ) -> None:
        """``now``: when the run began. ``before``: another content to judge the same openings by.

        ``seconds``: of computing that the service gives one call.
        """
        self._service = service
        self._before = before
        self._options = options
        self._keyed = keyed
        self._now = now
        self._seconds = seconds

    def chart(self, patient: str, rows: Sequence[Row]) -> Judged:
        """Every opening of one chart. Whatever is wrong with it is counted: it never ends the run."""
        try:
            return self._chart(patient, rows)
        except (UnusableInput, TooLarge) as error:
            return _failed(str(error))
        except ValidationError as error:
            return _failed(field_errors(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours in one chart must not lose all the others
            return _failed(f"fault of the service: {type(error).__name__}")

    def _chart(self, patient: str, rows: Sequence[Row]) -> Judged:
        if len(rows) > MAX_ROWS:
            return _failed(f"has more than {MAX_ROWS} rows")
        found = Judged()
        found.tally.add("patients")
        entries = [StagedEntry(row, self._now) for row in rows]
        if self._options.chart == "asked":
            entries = [one for one in entries if one.kind in _ASKED]
        if not any(one.kind == "Patient" for one in entries):
            found.tally.add("patients_without_details")
        found.tally.add("undated_rows", times=sum(one.known is None and one.kind != "Patient" for one in entries))
        openings = openings_of(entries, self._options, self._now)
        if not openings:
            found.tally.add("patients_without_opening")
            return found
        servers = {row.server for row in rows} - {""}
        whose = _Whose(patient, self._keyed.of("patient", patient), servers.pop() if len(servers) == 1 else None)
        why = next((entry.flaw for entry in entries if entry.flaw), "")
        last: Assessment | None = None
        for opening in openings:
            known = self._known(entries, opening)
            opened, cards, last = self._opened(self._service, whose, opening, known, why)
            found.openings.append(opened)
            found.cards += cards
            if self._before is not None:
                before, cards, _ = self._opened(self._before, whose, opening, known, why)
                found.openings_before.append(before)
                found.cards_before += cards
        if last is not None:
            _count_last(last, found.tally)
        with suppress(TooCostly):  # then what followed stays unknown
            self._label(whose, entries, found.openings, last)
        return found

    def _known(self, entries: Sequence[StagedEntry], opening: Opening) -> tuple[ChartEntry, ...]:
        known = known_at(entries, opening.at)
        if self._options.chart == "asked":
            return tuple(one for one in known if one.kind != "Encounter" or one.identity == opening.encounter)
        return tuple(known)

    def _opened(
        self, service: Service, whose: _Whose, opening: Opening, known: tuple[ChartEntry, ...], why: str
    ) -> tuple[Opened, list[ShownCard], Assessment | None]:
        opened = Opened(
            patient=whose.pseudonym,
            opening=self._keyed.of("opening", whose.patient, opening.key),
            at=opening.at,
            encounter_class=opening.kind,
            site=opening.site,
            practitioner=self._keyed.of("practitioner", opening.practitioner) if opening.practitioner else "",
            rows=len(known),
        )
        request = opening_call(_USER, whose.patient, opening.encounter, whose.server)
        began = perf_counter()
        try:
            answer = service.answer(request, whole_chart(known, why), opening.at, budget=Budget(self._seconds))
            cards = sanitized(answer.cards, service.own_urls)[0]
        except (NothingToJudgeBy, TooCostly) as error:
            opened.not_answered = str(error)
            return opened, [], None
        opened.milliseconds = (perf_counter() - began) * 1000
        _fill(opened, answer.assessment, cards)
        return opened, list(self._shown(opened, cards, service.content.version)), answer.assessment

    def _shown(self, opened: Opened, cards: Sequence[Card], version: str) -> Iterator[ShownCard]:
        of = self._keyed.of
        for number, card in enumerate(cards, start=1):
            basis = of("basis", *card.basis)
            # The version of the content stands on every card, and is no change of what a card says.
            words = of("words", card.summary, card.detail.replace(version, ""))
            yield ShownCard(
                opened.patient, opened.opening, opened.at, number, card.rule, card.indicator, card.leg, basis, words
            )

    def _label(
        self, whose: _Whose, entries: Sequence[StagedEntry], openings: Sequence[Opened], at_last: Assessment | None
    ) -> None:
        """What is known at the end of the chart tells what followed each opening. ``at_last``: of the last opening."""
        end = max((one.known for one in entries if one.known is not None), default=openings[-1].at)
        if at_last is not None and end <= openings[-1].at:
            record = at_last.record
        else:
            now = max(end, openings[-1].at)
            check = Budget(self._seconds).check
            record = read_record(
                self._service.content, whose.patient, entries, now, fhir_server=whose.server, check=check
            )
        events = events_of(record, openings[-1].at)
        for one in openings:
            one.after_30_days = label(events, one.at, end, 30)
            one.after_90_days = label(events, one.at, end, 90)


def _fill(opened: Opened, assessment: Assessment, cards: Sequence[Card]) -> None:
    age = assessment.patient.age_on(assessment.today)
    opened.age_band = next((band for below, band in _BANDS if age < below), "") if age is not None else ""
    opened.sex = assessment.patient.sex or ""
    opened.cards = len(cards)
    opened.worst = next((one for one in ("critical", "warning", "info") if one in {c.indicator for c in cards}), "")
    opened.dvt_card = any(card.rule == DVT_RULE for card in cards)
    opened.complaint = bool(assessment.legs)
    if not cards:
        opened.silent_because = assessment.silent_because or "nothing to show"
    leg = next((one for one in assessment.legs if one.dvt.suspected), next(iter(assessment.legs), None))
    if leg is not None and leg.dvt.wells is not None:
        missing = leg.dvt.wells.not_recorded
        opened.wells_recorded = _WELLS_ITEMS - len(missing)
        opened.wells_missing = tuple(item.name for item in missing)


def _count_last(assessment: Assessment, tally: Tally) -> None:
    """What the chart held when it was opened last: each row and finding counts once for a patient."""
    for line in assessment.record.ledger:
        tally.add("rows", line.state.value, line.count)
        if line.state is RowState.NOT_UNDERSTOOD:
            tally.add("not_understood", f"{line.resource}\t{line.reason}", line.count)
    for key in {fact.key for fact in assessment.record.facts if fact.status is not Status.UNKNOWN}:
        tally.add("findings", key)


def _failed(reason: str) -> Judged:
    found = Judged()
    found.tally.add("patients")
    found.tally.add("patients_not_judged", reason)
    return found
