"""The assessment of a chart, prepared for the pages: verdict, facts, and reasons."""

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
    """One finding in the chart, with every fact about it, the most recent first. The first sets the switches."""

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
        """The most recent fact."""
        return self.facts[0]


def fact_rows(content: Content, assessment: Assessment) -> dict[str, list[FactRow]]:
    """Return the findings that entries of the chart state, by the title of their kind."""
    by_key: dict[str, list[Fact]] = {}
    for fact in assessment.record.facts:
        by_key.setdefault(fact.key, []).append(fact)
    rows_by_kind: dict[str, list[FactRow]] = {title: [] for title in KINDS.values()}
    for key, facts in sorted(by_key.items(), key=lambda item: content.name(item[0])):
        finding = content.findings[key]
        facts.sort(key=lambda fact: fact.when.day if fact.when else date.min, reverse=True)
        when = facts[0].when
        rows_by_kind[KINDS[finding.kind]].append(
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
    return {title: rows for title, rows in rows_by_kind.items() if rows}


def to_add(content: Content) -> dict[str, list[tuple[str, str]]]:
    """Return every finding that can be switched on, by the title of its kind."""
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in KINDS.values()}
    for key, finding in sorted(content.findings.items(), key=lambda item: item[1].name):
        if can_be_stated(content, key):
            found[KINDS[finding.kind]].append((key, finding.name))
    return {title: rows for title, rows in found.items() if rows}


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived fact, which no entry states."""

    name: str
    status: str
    basis: str


def derived(content: Content, assessment: Assessment) -> list[Derived]:
    """Return the facts derived from age, sex and other facts, each once."""
    rows = {
        Derived(
            content.name(fact.key),
            fact.status.value,
            "from age and sex" if fact.source == "Patient" else "from other facts",
        )
        for fact in derived_facts(content, assessment)
    }
    return sorted(rows, key=lambda row: row.name)


@dataclass(frozen=True, slots=True)
class Scale:
    """The Wells range on its axis, in units of the picture."""

    left: float
    width: float
    likely: float
    ticks: tuple[tuple[int, float], ...]


def scale(wells: Wells, likely_from: int) -> Scale:
    """Return where the range lies between the lowest and the highest possible score."""
    left, right = _place(wells.least), _place(wells.most)
    ticks = tuple((score, _place(score)) for score in range(_LOWEST, _HIGHEST + 1))
    return Scale(left, right - left, _place(likely_from), ticks)


def _place(score: int) -> float:
    return 10 + round((score - _LOWEST) / (_HIGHEST - _LOWEST) * (_SCALE_WIDTH - 20), 1)


@dataclass(frozen=True, slots=True)
class Weight:
    """The weight of one finding for or against a cause. ``times``: its likelihood ratio in words."""

    name: str
    status: str
    times: str
    counted: bool
    speaks_for: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A segment of a cause's bar. ``x``: its left end. ``side``: ``for`` or ``against``."""

    x: float
    width: float
    side: str


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause of the differential, with its bar and the same in words."""

    key: str
    title: str
    band: str
    bars: tuple[Bar, ...]
    weights: tuple[Weight, ...]
    missing: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """The text alternative of the bar."""
        pro = [weight.name for weight in self.weights if weight.counted and weight.speaks_for]
        con = [weight.name for weight in self.weights if weight.counted and not weight.speaks_for]
        return f"{self.title}: {self.band}. For: {', '.join(pro) or 'nothing'}. Against: {', '.join(con) or 'nothing'}."


def causes(content: Content, leg: LegAssessment) -> list[CauseRow]:
    """Return the differential of a leg, with all bars on one scale."""
    longest = max((_reach(cause) for cause in leg.differential), default=1.0)
    return [_cause(content, cause, longest) for cause in leg.differential]


def _counted(cause: RankedCause, *, speaks_for: bool) -> list[Contribution]:
    parts = cause.for_it if speaks_for else cause.against_it
    return [part for part in parts if part.counted]


def _reach(cause: RankedCause) -> float:
    """Return the length of the longer half of a cause's bar. A confirming finding fills its half on any scale."""
    halves = [
        sum(abs(part.log_lr) for part in _counted(cause, speaks_for=pro) if math.isfinite(part.log_lr))
        for pro in (True, False)
    ]
    return max(*halves, 1.0)


def _cause(content: Content, cause: RankedCause, longest: float) -> CauseRow:
    return CauseRow(
        key=cause.cause,
        title=content.name(cause.cause),
        band=cause.band,
        bars=(*_bars(cause, longest, speaks_for=True), *_bars(cause, longest, speaks_for=False)),
        weights=tuple(_weight(content, part) for part in (*cause.for_it, *cause.against_it)),
        missing=tuple(content.name(key) for key in cause.missing[:3]),
    )


def _bars(cause: RankedCause, longest: float, *, speaks_for: bool) -> list[Bar]:
    bars, reached = [], 0.0
    for part in _counted(cause, speaks_for=speaks_for):
        width = _HALF_BAR - reached if math.isinf(part.log_lr) else abs(part.log_lr) / longest * _HALF_BAR
        width = min(width, _HALF_BAR - reached)
        start = _HALF_BAR + reached if speaks_for else _HALF_BAR - reached - width
        if width > 0:
            bars.append(Bar(round(start, 1), round(max(width - 1, 0.5), 1), "for" if speaks_for else "against"))
        reached += width
    return bars


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
    """One leg with its assessment."""

    judged: LegAssessment
    scale: Scale | None
    fired: tuple[RuleRead, ...]
    not_fired: tuple[RuleRead, ...]
    causes: tuple[CauseRow, ...]
    ask_next: str


def legs(content: Content, assessment: Assessment) -> list[LegRow]:
    """Return every judged leg, the more urgent one first."""
    rows = []
    for leg in assessment.legs:
        rules = rules_read(content, assessment, leg)
        wells = leg.dvt.wells
        rows.append(
            LegRow(
                judged=leg,
                scale=scale(wells, content.pathway.critical_at) if wells else None,
                fired=tuple(rule for rule in rules if rule.fired),
                not_fired=tuple(rule for rule in rules if not rule.fired),
                causes=tuple(causes(content, leg)),
                ask_next=content.name(leg.ask_next) if leg.ask_next else "",
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One line of the verdict. ``was``: the words before, if they were different."""

    name: str
    now: str
    was: str


def verdict(
    content: Content, assessment: Assessment, cards: Sequence[str], before: Mapping[str, str]
) -> list[VerdictLine]:
    """Return the verdict in a few words. ``cards``: indicators. ``before``: name -> words of the verdict before."""
    leg = next(iter(assessment.legs), None)
    now = {
        "Cards": _count(cards),
        "DVT": _dvt(leg),
        "Wells": _wells(leg),
        "Leading causes": _leading(content, leg),
    }
    return [
        VerdictLine(name, words, was if (was := before.get(name, words)) != words else "")
        for name, words in now.items()
    ]


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
    shown = [cause for cause in leg.differential if cause.band != "low"][:_LEADING] if leg else []
    return "; ".join(f"{content.name(cause.cause)} ({cause.band})" for cause in shown) or "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """A diagnosis or an order in the chart. ``unsigned``: a draft that a clinician still has to sign."""

    source: str
    words: str
    unsigned: bool = False


def diagnoses(content: Content, assessment: Assessment) -> list[Entry]:
    """Return the coded diagnoses."""
    return [
        Entry(
            source_of(diagnosis), f"{content.name(diagnosis.cause)}, {diagnosis.state.value}, {_where(diagnosis.side)}"
        )
        for diagnosis in assessment.record.diagnoses
    ]


def orders(content: Content, assessment: Assessment, chart: Chart) -> list[Entry]:
    """Return active and completed orders, and unsigned drafts."""
    standing = {source_of(order): order for order in assessment.record.orders}
    entries = []
    for resource in of_kind(chart.resources, "ServiceRequest"):
        source = f"ServiceRequest/{resource.get('id')}"
        placed = standing.get(source)
        if resource.get("status") == "draft":
            entries.append(Entry(source, _text(resource), unsigned=True))
        elif placed:
            title = content.orders[placed.order].title
            state = "completed" if placed.completed else "active"
            entries.append(Entry(source, f"{title}, {_where(placed.side)}, {state}"))
    return entries


def _text(resource: Mapping[str, Any]) -> str:
    code = resource.get("code")
    text = code.get("text") if isinstance(code, dict) else None
    return text[:200] if isinstance(text, str) else "an order without a name"


def _where(side: Side) -> str:
    return "" if side is Side.BODY else side.words


def terms_missing(rule: RuleRead) -> str:
    """Return counts of the terms of a rule that did not fire, such as ``0 of 4 present, 3 not recorded``."""
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
