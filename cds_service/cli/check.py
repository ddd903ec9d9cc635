"""``knee-cds check``: is the content in order, what differs from what was signed or from another folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.text import Text

from cds_service.adapters.clients.loading import load_clients
from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_texts
from cds_service.base.settings import Settings
from cds_service.cli.inputs import understand
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.loading.languages import ENGLISH, in_language, languages_in
from cds_service.clinical.content.loading.load import parsed
from cds_service.clinical.content.loading.signed import SIGNED, differences, warnings, written
from cds_service.rendering.call import Call
from cds_service.rendering.compose import compose
from cds_service.rendering.frame import too_long
from cds_service.rendering.orders.requests import prove_templates
from cds_service.service.evaluate import Service, content_files, load_content
from cds_service.service.examples import EXAMPLES, STORIES, reference_day, stories

_ANY_URL = "http://127.0.0.1"
PATHWAYS: tuple[str, ...] = get_args(Settings.model_fields["pathway"].annotation)


def run(settings: Settings, *, against: Path | None, sign: bool) -> None:
    """Check the content for every pathway, and say what a signer or a reviewer wants to know.

    ``against``: another content folder to compare with. ``sign``: keep the values of today as the signed ones.

    Raises:
        ContentError: with every mistake.
    """
    out = Console()
    examples = settings.cards.resolve().parent / EXAMPLES
    has_examples = examples.is_dir()
    out.print(Text("Content", style="bold"))
    contents = [_checked(settings, pathway, out) for pathway in PATHWAYS]
    languages = [
        _in_languages(settings, pathway, found, out) for pathway, found in zip(PATHWAYS, contents, strict=True)
    ]
    if has_examples:
        _check_examples(contents[0], examples)
    else:
        out.print(Text(f"The example patients are not checked: there is no folder {examples}."), soft_wrap=True)
    out.print(Text("Clients", style="bold"))
    _clients(settings, contents[0], out)
    for found, translated in zip(contents, languages, strict=True):
        if has_examples:
            _check_cards(Service(found, load_clients(settings, found), _ANY_URL), translated, examples)
    if sign:
        _sign(settings.cards, out)
    _warn(settings.cards)
    if against is not None:
        _compare(against, settings.cards, out)


def _checked(settings: Settings, pathway: str, out: Console) -> Content:
    content = load_content(settings.model_copy(update={"pathway": pathway}))
    sizes = (
        f"{len(content.causes)} causes, {len(content.findings)} findings, {len(content.red_flags)} red flags, "
        f"{len(content.orders)} orders"
    )
    out.print(Text(f"  {pathway}: {sizes}; content {content.version} is in order."), soft_wrap=True)
    return content


def _in_languages(settings: Settings, pathway: str, content: Content, out: Console) -> dict[str, Content]:
    """The content in every language that it has, by the language.

    Raises:
        ContentError: one is not complete, or says other numbers.
    """
    files = content_files(settings)
    found = {one: in_language(content, pathway, files, one) for one in languages_in(files)}
    for name, translated in found.items():
        prove_templates(translated)
        language = translated.texts.language
        said = f"reviewed by {language.reviewed}" if language.reviewed else "not reviewed by a clinician"
        said = f"drafted by machine, {said}" if language.drafted == "machine" else said
        if name != ENGLISH:
            out.print(Text(f"  {pathway}, {language.name}: complete; {said}."), soft_wrap=True)
    return found


def _check_cards(service: Service, languages: Mapping[str, Content], folder: Path) -> None:
    """Every card of every example patient keeps to its limits, in every language.

    Raises:
        ContentError: with each that does not.
    """
    now = datetime.combine(reference_day(folder), time(12), UTC)
    problems = []
    for path in sorted(folder.glob("*.json")):
        given = understand(path.read_bytes())
        assessment = service.answer(given.request, given.prefetched, now).assessment
        for language, words in languages.items():
            for card in compose(Call(words, assessment, given.request.context, now, _ANY_URL, None, "differential")):
                if wrong := too_long(card):
                    place = f"the card {card.rule} of the example {path.stem}"
                    hint = "shorten the words of its rule, cause or pathway; `knee-cds preview` shows the card"
                    problems.append(Problem(f"text/{language}.toml", place, wrong, hint))
    if problems:
        raise ContentError(tuple(problems))


def _check_examples(content: Content, folder: Path) -> None:
    """Causes name patients that prove them, and stories name causes and rules: both must be there.

    Raises:
        ContentError: with every name that is not.
    """
    told = stories(folder)
    patients = {path.stem for path in folder.glob("*.json")}
    problems = [
        Problem(f"causes/{key}.toml", f"examples.{place}", f"no example patient is called `{name}`", _near(name, told))
        for key, cause in content.causes.items()
        for place, names in (("shown", cause.examples.shown), ("not_shown", cause.examples.not_shown))
        for name in names
        if name not in told
    ]
    for name, story in told.items():
        file = f"{EXAMPLES}/{STORIES}"
        if name not in patients:
            problems.append(Problem(file, name, f"there is no {EXAMPLES}/{name}.json"))
        for place, known in (("shown", content.causes), ("not_shown", content.causes), ("urgent", content.red_flags)):
            for key in story.get(place, ()):
                if key not in known:
                    words = f"the content has nothing called `{key}`"
                    problems.append(Problem(file, f"{name}.{place}", words, _near(key, known)))
    if problems:
        raise ContentError(tuple(problems))


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean `{near[0]}`?" if near else ""


def _clients(settings: Settings, content: Content, out: Console) -> None:
    for caller in load_clients(settings, content).everyone:
        switched_off = ", ".join(sorted(caller.client.switched_off))
        said = f"  {caller.name}: {caller.profile.title}"
        said += ", SILENT: nothing is shown" if caller.client.silent else ""
        said += f", SWITCHED OFF: {switched_off}" if switched_off else ""
        if caller.client.token is not None:
            said += f"; known by the tokens of {caller.client.token.issuer}"
        elif settings.auth == "required":
            said += "; CANNOT CALL: it has no token"
        out.print(Text(said), soft_wrap=True)


def _sign(folder: Path, out: Console) -> None:
    text = written(parsed(read_texts(folder)))
    (folder / SIGNED).write_text(text, encoding="utf-8")
    out.print(Text(f"The values marked as seen are kept in {folder / SIGNED}."), soft_wrap=True)


def _warn(folder: Path) -> None:
    """A changed value that was read in its source is no mistake, but somebody has to look it up again."""
    out = Console(stderr=True)
    for warning in warnings(parsed(read_texts(folder))):
        out.print(Text(f"Warning: {warning}"), style="yellow", soft_wrap=True)


def _compare(old: Path, new: Path, out: Console) -> None:
    before, after = (parsed(read_texts(folder, ".toml", ".tsv")) for folder in (old, new))
    found = list(differences(before, after))
    seen = sum(one.is_seen for one in found)
    out.print(Text(f"{len(found)} difference(s) from {old}, {seen} in what was read in its source."), soft_wrap=True)
    for one in found:
        out.print(Text(f"- {'SEEN ' if one.is_seen else ''}{one}"), soft_wrap=True)
