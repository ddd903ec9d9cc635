"""Text that a viewer cannot take for anything but text: what must not be in it, and how it is taken out."""

from __future__ import annotations

import re
from typing import Literal, get_args

Kind = Literal["html", "link", "address", "escape", "layout", "control"]
"""What a text can hold that it must not: tags, Markdown links and images, web and mail addresses, entities and
backslashes, Markdown blocks that our own templates never use, and characters that do not print."""

IN_WORDS: dict[Kind, str] = {
    "html": "an HTML tag",
    "link": "a Markdown link",
    "address": "a web or mail address",
    "escape": "a backslash or an HTML entity",
    "layout": "a Markdown table, heading, quote or block",
    "control": "a line break or another character that does not print",
}
WITHHELD = "Text withheld"
_NOT_IN_A_URL = frozenset(' <>"\\`')

# Each alternative begins with a letter of its own, which is quick, and matches no more than what has to go:
# "Wells >=2", "<5 cm" and "at 14:02" stay as they are.
_ANYWHERE = re.compile(
    r"<(?=[A-Za-z/!?])"
    r"|!(?=\[)|\](?=[(\[:])"
    r"|:(?=//)|:(?=\S)(?:(?<=(?i:mailto:))|(?<=(?i:script:))|(?<=(?i:data:))|(?<=(?i:file:))|(?<=(?i:tel:)))"
    r"|w(?=[wW]{2}\.)|W(?=[wW]{2}\.)|@(?=\S)(?<=\S@)"
    r"|\\|&(?=#|[A-Za-z][A-Za-z0-9]*;)"
    r"|\||~(?=~)|`(?=``)|    (?: *)"
)
_KINDS: dict[str, Kind] = {
    "<": "html",
    "!": "link", "]": "link",
    ":": "address", "w": "address", "W": "address", "@": "address",
    "\\": "escape", "&": "escape",
}  # fmt: skip
_LINE = re.compile(
    r"(?:[ ]|-[ ])*(?:\#{1,6}(?=\s|$)|>|[+*](?=[ ])|\d{1,9}[.)](?=\s|$))"  # headings, quotes, other lists
    r"|(?=.*[-=_*+])[-=_*+ ]+$"  # rules, underlined headings
)


def unsafe_parts(text: str, *, lines: bool = False) -> tuple[Kind, ...]:
    """What is in ``text`` that must not be, each kind once. ``lines``: line breaks may be in it."""
    found: set[Kind] = set()
    if _may_hold_any(text):
        found |= {_KINDS.get(one[0], "layout") for one in _ANYWHERE.findall(text)}
    if any(_LINE.match(line) for line in text.split("\n")):
        found.add("layout")
    if not _prints(text, lines=lines):
        found.add("control")
    return tuple(kind for kind in get_args(Kind) if kind in found)


_MARKS = (
    "<", "![", "](", "][", "]:", "://", "mailto:", "script:", "data:", "file:", "tel:", "www.", "@", "\\", "&", "|",
    "~~", "```", "    ",
)  # fmt: skip
"""Without one of these in lower case ``_ANYWHERE`` finds nothing; looking for each is many times quicker."""


def _may_hold_any(text: str) -> bool:
    lowered = text.lower()
    return any(mark in lowered for mark in _MARKS)


def stripped(text: str, *, lines: bool = False) -> str:
    """``text`` with a blank for each thing that must not be in it; ``WITHHELD`` if nothing else is left."""
    while unsafe_parts(text, lines=lines):
        # What is taken out can bring together what was apart, so look again.
        shown = "".join(one if _prints(one, lines=lines) else " " for one in text)
        text = "\n".join(_beginning_plain(_ANYWHERE.sub(" ", line)) for line in shown.split("\n"))
    return text if text.strip() else WITHHELD


def _beginning_plain(line: str) -> str:
    found = _LINE.match(line)
    return f" {line[found.end() :]}" if found else line


def plain(text: str) -> str:
    """``text``, for the models of files that people write.

    Raises:
        ValueError: it holds something that must not be shown.
    """
    if found := unsafe_parts(text):
        raise ValueError(
            f"text that is shown must be plain, but this holds {', '.join(IN_WORDS[kind] for kind in found)}"
        )
    return text


def is_plain_url(url: str) -> bool:
    """An absolute web address that cannot break out of where it is put."""
    plain = url.isascii() and url.isprintable() and _NOT_IN_A_URL.isdisjoint(url)
    return plain and url.startswith(("https://", "http://"))


def _prints(text: str, *, lines: bool) -> bool:
    """No control, format, private or unassigned character, no half of one, and no blank but the plain one."""
    return (text.replace("\n", "") if lines else text).isprintable()
