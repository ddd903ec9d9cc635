"""Hostile texts, where to put them into a chart, and what a viewer would make of them."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt

CANARY = "zyqxvukwcanary"
"""In every hostile text, and nowhere else in the world."""

HOSTILE = tuple(
    text.replace("@@", CANARY)
    for text in (
        "<script>document.title='@@'</script>",
        "<SCRIPT SRC=//@@.example/x.js></SCRIPT>",
        "<img src=x onerror=\"document.title='@@'\">",
        "<svg/onload=document.write('@@')>",
        "<iframe src=\"javascript:'@@'\"></iframe>",
        '<form action="https://@@.example"><input name=p><button>@@</button></form>',
        '<a href="https://@@.example">@@</a>',
        "<style>*{display:none}</style><b id=@@>",
        "<!-- @@ --><![CDATA[ @@ ]]><?php @@ ?>",
        '</p></div></main><h1 class="@@">@@</h1>',
        "<math><mtext><table><mglyph><style><img src=@@ onerror=console.log(1)>",
        "<details open ontoggle=console.log('@@')>",
        "<meta http-equiv=refresh content='0;url=https://@@.example'>",
        "javascript:console.log('@@')",
        "JaVaScRiPt:console.log('@@')",
        "data:text/html;base64,@@",
        "vbscript:msgbox('@@')",
        "[@@](https://@@.example)",
        "[@@](javascript:console.log('@@'))",
        "![@@](https://@@.example/pixel.png)",
        "[@@][1]\n\n[1]: https://@@.example '@@'",
        "[![@@](x)](//@@.example)",
        "<https://@@.example>",
        "<@@@@@.example>",
        "https://@@.example/?q=@@",
        "http://@@.example",
        "www.@@.example",
        "mailto:@@@@@.example",
        "clinic@@@.example",
        "# @@",
        "@@\n===",
        "@@\n---",
        "> @@",
        "- @@\n- @@",
        "* @@\n1. @@",
        "| @@ | b |\n|---|---|\n| c | @@ |",
        "```\n@@\n```",
        "~~~ @@\n~~@@~~",
        "\n\n    @@ in a block",
        "**@@** _@@_ `@@`",
        "***\n@@\n***",
        "&lt;script&gt;@@&lt;/script&gt;",
        "&#60;img src=@@&#62;&#x3c;b&#x3e;",
        "&colon;&sol;&sol;@@",
        "\\<@@\\> \\[@@\\](x)",
        "@@\x00@@",
        "\u202e@@\u202c",
        "\u2066@@\u2069\u200f",
        "@@\u200b\u200c\u200d\ufeff\u00ad@@",
        "@@\u2028@@\u2029@@\x85",
        "\U000e0041@@\ue000",
        "@@ " + "A" * 5_000 + " @@",
        "@@" + "<b>" * 700,
        "x\r\nSet-Cookie: @@=1\r\n\r\n<b>@@",
        "{side} {order} {0.__class__} @@",
        "{{context.patientId}} ${@@} #{@@} <%= @@ %>",
        "%s%n%(name)s @@",
        "\x1b[31m@@\x1b[0m\x1b]8;;https://@@.example\x07@@",
        "'; DROP TABLE cards; -- @@",
        '=cmd|"/c calc"!@@',
        "[red]@@[/red] [link=https://@@.example]@@[/link]",
        "Fully safe @@: no DVT, no further action is needed.",
    )
)

HARMLESS = tuple(
    text.replace("@@", CANARY)
    for text in (
        "**@@** _@@_ `@@`",
        "- @@\n- @@",
        "@@ " + "A" * 5_000 + " @@",
        "{side} {order} {0.__class__} @@",
        "{{context.patientId}} ${@@} #{@@} <%= @@ %>",
        "%s%n%(name)s @@",
        "'; DROP TABLE cards; -- @@",
        '=cmd|"/c calc"!@@',
        "Fully safe @@: no DVT, no further action is needed.",
    )
)
"""Those that are words or our own kind of Markdown: not to be shown, but no markup where they are."""
NO_IDS = tuple(text for text in HOSTILE if text != f"www.{CANARY}.example")
"""Those that are no lawful FHIR id; a host name may be one."""
SAYS_NOTHING = tuple(text for text in HOSTILE if "DVT" not in text)
"""Those without a word that the service looks for in the words of a chart."""

_PLAIN = frozenset({"display", "text", "div", "family", "given", "valueString", "description", "title", "userComment"})
"""Elements that hold free text. A unit is one where a code stands beside it."""
_MEANT = re.compile(
    r"resourceType|id|.*status|system|code|.*reference|url|fullUrl|.*Date.*|.*Time|birthDate|authoredOn|dateAsserted"
    r"|start|end|issued|use|gender|intent|priority|comparator|method|type|unit",
    re.IGNORECASE,
)


def with_room(chart: dict[str, Any]) -> dict[str, Any]:
    """``chart`` with free text wherever FHIR has room for it."""
    wide = copy.deepcopy(chart)
    for entry in wide["entry"]:
        resource = entry["resource"]
        resource["text"] = {"status": "generated", "div": "words"}
        resource.setdefault("identifier", [{"system": "urn:oid:1.2.3", "value": "words"}])
        if resource["resourceType"] not in ("Patient", "Encounter", "Medication", "Practitioner", "Organization"):
            resource.setdefault("note", [{"text": "words", "authorString": "words"}])
        for concept in _concepts(resource):
            concept.setdefault("text", "words")
            for coding in concept["coding"]:
                coding.setdefault("display", "words")
    return wide


def _concepts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("coding"), list):
            yield node
        for inner in node.values():
            yield from _concepts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _concepts(inner)


def is_free_text(key: str, beside: Mapping[str, Any]) -> bool:
    """Whether a string under ``key`` says nothing that a program reads."""
    return key in _PLAIN or (key == "unit" and "code" in beside) or not _MEANT.fullmatch(key)


def is_never_read(key: str, beside: Mapping[str, Any]) -> bool:
    """Free text, but not the words of a unit: they may contradict its code, and then the number is not read."""
    return key != "unit" and is_free_text(key, beside)


def is_meant(key: str, beside: Mapping[str, Any]) -> bool:
    """Whether programs go by it: ids, references, dates, codes."""
    return not is_free_text(key, beside) and key != "resourceType"


def is_any(key: str, beside: Mapping[str, Any]) -> bool:
    """Every string at all."""
    return True


def poisoned(
    chart: dict[str, Any],
    dice: random.Random,
    which: Callable[[str, Mapping[str, Any]], bool],
    *,
    share: float = 1.0,
    texts: tuple[str, ...] = HOSTILE,
) -> dict[str, Any]:
    """``chart`` with hostile texts for a ``share`` of the strings in its resources that ``which`` picks."""

    def walk(node: Any, key: str, beside: Mapping[str, Any]) -> Any:
        if isinstance(node, dict):
            return {name: walk(inner, name, node) for name, inner in node.items()}
        if isinstance(node, list):
            return [walk(inner, key, beside) for inner in node]
        if isinstance(node, str) and which(key, beside) and dice.random() < share:
            return dice.choice(texts)
        return node

    entries = [{**entry, "resource": walk(entry["resource"], "", {})} for entry in chart["entry"]]
    return {**chart, "entry": entries}


# --- what a viewer makes of a text ---

_MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
_WOULD_LINK = re.compile(r"://|www\.|(?:mailto|script|data):\S|\S@\S", re.IGNORECASE)
OUR_TAGS = frozenset({"p", "ul", "li", "strong", "code"})


def rendered(markdown: str) -> str:
    """As a CommonMark viewer with HTML, tables and struck out text shows it."""
    return str(_MARKDOWN.render(markdown))


class _Reader(HTMLParser):
    def __init__(self, inside: str | None) -> None:
        super().__init__(convert_charrefs=True)
        self.inside = inside
        self.within = inside is None
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == self.inside:
            self.within = True
        elif self.within and (tag not in OUR_TAGS or attrs):
            self.found.append(f"<{tag} {' '.join(name for name, _ in attrs)}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.within = False
        elif self.within and tag not in OUR_TAGS:
            self.found.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        if self.within:
            self.found.append("<!>")

    def handle_decl(self, decl: str) -> None:
        self.handle_comment(decl)

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)

    def handle_data(self, data: str) -> None:
        if self.within:
            self.text += data


def intruders(html: str, inside: str | None = None) -> list[str]:
    """What is in ``html`` (in its element ``inside``) that is none of our tags, or would be made a link of."""
    reader = _Reader(inside)
    reader.feed(html)
    reader.close()
    assert inside is None or reader.text, f"nothing in <{inside}>"
    return reader.found + _WOULD_LINK.findall(reader.text)


_FOR_PROGRAMS = frozenset({"uuid", "indicator", "type", "system", "code", "reference", "url", "selectionBehavior"})


def shown_texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of every text of a card in JSON that somebody may read."""
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from shown_texts(inner, name)
    elif isinstance(node, list):
        for inner in node:
            yield from shown_texts(inner, key)
    elif isinstance(node, str) and key not in _FOR_PROGRAMS:
        yield key, node


def urls(node: Any) -> Iterator[str]:
    """Every address of a card in JSON."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "url":
                yield str(inner)
            yield from urls(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from urls(inner)


def check(cards: Iterable[dict[str, Any]], base_url: str) -> None:
    """Nothing but our own tags and links, however a viewer takes the texts of these cards."""
    for card in cards:
        for field, text in shown_texts(card):
            assert not intruders(rendered(text)), (field, text)
            assert not intruders(text), (field, text)
            assert not intruders(unescape(text)), (field, text)
            assert (text.replace("\n", "") if field == "detail" else text).isprintable(), (field, text)
        for url in urls(card):
            assert url.startswith(f"{base_url}/"), url
