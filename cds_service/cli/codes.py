"""``knee-cds codes``: the codes, units and systems of a site's charts that look like ours and are not mapped.

What the words of a code name is a proposal, never a mapping: each entry is written out as a comment, and counts only
after a person has read it and taken the ``#`` away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from cds_service.cli.inputs import documents
from cds_service.clinical.content.catalogue import Content
from cds_service.service.code_survey import BY_CATEGORY, Survey, Unmapped

_SUFFIXES = (".json", ".ndjson", ".jsonl")


def survey(content: Content, paths: Iterable[Path]) -> Survey:
    """All charts of some files and folders (``.json``, ``.ndjson``), read one document after the other."""
    found = Survey(content)
    for file in _files(paths):
        with file.open("rb") as stream:
            for document in documents(stream):
                found.take(document)
    return found


def write(found: Survey, out: IO[str]) -> None:
    """The survey as a local codes file with every entry still a comment, most frequent first."""
    out.write(
        f"# {found.resources} resources. Codes that look like ours and are not mapped, most frequent first.\n"
        "# Nothing counts yet: words are a hint, not a proof. Read each entry, correct `finding`, add `side` where\n"
        "# the code itself names the leg, and take the # away; `same_as` takes the place of `finding`. Then:\n"
        "# KNEE_CDS_LOCAL_CODES=this-file knee-cds check\n"
    )
    for name in _most(found.counts):
        if (one := found.unmapped.get(name)) is None:
            continue
        count = found.counts[name]
        out.write(f"\n# {count} x {_plain(one.display) or 'without words'} (by {one.by})\n")
        out.writelines(_entry(found.content, one))
    _table(out, "Units that a measure does not take", (f"{key}: {unit}" for key, unit in _most(found.units)))
    _table(out, "Systems that are not known", (f"{found.systems[one]} x {one}" for one in _most(found.systems)))


def _entry(content: Content, one: Unmapped) -> Iterator[str]:
    findings = [key for key in one.keys if key in content.findings]
    others = [key for key in one.keys if key not in content.findings]
    if others:
        yield f"# May mean {', '.join(others)}: no finding, so name the standard code that it stands for.\n"
    yield f"# [[code]]\n# system = {_quoted(one.system)}\n# code = {_quoted(one.code)}\n"
    if others:
        yield '# same_as = { system = "http://snomed.info/sct", code = "" }\n'
    if findings or not others:
        proposed = "" if others or one.by == BY_CATEGORY else _proposed(content, findings, one.display)
        more = "" if proposed or not findings else f"  # one of {', '.join(findings)}, if any"
        yield f'# finding = "{proposed}"{more}\n'


def _proposed(content: Content, findings: list[str], words: str) -> str:
    """The finding of just this name, or the only one; empty if a person has to choose."""
    said = words.strip().lower()
    named = [key for key in findings if content.findings[key].name.lower() == said or key == said.replace(" ", "_")]
    return next(iter(named or findings), "") if named or len(findings) == 1 else ""


def _table(out: IO[str], title: str, rows: Iterable[str]) -> None:
    listed = [f"#   {_plain(row)}\n" for row in rows]
    if listed:
        out.write(f"\n# {title}:\n")
        out.writelines(listed)


def _most(counted: Counter[Any]) -> Iterator[Any]:
    return (one for one, _ in counted.most_common())


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES)
        else:
            yield path


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=True)


def _plain(text: str) -> str:
    """On one line and without what could end a comment."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:200]).split())
