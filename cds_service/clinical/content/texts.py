"""The sentences of the service as content: named messages with placeholders, one file for each language.

Code selects a message and fills its placeholders; it does not build sentences. Each message declares its placeholders,
and the loader rejects a translation that omits one or uses another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from cds_service.base.plain_text import plain
from cds_service.clinical.content.figures import ContentModel, PlainText

COUNT = "count"
"""The placeholder that decides between the plural forms of a message."""
_PLACE = re.compile(r"\{([a-z_]*)\}")
_FORMS = ("one", "other")
_MAX_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence with placeholders, by plural category of the language (``one``, ``other``)."""

    forms: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.forms.items())))

    def fill(self, category: str = "other", /, **places: object) -> str:
        """Return the text with its placeholders filled.

        ``category``: the plural form; the form "other" is used if it is missing.
        """
        return self.forms.get(category, self.forms["other"]).format(**places)


@dataclass(frozen=True)
class Takes:
    """Marks a message with the names of its placeholders. Every translation must use each of them."""

    places: tuple[str, ...]

    def __init__(self, *places: str) -> None:
        object.__setattr__(self, "places", places)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def _read(self, value: object) -> Message:
        forms = value if isinstance(value, dict) else {"other": value}
        if isinstance(value, dict) and (COUNT not in self.places or not set(_FORMS) <= set(forms)):
            raise ValueError("plural forms `one` and `other` are only allowed for a text with the place {count}")
        return Message({form: self._text(text) for form, text in forms.items()})

    def _text(self, text: object) -> str:
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_LENGTH:
            raise ValueError(f"must be a text of 1 to {_MAX_LENGTH} characters")
        named = set(_PLACE.findall(text))
        if re.search(r"[{}]", _PLACE.sub("", text)):
            raise ValueError("has a brace that is not part of a place such as {side}")
        if wrong := sorted(named - {*self.places}):
            known = ", ".join(f"{{{place}}}" for place in self.places) or "none"
            raise ValueError(f"there is no place {{{wrong[0]}}} here; known are: {known}")
        # A form such as "one observation" may omit its number.
        if forgotten := sorted({*self.places} - named - {COUNT}):
            raise ValueError(f"the place {{{forgotten[0]}}} is missing")
        return plain(text)


Plain = Annotated[Message, Takes()]


class Sides(ContentModel):
    """Names of the legs, for the middle of a sentence."""

    left: Plain
    right: Plain
    both: Plain
    unknown: Plain
    body: Plain


class Language(ContentModel):
    """``locale``: how dates, numbers and lists are written. ``reviewed``: who reviewed all of it; empty if nobody."""

    locale: str = Field(pattern=r"^[a-z]{2}(_[A-Z]{2})?$")
    name: PlainText
    drafted: Literal["people", "machine"]
    reviewed: str = ""
    notice: PlainText = ""

    @property
    def code(self) -> str:
        """The language code, for example ``en``."""
        return self.locale.partition("_")[0]

    @property
    def is_unreviewed(self) -> bool:
        """Whether it was drafted by a machine and not reviewed by a clinician."""
        return self.drafted == "machine" and not self.reviewed


class FactTexts(ContentModel):
    """How recorded facts are listed on a card, with remarks on facts that are not certain."""

    dated: Annotated[Message, Takes("facts", "day")]
    day_unknown: Plain
    side_unknown: Plain
    provisional: Plain
    ordered: Plain
    absent: Annotated[Message, Takes("fact")]
    with_each_other: Annotated[Message, Takes("first", "second")]
    diagnosis: Annotated[Message, Takes("title")]
    more: Annotated[Message, Takes("count")]


class ScoreTexts(ContentModel):
    """The Wells score as far as it is recorded."""

    exact: Annotated[Message, Takes("points")]
    at_least: Annotated[Message, Takes("points")]
    between: Annotated[Message, Takes("least", "most")]
    open: Plain
    not_for_pregnancy: Plain
    does_not_apply: Plain
    not_counted: Annotated[Message, Takes("item")]
    or_more: Annotated[Message, Takes("points")]
    to: Annotated[Message, Takes("least", "most")]
    or_less: Annotated[Message, Takes("points")]


class Leads(ContentModel):
    """The words in bold that begin each part of a card."""

    now: Plain
    today: Plain
    days: Plain
    two_weeks: Plain
    consider: Plain
    because: Plain
    check_now: Plain
    not_recorded: Plain
    avoid: Plain
    also_possible: Plain
    keep_in_mind: Plain
    safety_net: Plain
    recorded: Plain
    may_be_about: Plain
    dvt_suspected: Plain
    cannot_exclude: Plain
    no_warning: Plain
    by_hand: Plain
    fits: Plain
    not_closed: Plain


class ClosedTexts(ContentModel):
    """What closed a suspicion of DVT, or would have closed it."""

    treated: Plain
    dismissed: Plain
    repeat_scan: Plain
    scan_and_d_dimer: Plain
    score_and_d_dimer: Plain


class DvtTexts(ContentModel):
    """The DVT card."""

    summary: Annotated[Message, Takes("side", "score", "act")]
    summary_no_score: Annotated[Message, Takes("side", "act")]
    summary_low: Annotated[Message, Takes("side", "score", "act")]
    summary_unscored: Annotated[Message, Takes("side", "act")]
    summary_danger: Annotated[Message, Takes("dangers", "side", "act")]
    summary_palliative: Annotated[Message, Takes("side")]
    summary_untreated: Annotated[Message, Takes("side")]
    summary_recorded: Annotated[Message, Takes("side")]
    summary_pregnant: Annotated[Message, Takes("state", "side", "act")]
    summary_stale: Annotated[Message, Takes("side", "sign", "day")]
    summary_ordered: Annotated[Message, Takes("side", "order", "day")]
    in_pregnancy: Plain
    after_delivery: Plain
    palliative: Plain
    closed: ClosedTexts
    not_closed: Annotated[Message, Takes("proof", "missing")]
    repeat_scan_due: Annotated[Message, Takes("first", "last")]
    one_scan: Annotated[Message, Takes("day")]
    refuted: Plain
    refuted_narrow: Plain
    refuted_some_veins: Plain
    refuted_other_leg: Plain
    refuted_in_part: Plain
    second_leg: Annotated[Message, Takes("side")]
    chest: Plain
    band: Annotated[Message, Takes("score", "option")]
    items_open: Annotated[Message, Takes("count")]
    question: Annotated[Message, Takes("item")]
    question_points: Annotated[Message, Takes("item", "points")]
    state_leg: Annotated[Message, Takes("side")]
    state_no_leg: Plain


class FlagTexts(ContentModel):
    """Cards for red flags other than DVT."""

    summary_ordered: Annotated[Message, Takes("title", "side", "order", "day")]
    step_of: Annotated[Message, Takes("title", "step")]
    rule_met: Annotated[Message, Takes("rule")]
    several: Annotated[Message, Takes("count", "when", "titles")]
    several_more: Annotated[Message, Takes("titles", "count")]
    one_of_several: Annotated[Message, Takes("title", "side", "when")]
    now: Plain
    same_day: Plain
    days: Plain
    two_weeks: Plain
    consensus: Plain
    source_label: Plain


class CauseTexts(ContentModel):
    """The card of causes."""

    summary: Annotated[Message, Takes("what", "side", "causes")]
    summary_gap: Annotated[Message, Takes("side", "gap", "causes")]
    summary_gap_alone: Annotated[Message, Takes("side", "gap")]
    summary_also: Annotated[Message, Takes("side", "causes")]
    summary_one: Annotated[Message, Takes("title", "side", "band")]
    complaint: Plain
    under_18: Plain
    line: Annotated[Message, Takes("title", "band")]
    confirmed: Plain
    strong_fit: Plain
    fits: Plain
    possible: Plain
    low: Plain
    strong: Plain
    moderate: Plain
    weak: Plain
    weighed: Annotated[Message, Takes("facts", "strength")]
    against: Annotated[Message, Takes("facts")]
    missing: Annotated[Message, Takes("finding")]
    legend: Plain
    working_list: Annotated[Message, Takes("causes")]
    source_label: Plain


class PainTexts(ContentModel):
    """The card for a new pain that no recorded finding explains."""

    summary: Annotated[Message, Takes("what", "side", "causes")]
    summary_asking: Annotated[Message, Takes("what", "side", "causes")]
    summary_alone: Annotated[Message, Takes("what", "side")]
    summary_asking_alone: Annotated[Message, Takes("what", "side")]
    summary_alike: Annotated[Message, Takes("what", "side")]
    nothing_points: Annotated[Message, Takes("causes")]
    source_label: Plain


class RowTexts(ContentModel):
    """The number of rows of a kind: ``2 problems``."""

    observation: Annotated[Message, Takes("count")]
    problem: Annotated[Message, Takes("count")]
    procedure: Annotated[Message, Takes("count")]
    medicine: Annotated[Message, Takes("count")]
    order: Annotated[Message, Takes("count")]
    report: Annotated[Message, Takes("count")]
    visit: Annotated[Message, Takes("count")]
    questionnaire: Annotated[Message, Takes("count")]
    entry: Annotated[Message, Takes("count")]
    patient: Plain


class PartTexts(ContentModel):
    """Names of the parts of a chart, for the middle of a sentence."""

    patient: Plain
    observations: Plain
    conditions: Plain
    procedures: Plain
    medications: Plain
    orders: Plain
    not_all: Annotated[Message, Takes("part")]


class WhyTexts(ContentModel):
    """Why an entry could not be turned into facts, one text for each kind."""

    invalid: Plain
    value: Plain
    side: Plain
    date: Plain
    place: Plain
    status: Plain
    system: Plain
    words: Plain
    uncoded: Plain
    subject: Plain
    not_a_resource: Plain


class ChartTexts(ContentModel):
    """Texts about parts of a chart that were missing or not understood."""

    rows: RowTexts
    parts: PartTexts
    why: WhyTexts
    unknown_system: Plain
    in_words_only: Plain
    unclear_subject: Plain
    not_understood: Plain
    rows_why: Annotated[Message, Takes("rows", "why")]
    parts_missing: Annotated[Message, Takes("parts")]
    missing: Annotated[Message, Takes("parts")]
    also_missing: Annotated[Message, Takes("parts")]
    short_missing: Annotated[Message, Takes("parts")]
    short_rows: Annotated[Message, Takes("rows")]
    not_read: Annotated[Message, Takes("rows")]
    not_read_about: Annotated[Message, Takes("rows", "names")]
    strangers: Annotated[Message, Takes("count")]
    unread_summary: Annotated[Message, Takes("rows", "why")]
    unread_entry: Annotated[Message, Takes("entry", "day", "why")]
    about_unknown: Plain
    look_yourself: Plain
    gap_summary: Annotated[Message, Takes("side", "gap")]
    gap_summary_alone: Annotated[Message, Takes("side")]
    gap_advice: Plain
    not_judged_summary: Plain
    not_judged: Plain
    not_judged_advice: Plain
    source_label: Plain


class MedicineTexts(ContentModel):
    """Whether an anticoagulant is taken, as far as the chart proves it."""

    taking: Plain
    not_sure: Plain
    not_identified: Annotated[Message, Takes("rows")]
    not_available: Plain
    none: Plain


class OrderTexts(ContentModel):
    """Draft orders and existing orders, and the remarks of a card on both."""

    with_side: Annotated[Message, Takes("title", "side")]
    describe: Annotated[Message, Takes("title", "reason", "tells")]
    link: Annotated[Message, Takes("title")]
    placed: Annotated[Message, Takes("title", "day")]
    done: Annotated[Message, Takes("title", "day")]
    side_and_note: Annotated[Message, Takes("side", "note")]
    recorded: Annotated[Message, Takes("facts")]
    score: Annotated[Message, Takes("score")]
    score_missing: Annotated[Message, Takes("score", "items")]
    pregnant: Plain
    renal: Plain


class ReminderTexts(ContentModel):
    """The short reminder that replaces an answered urgent card."""

    summary: Annotated[Message, Takes("summary")]
    overridden: Annotated[Message, Takes("day", "time")]
    accepted: Annotated[Message, Takes("count", "orders", "day", "time")]
    accepted_something: Annotated[Message, Takes("day", "time")]
    standing: Annotated[Message, Takes("standing", "answer")]
    no_order: Annotated[Message, Takes("answer")]
    unchanged: Annotated[Message, Takes("answer")]


class OverrideTexts(ContentModel):
    """The buttons for the reasons why a card was not followed."""

    action_completed: Plain
    cds_not_applicable: Plain
    patient_contraindication: Plain
    patient_refuses: Plain
    recipient_disagrees_evidence: Plain
    service_not_available: Plain


class TopicTexts(ContentModel):
    """The topic of a card, for the lists of an EHR."""

    kneedvt1: Plain
    kneecauses1: Plain
    kneeunread1: Plain
    kneegap1: Plain
    kneepain1: Plain
    kneeflags1: Plain


class PriorityTexts(ContentModel):
    """How urgent an order is, in the words of a practice."""

    stat: Plain
    asap: Plain
    urgent: Plain
    routine: Plain


class FormSides(ContentModel):
    """Legs, as a choice in a form."""

    left: Plain
    right: Plain
    both: Plain


class FormAnticoagulant(ContentModel):
    """Whether an anticoagulant is taken, as a choice in a form."""

    taking: Plain
    none: Plain
    unknown: Plain


class FormMistakes(ContentModel):
    """What is wrong with a field of the order form."""

    service: Plain
    priority: Plain
    side: Plain
    indication: Plain
    anticoagulant: Plain
    too_long: Annotated[Message, Takes("most")]


class FormTexts(ContentModel):
    """The order as a text to copy, one line for each field."""

    service: Annotated[Message, Takes("service")]
    patient: Annotated[Message, Takes("patient")]
    priority: Annotated[Message, Takes("priority")]
    side: Annotated[Message, Takes("side")]
    indication: Annotated[Message, Takes("indication")]
    question: Annotated[Message, Takes("question")]
    findings: Annotated[Message, Takes("findings")]
    anticoagulant: Annotated[Message, Takes("anticoagulant")]
    contact: Annotated[Message, Takes("contact")]
    please_note: Annotated[Message, Takes("text")]
    telephone: Plain
    not_chosen: Plain
    not_stated: Plain
    side_not_stated: Plain
    priorities: PriorityTexts
    sides: FormSides
    anticoagulants: FormAnticoagulant
    mistakes: FormMistakes


class Notice(ContentModel):
    """A short title for what happened, and an explanation."""

    title: PlainText = Field(min_length=1)
    text: PlainText = Field(min_length=1)
    tone: Literal["critical", "warning", "info", "good"] = "warning"


class LaunchNotices(ContentModel):
    """Why the order page or the assessment page could not be opened."""

    unknown_ehr: Notice
    no_launch: Notice
    no_smart: Notice
    no_answer: Notice
    refused: Notice
    not_set_up: Notice
    bad_answer: Notice
    bad_identity: Notice
    no_clinician: Notice
    no_patient: Notice
    over: Notice
    other_browser: Notice
    other_patient: Notice
    busy: Notice
    down: Notice


class LaunchClosing(ContentModel):
    """What was not done and what to do instead, after the reason why a page could not be opened.

    ``either``: it is not known yet which of the two pages the card asked for.
    """

    order: Plain
    assess: Plain
    either: Plain


class OrderNotices(ContentModel):
    """The result of sending the order, shown above the form."""

    can_place: Notice
    text_only: Notice
    not_taken: Notice
    nobody: Notice
    expired_link: Notice
    mistakes: Notice
    same_order: Notice
    expired: Notice
    forbidden: Notice
    no_answer: Notice
    not_sent: Notice
    invalid: Notice
    exists: Notice
    unsure: Notice
    not_found: Notice
    being_sent: Notice
    other_patient: Notice
    form_key: Notice
    placed: Notice


class BasisTexts(ContentModel):
    """Notices that the chart does not support the order as the card proposed it."""

    changed: PlainText
    none: PlainText
    unread: PlainText


class AssessGroups(ContentModel):
    """Headings above the groups of questions on the assessment page."""

    score: Plain
    pathway: Plain
    warning_signs: Plain
    causes: Plain


class AssessReplies(ContentModel):
    """The three ways to answer a question."""

    yes: Plain
    no: Plain
    not_examined: Plain


class AssessMistakes(ContentModel):
    """Errors in the input on the assessment page."""

    calves: Annotated[Message, Takes("least", "most")]
    side: Plain
    leg: Plain


class AssessTexts(ContentModel):
    """The assessment page: its questions, its note to copy, and the words of a card about a completed score."""

    link: Annotated[Message, Takes("count")]
    link_signs: Annotated[Message, Takes("count")]
    link_causes: Annotated[Message, Takes("count")]
    completed: Annotated[Message, Takes("points", "most", "moment")]
    completed_by: Annotated[Message, Takes("points", "most", "moment", "name")]
    girths: Annotated[Message, Takes("here", "other")]
    difference: Annotated[Message, Takes("difference")]
    no_concern: Plain
    note_head: Annotated[Message, Takes("side", "moment", "score", "pathway")]
    note_no_score: Annotated[Message, Takes("side", "moment")]
    note_yes: Annotated[Message, Takes("findings")]
    note_no: Annotated[Message, Takes("findings")]
    note_recorded: Annotated[Message, Takes("findings")]
    note_open: Annotated[Message, Takes("findings")]
    against: Plain
    against_such_as: Plain
    against_yes: Plain
    against_no: Plain
    groups: AssessGroups
    replies: AssessReplies
    mistakes: AssessMistakes


class AssessNotices(ContentModel):
    """The outcome of saving an assessment, shown above its questions."""

    can_save: Notice
    text_only: Notice
    not_taken: Notice
    nobody: Notice
    expired_link: Notice
    nothing: Notice
    mistakes: Notice
    empty: Notice
    saved: Notice
    being_saved: Notice
    expired: Notice
    forbidden: Notice
    unread: Notice
    no_answer: Notice
    not_sent: Notice
    invalid: Notice
    exists: Notice
    other_window: Notice
    unsure: Notice
    not_found: Notice
    other_patient: Notice
    form_key: Notice


class PageTexts(ContentModel):
    """Messages of the order page for when something goes wrong."""

    launch: LaunchNotices
    launch_closing: LaunchClosing
    order: OrderNotices
    basis: BasisTexts
    assess: AssessNotices


class Texts(ContentModel):
    """All texts of the service other than those of findings, causes, rules, pathways and orders.

    ``card_end``: the closing line of a card; ``card_end_causes``: the same for a card that has no rule.
    """

    language: Language
    side: Sides
    fact: FactTexts
    score: ScoreTexts
    lead: Leads
    card_end: Annotated[Message, Takes("moment", "rule")]
    card_end_causes: Annotated[Message, Takes("moment")]
    summary_more: Annotated[Message, Takes("summary", "facts")]
    dvt: DvtTexts
    flag: FlagTexts
    cause: CauseTexts
    pain: PainTexts
    chart: ChartTexts
    anticoagulant: MedicineTexts
    order: OrderTexts
    reminder: ReminderTexts
    override: OverrideTexts
    topic: TopicTexts
    form: FormTexts
    assess: AssessTexts
    page: PageTexts
