"""The sections of the report's page about the records: what is not understood, never recorded, or could not be used."""

from __future__ import annotations

from html import escape
from typing import Any

from cds_service.replay.parts import table
from cds_service.replay.plots import Bar, bars


def coverage(found: dict[str, Any]) -> str:
    """Codes, rows, systems and units."""
    coverage = found["coverage"]
    codes = coverage["codes"]
    lines = [
        Bar(f"{one['display'] or 'words not shown'} ({one['code']})", one["rows"], f"{one['rows']:,} rows")
        for one in codes[:15]
    ]
    body = (
        "<p>Codes that look like ours and are not mapped, most frequent first; <code>knee-cds codes</code> writes them "
        f"as a file to be mapped.</p>{bars('Codes that are not mapped', lines, 420)}"
        if lines
        else "<p>No code looks like one of ours without being mapped.</p>"
    )
    not_read = [(one["type"], one["reason"], f"{one['rows']:,}") for one in found["not_understood"][:40]]
    body += "<h3>Rows that were not understood</h3>"
    body += table(("Type", "Why", "Rows"), not_read) if not_read else "<p>None.</p>"
    for name, title, column in (
        ("systems", "Code systems that are not known", "system"),
        ("units", "Units that a measure does not take", "unit"),
    ):
        rows = [(one[column], f"{one.get('codes', one.get('rows')):,}") for one in coverage[name][:20]]
        body += f"<h3>{title}</h3>{table((column.capitalize(), 'Rows'), rows)}" if rows else ""
    return body


def never(found: dict[str, Any]) -> str:
    """Findings of which no chart says anything."""
    names = [one["name"] for one in found["never_recorded"]]
    if not names:
        return "<p>Every finding is recorded in some chart.</p>"
    listed = "".join(f"<li>{escape(one)}</li>" for one in names)
    return (
        f"<p>{len(names)} findings that cards ask for and no chart holds as a code that is understood: neither present "
        f'nor absent.</p><details><summary>Which</summary><ul class="many">{listed}</ul></details>'
    )


def given(found: dict[str, Any]) -> str:
    """What was read, what of it was not used, and how long it took."""
    read, run = found["input"], found["run"]
    failed = sum(one["patients"] for one in found["patients_not_judged"])
    said = [
        f"{read['files']:,} files, {read['bytes'] / 1e6:,.1f} MB, {read['rows']:,} rows: "
        + ", ".join(f"{kind} {rows:,}" for kind, rows in read["types"].items()),
        f"{found['patients_without_opening']:,} patients without an opening, {found['patients_without_details']:,} "
        f"without a Patient resource, {failed:,} that could not be judged",
        f"{read['not_grouped_rows']:,} rows that belong to no chart (each is named in not_grouped.ndjson)",
        f"{found['undated_rows']:,} rows without a date",
        f"{run['engine']}, {run['workers']} worker(s), {run['seconds']:,} s, {run['charts_per_second']:,} openings/s; "
        f"one opening took {found['milliseconds']['p50']} ms (median), {found['milliseconds']['p99']} ms (99th "
        "percentile)",
    ]
    if read["types_missing"]:
        said.append(
            f"not in the input at all, so read as empty: {', '.join(read['types_missing'])}. If the EHR does hold "
            "them, the cards would differ"
        )
    if read["types_not_asked_for"] and found["chart"] == "whole":
        said.append(
            f"judged, although the service does not ask an EHR for them: {', '.join(read['types_not_asked_for'])}; "
            "--chart asked leaves them out"
        )
    rows = [(one["reason"], one["type"], f"{one['rows']:,}") for one in read["not_grouped"]]
    rows += [(one["reason"], "whole patient", f"{one['patients']:,}") for one in found["patients_not_judged"]]
    more = table(("Not used because", "Type", "How many"), rows) if rows else ""
    return f"<ul>{''.join(f'<li>{escape(one)}.</li>' for one in said)}</ul>{more}"
