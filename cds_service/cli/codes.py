"""``knee-cds codes``: list codes, units and systems in a site's charts that look like ours but are not mapped.

The display text of a code only gives a proposal. Each entry is written as a comment, and takes effect only after a
person has checked it and removed the ``#``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from cds_service.cli.inputs import chart_files, documents
from cds_service.clinical.content.catalogue import Content
from cds_service.service.code_survey import BY_CATEGORY, Survey, Unmapped


def survey(content: Content, paths: Iterable[Path]) -> Survey:
    """Survey all charts in files and folders, one document at a time.

    Raises:
        UnusableInput: a folder has no file of charts.
    """
    found = Survey(content)
    for file in chart_files(map(str, paths)):
        with Path(file).open("rb") as stream:
            for document in documents(stream):
                found.take(document)
    return found


def write(found: Survey, out: IO[str]) -> None:
    """Write the survey as a local codes file. Every entry is a comment, the most frequent code first."""
    out.write(
        f"# {found.resources} resources. Codes that look like ours and are not mapped, most frequent first.\n"
        "# No entry has an effect yet: words are a hint, not a proof. Check each entry, correct `finding`, add `side`\n"
        "# if the code itself names the leg, and remove the #. `same_as` may be used instead of `finding`. Then run:\n"
        "# KNEE_CDS_LOCAL_CODES=this-file knee-cds check\n"
    )
    for name in _by_frequency(found.counts):
        if (code := found.unmapped.get(name)) is None:
            continue
        count = found.counts[name]
        out.write(f"\n# {count} x {_plain(code.display) or 'without words'} (by {code.by})\n")
        out.writelines(_entry(found.content, code))
    _table(
        out, "Units that the measure does not accept", (f"{key}: {unit}" for key, unit in _by_frequency(found.units))
    )
    _table(
        out,
        "Unknown code systems",
        (f"{found.systems[system]} x {system}" for system in _by_frequency(found.systems)),
    )


def _entry(content: Content, code: Unmapped) -> Iterator[str]:
    findings = [key for key in code.keys if key in content.findings]
    others = [key for key in code.keys if key not in content.findings]
    if others:
        yield f"# May mean {', '.join(others)}: no finding, so name the standard code with the same meaning.\n"
    yield f"# [[code]]\n# system = {_quoted(code.system)}\n# code = {_quoted(code.code)}\n"
    if others:
        yield '# same_as = { system = "http://snomed.info/sct", code = "" }\n'
    if findings or not others:
        proposed = "" if others or code.by == BY_CATEGORY else _proposed(content, findings, code.display)
        more = "" if proposed or not findings else f"  # one of {', '.join(findings)}, if any"
        yield f'# finding = "{proposed}"{more}\n'


def _proposed(content: Content, findings: list[str], words: str) -> str:
    """Return the finding with exactly this name, or the only one; empty if a person must choose."""
    text = words.strip().lower()
    named = [key for key in findings if content.findings[key].name.lower() == text or key == text.replace(" ", "_")]
    return next(iter(named or findings), "") if named or len(findings) == 1 else ""


def _table(out: IO[str], title: str, rows: Iterable[str]) -> None:
    listed = [f"#   {_plain(row)}\n" for row in rows]
    if listed:
        out.write(f"\n# {title}:\n")
        out.writelines(listed)


def _by_frequency(counted: Counter[Any]) -> Iterator[Any]:
    return (key for key, _ in counted.most_common())


def _quoted(text: str) -> str:
    """Return ``text`` as a TOML string."""
    return json.dumps(text, ensure_ascii=True)


def _plain(text: str) -> str:
    """Return ``text`` on one line, without characters that could end a comment."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:200]).split())
