"""``knee-cds preview``: show the cards of a rule or cause for its example patients, while its words are edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.service.evaluate import Service
from cds_service.service.examples import EXAMPLES, reference_day
from cds_service.service.previews import Preview, did_you_mean, examples_of, previews

_COLOURS = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue"}


def run(settings: Settings, key: str, language: str, *, example: str | None = None, every: bool = False) -> None:
    """Print the cards of the example patients that must show ``key``: of the first of each kind.

    Patients are of one kind if their first cards have the same rule and urgency. ``example``: print this one instead.
    ``every``: print all.

    Raises:
        UnusableInput: there is no such rule, cause or example of it, or no folder of examples.
        ContentError: the content has errors.
    """
    service = Service.from_settings(settings).speaking(settings, language)
    folder = settings.cards.resolve().parent / EXAMPLES
    if not folder.is_dir():
        raise UnusableInput(f"There is no folder {folder} with example patients.")
    names = examples_of(service.content, folder, key)
    if example is not None and example not in names:
        raise UnusableInput(f"No example patient of {key} is called `{example}`.{did_you_mean(example, *names)}")
    cards = {
        name: tuple(shown) for name, shown in groupby(previews(service, folder, key), lambda preview: preview.name)
    }
    kinds = _kinds(cards)
    first = [alike[0] for alike in kinds.values()]
    out = Console()
    for name in [example] if example else cards if every else first:
        for preview in cards.get(name, ()):
            _show(out, preview)
    out.print(Text(f"{len(names)} example patient(s) of {key}, judged on {reference_day(folder)}."))
    if silent := [name for name in names if name not in cards]:
        out.print(Text(f"Without any card: {', '.join(silent)}."), soft_wrap=True)
    if not every and example is None:
        _say_others(out, key, kinds)


def _kinds(cards: Mapping[str, Sequence[Preview]]) -> dict[tuple[str, str], list[str]]:
    """Return rule and urgency of the first card -> the examples."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, (first, *_) in cards.items():
        kinds.setdefault((first.card.rule, first.card.indicator), []).append(name)
    return kinds


def _say_others(out: Console, key: str, kinds: Mapping[tuple[str, str], Sequence[str]]) -> None:
    others = {kind: alike[1:] for kind, alike in kinds.items() if len(alike) > 1}
    if not others:
        return
    out.print(
        Text(f"Not shown: {sum(map(len, others.values()))} more, whose first card has the same rule and urgency.")
    )
    for (rule, indicator), names in others.items():
        out.print(Text(f"  {rule}, {indicator}: {', '.join(names)}"), soft_wrap=True)
    out.print(
        Text(f"To see one: knee-cds preview {key} --example NAME. To see all: knee-cds preview {key} --all."),
        soft_wrap=True,
    )


def _show(out: Console, preview: Preview) -> None:
    card = preview.card
    out.rule(Text(f"{preview.name}: {card.rule}, {preview.words} words"))
    out.print(Text(card.summary, style=_COLOURS[card.indicator]), soft_wrap=True)
    out.print(Markdown(card.detail))
    for suggestion in card.suggestions:
        out.print(Text(f"  [ {suggestion.label} ]", style="cyan"))
    for link in card.links:
        out.print(Text(f"  -> {link.label}", style="cyan"))
    out.print()
