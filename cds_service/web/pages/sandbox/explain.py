"""What the service made of a chart, as pages and pictures need it: the verdict, the facts, and the reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.clinical.assessment import Assessment, Contribution, LegAssessment, RankedCause, Wells
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.explain import RuleRead, derived_facts, rules_read
from cds_service.clinical.record import Fact, Side, Status
from cds_service.web.pages.sandbox.charts import Chart, of_kind
from cds_service.web.pages.sandbox.switches import can_be_stated, source_of

_LOWEST, _HIGHEST = -2, 9
_SCALE_WIDTH = 330
_HALF_BAR = 150
_LEADING = 3
KINDS = {
    "symptom": "Symptoms",
    "sign": "Signs",
    "test": "Examination tests",
    "history": "History",
    "risk": "Risks and medicines",
    "lab": "Laboratory",
    "imaging": "Imaging",
    "demographic": "Age and sex",
}
_LEVELS = {"critical": "urgent", "warning": "soon", None: ""}


@dataclass(frozen=True, slots=True)
class FactRow:
    """One finding that the chart holds, with every fact about it; the freshest sets the switches."""

    key: str
    name: str
    kind: str
    facts: tuple[Fact, ...]
    leg: bool
    can_be_stated: bool
    can_be_absent: bool
    days: int | None

    @property
    def first(self) -> Fact:
        """The freshest."""
        return self.facts[0]


def fact_rows(content: Content, assessment: Assessment) -> dict[str, list[FactRow]]:
    """The findings that entries of the chart state, by the title of their kind."""
    by_key: dict[str, list[Fact]] = {}
    for fact in assessment.record.facts:
        by_key.setdefault(fact.key, []).append(fact)
    found: dict[str, list[FactRow]] = {title: [] for title in KINDS.values()}
    for key, facts in sorted(by_key.items(), key=lambda one: content.name(one[0])):
        finding = content.findings[key]
        facts.sort(key=lambda fact: fact.when.day if fact.when else date.min, reverse=True)
        when = facts[0].when
        found[KINDS[finding.kind]].append(
            FactRow(
                key=key,
                name=content.name(key),
                kind=finding.kind,
                facts=tuple(facts),
                leg=finding.side == "leg",
                can_be_stated=can_be_stated(content, key),
                can_be_absent=not finding.absence_ignored,
                days=(assessment.today - when.day).days if when else None,
            )
        )
    return {title: rows for title, rows in found.items() if rows}


def to_add(content: Content) -> dict[str, list[tuple[str, str]]]:
    """Every finding that can be switched on, by the title of its kind."""
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in KINDS.values()}
    for key, finding in sorted(content.findings.items(), key=lambda one: one[1].name):
        if can_be_stated(content, key):
            found[KINDS[finding.kind]].append((key, finding.name))
    return {title: rows for title, rows in found.items() if rows}


@dataclass(frozen=True, slots=True)
class Derived:
    """A fact that no entry states."""

    name: str
    status: str
    basis: str


def derived(content: Content, assessment: Assessment) -> list[Derived]:
    """What follows from age, sex and other facts, each once."""
    found = {
        Derived(
            content.name(fact.key),
            fact.status.value,
            "from age and sex" if fact.source == "Patient" else "from other facts",
        )
        for fact in derived_facts(content, assessment)
    }
    return sorted(found, key=lambda one: one.name)


@dataclass(frozen=True, slots=True)
class Scale:
    """The Wells range on its line, in units of the picture."""

    left: float
    width: float
    likely: float
    ticks: tuple[tuple[int, float], ...]


def scale(wells: Wells, likely_from: int) -> Scale:
    """Where the range lies between the lowest and the highest score there is."""
    left, right = _place(wells.least), _place(wells.most)
    ticks = tuple((score, _place(score)) for score in range(_LOWEST, _HIGHEST + 1))
    return Scale(left, right - left, _place(likely_from), ticks)


def _place(score: int) -> float:
    return 10 + round((score - _LOWEST) / (_HIGHEST - _LOWEST) * (_SCALE_WIDTH - 20), 1)


@dataclass(frozen=True, slots=True)
class Weight:
    """One finding's weight for or against a cause. ``times``: its likelihood ratio in words."""

    name: str
    status: str
    times: str
    counted: bool
    speaks_for: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a cause's bar: where it begins, how long it is, and which side it is on."""

    x: float
    width: float
    side: str


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause of the differential with its picture and the same in words."""

    key: str
    title: str
    band: str
    bars: tuple[Bar, ...]
    weights: tuple[Weight, ...]
    missing: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """The picture for whoever does not see it."""
        pro = [one.name for one in self.weights if one.counted and one.speaks_for]
        con = [one.name for one in self.weights if one.counted and not one.speaks_for]
        return f"{self.title}: {self.band}. For: {', '.join(pro) or 'nothing'}. Against: {', '.join(con) or 'nothing'}."


def causes(content: Content, leg: LegAssessment) -> list[CauseRow]:
    """The differential of a leg on one common scale."""
    longest = max((_reach(one) for one in leg.differential), default=1.0)
    return [_cause(content, one, longest) for one in leg.differential]


def _counted(one: RankedCause, *, speaks_for: bool) -> list[Contribution]:
    given = one.for_it if speaks_for else one.against_it
    return [part for part in given if part.counted]


def _reach(one: RankedCause) -> float:
    """How far the longer half of its bar goes; what confirms fills its half whatever the scale."""
    halves = [
        sum(abs(part.log_lr) for part in _counted(one, speaks_for=pro) if math.isfinite(part.log_lr))
        for pro in (True, False)
    ]
    return max(*halves, 1.0)


def _cause(content: Content, one: RankedCause, longest: float) -> CauseRow:
    return CauseRow(
        key=one.cause,
        title=content.name(one.cause),
        band=one.band,
        bars=(*_bars(one, longest, speaks_for=True), *_bars(one, longest, speaks_for=False)),
        weights=tuple(_weight(content, part) for part in (*one.for_it, *one.against_it)),
        missing=tuple(content.name(key) for key in one.missing[:3]),
    )


def _bars(one: RankedCause, longest: float, *, speaks_for: bool) -> list[Bar]:
    found, reached = [], 0.0
    for part in _counted(one, speaks_for=speaks_for):
        wide = _HALF_BAR - reached if math.isinf(part.log_lr) else abs(part.log_lr) / longest * _HALF_BAR
        wide = min(wide, _HALF_BAR - reached)
        start = _HALF_BAR + reached if speaks_for else _HALF_BAR - reached - wide
        if wide > 0:
            found.append(Bar(round(start, 1), round(max(wide - 1, 0.5), 1), "for" if speaks_for else "against"))
        reached += wide
    return found


def _weight(content: Content, part: Contribution) -> Weight:
    return Weight(
        name=content.name(part.finding),
        status=part.fact.status.value,
        times=_times(part.log_lr),
        counted=part.counted,
        speaks_for=part.log_lr > 0,
    )


def _times(log_lr: float) -> str:
    if math.isinf(log_lr):
        return "confirms it"
    ratio = math.exp(abs(log_lr))
    return f"{'×' if log_lr > 0 else '÷'} {ratio:.3g}"


@dataclass(frozen=True, slots=True)
class LegRow:
    """One leg with everything that was decided about it."""

    judged: LegAssessment
    scale: Scale | None
    fired: tuple[RuleRead, ...]
    quiet: tuple[RuleRead, ...]
    causes: tuple[CauseRow, ...]
    ask_next: str


def legs(content: Content, assessment: Assessment) -> list[LegRow]:
    """Every leg judged, the worse one first."""
    found = []
    for leg in assessment.legs:
        rules = rules_read(content, assessment, leg)
        wells = leg.dvt.wells
        found.append(
            LegRow(
                judged=leg,
                scale=scale(wells, content.pathway.critical_at) if wells else None,
                fired=tuple(rule for rule in rules if rule.fired),
                quiet=tuple(rule for rule in rules if not rule.fired),
                causes=tuple(causes(content, leg)),
                ask_next=content.name(leg.ask_next) if leg.ask_next else "",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the verdict. ``was``: what it said before, where that was something else."""

    name: str
    now: str
    was: str


def verdict(content: Content, assessment: Assessment, cards: Sequence[str], before: Mapping[str, str]) -> list[Told]:
    """The few words that move when facts are changed. ``cards``: indicators; ``before``: the same a call ago."""
    leg = next(iter(assessment.legs), None)
    now = {
        "Cards": _count(cards),
        "DVT": _dvt(leg),
        "Wells": _wells(leg),
        "Leading causes": _leading(content, leg),
    }
    return [Told(name, words, was if (was := before.get(name, words)) != words else "") for name, words in now.items()]


def _count(cards: Sequence[str]) -> str:
    if not cards:
        return "none"
    words = {"critical": "urgent", "warning": "soon", "info": "for information"}
    return ", ".join(f"{cards.count(level)} {word}" for level, word in words.items() if level in cards)


def _dvt(leg: LegAssessment | None) -> str:
    if leg is None or not leg.dvt.suspected:
        return "not suspected"
    return f"suspected, {leg.side.words}: {_LEVELS[leg.dvt.level]}"


def _wells(leg: LegAssessment | None) -> str:
    wells = leg.dvt.wells if leg else None
    if wells is None:
        return "does not apply"
    return str(wells.least) if wells.complete else f"{wells.least} to {wells.most}"


def _leading(content: Content, leg: LegAssessment | None) -> str:
    shown = [one for one in leg.differential if one.band != "low"][:_LEADING] if leg else []
    return "; ".join(f"{content.name(one.cause)} ({one.band})" for one in shown) or "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """A diagnosis or an order that the chart holds. ``unsigned``: a draft that a clinician still has to sign."""

    source: str
    words: str
    unsigned: bool = False


def diagnoses(content: Content, assessment: Assessment) -> list[Entry]:
    """The coded diagnoses."""
    return [
        Entry(source_of(one), f"{content.name(one.cause)}, {one.state.value}, {_where(one.side)}")
        for one in assessment.record.diagnoses
    ]


def orders(content: Content, assessment: Assessment, chart: Chart) -> list[Entry]:
    """The orders that stand, and drafts that nobody has signed."""
    standing = {source_of(one): one for one in assessment.record.orders}
    found = []
    for resource in of_kind(chart.resources, "ServiceRequest"):
        source = f"ServiceRequest/{resource.get('id')}"
        placed = standing.get(source)
        if resource.get("status") == "draft":
            found.append(Entry(source, _text(resource), unsigned=True))
        elif placed:
            title = content.orders[placed.order].title
            state = "completed" if placed.completed else "active"
            found.append(Entry(source, f"{title}, {_where(placed.side)}, {state}"))
    return found


def _text(resource: Mapping[str, Any]) -> str:
    code = resource.get("code")
    text = code.get("text") if isinstance(code, dict) else None
    return text[:200] if isinstance(text, str) else "an order without a name"


def _where(side: Side) -> str:
    return "" if side is Side.BODY else side.words


def terms_missing(rule: RuleRead) -> str:
    """Counts of the terms of a rule that did not fire: ``0 of 4 present, 3 not recorded``."""
    statuses = list(_statuses(rule.when.parts))
    present = statuses.count(Status.PRESENT)
    unknown = statuses.count(Status.UNKNOWN)
    return f"{present} of {len(statuses)} present, {unknown} not recorded"


def _statuses(parts: Iterable[Any]) -> Iterable[Status]:
    for part in parts:
        if hasattr(part, "parts"):
            yield from _statuses(part.parts)
        else:
            yield part.status
