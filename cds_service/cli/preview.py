"""``knee-cds preview``: show the cards of a rule or cause for its example patients, while its words are edited."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.service.evaluate import Service
from cds_service.service.examples import EXAMPLES, reference_day
from cds_service.service.previews import Preview, examples_of, previews

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
    out = Console()
    for one in previews(service, folder, key):
        _show(out, one)
    count = len(examples_of(service.content, folder, key))
    out.print(Text(f"{count} example patient(s) of {key}, judged on {reference_day(folder)}."))


def _show(out: Console, one: Preview) -> None:
    card = one.card
    out.rule(Text(f"{one.name}: {card.rule}, {one.words} words"))
    out.print(Text(card.summary, style=_COLOURS[card.indicator]), soft_wrap=True)
    out.print(Markdown(card.detail))
    for suggestion in card.suggestions:
        out.print(Text(f"  [ {suggestion.label} ]", style="cyan"))
    for link in card.links:
        out.print(Text(f"  -> {link.label}", style="cyan"))
    out.print()
