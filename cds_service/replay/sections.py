"""The sections of the report page, the most important for a medical director first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from cds_service.replay.encounter_classes import in_words
from cds_service.replay.page_parts import folded, interval, percent, section, table
from cds_service.replay.plots import Bar, Column, Dot, bars, columns, dots, funnel
from cds_service.replay.record_sections import coverage, given, never

_MAX_BARS = 25
_NAMES = {
    "age_band": "Age",
    "sex": "Sex",
    "encounter_class": "Kind of encounter",
    "site": "Site",
}


def sections(report: dict[str, Any]) -> Iterator[str]:
    """Yield each section as HTML."""
    yield _first(report)
    if "changes" in report:
        yield _changes(report["changes"])
    yield _months(report)
    yield section("From openings to cards", _funnel(report))
    yield section("Alert burden by week", _weeks(report))
    yield section("Cards per 1,000 openings", _rules(report))
    yield section("Who gets cards", "".join(_breakdown(name, rows) for name, rows in report["by"].items()))
    yield section("Wells score: what is recorded where it is needed", _wells(report))
    yield section("What became known later", _followed(report))
    yield section("Why openings stayed silent", _silent(report))
    yield section("What is not understood", coverage(report))
    yield section("Findings that no chart records", never(report))
    yield section("Input and run", given(report))
    yield section("Limits", f"<ul>{''.join(f'<li>{escape(limit)}</li>' for limit in report['limits'])}</ul>")


def _first(report: dict[str, Any]) -> str:
    trigger, complete = report["trigger_rate"], report["completion_rate"]
    return (
        '<div class="figures">'
        f'<div class="figure"><p>Trigger rate: openings with a card</p><b>{percent(trigger)}</b>'
        f'<p class="quiet">{trigger["count"]:,} of {trigger["of"]:,}; 95 % interval {interval(trigger)}</p></div>'
        f'<div class="figure"><p>Completion rate: DVT cards with the whole Wells score on record</p>'
        f'<b>{percent(complete)}</b><p class="quiet">{complete["count"]:,} of {complete["of"]:,}; 95 % interval '
        f"{interval(complete)}</p></div></div>"
    )


def _months(report: dict[str, Any]) -> str:
    months = report["by_month"]
    parts = []
    for name, title, kind in (
        ("trigger_rate", "Trigger rate by month", "accent"),
        ("completion_rate", "Completion rate by month", "warning"),
    ):
        points = [
            Dot(month["month"], month[name]["value"], month[name]["low"], month[name]["high"]) for month in months
        ]
        parts.append(f"<h3>{title}</h3>{dots(title, points, kind)}")
    rows = [
        (
            month["month"],
            f"{month['openings']:,}",
            percent(month["trigger_rate"]),
            interval(month["trigger_rate"]),
            f"{month['completion_rate']['of']:,}",
            percent(month["completion_rate"]),
        )
        for month in months
    ]
    heads = ("Month", "Openings", "Trigger rate", "95 % interval", "DVT cards", "Completion rate")
    return section("Trigger and completion rate by month", "".join(parts) + folded("The same as a table", heads, rows))


def _funnel(report: dict[str, Any]) -> str:
    steps = (
        ("Openings", report["openings"]),
        ("with a current complaint of knee, calf or leg", report["openings_with_complaint"]),
        ("with a card", report["openings_with_card"]),
        ("with an urgent card", report["openings_with_urgent_card"]),
        ("with the DVT card", report["openings_with_dvt_card"]),
    )
    refused = report["openings_not_answered"]
    more = f"<p>At {refused:,} openings the service would have refused to answer, saying why.</p>" if refused else ""
    return funnel("From openings to cards", steps) + more + _clinicians(report["clinician_days"])


def _clinicians(days: dict[str, Any] | None) -> str:
    if days is None:
        return '<p class="quiet">No encounter names a practitioner, so cards per clinician and day are not known.</p>'
    return (
        f"<p>Cards that one clinician meets in a day with openings: {days['mean']:.2f} on average, median "
        f"{days['median']:g}, 95th percentile {days['p95']:g}, at most {days['most']} "
        f"({days['clinician_days']:,} clinician-days).</p>"
    )


def _weeks(report: dict[str, Any]) -> str:
    weeks = report["by_week"]
    kinds = ("critical", "warning", "info")
    points = [Column(week["week"], tuple((kind, week[kind]) for kind in kinds)) for week in weeks]
    key = "".join(f'<span class="{kind}"></span>{kind}' for kind in kinds)
    rows = [(week["week"], f"{week['openings']:,}", *(f"{week[kind]:,}" for kind in kinds)) for week in weeks]
    return (
        f'<p class="key">{key}: openings by the most urgent card shown</p>'
        + columns("Openings with a card by week", points, "openings with a card")
        + folded("The same as a table", ("Week from", "Openings", *kinds), rows)
    )


def _rules(report: dict[str, Any]) -> str:
    rules = list(report["cards_per_1000"].items())
    lines = [
        Bar(
            f"{card['title']} ({rule})" if rule.startswith("RF") else card["title"],
            card["value"] or 0.0,
            f"{card['value']:.2f} ({card['low']:.2f} to {card['high']:.2f})",
            max(card["by_indicator"], key=lambda kind: card["by_indicator"][kind]),
            card["low"],
            card["high"],
        )
        for rule, card in rules[:_MAX_BARS]
    ]
    if not lines:
        return "<p>No card at all.</p>"
    rows = [
        (
            card["title"],
            rule,
            f"{card['cards']:,}",
            *(f"{card['by_indicator'][k]:,}" for k in ("critical", "warning", "info")),
        )
        for rule, card in rules
    ]
    indicators = "; ".join(
        f"{name} {card['value']:.2f} ({card['low']:.2f} to {card['high']:.2f})"
        for name, card in report["cards_per_1000_by_indicator"].items()
        if card["value"] is not None
    )
    return (
        f"<p>Openings per 1,000 with the card, with 95 % intervals; coloured by the usual urgency. By urgency: "
        f"{escape(indicators)}.</p>"
        + bars("Cards per 1,000 openings by rule", lines)
        + folded("All of them as a table", ("Card", "Rule or cause", "Cards", "Critical", "Warning", "Info"), rows)
    )


def _breakdown(name: str, rows: Sequence[dict[str, Any]]) -> str:
    heads = (_NAMES[name], "Openings", "With a card", "95 % interval", "With the DVT card", "95 % interval")
    cells = [
        (
            in_words(row["name"]) if name == "encounter_class" else row["name"],
            f"{row['openings']:,}",
            percent(row["with_card"]),
            interval(row["with_card"]),
            percent(row["with_dvt_card"]),
            interval(row["with_dvt_card"]),
        )
        for row in rows
    ]
    return table(heads, cells)


def _wells(report: dict[str, Any]) -> str:
    wells = report["wells"]
    if not wells["openings"]:
        return "<p>No opening with a DVT card for which the score applies.</p>"
    of = wells["openings"]
    lines = [
        Bar(row["item"], row["openings"], f"{row['openings']:,} ({row['openings'] / of * 100:.0f} %)")
        for row in wells["missing"]
    ]
    recorded = ", ".join(f"{row['items']} of 9: {row['openings']:,}" for row in wells["recorded"])
    others = report["openings_with_dvt_card"] - of
    rest = f" At the other {others:,} the score does not apply." if others else ""
    return (
        f"<p>Items 1 to 9 of the score that the chart does not answer, at {of:,} openings with a DVT card.{rest}</p>"
        + bars("Wells items that are not recorded", lines)
        + f"<p>Openings by how many items are recorded: {recorded}.</p>"
    )


def _followed(report: dict[str, Any]) -> str:
    heads = ("Within", "Sensitivity", "95 % interval", "Positive predictive value", "95 % interval", "Alerts per hit")
    rows = []
    for days, figures in report["after_openings"].items():
        needed = figures["number_needed_to_alert"]
        sensitivity, value = figures["sensitivity"], figures["positive_predictive_value"]
        rows.append(
            (
                f"{days} days",
                f"{percent(sensitivity)} of {sensitivity['of']:,}",
                interval(sensitivity),
                f"{percent(value)} of {value['of']:,}",
                interval(value),
                "-" if needed is None else f"{needed:g}",
            )
        )
    note = "".join(f"<p>{escape(limit)}</p>" for limit in report["label_limits"])
    return f'<div class="note">{note}</div>{table(heads, rows)}'


def _silent(report: dict[str, Any]) -> str:
    rows = report["silent_because"]
    quiet = sum(row["openings"] for row in rows) or 1
    lines = [
        Bar(row["reason"], row["openings"], f"{row['openings']:,} ({row['openings'] / quiet * 100:.1f} %)")
        for row in rows
    ]
    refused = [(row["reason"], f"{row['openings']:,}") for row in report["not_answered"]]
    more = f"<h3>Openings that would have been refused</h3>{table(('Why', 'Openings'), refused)}" if refused else ""
    return bars("Why openings stayed silent", lines) + more


def _changes(changes: dict[str, Any]) -> str:
    rows = [(kind["kind"], f"{kind['cards']:,}", f"{kind['openings']:,}") for kind in changes["kinds"]]
    body = f'<div class="note"><p><strong>{escape(changes["verdict"])}</strong></p></div>'
    body += f"<p>Before: content <code>{escape(changes['content_before'][:12])}</code>.</p>"
    body += table(("What changes", "Cards", "Openings"), rows) if rows else ""
    for kind in changes["kinds"]:
        examples = [
            (e["rule"], e["day"], _side(e["before"]), _side(e["after"]), e["patient"][:12]) for e in kind["examples"]
        ]
        heads = ("Rule", "Day", "Before", "After", "Patient")
        body += folded(f"Examples: {kind['kind']}", heads, examples)
    return section("Before and after", body)


def _side(side: dict[str, Any] | None) -> str:
    return "no card" if side is None else f"{side['indicator']}, {side['leg']}"
