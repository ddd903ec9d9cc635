"""Plain text that no viewer can interpret as markup: finds and removes unsafe parts."""

from __future__ import annotations

import re
from typing import Literal, get_args

Kind = Literal["html", "link", "address", "escape", "layout", "control"]
"""Kinds of unsafe parts: tags, Markdown links and images, web and mail addresses, entities and backslashes, Markdown
blocks that our own templates never use, and characters that do not print."""

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

# Each alternative begins with a different character, which makes the search fast. It matches only what must be
# removed: "Wells >=2", "<5 cm" and "at 14:02" are kept.
_ANYWHERE = re.compile(
    r"<(?=[A-Za-z/!?])"
    r"|!(?=\[)|\](?=[(\[:])"
    r"|:(?=//)|:(?=\S)(?:(?<=(?i:mailto:))|(?<=(?i:script:))|(?<=(?i:data:))|(?<=(?i:file:))|(?<=(?i:tel:)))"
    r"|w(?=[wW]{2}\.)|W(?=[wW]{2}\.)|@(?=\S)(?<=\S@)"
    r"|\\|&(?=#|[A-Za-z][A-Za-z0-9]*;)"
    r"|\||~(?=~)|`(?=``)|    (?: *)|(?m:  +$)"  # blanks: a block of code, a break of the line
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
    """Return the kinds of unsafe parts in ``text``, each once. ``lines``: line breaks are allowed."""
    kinds: set[Kind] = set()
    if _may_hold_any(text):
        kinds |= {_KINDS.get(match[0], "layout") for match in _ANYWHERE.findall(text)}
    if any(_LINE.match(line) for line in text.split("\n")):
        kinds.add("layout")
    if not _prints(text, lines=lines):
        kinds.add("control")
    return tuple(kind for kind in get_args(Kind) if kind in kinds) if kinds else ()


_MARKS = (
    "<", "![", "](", "][", "]:", "://", "mailto:", "script:", "data:", "file:", "tel:", "www.", "@", "\\", "&", "|",
    "~~", "```", "  ",
)  # fmt: skip
"""``_ANYWHERE`` matches only if the lower-case text holds one of these. Looking for them is many times faster."""


def _may_hold_any(text: str) -> bool:
    lowered = text.lower()
    for mark in _MARKS:  # noqa: SIM110 - a generator takes three times as long, and every text of every card comes here
        if mark in lowered:
            return True
    return False


def stripped(text: str, *, lines: bool = False) -> str:
    """Return ``text`` with a space in place of each unsafe part; ``WITHHELD`` if no other text is left."""
    while unsafe_parts(text, lines=lines):
        # Removing a part can join the text around it into a new unsafe part, so check again.
        printable = "".join(char if _prints(char, lines=lines) else " " for char in text)
        text = "\n".join(_without_block_mark(_ANYWHERE.sub(" ", line)) for line in printable.split("\n"))
    return text if text.strip() else WITHHELD


def _without_block_mark(line: str) -> str:
    mark = _LINE.match(line)
    return f" {line[mark.end() :]}" if mark else line


def plain(text: str) -> str:
    """Return ``text`` unchanged. A validator for the models of files that people write.

    Raises:
        ValueError: ``text`` holds an unsafe part.
    """
    if unsafe := unsafe_parts(text):
        raise ValueError(
            f"text that is shown must be plain, but this holds {', '.join(IN_WORDS[kind] for kind in unsafe)}"
        )
    return text


def is_plain_url(url: str) -> bool:
    """Return whether ``url`` is an absolute web address that is safe inside Markdown and HTML attributes."""
    plain = url.isascii() and url.isprintable() and _NOT_IN_A_URL.isdisjoint(url)
    return plain and url.startswith(("https://", "http://"))


def _prints(text: str, *, lines: bool) -> bool:
    """Return whether every character prints.

    Control, format, private, unassigned and surrogate characters do not, nor does any space but U+0020.
    """
    return (text.replace("\n", "") if lines else text).isprintable()
