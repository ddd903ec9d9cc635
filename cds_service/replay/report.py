"""The report of a run: the data of ``report.json`` and ``report.html``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cds_service import __version__
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.queries import SEARCHED
from cds_service.replay import numbers
from cds_service.replay.against import REPORT
from cds_service.replay.compare import changes
from cds_service.replay.intervals import rate
from cds_service.replay.local import Done, read_json
from cds_service.replay.tally import Tally, by_count
from cds_service.service.code_survey import Survey

NOT_GROUPED = "not_grouped.ndjson"
_MAX_CODES = 200
_FEWEST = 5
"""Fewest rows with a code for its words to be printed: the words of a rare code may describe one person."""
_OTHER_CARDS = {
    "gap": "DVT cannot be excluded: part of the chart is missing",
    "unread": "Not judged: entries that were not understood",
    "new_pain": "New pain without a local sign",
}
LIMITS = (
    "An opening is a moment derived from the records, not a click: how often staff open a chart is not known.",
    "Records are taken as known from the time they were written down; a date without a time counts from the start of "
    "its day. Rows without any date count at every opening.",
    "An ended problem, medicine or visit is put back to what it was where its end is dated; where it is not, it counts "
    "as ended at every opening.",
    "Openings of one patient are alike, so true intervals are wider than those printed.",
    "Nobody has answered these cards. In service a card that was answered stays away for a while, or shrinks to a "
    "reminder if it is urgent; here it counts at each opening.",
)
LABEL_LIMITS = (
    "A label is a DVT or PE that is coded, or an anticoagulant that begins, within the stated days after the opening. "
    "A clot that was missed is coded late, elsewhere or never; an anticoagulant may be for something else; and a card "
    "that had been shown would have changed what was looked for. Openings after such an entry are left out. These "
    "figures compare two contents; they do not measure how accurate one is.",
)


def compared(done: Done) -> dict[str, Any] | None:
    """Return the differences from another content or an earlier run; None if no comparison was requested.

    Raises:
        WrongSetting: the earlier run has no opening in common with this one.
    """
    against = done.options.against
    if against is None:
        return None
    scratch = done.folders.work / "scratch-changes"
    if done.plan.content_before:
        folder = done.folders.verdicts
        return changes(folder, folder, "_before", done.plan.content_before, scratch)
    earlier = read_json(against / REPORT)
    return changes(done.folders.verdicts, against / "verdicts", "", str(earlier.get("content")), scratch)


def report(done: Done) -> dict[str, Any]:
    """Return the whole report, as written to ``report.json``."""
    scanned, judged = _gathered(done)
    tally = Tally()
    for part in judged:
        tally.merge(Tally(part["tally"]))
    scratch = done.folders.work / "scratch-report"
    with numbers.verdicts(done.folders.verdicts, scratch, _zone(done)) as results:
        totals = numbers.totals(results)
        openings = totals["openings"]
        return {
            "trigger_rate": rate(totals["openings_with_card"], openings),
            "completion_rate": rate(totals["completed"], totals["openings_with_dvt_card"]),
            "by_month": numbers.by_month(results),
            "by_week": numbers.by_week(results),
            "patients": tally.total("patients"),
            "patients_without_opening": tally.total("patients_without_opening"),
            "patients_without_details": tally.total("patients_without_details"),
            "patients_not_judged": _listed(tally, "patients_not_judged", "reason", "patients"),
            **totals,
            "cards_per_1000": _titled(done.service.content, numbers.by_rule(results, openings)),
            "cards_per_1000_by_indicator": numbers.by_indicator(results, openings),
            "by": numbers.breakdowns(results),
            "clinician_days": numbers.clinician_days(results),
            "wells": numbers.wells(results),
            "silent_because": numbers.silent(results),
            "not_answered": numbers.not_answered(results),
            "after_openings": {str(days): numbers.followed(results, days) for days in (30, 90)},
            "label_limits": LABEL_LIMITS,
            "never_recorded": _never_recorded(done.service.content, tally),
            "not_understood": _not_understood(tally),
            "rows": dict(tally.of("rows")),
            "undated_rows": tally.total("undated_rows"),
            "coverage": _coverage(done, scanned),
            "input": _input(done, scanned),
            "milliseconds": numbers.milliseconds(results),
            "content": done.plan.content,
            "openings_judged": done.options.openings,
            "chart": done.options.chart,
            "run": _run(done, scanned, judged, openings),
            "limits": list(LIMITS),
        }


def _titled(content: Content, rules: dict[str, Any]) -> dict[str, Any]:
    """Add the title of each rule or cause."""
    titles = {rule: flag.card.title for rule, flag in content.red_flags.items()}
    titles |= {key: cause.title for key, cause in content.causes.items()} | _OTHER_CARDS
    return {rule: {"title": titles.get(rule, rule), **numbers} for rule, numbers in rules.items()}


def write_json(value: Any, path: Path) -> None:
    """Write ``value`` as indented JSON."""
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")


def _zone(done: Done) -> str:
    return str(done.plan.now.tzinfo or "UTC")


def _gathered(done: Done) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    scanned = done.scanned()
    judged = [read_json(done.folders.judged(bucket)) for bucket in range(done.plan.buckets)]
    return scanned, judged


def _listed(tally: Tally, name: str, what: str, count: str) -> list[dict[str, Any]]:
    return [{what: text, count: number} for text, number in by_count(tally.of(name))]


def _never_recorded(content: Content, tally: Tally) -> list[dict[str, str]]:
    """Return the findings that no chart states as present or absent, without those that follow from age and sex."""
    seen = tally.of("findings")
    return [
        {"finding": key, "name": finding.name}
        for key, finding in sorted(content.findings.items())
        if key not in seen and finding.kind != "demographic"
    ]


def _not_understood(tally: Tally) -> list[dict[str, Any]]:
    reasons = []
    for text, rows in by_count(tally.of("not_understood")):
        kind, _, reason = text.partition("\t")
        reasons.append({"type": kind, "reason": reason, "rows": rows})
    return reasons


def _coverage(done: Done, scanned: list[dict[str, Any]]) -> dict[str, Any]:
    """Return unmapped codes, units and systems as ``knee-cds codes`` finds them, the most frequent first."""
    survey = Survey(done.service.content)
    for part in scanned:
        survey.merge(Survey.from_json(done.service.content, part["survey"]))
    codes: list[dict[str, Any]] = [
        {
            "system": name[0],
            "code": name[1],
            "display": code.display if survey.counts[name] >= _FEWEST else "",
            "may_mean": list(code.keys),
            "seen_by": code.by,
            "rows": survey.counts[name],
        }
        for name, code in survey.unmapped.items()
    ]
    codes.sort(key=lambda row: (-row["rows"], row["system"], row["code"]))
    return {
        "resources": survey.resources,
        "codes": codes[:_MAX_CODES],
        "codes_left_off": max(0, len(codes) - _MAX_CODES),
        "units": [{"measure": key, "unit": unit, "rows": rows} for (key, unit), rows in survey.units.most_common()],
        "systems": [{"system": name, "codes": count} for name, count in by_count(survey.systems)],
    }


def _input(done: Done, scanned: list[dict[str, Any]]) -> dict[str, Any]:
    tally = Tally()
    for part in scanned:
        tally.merge(Tally(part["tally"]))
    not_grouped = []
    for text, rows in by_count(tally.of("not_grouped")):
        kind, _, reason = text.partition("\t")
        not_grouped.append({"type": kind, "reason": reason, "rows": rows})
    asked = {kind for _, kinds in SEARCHED.values() for kind in kinds}
    types = tally.of("types")
    return {
        "files": len(done.found.names),
        "bytes": sum(done.found.sizes),
        "rows": tally.total("types"),
        "types": dict(by_count(types)),
        "types_missing": sorted(asked - set(types)),
        "types_not_asked_for": {
            kind: rows for kind, rows in by_count(types) if kind not in asked and kind != "Medication"
        },
        "of_nobody": dict(by_count(tally.of("of_nobody"))),
        "not_grouped": not_grouped,
        "not_grouped_rows": tally.total("not_grouped"),
        "not_grouped_rows_not_named": tally.total("not_named"),
        "rows_of_bundles_not_whole": dict(tally.of("rows_of_bundles_not_whole")),
    }


def _run(done: Done, scanned: list[dict[str, Any]], judged: list[dict[str, Any]], openings: int) -> dict[str, Any]:
    """Return data on the run. ``core_seconds``: of all completed work, also earlier attempts; ``seconds``: this run."""
    reading, judging = (sum(part["seconds"] for part in parts) for parts in (scanned, judged))
    peaks = [part["peak_megabytes"] for part in (*scanned, *judged)]
    return {
        "engine": done.options.engine,
        "workers": done.options.workers,
        "seconds": round(done.seconds, 2),
        "core_seconds": {"reading": round(reading, 2), "judging": round(judging, 2)},
        "charts_per_second": round(openings / done.seconds, 1) if done.seconds else None,
        "charts_per_second_a_core": round(openings / (reading + judging), 1) if reading + judging else None,
        "peak_megabytes_of_a_worker": round(max(peaks, default=0.0), 1),
        "version": __version__,
        "began": done.plan.now.isoformat(timespec="seconds"),
    }


def places_not_grouped(done: Done) -> Iterator[bytes]:
    """Yield each line that belongs to no chart, with file, line number and reason, but without its contents."""
    before: dict[int, int] = {}
    at_file: dict[int, int] = {}
    pieces = {piece.number: piece for piece in done.found.pieces}
    scanned = done.scanned()
    lines = {int(number): count for part in scanned for number, count in part["lines"].items()}
    for number, piece in sorted(pieces.items()):
        before[number] = at_file.get(piece.file, 0)
        at_file[piece.file] = before[number] + lines.get(number, 0)
    for part in scanned:
        for place in part["places"]:
            piece = pieces[place["piece"]]
            line = {
                "file": piece.name,
                "line": before[piece.number] + place["line"],
                "type": place["type"],
                "reason": place["reason"],
            }
            yield orjson.dumps(line) + b"\n"


def write_places(done: Done) -> Path:
    """Write ``not_grouped.ndjson`` and return its path."""
    path = done.options.out / NOT_GROUPED
    with path.open("wb") as out:
        out.writelines(places_not_grouped(done))
    return path
