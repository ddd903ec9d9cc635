"""The sections of the report's page, in the order in which a medical director would ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from cds_service.replay.parts import folded, interval, percent, section, table
from cds_service.replay.plots import Bar, Column, Dot, bars, columns, dots, funnel
from cds_service.replay.records import coverage, given, never

_MAX_BARS = 25
_NAMES = {
    "age_band": "Age",
    "sex": "Sex",
    "encounter_class": "Kind of encounter",
    "site": "Site",
}


def sections(found: dict[str, Any]) -> Iterator[str]:
    """Each section as HTML."""
    yield _first(found)
    if "changes" in found:
        yield _changes(found["changes"])
    yield _months(found)
    yield section("From openings to cards", _funnel(found))
    yield section("Alert burden by week", _weeks(found))
    yield section("Cards per 1,000 openings", _rules(found))
    yield section("Who gets cards", "".join(_breakdown(name, rows) for name, rows in found["by"].items()))
    yield section("Wells score: what is recorded where it is needed", _wells(found))
    yield section("What became known later", _followed(found))
    yield section("Why openings stayed silent", _silent(found))
    yield section("What is not understood", coverage(found))
    yield section("Findings that no chart records", never(found))
    yield section("Input and run", given(found))
    yield section("Limits", f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in found['limits'])}</ul>")


def _first(found: dict[str, Any]) -> str:
    trigger, complete = found["trigger_rate"], found["completion_rate"]
    return (
        '<div class="figures">'
        f'<div class="figure"><p>Trigger rate: openings with a card</p><b>{percent(trigger)}</b>'
        f'<p class="quiet">{trigger["count"]:,} of {trigger["of"]:,}; 95 % interval {interval(trigger)}</p></div>'
        f'<div class="figure"><p>Completion rate: DVT cards with the whole Wells score on record</p>'
        f'<b>{percent(complete)}</b><p class="quiet">{complete["count"]:,} of {complete["of"]:,}; 95 % interval '
        f"{interval(complete)}</p></div></div>"
    )


def _months(found: dict[str, Any]) -> str:
    months = found["by_month"]
    parts = []
    for name, title, kind in (
        ("trigger_rate", "Trigger rate by month", "accent"),
        ("completion_rate", "Completion rate by month", "warning"),
    ):
        points = [Dot(one["month"], one[name]["value"], one[name]["low"], one[name]["high"]) for one in months]
        parts.append(f"<h3>{title}</h3>{dots(title, points, kind)}")
    rows = [
        (
            one["month"],
            f"{one['openings']:,}",
            percent(one["trigger_rate"]),
            interval(one["trigger_rate"]),
            f"{one['completion_rate']['of']:,}",
            percent(one["completion_rate"]),
        )
        for one in months
    ]
    heads = ("Month", "Openings", "Trigger rate", "95 % interval", "DVT cards", "Completion rate")
    return section("Trigger and completion rate by month", "".join(parts) + folded("The same as a table", heads, rows))


def _funnel(found: dict[str, Any]) -> str:
    steps = (
        ("Openings", found["openings"]),
        ("with a current complaint of knee, calf or leg", found["openings_with_complaint"]),
        ("with a card", found["openings_with_card"]),
        ("with an urgent card", found["openings_with_urgent_card"]),
        ("with the DVT card", found["openings_with_dvt_card"]),
    )
    refused = found["openings_not_answered"]
    more = f"<p>At {refused:,} openings the service would have refused to answer, saying why.</p>" if refused else ""
    return funnel("From openings to cards", steps) + more + _clinicians(found["clinician_days"])


def _clinicians(days: dict[str, Any] | None) -> str:
    if days is None:
        return '<p class="quiet">No encounter names a practitioner, so cards per clinician and day are not known.</p>'
    return (
        f"<p>Cards that one clinician meets in a day with openings: {days['mean']:.2f} on average, median "
        f"{days['median']:g}, 95th percentile {days['p95']:g}, at most {days['most']} "
        f"({days['clinician_days']:,} clinician-days).</p>"
    )


def _weeks(found: dict[str, Any]) -> str:
    weeks = found["by_week"]
    kinds = ("critical", "warning", "info")
    points = [Column(one["week"], tuple((kind, one[kind]) for kind in kinds)) for one in weeks]
    key = "".join(f'<span class="{kind}"></span>{kind}' for kind in kinds)
    rows = [(one["week"], f"{one['openings']:,}", *(f"{one[kind]:,}" for kind in kinds)) for one in weeks]
    return (
        f'<p class="key">{key}: openings by the most urgent card shown</p>'
        + columns("Openings with a card by week", points, "openings with a card")
        + folded("The same as a table", ("Week from", "Openings", *kinds), rows)
    )


def _rules(found: dict[str, Any]) -> str:
    rules = list(found["cards_per_1000"].items())
    lines = [
        Bar(
            f"{one['title']} ({rule})" if rule.startswith("RF") else one["title"],
            one["value"] or 0.0,
            f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})",
            max(one["by_indicator"], key=lambda kind: one["by_indicator"][kind]),
            one["low"],
            one["high"],
        )
        for rule, one in rules[:_MAX_BARS]
    ]
    if not lines:
        return "<p>No card at all.</p>"
    rows = [
        (
            one["title"],
            rule,
            f"{one['cards']:,}",
            *(f"{one['by_indicator'][k]:,}" for k in ("critical", "warning", "info")),
        )
        for rule, one in rules
    ]
    indicators = "; ".join(
        f"{name} {one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
        for name, one in found["cards_per_1000_by_indicator"].items()
        if one["value"] is not None
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
            one["name"],
            f"{one['openings']:,}",
            percent(one["with_card"]),
            interval(one["with_card"]),
            percent(one["with_dvt_card"]),
            interval(one["with_dvt_card"]),
        )
        for one in rows
    ]
    return table(heads, cells)


def _wells(found: dict[str, Any]) -> str:
    wells = found["wells"]
    if not wells["openings"]:
        return "<p>No opening with a DVT card for which the score applies.</p>"
    of = wells["openings"]
    lines = [
        Bar(one["item"], one["openings"], f"{one['openings']:,} ({one['openings'] / of:.0%})")
        for one in wells["missing"]
    ]
    recorded = ", ".join(f"{one['items']} of 9: {one['openings']:,}" for one in wells["recorded"])
    return (
        f"<p>Items 1 to 9 of the score that the chart does not answer, at {of:,} openings with a DVT card.</p>"
        + bars("Wells items that are not recorded", lines)
        + f"<p>Openings by how many items are recorded: {recorded}.</p>"
    )


def _followed(found: dict[str, Any]) -> str:
    heads = ("Within", "Sensitivity", "95 % interval", "Positive predictive value", "95 % interval", "Alerts per hit")
    rows = []
    for days, one in found["after_openings"].items():
        needed = one["number_needed_to_alert"]
        sensitivity, value = one["sensitivity"], one["positive_predictive_value"]
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
    note = "".join(f"<p>{escape(one)}</p>" for one in found["label_limits"])
    return f'<div class="note">{note}</div>{table(heads, rows)}'


def _silent(found: dict[str, Any]) -> str:
    rows = found["silent_because"]
    quiet = sum(one["openings"] for one in rows) or 1
    lines = [
        Bar(one["reason"], one["openings"], f"{one['openings']:,} ({one['openings'] / quiet:.1%})") for one in rows
    ]
    refused = [(one["reason"], f"{one['openings']:,}") for one in found["not_answered"]]
    more = f"<h3>Openings that would have been refused</h3>{table(('Why', 'Openings'), refused)}" if refused else ""
    return bars("Why openings stayed silent", lines, 500) + more


def _changes(changes: dict[str, Any]) -> str:
    rows = [(one["kind"], f"{one['cards']:,}", f"{one['openings']:,}") for one in changes["kinds"]]
    body = f'<div class="note"><p><strong>{escape(changes["verdict"])}</strong></p></div>'
    body += f"<p>Before: content <code>{escape(changes['content_before'][:12])}</code>.</p>"
    body += table(("What changes", "Cards", "Openings"), rows) if rows else ""
    for one in changes["kinds"]:
        examples = [
            (e["rule"], e["day"], _side(e["before"]), _side(e["after"]), e["patient"][:12]) for e in one["examples"]
        ]
        heads = ("Rule", "Day", "Before", "After", "Patient")
        body += folded(f"Examples: {one['kind']}", heads, examples)
    return section("Before and after", body)


def _side(side: dict[str, Any] | None) -> str:
    return "no card" if side is None else f"{side['indicator']}, {side['leg']}"
