"""Print an assessment on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cds_service.clinical.assessment import Assessment, LegAssessment, RankedCause
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import Status
from cds_service.rendering.card import Card

_LONG_AGO = 30
_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


def show_cards(console: Console, assessment: Assessment, cards: Sequence[Card], *, with_links: bool = True) -> None:
    """Print the cards as boxes, or the reason why there is none. ``with_links``: print the links too."""
    if not cards:
        console.print(Text(f"No card: {assessment.silent_because or 'nothing to show'}."))
        _hint_at_date(console, assessment)
    for card in cards:
        parts: list[Markdown | Text] = [Text(card.summary, style="bold"), Text(), Markdown(card.detail)]
        parts += [Text(f"[ {suggestion.label} ]", style="bold") for suggestion in card.suggestions]
        if with_links:
            parts += [Text(f"{link.label}: {link.url}", style="dim") for link in card.links]
        parts.append(Text(f"Source: {card.source.label}", style="dim"))
        title = card.indicator.upper()
        console.print(Panel(Group(*parts), title=title, title_align="left", border_style=_COLOURS[card.indicator]))


def _hint_at_date(console: Console, assessment: Assessment) -> None:
    """Print a hint to use ``--now`` if the newest finding is old, because today the whole chart is history."""
    days = [fact.when.day for fact in assessment.record.facts if fact.when]
    if days and (assessment.today - max(days)).days > _LONG_AGO:
        latest = max(days).isoformat()
        console.print(Text(f"Its newest finding is of {latest}: --now {latest} judges it as of that day.", style="dim"))


def explain(console: Console, content: Content, assessment: Assessment) -> None:
    """Print the facts read and not read, then each rule and number, leg by leg."""
    _facts(console, content, assessment)
    for leg in assessment.legs:
        _leg(console, content, leg)
    if assessment.silent_because:
        console.print(Text(f"Silent because: {assessment.silent_because}."))


def _facts(console: Console, content: Content, assessment: Assessment) -> None:
    table = Table("Finding", "Status", "Side", "Date", "Source", title="Facts read", title_justify="left")
    for fact in assessment.record.facts:
        when = fact.when.text if fact.when else "unknown"
        status = fact.status.value + (" (provisional)" if fact.provisional else "")
        table.add_row(content.name(fact.key), status, fact.side.value, when, Text(fact.source))
    console.print(table)
    for known in assessment.record.diagnoses:
        words = f"{content.name(known.cause)}, {known.state.value}, {known.side.value} ({known.source})"
        console.print(Text(f"Diagnosis: {words}"))
    for placed in assessment.record.orders:
        console.print(Text(f"Order: {placed.order}, {placed.side.value} ({placed.source})"))
    for unread in assessment.record.unread:
        about = f" (may be about {', '.join(unread.keys)})" if unread.keys else ""
        console.print(Text(f"Not understood: {unread.source} {unread.reason}{about}", style="yellow"))
    for why, count in assessment.record.set_aside:
        console.print(Text(f"Set aside: {count} x {why}"))
    for stop in assessment.record.stops:
        when = stop.when.text if stop.when else "date unknown"
        console.print(Text(f"Stopped: {stop.substance or content.name(stop.key)}, {when} ({stop.source})"))
    _ledger(console, assessment)


def _ledger(console: Console, assessment: Assessment) -> None:
    """Print how many rows were read, set aside or not understood, with the reasons."""
    table = Table("Rows", "State", "Resource", "Reason", title="Ledger", title_justify="left")
    for line in assessment.record.ledger:
        table.add_row(str(line.count), line.state.value.replace("_", " "), line.resource, line.reason)
    console.print(table)


def _leg(console: Console, content: Content, leg: LegAssessment) -> None:
    console.rule(leg.side.words)
    fired = {flag.rule: flag for flag in leg.red_flags}
    for rule, flag in sorted(content.red_flags.items()):
        facts = ", ".join(fact.key for fact in fired[rule].facts) if rule in fired else ""
        state = Text(f"{rule} {flag.card.title}: {'FIRES on ' + facts if rule in fired else 'not satisfied'}")
        console.print(state, style="bold red" if rule in fired else "dim")
    _dvt(console, leg)
    for cause in leg.differential:
        _cause(console, content, cause)
    if leg.ask_next:
        console.print(Text(f"Ask or examine next: {content.name(leg.ask_next)}"))


def _dvt(console: Console, leg: LegAssessment) -> None:
    dvt = leg.dvt
    words = f"suspected, {dvt.level}: {dvt.why_level}" if dvt.suspected else f"not suspected {dvt.closed_by}"
    console.print(Text(f"DVT {words}"))
    if dvt.wells:
        console.print(Text(f"Wells {dvt.wells.least} to {dvt.wells.most}"))
        for item in dvt.wells.items:
            console.print(Text(f"  {item.number:2d} {item.points:+d} {item.status.value:8s} {item.name}"))
    console.print(Text(f"  likelihood sum, for explanation only: {_line(leg.dvt_explained)}"))


def _cause(console: Console, content: Content, cause: RankedCause) -> None:
    console.print(Text(f"{content.name(cause.cause)}: {cause.band}; {_line(cause)}"))


def _line(cause: RankedCause) -> str:
    parts = [
        ("NOT " if part.fact.status is Status.ABSENT else "")
        + part.finding
        + (" confirms" if math.isinf(part.log_lr) else f" {part.log_lr:+.2f}")
        for part in cause.contributions
        if part.counted
    ]
    ratio = math.exp(cause.sum_log_lr)
    head = f"prior {cause.prior:.4g} sum {cause.sum_log_lr:+.2f} (x{ratio:.1f}) post {cause.posterior:.2f}"
    return head + (" | " + ", ".join(parts) if parts else "")
