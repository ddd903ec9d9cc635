"""The data of an evidence page, for its template and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.figures import Figure
from cds_service.clinical.content.loading.numbers import bands_of
from cds_service.clinical.content.models import About, Accuracy, Cause, Condition, Pathway, RedFlag
from cds_service.clinical.content.names import DVT, DVT_RULE, EXPERT
from cds_service.clinical.content.page_words import AboutChart
from cds_service.clinical.content.texts import Message
from cds_service.rendering.wording import Wording
from cds_service.web.pages.evidence.attributes import Attribute, attributes, dvt_findings, findings_of, with_bases
from cds_service.web.pages.evidence.sources import Number, SourceView, source_view, sources_of, status_words
from cds_service.web.pages.evidence.weights import WeightRow, weight_rows

OTHERS = ("unread", "new_pain", "gap")
"""Cards about the chart, not about a rule or a cause."""


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
    review_words: str
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

    def as_json(self, content: Content) -> dict[str, Any]:
        """Return the same data as JSON, with the version and the intended use."""
        common: dict[str, Any] = {
            "key": self.key,
            "kind": self.kind,
            "title": self.title,
            "says": self.says,
            "review": {
                "by": self.reviewed_by or None,
                "state": self.review_words[:1].lower() + self.review_words[1:],
                "due": self.review_due or None,
            },
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
    if key in OTHERS:
        said: AboutChart = getattr(content.pages.evidence, key)
        facts, state = attributes(content, (), ()), content.pages.evidence.not_reviewed
        return Evidence(key, "reading", said.title, said.says, "", "info", "", state, "", facts, ())
    return None


def _review_words(content: Content, name: str) -> str:
    texts = content.pages.evidence
    return texts.reviewed.fill(name=name) if name else texts.not_reviewed


def _urgency(content: Content, flag: RedFlag) -> str:
    message: Message = getattr(content.texts.flag, flag.speed)
    return message.fill()


def _pathway(content: Content) -> Pathway:
    """Return the pathway with the scores of each Wells band in words."""
    return content.pathway.model_copy(update={"bands": bands_of(content)})


def _red_flag(content: Content, key: str, flag: RedFlag) -> Evidence:
    is_dvt = flag.cause == DVT
    numbers = [Number(content.pages.evidence.known.whole_rule, "", flag.source, flag.status)]
    cited = [flag.source]
    pathway = _pathway(content) if is_dvt else None
    if pathway:
        numbers += _windows(content, pathway)
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
        says=flag.card.summary.replace("{side}", content.pages.evidence.any_leg),
        urgency=_urgency(content, flag),
        indicator=flag.indicator,
        reviewed_by=cause.review.by,
        review_words=_review_words(content, cause.review.by),
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
    prior = Number(content.pages.evidence.known.prior, f"{cause.prior.value:g}", cause.prior.source, cause.prior.status)
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
        review_words=_review_words(content, cause.review.by),
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
    said = status_words(content, status)
    return said if key == EXPERT else f"{source_view(content, key).text}; {said}"


def _suspicion(content: Content) -> Suspicion:
    named = content.findings.values()
    return Suspicion(
        tuple(finding.name for finding in named if finding.dvt.local_sign),
        tuple(finding.name for finding in named if finding.dvt.risk == "major"),
    )


def _windows(content: Content, pathway: Pathway) -> list[Number]:
    """Return the time limits of the pathway, each with its status."""
    texts, say = content.pages.evidence.pathway, Wording(content, content.about.revised).say
    named: tuple[tuple[str, Figure], ...] = (
        (texts.fresh_sign, pathway.fresh_sign),
        (texts.stale_sign, pathway.stale_sign),
        (texts.new_pain, pathway.new_pain),
        (texts.complaint, pathway.complaint),
        (texts.test_valid, pathway.test_valid),
        (texts.repeat_scan_after, pathway.repeat_scan_after),
        (texts.repeat_scan_before, pathway.repeat_scan_before),
    )
    return [
        Number(what, say(texts.day_count, count=figure.days), figure.source, figure.status) for what, figure in named
    ]


def logic_of(content: Content, when: Condition) -> Logic:
    """Return a condition in words. A finding of unknown state satisfies no part of a condition."""
    kind: Literal["all", "any"] = "all" if when.all else "any"
    parts = tuple(
        Logic(words=_term(content, part)) if isinstance(part, str) else logic_of(content, part)
        for part in (when.all or when.any)
    )
    return parts[0] if len(parts) == 1 else Logic(kind=kind, parts=parts)


def _term(content: Content, key: str) -> str:
    """Return a finding by its name, or a term that is derived from the chart."""
    if key in content.findings:
        return content.findings[key].name
    words: str = getattr(content.pages.evidence.terms, key)
    return words


def _logic_json(logic: Logic) -> Any:
    return {logic.kind: [_logic_json(part) for part in logic.parts]} if logic.parts else logic.words
