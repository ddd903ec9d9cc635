"""The words of the pages that a clinician opens from a card, one file for each language: ``text/en/pages.toml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cds_service.clinical.content.figures import ContentModel, PlainText
from cds_service.clinical.content.texts import Message, Takes

Words = Annotated[PlainText, Field(min_length=1)]
"""A label or sentence without placeholders."""


class FrameWords(ContentModel):
    """Words around every page."""

    skip: Words
    pages: Words
    evidence: Words
    explorer: Words
    api: Words
    not_validated: Words
    version: Annotated[Message, Takes("version")]


class LeafletPageWords(ContentModel):
    """Words around the patient leaflet. The words of the leaflet itself are in ``leaflet.toml``."""

    title: Annotated[Message, Takes("title")]
    crumb: Words
    print: Words


class OrderPageWords(ContentModel):
    """Labels, hints and buttons of the order page. The page passes the words of its script to it."""

    patient: Words
    patient_unknown: Words
    check_chart: Words
    heading: Annotated[Message, Takes("title")]
    ehr_says: Words
    error_code: Words
    not_available: Words
    why: Words
    not_recorded: Words
    not_absent: Words
    recorded: Words
    alike: Words
    leaflet: Words
    evidence: Words
    order: Words
    service: Words
    priority: Words
    side: Words
    side_hint: Words
    indication: Words
    question: Words
    anticoagulant: Words
    anticoagulant_hint: Words
    contact: Words
    contact_hint: Words
    findings: Words
    findings_hint: Words
    another: Words
    offline: Words
    offline_advice: Words
    check_again: Words
    send: Words
    wait: Words
    signed_as: Annotated[Message, Takes("signer")]
    signed_as_visit: Annotated[Message, Takes("signer", "visit")]
    update_text: Words
    text: Words
    copy_text: Words
    print_text: Words
    copied: Words
    selected: Words
    text_behind: Words
    reviewed: Annotated[Message, Takes("version", "name")]
    not_reviewed: Annotated[Message, Takes("version")]
    placed: Words
    in_the_ehr_as: Words
    status_there: Words
    can_close: Words
    look_again: Words


class AssessPageWords(ContentModel):
    """Labels and buttons of the assessment page, except those that it shares with the order page."""

    title: Words
    heading: Annotated[Message, Takes("side")]
    saved_as: Words
    answers: Words
    which_leg: Words
    leg_unknown: Words
    on_record: Words
    judgement: Words
    this_leg: Words
    other_leg: Words
    behind: Words
    to_order: Words
    to_order_page: Words
    save: Words
    work_out: Words
    try_again: Words
    copy_note: Words
    saved_by: Annotated[Message, Takes("signer")]
    follows: Words
    no_score: Words
    critical: Words
    warning: Words
    info: Words
    note: Words
    order_now: Words


class ShowsWords(ContentModel):
    """Words for when a rule fires; for the DVT rule, what opens a suspicion and how urgent it is (evidence C.5)."""

    heading: Words
    all_of: Words
    any_of: Words
    not_recorded: Words
    complaint: Annotated[Message, Takes("days")]
    local_sign: Annotated[Message, Takes("fresh", "stale")]
    new_pain: Annotated[Message, Takes("days")]
    self_test: Words
    own_suspicion: Words
    also: Words
    how_urgent: Words
    now: Words
    now_for: Annotated[tuple[PlainText, ...], Field(min_length=1)]
    today: Words
    score: Annotated[Message, Takes("points")]
    today_for: Annotated[tuple[PlainText, ...], Field(min_length=1)]
    soon: Words
    soon_for: Words


class TermWords(ContentModel):
    """Terms of rules that are not findings, by their names in the content."""

    dvt_suspected: Words
    age_under_18: Words
    bakers_cyst_ruptured_known: Words
    new_leg_pain: Words
    one_leg: Words


class PathwayWords(ContentModel):
    """The score of the DVT pathway and its time limits."""

    range: Annotated[Message, Takes("least", "most")]
    items: Words
    number: Words
    item: Words
    points: Words
    found_by: Words
    examination: Words
    history: Words
    fresh_sign: Words
    stale_sign: Words
    new_pain: Words
    complaint: Words
    test_valid: Words
    repeat_scan_after: Words
    repeat_scan_before: Words
    day_count: Annotated[Message, Takes("count")]


class OffersWords(ContentModel):
    """What the card offers."""

    offers: Words
    warns: Words
    consider: Words
    avoid: Words
    for_patient: Words
    leaflet: Words
    see_again: Words
    guideline: Annotated[Message, Takes("guideline")]


class WeightWords(ContentModel):
    """How findings support a cause or speak against it."""

    heading: Words
    ratios: Words
    studies: Words
    table: Words
    finding: Words
    if_present: Words
    if_absent: Words
    settles: Words
    read: Words
    interval: Words
    intervals: Words
    lr_present: Words
    lr_absent: Words
    sensitivity: Words
    specificity: Words
    odds_ratio: Words
    span: Annotated[Message, Takes("low", "high")]
    percent: Annotated[Message, Takes("span")]


class KnownWords(ContentModel):
    """What is known about the content as a whole, other numbers, and sources."""

    heading: Words
    nothing: Words
    other_numbers: Words
    whole_rule: Words
    prior: Words
    sources: Words
    no_year: Words
    source_read: Words
    source_part: Words
    source_not_read: Words


class StatusWords(ContentModel):
    """How reliable a number is, by its status."""

    seen: Words
    recalled: Words
    adapted: Words
    expert: Words
    policy: Words
    article: Words


class AttributeWords(ContentModel):
    """The 13 source attributes of 45 CFR 170.315(b)(11)(iv)(A), by name, and the words of their values."""

    heading: Words
    rule: Words
    citation: Words
    developer: Words
    funding: Words
    dates: Words
    race: Words
    ethnicity: Words
    language: Words
    sexual_orientation: Words
    gender_identity: Words
    sex: Words
    birth: Words
    social: Words
    health: Words
    not_used: Words
    no_citation: Words
    released: Annotated[Message, Takes("released", "revised", "version")]
    adult_from: Annotated[Message, Takes("years")]
    age_for: Annotated[Message, Takes("limit", "findings")]
    sex_for: Annotated[Message, Takes("findings")]
    health_for: Annotated[Message, Takes("findings")]


class UseWords(ContentModel):
    """Headings of the intended use."""

    heading: Words
    purpose: Words
    users: Words
    population: Words
    setting: Words
    inputs: Words
    not_for: Words
    validation: Words
    regulation: Words


class AboutChart(ContentModel):
    """A card about the chart, not about a rule or a cause."""

    title: Words
    says: Words


class EvidenceWords(ContentModel):
    """The page of a rule, a cause, or a card about the chart."""

    rule: Words
    cause: Words
    reading: Words
    any_leg: Words
    badge: Annotated[Message, Takes("indicator", "urgency")]
    critical: Words
    warning: Words
    info: Words
    reviewed: Annotated[Message, Takes("name")]
    not_reviewed: Words
    review_due: Annotated[Message, Takes("day", "version")]
    what_is_open: Words
    as_json: Words
    examples: Annotated[Message, Takes("count")]
    shows: ShowsWords
    terms: TermWords
    pathway: PathwayWords
    card: OffersWords
    weights: WeightWords
    known: KnownWords
    status: StatusWords
    attributes: AttributeWords
    use: UseWords
    unread: AboutChart
    new_pain: AboutChart
    gap: AboutChart


class IndexWords(ContentModel):
    """The index of all evidence pages, and the method."""

    title: Words
    intro: Words
    unsigned: Words
    open: Words
    open_for: Words
    find: Words
    found: Annotated[Message, Takes("count")]
    rules: Words
    causes: Words
    chart: Words
    considered: Words
    considered_intro: Words
    considered_instead: Words
    considered_without_source: Words
    codes: Words
    codes_seen: Annotated[Message, Takes("count")]
    rows: Annotated[Message, Takes("count", "systems")]
    method: Words
    odds: Annotated[Message, Takes("group", "total")]
    named: Annotated[Message, Takes("support")]
    bands: Words
    before: Words
    all: Words
    as_json: Words


class KindWords(ContentModel):
    """Kinds of findings, by their names in the content."""

    symptom: Words
    sign: Words
    test: Words
    history: Words
    risk: Words
    demographic: Words
    lab: Words
    imaging: Words


class ExplorerWords(ContentModel):
    """The table of causes against findings."""

    title: Words
    heading: Words
    ratios: Words
    not_recorded: Words
    show: Words
    if_present: Words
    if_absent: Words
    cause: Words
    findings: Words
    all: Words
    shown: Annotated[Message, Takes("count")]
    ten: Words
    above: Words
    below: Words
    tenth: Words
    table: Words
    finding: Words
    settles: Words
    kinds: KindWords


class OpenWords(ContentModel):
    """Words around the list of open decisions."""

    title: Words
    crumb: Words
    old: Words
    other_content: Annotated[Message, Takes("version")]
    nobody: Words
    until_then: Words


class PageWords(ContentModel):
    """All of them, by page."""

    frame: FrameWords
    leaflet: LeafletPageWords
    order: OrderPageWords
    assess: AssessPageWords
    evidence: EvidenceWords
    index: IndexWords
    explorer: ExplorerWords
    open: OpenWords
