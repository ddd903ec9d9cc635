"""A few mannerisms that made the texts hard to read must not return. CONTRIBUTING asks for short, direct sentences."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
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
    "of old": r"\bof old\b",
    "to the letter": r"\bto the letter\b",
    "good for one use": r"\bgood for (?:one|half|an|a)\b",
    "imports run down": r"\b(?:imports?|packages?) run (?:down|up)\b",
}
IN_CODE_AND_MANUALS = {
    "what became of it": r"\bwhat (?:has |had )?(?:became|become|becomes) of\b",
    "did not come whole": r"\b(?:came|come|comes) whole\b",
    "cannot be had": r"\bbe had\b",
    "is none of ours": r"\b(?:is|are) none of (?:our|the|its|their|FHIR|this|that|those)",
    "all the same": r"\ball the same\b",
    "anew": r"\banew\b",
    "has a say": r"\bha(?:s|ve) a say\b",
    "known to be none": r"\bknown to be none\b",
    "whoever": r"\bwho(?:so)?ever (?:has|may|was|else|makes|takes|looks)\b",
    "but for": r"\bbut for\b",
    "it is told": r"\b(?:is|are|and) told\b",
    "stands in the file": r"\bstands? (?:in|on|beside|behind|under) (?:the|its|their|a|this|that) (?!place of)",
    "gives way": r"\bgives? way\b",
    "not looked at": r"\bnot looked at\b",
}
"""Also refused in code, manuals and settings. Tests, invented patients and the signed words of cards are exempt."""
EXEMPT = ("tests/", "fhir_examples/", "cards/")
NOT_EXEMPT = ("cards/README.md", "cards/evidence.md")
KINDS = (".py", ".md", ".toml", ".html", ".css", ".js")
HISTORY = ("CHANGELOG.md", "tests/test_plain_english.py")


def mannerisms(text: str, patterns: Mapping[str, str] = MANNERISMS) -> list[str]:
    """The mannerisms in ``text``, each with its line number. A line break counts as a space."""
    flat = re.sub(r"\n\s*(?:#\s*)?", lambda broken: " " * len(broken[0]), text)
    return [
        f"{text.count(chr(10), 0, match.start()) + 1}: {name}"
        for name, pattern in patterns.items()
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


def test_code_and_manuals_have_none_of_the_others() -> None:
    named = ((path, path.relative_to(ROOT).as_posix()) for path in tracked() if path.is_file())
    files = [path for path, name in named if name in NOT_EXEMPT or not name.startswith(EXEMPT)]
    assert len(files) > 300
    found = [
        f"{path.relative_to(ROOT)}:{hit}"
        for path in files
        for hit in mannerisms(path.read_text(encoding="utf-8"), IN_CODE_AND_MANUALS)
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
        ("An anticoagulant of\nold.", "of old"),
        ("The address, to the letter.", "to the letter"),
        ("A token is good for one call.", "good for one use"),
        ("Imports run down, never up.", "imports run down"),
    ],
)
def test_each_is_noticed_also_over_a_line_break(text: str, name: str) -> None:
    assert name in {hit.partition(": ")[2] for hit in mannerisms(text)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Look up what became\nof it.", "what became of it"),
        ("Parts that did not come whole.", "did not come whole"),
        ("The rest cannot be had.", "cannot be had"),
        ("A code that is none of ours.", "is none of ours"),
        ("It is kept all the same.", "all the same"),
        ("The file is written anew.", "anew"),
        ("What has a say in it.", "has a say"),
        ("An empty key is known to be none.", "known to be none"),
        ("Tell whoever looks after it.", "whoever"),
        ("All but for the last.", "but for"),
        ("The gap is told.", "it is told"),
        ("Its words stand in the file.", "stands in the file"),
        ("The oldest gives way.", "gives way"),
        ("The key is not looked at.", "not looked at"),
    ],
)
def test_each_of_the_others_is_noticed(text: str, name: str) -> None:
    assert [hit.partition(": ")[2] for hit in mannerisms(text, IN_CODE_AND_MANUALS)] == [name]


def test_plain_sentences_pass() -> None:
    assert not mannerisms("A code stands for its meaning, and the words in the place of it.", IN_CODE_AND_MANUALS)
    assert not mannerisms(
        "Return the patient of the chart. The service reports every row; whose row it was is unknown."
    )
