"""The data of an evidence page, for its template and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Figure
from cds_service.clinical.content.loading.numbers import bands_of
from cds_service.clinical.content.models import About, Accuracy, Cause, Condition, Pathway, RedFlag
from cds_service.clinical.content.names import (
    AGE_UNDER_18,
    DVT,
    DVT_RULE,
    DVT_SUSPECTED,
    EXPERT,
    NEW_LEG_PAIN,
    ONE_LEG,
    RUPTURED_CYST_KNOWN,
)
from cds_service.web.pages.evidence.attributes import Attribute, attributes, dvt_findings, findings_of, with_bases
from cds_service.web.pages.evidence.sources import Number, SourceView, source_view, sources_of
from cds_service.web.pages.evidence.weights import WeightRow, weight_rows
from cds_service.web.pages.status_words import STATUS_WORDS

NOT_REVIEWED = "not reviewed by a clinician"
VIRTUAL_WORDS = {
    DVT_SUSPECTED: f"DVT is suspected (see {DVT_RULE})",
    AGE_UNDER_18: "the patient is under 18",
    RUPTURED_CYST_KNOWN: "a ruptured Baker's cyst is known, by diagnosis or scan",
    NEW_LEG_PAIN: "pain behind the knee, in the calf or leg is new",
    ONE_LEG: "only one leg is complained of, as far as is recorded",
}
SPEED_WORDS = {"now": "now", "same_day": "today", "days": "within days", "two_weeks": "within 2 weeks"}
INDICATOR_WORDS = {"critical": "Urgent", "warning": "Soon", "info": "For information"}
_OTHERS = {
    "unread": (
        "Chart not readable",
        "A part of the chart that could bear on pain in the leg could not be read, so it was not judged. The card "
        "names these entries: look at them yourself. No other card does not mean that there is no concern.",
    ),
    "new_pain": (
        "New pain without a cause",
        "A new pain behind the knee or in the calf, or calf pain on effort, is recorded and nothing points to a cause. "
        "New pain is reviewed by a clinician: the card names the causes that fit complaint, age and sex by their prior "
        "alone, what to ask or examine next, and when to come back.",
    ),
    "gap": (
        "Chart not complete",
        "A complaint of the leg is recorded, but a part of the chart in which a sign of DVT could stand did not reach "
        "this service, so DVT cannot be excluded on what came.",
    ),
}
OTHERS = tuple(_OTHERS)


@dataclass(frozen=True, slots=True)
class Logic:
    """A condition in words: either one finding (``words``), or all or any of several ``parts``."""

    words: str = ""
    kind: Literal["all", "any", ""] = ""
    parts: tuple[Logic, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Names of the findings that raise a suspicion of DVT (evidence C.5): local signs and major risks."""

    signs: tuple[str, ...]
    risks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one rule or cause. Parts that do not apply are empty."""

    key: str
    kind: Literal["red_flag", "cause", "reading"]
    title: str
    says: str
    urgency: str
    indicator: str
    reviewed_by: str
    review_due: str
    attributes: tuple[Attribute, ...]
    sources: tuple[SourceView, ...]
    numbers: tuple[Number, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    logic: Logic | None = None
    suspicion: Suspicion | None = None
    do: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    weights: tuple[WeightRow, ...] = ()
    pathway: Pathway | None = None
    examples: tuple[str, ...] = ()
    tell_patient: str = ""
    review_patient: str = ""
    guideline: str = ""
    care: tuple[tuple[str, str, str], ...] = ()

    @property
    def review_words(self) -> str:
        return f"reviewed by {self.reviewed_by}" if self.reviewed_by else NOT_REVIEWED

    def as_json(self, content: Content) -> dict[str, Any]:
        """Return the same data as JSON, with the version and the intended use."""
        common: dict[str, Any] = {
            "key": self.key,
            "kind": self.kind,
            "title": self.title,
            "says": self.says,
            "review": {"by": self.reviewed_by or None, "state": self.review_words, "due": self.review_due or None},
            "version": {"service": __version__, "content": content.version},
            "use": use_json(content.about),
            "attributes": [{"number": row.number, "name": row.name, "value": row.value} for row in self.attributes],
            "numbers": [number.as_json() for number in self.numbers],
            "accuracy": [measured.model_dump() for measured in self.accuracy],
            "sources": [asdict(source) for source in self.sources],
        }
        optional = {
            "urgency": self.urgency,
            "indicator": self.indicator,
            "when": _logic_json(self.logic) if self.logic else None,
            "suspicion": asdict(self.suspicion) if self.suspicion else None,
            "do": list(self.do),
            "avoid": list(self.avoid),
            "weights": [weight.as_json() for weight in self.weights],
            "pathway": self.pathway.model_dump(mode="json") if self.pathway else None,
            "examples": list(self.examples),
        }
        return common | {name: value for name, value in optional.items() if value}


def use_json(about: About) -> dict[str, Any]:
    """Return the intended use of the content, and what it is not for."""
    names = ("purpose", "users", "population", "setting", "inputs", "not_for", "regulation", "validation")
    return {name: getattr(about, name) for name in names}


def evidence_of(content: Content, key: str) -> Evidence | None:
    """Return the evidence of a rule, a cause or a card about the reading itself; None for an unknown key."""
    if key in content.red_flags:
        return _red_flag(content, key, content.red_flags[key])
    if key in content.causes:
        return _cause(content, key, content.causes[key])
    if key in _OTHERS:
        title, says = _OTHERS[key]
        facts = attributes(content, (), ())
        return Evidence(key, "reading", title, says, "", "info", "", "", facts, ())
    return None


def _pathway(content: Content) -> Pathway:
    """Return the pathway with the scores of each Wells band in words."""
    return content.pathway.model_copy(update={"bands": bands_of(content)})


def _red_flag(content: Content, key: str, flag: RedFlag) -> Evidence:
    is_dvt = flag.cause == DVT
    numbers = [Number("The rule as a whole", "", flag.source, flag.status)]
    cited = [flag.source]
    pathway = _pathway(content) if is_dvt else None
    if pathway:
        numbers += _windows(pathway)
        cited += [pathway.source, *(number.source for number in numbers)]
    accuracy = tuple(measured for measured in content.about.accuracy if measured.about == flag.cause)
    cited += [measured.source for measured in accuracy]
    sources = sources_of(content, cited)
    read = findings_of(content, flag.when) | {key for key in flag.sooner_terms() if key in content.findings}
    cause = content.causes[flag.cause]
    return Evidence(
        key=key,
        kind="red_flag",
        title=flag.card.title,
        says=flag.card.summary.replace("{side}", "the leg concerned"),
        urgency=SPEED_WORDS[flag.speed],
        indicator=flag.indicator,
        reviewed_by=cause.review.by,
        review_due=cause.review.due.isoformat(),
        attributes=attributes(content, read, [source.text for source in sources]),
        sources=sources,
        numbers=tuple(numbers),
        accuracy=accuracy,
        logic=logic_of(content, flag.when),
        suspicion=_suspicion(content) if key == DVT_RULE else None,
        do=flag.card.do,
        avoid=flag.card.avoid,
        pathway=pathway,
    )


def _cause(content: Content, key: str, cause: Cause) -> Evidence:
    prior = Number("Before any finding (prior)", f"{cause.prior.value:g}", cause.prior.source, cause.prior.status)
    rows = tuple(weight_rows(content, cause))
    ratios = [number for row in rows for number in (row.present, row.absent) if number]
    accuracy = tuple(measured for measured in content.about.accuracy if measured.about == key)
    actions = [content.actions[name] for name in cause.card.actions]
    cited = [prior.source, *(ratio.source for ratio in ratios), *(measured.source for measured in accuracy)]
    cited += [action.source for action in actions]
    sources = sources_of(content, cited)
    read = with_bases(content, {weight.finding for weight in cause.supports})
    if key == DVT:
        read |= dvt_findings(content)
    return Evidence(
        key=key,
        kind="cause",
        title=cause.title,
        says=cause.card.why,
        urgency=cause.urgency,
        indicator="",
        reviewed_by=cause.review.by,
        review_due=cause.review.due.isoformat(),
        attributes=attributes(content, read, [source.text for source in sources]),
        sources=sources,
        numbers=(prior,),
        accuracy=accuracy,
        do=cause.card.next_steps,
        avoid=cause.card.avoid,
        weights=rows,
        pathway=_pathway(content) if key == DVT else None,
        examples=cause.examples.shown,
        tell_patient=cause.card.tell_patient,
        review_patient=cause.card.review,
        guideline=cause.card.guideline,
        care=tuple(
            (action.title, action.text, _source_words(content, action.source, action.status)) for action in actions
        ),
    )


def _source_words(content: Content, key: str, status: Any) -> str:
    return STATUS_WORDS[status] if key == EXPERT else f"{source_view(content, key).text}; {STATUS_WORDS[status]}"


def _suspicion(content: Content) -> Suspicion:
    named = content.findings.values()
    return Suspicion(
        tuple(finding.name for finding in named if finding.dvt.local_sign),
        tuple(finding.name for finding in named if finding.dvt.risk == "major"),
    )


def _windows(pathway: Pathway) -> list[Number]:
    """Return the time windows of the pathway; each figure has its own source and status."""
    named: tuple[tuple[str, Figure], ...] = (
        ("A local sign counts in full", pathway.fresh_sign),
        ("An unresolved sign still counts", pathway.stale_sign),
        ("A pain is new", pathway.new_pain),
        ("A complaint is current", pathway.complaint),
        ("A test closes the suspicion", pathway.test_valid),
        ("A repeat scan is due from", pathway.repeat_scan_after),
        ("A repeat scan is due until", pathway.repeat_scan_before),
    )
    return [Number(what, f"{figure.days} days", figure.source, figure.status) for what, figure in named]


def logic_of(content: Content, when: Condition) -> Logic:
    """Return a condition in words. A finding of unknown state satisfies no part of a condition."""
    kind: Literal["all", "any"] = "all" if when.all else "any"
    parts = tuple(
        Logic(words=VIRTUAL_WORDS.get(part) or content.findings[part].name)
        if isinstance(part, str)
        else logic_of(content, part)
        for part in (when.all or when.any)
    )
    return parts[0] if len(parts) == 1 else Logic(kind=kind, parts=parts)


def _logic_json(logic: Logic) -> Any:
    return {logic.kind: [_logic_json(part) for part in logic.parts]} if logic.parts else logic.words
