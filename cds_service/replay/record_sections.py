"""The report sections about the records: what was not understood, never recorded, or not usable."""

from __future__ import annotations

from html import escape
from typing import Any

from cds_service.replay.page_parts import table
from cds_service.replay.plots import Bar, bars


def coverage(report: dict[str, Any]) -> str:
    """Return the section on codes, rows, systems and units that were not understood."""
    coverage = report["coverage"]
    codes = coverage["codes"]
    lines = [
        Bar(f"{code['display'] or 'words not shown'} ({code['code']})", code["rows"], f"{code['rows']:,} rows")
        for code in codes[:15]
    ]
    body = (
        "<p>Codes that look like ours and are not mapped, most frequent first; <code>knee-cds codes</code> writes them "
        f"as a file to be mapped.</p>{bars('Codes that are not mapped', lines)}"
        if lines
        else "<p>No code looks like one of ours without being mapped.</p>"
    )
    not_read = [(row["type"], row["reason"], f"{row['rows']:,}") for row in report["not_understood"][:40]]
    body += "<h3>Rows that were not understood</h3>"
    body += table(("Type", "Why", "Rows"), not_read) if not_read else "<p>None.</p>"
    for name, title, column in (
        ("systems", "Code systems that are not known", "system"),
        ("units", "Units that a measure does not take", "unit"),
    ):
        rows = [(row[column], f"{row.get('codes', row.get('rows')):,}") for row in coverage[name][:20]]
        body += f"<h3>{title}</h3>{table((column.capitalize(), 'Rows'), rows)}" if rows else ""
    return body


def never(report: dict[str, Any]) -> str:
    """Return the section on findings that no chart states."""
    names = [finding["name"] for finding in report["never_recorded"]]
    if not names:
        return "<p>Every finding is recorded in some chart.</p>"
    listed = "".join(f"<li>{escape(name)}</li>" for name in names)
    return (
        f"<p>{len(names)} findings that cards ask for and no chart holds as a code that is understood: neither present "
        f'nor absent.</p><details><summary>Which</summary><ul class="many">{listed}</ul></details>'
    )


def given(report: dict[str, Any]) -> str:
    """Return the section on the input, its unused rows, and the time of the run."""
    read, run = report["input"], report["run"]
    workers = "1 worker" if run["workers"] == 1 else f"{run['workers']} workers"
    failed = sum(row["patients"] for row in report["patients_not_judged"])
    items = [
        f"{read['files']:,} files, {read['bytes'] / 1e6:,.1f} MB, {read['rows']:,} rows: "
        + ", ".join(f"{kind} {rows:,}" for kind, rows in read["types"].items()),
        f"{report['patients_without_opening']:,} patients without an opening, {report['patients_without_details']:,} "
        f"without a Patient resource, {failed:,} that could not be judged",
        f"{read['not_grouped_rows']:,} rows that belong to no chart (each is named in not_grouped.ndjson)",
        f"{report['undated_rows']:,} rows without a date",
        f"{run['engine']}, {workers}, {run['seconds']:,} s, {run['charts_per_second']:,} openings/s; "
        f"one opening took {_milliseconds(report, 'p50')} (median), {_milliseconds(report, 'p99')} (99th percentile)",
    ]
    if read["types_missing"]:
        items.append(
            f"not in the input at all, so read as empty: {', '.join(read['types_missing'])}. If the EHR does hold "
            "them, the cards would differ"
        )
    if read["types_not_asked_for"] and report["chart"] == "whole":
        items.append(
            f"judged, although the service does not ask an EHR for them: {', '.join(read['types_not_asked_for'])}; "
            "--chart asked leaves them out"
        )
    rows = [(row["reason"], row["type"], f"{row['rows']:,}") for row in read["not_grouped"]]
    rows += [(row["reason"], "whole patient", f"{row['patients']:,}") for row in report["patients_not_judged"]]
    more = table(("Not used because", "Type", "How many"), rows) if rows else ""
    return f"<ul>{''.join(f'<li>{escape(item)}.</li>' for item in items)}</ul>{more}"


def _milliseconds(report: dict[str, Any], which: str) -> str:
    """Return a time of judging one opening in words; a dash without any opening."""
    time = report["milliseconds"][which]
    return "-" if time is None else f"{time:.1f} ms"
