"""The clinical content as strict, frozen models: the keys and values allowed in the files of ``cards/``.

``cards/README.md`` explains every key to a clinician; ``loading/load.py`` reads and cross-checks the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cds_service.base.plain_text import is_plain_url, plain
from cds_service.clinical.content.coding.code_uses import LegSide, Relation, UseStatus
from cds_service.clinical.content.coding.codes import SystemName, why_malformed
from cds_service.clinical.content.coding.systems import Notation
from cds_service.clinical.content.figures import ContentModel, Figure, FigureStatus, Key, PlainText, Weight
from cds_service.clinical.content.texts import Message, Takes

Indicator = Literal["critical", "warning", "info"]
Speed = Literal["now", "same_day", "days", "two_weeks"]
Priority = Literal["routine", "urgent", "asap", "stat"]
ASSERTED_ITEM = 10
"""The Wells item that subtracts points: another diagnosis is at least as likely. Only a clinician may state it."""
Complaint = Literal[
    "posterior",
    "swelling",
    "knee",
    "leg",
    "back_of_thigh",
    "arterial",
    "proximal",
    "knee_sign",
    "red_flags",
    "by_itself",
]
FindingKind = Literal["symptom", "sign", "test", "history", "risk", "demographic", "lab", "imaging"]


def _no_markup(text: str) -> str:
    if any(mark in text for mark in "<>[]`|\n") or "://" in text:
        raise ValueError("text for cards must not contain < > [ ] ` |, line breaks or web addresses")
    return plain(text)


def _is_web_address(url: str) -> str:
    if url and not is_plain_url(url):
        raise ValueError("must be an absolute http(s) address")
    return url


CardText = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_no_markup)]
ShortText = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_no_markup)]
"""A name for use in the middle of a sentence on a card."""


ActText = Annotated[str, Field(min_length=1, max_length=90), AfterValidator(_no_markup)]
"""The action to consider, used at the end of a summary."""


class Citation(ContentModel):
    """A source: a guideline, a study or a web page."""

    text: PlainText = Field(min_length=5)
    url: Annotated[str, AfterValidator(_is_web_address)] = ""
    read: Literal["yes", "part", "no"]
    what: PlainText = ""


class CodeEntry(ContentModel):
    """A standard code and its meaning here. An ICD-10 code also matches all codes below it."""

    system: SystemName
    code: str
    display: PlainText = Field(min_length=1)
    relation: Relation = "exact"
    side: LegSide | None = None
    right: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    narrowed_by: tuple[Key, ...] = ()
    anywhere: bool = False
    substance: Key | None = None
    status: UseStatus = ""
    part: Key | None = None

    def endings(self) -> tuple[tuple[str, LegSide], ...]:
        """Return every ICD ending with the leg it names."""
        sides: tuple[tuple[tuple[str, ...], LegSide], ...] = (
            (self.right, "right"),
            (self.left, "left"),
            (self.both, "both"),
        )
        return tuple((ending, side) for endings, side in sides for ending in endings)

    @model_validator(mode="after")
    def well_formed(self) -> Self:
        """Check the shape and check digit; a broader code must give what narrows it."""
        if wrong := why_malformed(self.system, self.code):
            raise ValueError(f"{self.code}: {wrong}")
        if self.relation == "broader" and not self.narrowed_by:
            raise ValueError(
                f"{self.code}: a broader code needs `narrowed_by`, otherwise it can never mean the finding"
            )
        if (self.right or self.left or self.both) and self.system not in ("icd10cm", "icd10"):
            raise ValueError(f"{self.code}: `right`, `left`, `both` are endings of ICD codes; use `side`")
        return self


class SystemEntry(ContentModel):
    """A code system: its address, other spellings of that address, and how its codes are written."""

    name: PlainText = Field(min_length=2)
    uri: str = Field(min_length=5)
    aliases: tuple[str, ...] = ()
    oids: tuple[Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$")], ...] = ()
    notation: Notation = "exact"
    shape: str = ""
    base: str = ""
    unlike_base: tuple[str, ...] = ()
    lender: str = ""
    own: tuple[str, ...] = ()
    holds_none: bool = False
    medicines: bool = False
    in_part: bool = False
    clusters: bool = False
    neutral_attributes: tuple[Annotated[str, Field(pattern=r"^[1-9][0-9]{5,17}$")], ...] = ()
    source: PlainText = Field(min_length=3)
    note: str = ""

    @model_validator(mode="after")
    def well_formed(self) -> Self:
        """Check that the shape is a valid pattern and that only a hierarchy builds on another system."""
        try:
            re.compile(self.shape)
        except re.error as error:
            raise ValueError(f"`shape` is not a valid pattern: {error}") from error
        if (self.base or self.lender) and self.notation != "tree":
            raise ValueError('`base` and `lender` need `notation = "tree"`')
        if (self.unlike_base and not self.base) or (self.own and not self.lender):
            raise ValueError("`unlike_base` needs `base`, and `own` needs `lender`")
        return self


class Condition(ContentModel):
    """A condition on findings, with exactly one of ``all`` and ``any``. An unknown finding satisfies nothing."""

    all: tuple[Key | Condition, ...] = ()
    any: tuple[Key | Condition, ...] = ()

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        """Check that exactly one of the two lists is given."""
        if bool(self.all) == bool(self.any):
            raise ValueError("a condition needs exactly one of `all` and `any`")
        return self

    def terms(self) -> Iterator[str]:
        """Yield every finding or virtual term that the condition names."""
        for part in (*self.all, *self.any):
            if isinstance(part, str):
                yield part
            else:
                yield from part.terms()


class Implication(Condition):
    """Findings from which another finding follows.

    Attributes:
        within: how recent each must be; without it, each finding's own window applies.
        unless_denied: an examiner's denial of the finding that is at least as recent prevents it.
    """

    within: Figure | None = None
    unless_denied: bool = False
    source: Key
    status: FigureStatus


class DvtRole(ContentModel):
    """How a finding is used on the DVT pathway.

    Attributes:
        soft: this sign alone does not make a card critical.
        process: signs of one process count once.
        may_be_of_both: if both legs have it alike, heart failure or a medicine may explain it.
        proximal: with this finding, pain of the thigh, groin or buttock is a complaint of the leg.
    """

    local_sign: bool = False
    soft: bool = False
    process: Key | None = None
    proximal: bool = False
    may_be_of_both: bool = False
    risk: Literal["major", "minor"] | None = None
    wells_item: int | None = Field(default=None, ge=1, le=10)


class Finding(ContentModel):
    """A finding that a record can show."""

    name: CardText
    short: ShortText
    parts: dict[Key, ShortText] = Field(default_factory=dict)
    kind: FindingKind
    side: Literal["leg", "body"]
    group: Key
    recency: Figure | None = None
    persists: bool = False
    past_counts: bool = False
    general: bool = False
    candidates: Key | None = None
    complaint: Complaint | None = None
    not_at: tuple[Key, ...] = ()
    dvt: DvtRole = DvtRole()
    absence_ignored: bool = False
    presence_stands: bool = False
    implied_by: tuple[Implication, ...] = ()
    note: str = ""
    codes: tuple[CodeEntry, ...] = ()


class Prior(ContentModel):
    """Probability before any finding, for an adult whose complaint is pain behind the knee."""

    value: float = Field(gt=0, lt=1)
    knee_pain_factor: float = Field(default=1.0, gt=0, le=2)
    basis: str = Field(min_length=3)
    source: Key
    status: FigureStatus


class CauseCard(ContentModel):
    """The words and orders that a cause adds to the differential card."""

    why: CardText
    next_steps: tuple[CardText, ...] = Field(min_length=1, max_length=3)
    avoid: tuple[CardText, ...] = Field(default=(), max_length=2)
    tell_patient: str = ""
    review: str = ""
    consider: tuple[Key, ...] = ()
    actions: tuple[Key, ...] = ()
    guideline: str = Field(min_length=3)


class Review(ContentModel):
    """The clinician who signed the content, and the date of the next review."""

    by: str = ""
    due: date


class ExamplePatients(ContentModel):
    """Invented patients that test the cause: some must show it, others must not."""

    shown: tuple[str, ...] = Field(min_length=1)
    not_shown: tuple[str, ...] = ()


class Cause(ContentModel):
    """A diagnosis that may explain the pain."""

    title: CardText
    short: ShortText
    family: Key
    must_not_miss: Literal["yes", "mimic", "linked", "no"]
    urgency: str = Field(min_length=3)
    ranked: bool = True
    from_age: int = Field(default=18, ge=16, le=18)
    one_sided: bool = False
    prior: Prior
    codes: tuple[CodeEntry, ...] = ()
    supports: tuple[Weight, ...] = ()
    card: CauseCard
    review: Review
    examples: ExamplePatients


class RedFlagCard(ContentModel):
    """The words and orders of an urgent card."""

    title: CardText
    summary: CardText
    summary_sooner: CardText | None = None
    danger: Annotated[CardText, Field(max_length=40)] | None = None
    do: tuple[CardText, ...] = Field(min_length=1, max_length=4)
    avoid: tuple[CardText, ...] = Field(default=(), max_length=3)
    consider: tuple[Key, ...] = Field(min_length=1)


class Reason(ContentModel):
    """The cause to fear when ``when`` holds, if it is not the rule's own cause."""

    cause: Key
    when: Condition


class RedFlag(ContentModel):
    """A rule on findings that asks for urgent action regardless of the ranking."""

    cause: Key
    indicator: Literal["critical", "warning"]
    speed: Speed
    speed_under_18: Speed | None = None
    sooner_if: tuple[Key | Condition, ...] = ()
    yields_to: tuple[str, ...] = ()
    source: Key
    status: FigureStatus
    when: Condition
    reasons: tuple[Reason, ...] = ()
    card: RedFlagCard

    def sooner_terms(self) -> Iterator[str]:
        """Yield every finding that makes the action more urgent."""
        for part in self.sooner_if:
            if isinstance(part, str):
                yield part
            else:
                yield from part.terms()


class WellsItem(ContentModel):
    """One item of the two-level Wells score. It is present if any of its findings is."""

    number: int = Field(ge=1, le=10)
    name: CardText
    points: Literal[1, -2]
    any: tuple[Key, ...] = Field(min_length=1)
    examine: bool


class Band(ContentModel):
    """The words for a range of Wells scores."""

    name: CardText
    score: CardText
    at_least: int
    options: tuple[CardText, ...] = Field(min_length=1, max_length=3)


class RiskOutsideWells(ContentModel):
    """Whether new pain with a risk factor outside the Wells score opens a suspicion; a clinician decides this.

    ``unless``: injuries that explain a pain without a sign.
    """

    opens: bool
    unless: tuple[Key, ...] = ()
    reason: PlainText = Field(min_length=20)
    source: Key
    status: FigureStatus


class SwollenAlike(ContentModel):
    """Findings that explain swelling of both legs, so that without a clotting risk it opens no suspicion."""

    explained_by: tuple[Key, ...]
    words: CardText
    source: Key
    status: FigureStatus


class Pathway(ContentModel):
    """The steps of a guideline for suspected DVT."""

    title: CardText
    source: Key
    status: FigureStatus
    act: ActText
    act_open: ActText
    act_scan: ActText
    act_d_dimer: ActText
    act_score: ActText
    act_repeat: ActText
    act_pregnant: ActText
    asked_with_new_pain: CardText
    asked_with_new_pain_scan: CardText
    asked_with_tender_calf: CardText
    raised_options: tuple[CardText, ...] = Field(min_length=1, max_length=2)
    repeat_options: tuple[CardText, ...] = Field(min_length=1, max_length=2)
    injecting_options: tuple[CardText, ...] = Field(min_length=1, max_length=2)
    proven_options: tuple[CardText, ...] = Field(min_length=1, max_length=2)
    scan_options: tuple[CardText, ...] = Field(min_length=1, max_length=3)
    long_standing: CardText
    emergency_call: ActText
    critical_at: int
    excluded_by_d_dimer_at_most: int
    fresh_sign: Figure
    stale_sign: Figure
    new_pain: Figure
    complaint: Figure
    test_valid: Figure
    repeat_scan_after: Figure
    repeat_scan_before: Figure
    no_d_dimer_after: Figure
    risk_outside_wells: RiskOutsideWells
    swollen_alike: SwollenAlike
    items: tuple[WellsItem, ...] = Field(min_length=10, max_length=10)
    bands: tuple[Band, ...] = Field(min_length=2)
    pregnancy_options: tuple[CardText, ...] = Field(min_length=1)
    anticoagulated: CardText
    cancer: CardText
    also_possible: tuple[ShortText, ...] = Field(min_length=1)
    safety_net_risks: CardText
    pregnancy_orders: tuple[Key, ...] = Field(min_length=2)
    emergency_orders: tuple[Key, ...] = Field(min_length=2)


class OrderCode(ContentModel):
    """A code used to send or to recognise an order."""

    system: SystemName
    code: str
    display: PlainText = Field(min_length=1)
    side: LegSide | None = None

    @model_validator(mode="after")
    def well_formed(self) -> Self:
        """Check the shape and check digit."""
        if wrong := why_malformed(self.system, self.code):
            raise ValueError(f"{self.code}: {wrong}")
        return self


class OrderTemplate(ContentModel):
    """A draft order that a card can offer."""

    title: CardText
    button: CardText
    category: OrderCode
    code: OrderCode
    left: OrderCode | None = None
    right: OrderCode | None = None
    recognise: tuple[OrderCode, ...] = ()
    sided: bool
    needs_reason: bool = False
    same_day: bool = False
    question: CardText
    tells: CardText
    tells_to_telephone: bool = False


class Action(ContentModel):
    """Advice that several causes share."""

    title: CardText
    text: CardText
    claims: tuple[str, ...] = ()
    source: Key
    status: FigureStatus


class Unit(ContentModel):
    """A unit that a measurement may have. The base value is the stored number times ``factor`` plus ``offset``."""

    ucum: str
    factor: float
    offset: float = 0.0


class Measure(ContentModel):
    """How a measured number becomes a finding."""

    finding: Key
    codes: tuple[CodeEntry, ...] = Field(min_length=1)
    units: tuple[Unit, ...] = Field(min_length=1)
    threshold: float
    present_when: Literal["at_least", "more_than", "less_than"]
    per_year_over_50: float = 0.0
    below_means: Literal["absent", "unknown"]
    compare_sides: bool = False
    weak_methods: tuple[str, ...] = ()
    specimens: tuple[str, ...] = ()
    own_limit_counts: bool = False
    plausible: tuple[float, float]
    unit: str
    shown: Annotated[Message, Takes("value")] | None = None
    called: tuple[Annotated[str, Field(pattern=r"^[a-z0-9 ]+$")], ...] = ()
    source: Key
    status: FigureStatus


class Answers(ContentModel):
    """Codes that answer whether a finding is present, and units of numbers that answer none of our questions."""

    other_units: tuple[str, ...]
    present: tuple[CodeEntry, ...]
    absent: tuple[CodeEntry, ...]
    unknown: tuple[CodeEntry, ...]


class BodySite(ContentModel):
    """A place on the body, and the wider places that contain it."""

    name: str
    within: tuple[Key, ...] = ()
    codes: tuple[CodeEntry, ...] = Field(min_length=1)


class ProblemWords(ContentModel):
    """The groups of words that name a finding or a cause, and the groups that change the meaning."""

    named: tuple[Annotated[tuple[Key, ...], Field(min_length=1)], ...] = ()
    unless: tuple[Key, ...] = ()
    instead: dict[Key, Key] = Field(default_factory=dict)

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """Check that the entry names or excludes something."""
        if not (self.named or self.unless or self.instead):
            raise ValueError("give `named`, `unless` or `instead`")
        return self


class WordContext(ContentModel):
    """How words affect the words around them: see ``word_net.Context``."""

    overruled_by: tuple[Key, ...] = ()
    spreads: bool = False
    takes: tuple[Key, ...] = ()
    of_medicines: bool = False


class Derived(ContentModel):
    """A finding derived from other findings."""

    finding: Key
    all: tuple[Key, ...] = ()
    one_leg_only: Key | None = None
    source: Key
    status: FigureStatus

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        """Check that exactly one way to derive it is given."""
        if bool(self.all) == (self.one_leg_only is not None):
            raise ValueError("give exactly one of `all` and `one_leg_only`")
        return self


class AgeFinding(ContentModel):
    """A finding derived from the patient's age and sex."""

    finding: Key
    older_than: int | None = None
    at_least: int | None = None
    younger_than: int | None = None
    sex: Literal["male", "female"] | None = None
    with_any: tuple[Key, ...] = ()
    source: Key
    status: FigureStatus


class Reasoning(ContentModel):
    """The method: caps, bands and limits of evidence section F."""

    group_cap: float = Field(gt=1)
    total_cap: float = Field(gt=1)
    eligible_from: float = Field(ge=1)
    strong_fit: float = Field(gt=0, lt=1)
    fits: float = Field(gt=0, lt=1)
    possible: float = Field(gt=0, lt=1)
    at_prior_from: float = Field(gt=0, lt=1)
    rare_named_from: float = Field(gt=1)
    rare_named_at_least: float = Field(gt=0, lt=1)
    rules_out_from: float = Field(gt=0, lt=1)
    benign_shown: int = Field(ge=1, le=3)
    strong_words: float
    moderate_words: float
    adult_from: int
    order_valid: Figure
    cancer_current: Figure
    quiet_urgent: Figure
    quiet_encounter: Figure
    quiet_no_encounter: Figure
    source: Key
    status: FigureStatus
    derived: tuple[Derived, ...]
    ages: tuple[AgeFinding, ...]


class Accuracy(ContentModel):
    """A measured accuracy. ``about``: the cause that was to be recognised."""

    about: Key
    text: PlainText = Field(min_length=10)
    source: Key
    status: FigureStatus


class Considered(ContentModel):
    """A cause that was considered and has no file. ``instead``: the part of this content that still leads to it."""

    title: PlainText = Field(min_length=3)
    reason: PlainText = Field(min_length=20)
    instead: PlainText = Field(min_length=20)
    source: Key
    status: FigureStatus


class About(ContentModel):
    """What the content is for, who made it, and what is known about its accuracy. An empty field means "not used"."""

    purpose: PlainText = Field(min_length=20)
    users: PlainText = Field(min_length=20)
    population: PlainText = Field(min_length=20)
    setting: PlainText = Field(min_length=20)
    inputs: PlainText = Field(min_length=20)
    not_for: tuple[PlainText, ...] = Field(min_length=1)
    regulation: PlainText = Field(min_length=20)
    validation: PlainText = Field(min_length=20)
    developer: PlainText = Field(min_length=3)
    funding: PlainText = Field(min_length=3)
    released: date
    revised: date
    race: PlainText
    ethnicity: PlainText
    language: PlainText
    sexual_orientation: PlainText
    gender_identity: PlainText
    social_determinants: PlainText
    health_status: tuple[Key, ...]
    accuracy: tuple[Accuracy, ...]
    considered: tuple[Considered, ...]


class Leaflet(ContentModel):
    """The plain-language text that every patient leaflet contains."""

    intro: PlainText = Field(min_length=20)
    emergency_title: PlainText = Field(min_length=10)
    emergency: tuple[PlainText, ...] = Field(min_length=1)
    again: PlainText = Field(min_length=20)
    not_reviewed: PlainText = Field(min_length=10)


class StandardCode(ContentModel):
    """The standard code that a site's own code stands for."""

    system: str = Field(min_length=3)
    code: str = Field(min_length=1)


class LocalCode(ContentModel):
    """A site's own code, mapped to a finding or to a standard code."""

    system: str = Field(min_length=3)
    code: str = Field(min_length=1)
    finding: Key | None = None
    same_as: StandardCode | None = None
    side: LegSide | None = None
    note: str = ""

    @model_validator(mode="after")
    def well_formed(self) -> Self:
        """Check that it is mapped exactly once and that only a finding has a side."""
        if (self.finding is None) == (self.same_as is None):
            raise ValueError(f"{self.code}: give exactly one of `finding` and `same_as`")
        if self.side is not None and self.finding is None:
            raise ValueError(f"{self.code}: `side` is only allowed with `finding`; a standard code names its own side")
        return self


Condition.model_rebuild()
