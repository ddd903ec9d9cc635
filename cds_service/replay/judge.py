"""Judge every opening of one patient's chart, with the same code as a call of the service."""

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
from cds_service.base.logs import get_log, place_of
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.names import DVT_RULE
from cds_service.clinical.reading import ChartEntry, read_record
from cds_service.clinical.reading.resource_types import MAY_SAY_SOMETHING, READ
from cds_service.clinical.record import RowState, Status
from cds_service.protocol.bundles import opened_again, whole_chart
from cds_service.protocol.bundles import opening as opening_call
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.queries import SEARCHED
from cds_service.rendering.card import Card
from cds_service.rendering.sanitize import sanitized
from cds_service.replay.as_known import known_at
from cds_service.replay.chart import StagedEntry, StagedNumbers, entries_of
from cds_service.replay.labels import events_of, label
from cds_service.replay.openings import Opening, encounter_name, openings_of
from cds_service.replay.options import Options
from cds_service.replay.rows import Row
from cds_service.replay.tally import Tally
from cds_service.replay.verdicts import Opened, ShownCard
from cds_service.replay.visits import Visits
from cds_service.service.evaluate import Service

log = get_log()

MAX_ROWS = 100_000
"""Most rows of one chart. More rows are a fault of the export and would not fit into memory."""
_USER = "Practitioner/replay"
_BANDS = ((18, "0-17"), (45, "18-44"), (65, "45-64"), (80, "65-79"), (200, "80 and over"))
_ASKED = {kind for _, kinds in SEARCHED.values() for kind in kinds} | {"Medication"}
_SAYS_SOMETHING = READ | MAY_SAY_SOMETHING
_WELLS_ITEMS = 9


@dataclass(slots=True)
class Judged:
    """The results of one chart. ``openings_before`` and ``cards_before``: with the content to compare with."""

    openings: list[Opened] = field(default_factory=list)
    cards: list[ShownCard] = field(default_factory=list)
    openings_before: list[Opened] = field(default_factory=list)
    cards_before: list[ShownCard] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A patient, with pseudonym and the call that opens the chart.

    ``server``: FHIR server in the export's references, which an EHR's call would name.
    """

    patient: str
    pseudonym: str
    server: str | None
    request: HookRequest


class Judge:
    """Judges charts. One instance per process."""

    def __init__(
        self,
        service: Service,
        options: Options,
        keyed: KeyedHash,
        now: datetime,
        seconds: float,
        before: Service | None = None,
    ) -> None:
        """``now``: start of the run. ``before``: service with another content, to judge the same openings.

        ``seconds``: computing time that the service allows for one call.
        """
        self._service = service
        self._before = before
        self._visits = {id(judging): Visits(judging.content) for judging in (service, before) if judging is not None}
        self._options = options
        self._keyed = keyed
        self._now = now
        self._seconds = seconds

    def chart(self, patient: str, rows: Sequence[Row]) -> Judged:
        """Judge every opening of one chart. Errors in the chart are counted and do not end the run."""
        try:
            return self._chart(patient, rows)
        except (UnusableInput, TooLarge) as error:
            return _failed(str(error))
        except ValidationError as error:
            return _failed(field_errors(error))
        except Exception as error:  # noqa: BLE001 - a bug in one chart must not end the run
            log.error("chart_not_judged", error=type(error).__name__, place=place_of(error))
            return _failed(f"fault of the service: {type(error).__name__}, {place_of(error)}")

    def _chart(self, patient: str, rows: Sequence[Row]) -> Judged:
        if sum(row.times for row in rows) > MAX_ROWS:
            return _failed(f"has more than {MAX_ROWS} rows")
        judged = Judged()
        judged.tally.add("patients")
        entries = entries_of(rows, self._now)
        if self._options.chart == "asked":
            entries = [entry for entry in entries if entry.kind in _ASKED]
        if not any(entry.kind == "Patient" for entry in entries):
            judged.tally.add("patients_without_details")
        judged.tally.add(
            "undated_rows", times=sum(entry.known is None and entry.kind in _SAYS_SOMETHING for entry in entries)
        )
        openings = openings_of(entries, self._options, self._now)
        if not openings:
            judged.tally.add("patients_without_opening")
            return judged
        servers = {row.server for row in rows} - {""}
        server = servers.pop() if len(servers) == 1 else None
        request = opening_call(_USER, patient, None, server)
        subject = _Subject(patient, self._keyed.of("patient", patient), server, request)
        why = next((entry.flaw for entry in entries if entry.flaw), "")
        self._visits[id(self._service)].recall(entries)
        last: Assessment | None = None
        for opening in openings:
            known = self._known(entries, opening)
            opened, cards, last = self._judge_opening(self._service, subject, opening, known, why, last)
            judged.openings.append(opened)
            judged.cards += cards
        if last is not None:
            _count_last(last, judged.tally)
        with suppress(TooCostly):  # then the labels stay unknown
            self._label(subject, entries, judged.openings, last)
        if self._before is not None:
            # Not in turns with the first content, because entries remember what the last content found in them.
            self._visits[id(self._before)].recall(entries)
            last = None
            for opening in openings:
                known = self._known(entries, opening)
                before, cards, last = self._judge_opening(self._before, subject, opening, known, why, last)
                judged.openings_before.append(before)
                judged.cards_before += cards
        return judged

    def _known(self, entries: Sequence[StagedEntry], opening: Opening) -> tuple[ChartEntry, ...]:
        known = known_at(entries, opening.at)
        if self._options.chart == "asked":
            return tuple(entry for entry in known if entry.kind != "Encounter" or encounter_name(entry) == opening.key)
        return tuple(known)

    def _judge_opening(
        self,
        service: Service,
        subject: _Subject,
        opening: Opening,
        known: tuple[ChartEntry, ...],
        why: str,
        earlier: Assessment | None,
    ) -> tuple[Opened, list[ShownCard], Assessment | None]:
        opened = Opened(
            patient=subject.pseudonym,
            opening=self._keyed.of("opening", subject.patient, opening.key),
            at=opening.at,
            encounter_class=opening.kind,
            site=opening.site,
            practitioner=self._keyed.of("practitioner", opening.practitioner) if opening.practitioner else "",
            rows=sum(entry.count for entry in known),
        )
        request = opened_again(subject.request, opening.encounter)
        began = perf_counter()
        try:
            answer = service.answer(
                request,
                whole_chart(known, why),
                opening.at,
                budget=Budget(self._seconds),
                only_words=True,
                earlier=earlier,
            )
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
            # Every card names the version of the content, which does not count as a change of the card.
            words = of("words", card.summary, card.detail.replace(version, ""))
            yield ShownCard(
                opened.patient, opened.opening, opened.at, number, card.rule, card.indicator, card.leg, basis, words
            )

    def _label(
        self, subject: _Subject, entries: Sequence[StagedEntry], openings: Sequence[Opened], at_last: Assessment | None
    ) -> None:
        """Label each opening by what the chart shows at its end. ``at_last``: assessment of the last opening."""
        end = max((entry.known_until for entry in entries if entry.known_until is not None), default=openings[-1].at)
        if at_last is not None and end <= openings[-1].at:
            record = at_last.record
        else:
            now = max(end, openings[-1].at)
            check = Budget(self._seconds).check
            whole = [entry.recorded_by(now) if isinstance(entry, StagedNumbers) else entry for entry in entries]
            record = read_record(
                self._service.content, subject.patient, whole, now, fhir_server=subject.server, check=check
            )
        events = events_of(record, openings[-1].at)
        for opening in openings:
            opening.after_30_days = label(events, opening.at, end, 30)
            opening.after_90_days = label(events, opening.at, end, 90)


def _fill(opened: Opened, assessment: Assessment, cards: Sequence[Card]) -> None:
    age = assessment.patient.age_on(assessment.today)
    opened.age_band = next((band for below, band in _BANDS if age < below), "") if age is not None else ""
    opened.sex = assessment.patient.sex or ""
    opened.cards = len(cards)
    opened.worst = next(
        (level for level in ("critical", "warning", "info") if level in {c.indicator for c in cards}), ""
    )
    opened.dvt_card = any(card.rule == DVT_RULE for card in cards)
    opened.complaint = bool(assessment.legs)
    if not cards:
        opened.silent_because = assessment.silent_because or "nothing to show"
    leg = next((leg for leg in assessment.legs if leg.dvt.suspected), next(iter(assessment.legs), None))
    if leg is not None and leg.dvt.wells is not None:
        missing = leg.dvt.wells.not_recorded
        opened.wells_recorded = _WELLS_ITEMS - len(missing)
        opened.wells_missing = tuple(item.name for item in missing)


def _count_last(assessment: Assessment, tally: Tally) -> None:
    """Count the rows and findings of the last opening, so that each counts once per patient."""
    for line in assessment.record.ledger:
        tally.add("rows", line.state.value, line.count)
        if line.state is RowState.NOT_UNDERSTOOD:
            tally.add("not_understood", f"{line.resource}\t{line.reason}", line.count)
    for key in {fact.key for fact in assessment.record.facts if fact.status is not Status.UNKNOWN}:
        tally.add("findings", key)


def _failed(reason: str) -> Judged:
    judged = Judged()
    judged.tally.add("patients")
    judged.tally.add("patients_not_judged", reason)
    return judged
