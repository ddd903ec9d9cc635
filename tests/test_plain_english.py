"""A few mannerisms that made the texts hard to read must not return. CONTRIBUTING asks for short, direct sentences."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

MANNERISMS = {
    "is no wish": r"\bis no wish\b",
    "no ... but a slip": r"\bno \w[^.\n]{0,40} but an? (?:slip|wish|fault)\b",
    "the house": r"\b(?:the|our) house\b|\bhouse's\b",
    "what of it": r"\bwhat of (?:a|an|it|the|them|this)\b",
    "whatever it is": r"\bwhatever (?:it|they|that) (?:is|are|was|were|may be)\b",
    "whose chart it is": r"\bwhose \w+ (?:it|they) (?:is|are)\b",
    "dropped in silence": r"\b(?:dropped|lost|left out|passed over|goes|away) (?:in silence|without a word)\b",
}
KINDS = (".py", ".md", ".toml", ".html", ".css", ".js")
HISTORY = ("CHANGELOG.md", "tests/test_plain_english.py")


def mannerisms(text: str) -> list[str]:
    """The mannerisms in ``text``, each with its line number. A line break counts as a space."""
    flat = re.sub(r"\n\s*(?:#\s*)?", lambda broken: " " * len(broken[0]), text)
    return [
        f"{text.count(chr(10), 0, match.start()) + 1}: {name}"
        for name, pattern in MANNERISMS.items()
        for match in re.finditer(pattern.replace(" ", r"\s+"), flat, re.IGNORECASE)
    ]


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in names.split("\0") if name.endswith(KINDS) and name not in HISTORY]


def test_no_file_of_the_project_has_one() -> None:
    files = [path for path in tracked() if path.is_file()]
    assert len(files) > 400
    found = [
        f"{path.relative_to(ROOT)}:{hit}" for path in files for hit in mannerisms(path.read_text(encoding="utf-8"))
    ]
    assert not found, "Say it directly: " + "; ".join(found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A card without its link is no wish but a slip.", "is no wish"),
        ("More is no patient\n    but a fault of the export.", "no ... but a slip"),
        ("# colours of the\n# house", "the house"),
        ("What of it is read later", "what of it"),
        ("Whatever it is, it must end.", "whatever it is"),
        ("Whose chart it is.", "whose chart it is"),
        ("It is never dropped\nin silence.", "dropped in silence"),
    ],
)
def test_each_is_noticed_also_over_a_line_break(text: str, name: str) -> None:
    assert name in {hit.partition(": ")[2] for hit in mannerisms(text)}


def test_plain_sentences_pass() -> None:
    assert not mannerisms(
        "Return the patient of the chart. The service reports every row; whose row it was is unknown."
    )
