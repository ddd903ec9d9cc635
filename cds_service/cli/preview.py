"""``knee-cds preview``: show the cards of a rule or cause for its example patients, while its words are edited."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.cli.evaluate import judge
from cds_service.clinical.content.catalogue import Content
from cds_service.rendering.card import Card
from cds_service.rendering.layout import word_count
from cds_service.service.evaluate import Service
from cds_service.service.examples import EXAMPLES, reference_day, stories

_COLOURS = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue"}


def run(settings: Settings, key: str, language: str) -> None:
    """Print the cards of each example patient that must show ``key``.

    Raises:
        UnusableInput: there is no such rule or cause, or no folder of examples.
        ContentError: the content has errors.
    """
    service = Service.from_settings(settings).speaking(settings, language)
    folder = settings.cards.resolve().parent / EXAMPLES
    if not folder.is_dir():
        raise UnusableInput(f"There is no folder {folder} with example patients.")
    names = sorted(_patients(service.content, folder, key))
    out = Console()
    now = datetime.combine(reference_day(folder), time(12), UTC)
    for name in names:
        cards, _ = judge(service, (folder / f"{name}.json").read_bytes(), now)
        for card in cards:
            _show(out, name, card)
    out.print(Text(f"{len(names)} example patient(s) of {key}, judged on {now:%Y-%m-%d}."))


def _patients(content: Content, folder: Path, key: str) -> Iterator[str]:
    """Yield the examples in which the rule must fire, or that the cause names."""
    if key in content.causes:
        yield from content.causes[key].examples.shown
    elif key in content.red_flags:
        yield from (name for name, story in stories(folder).items() if key in story.get("urgent", ()))
    else:
        known = (*content.red_flags, *content.causes)
        near = difflib.get_close_matches(key, known, 1)
        raise UnusableInput(f"There is no rule or cause `{key}`." + (f" Did you mean `{near[0]}`?" if near else ""))


def _show(out: Console, name: str, card: Card) -> None:
    out.rule(Text(f"{name}: {card.rule}, {word_count(card.detail)} words"))
    out.print(Text(card.summary, style=_COLOURS[card.indicator]), soft_wrap=True)
    out.print(Markdown(card.detail))
    for suggestion in card.suggestions:
        out.print(Text(f"  [ {suggestion.label} ]", style="cyan"))
    for link in card.links:
        out.print(Text(f"  -> {link.label}", style="cyan"))
    out.print()
