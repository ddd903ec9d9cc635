"""``knee-cds check``: check the content, and compare it with the signed values or with another folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
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
from cds_service.clinical.content.loading.copied_words import Comparison, comparisons, texts_of
from cds_service.clinical.content.loading.languages import ENGLISH, in_language, languages_in
from cds_service.clinical.content.loading.load import parsed
from cds_service.clinical.content.loading.signed import SIGNED, differences, warnings, written
from cds_service.rendering.call import Call
from cds_service.rendering.compose import compose
from cds_service.rendering.frame import too_long
from cds_service.rendering.orders.requests import check_templates
from cds_service.service.evaluate import Service, content_files, load_content
from cds_service.service.examples import EXAMPLES, STORIES, reference_day, stories

_ANY_URL = "http://127.0.0.1"
PATHWAYS: tuple[str, ...] = get_args(Settings.model_fields["pathway"].annotation)


def run(settings: Settings, *, against: Path | None, sign: bool) -> None:
    """Check the content for every pathway and print a summary.

    ``against``: another content folder to compare with. ``sign``: save the present values as the signed ones.

    Raises:
        ContentError: with every error found.
    """
    out = Console()
    examples = settings.cards.resolve().parent / EXAMPLES
    has_examples = examples.is_dir()
    out.print(Text("Content", style="bold"))
    contents = [_checked(settings, pathway, out) for pathway in PATHWAYS]
    languages = [
        _in_languages(settings, pathway, content, out) for pathway, content in zip(PATHWAYS, contents, strict=True)
    ]
    compared = _compare_languages(languages, out)
    if has_examples:
        _check_examples(contents[0], examples)
    else:
        out.print(Text(f"The example patients are not checked: there is no folder {examples}."), soft_wrap=True)
    out.print(Text("Clients", style="bold"))
    _clients(settings, contents[0], out)
    for content, translated in zip(contents, languages, strict=True):
        if has_examples:
            _check_cards(Service(content, load_clients(settings, content), _ANY_URL), translated, examples)
    if sign:
        _sign(settings.cards, out)
    _warn(settings.cards, compared)
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
    """Return the content in each of its languages, by language.

    Raises:
        ContentError: a translation is incomplete or has other numbers.
    """
    files = content_files(settings)
    translations = {language: in_language(content, pathway, files, language) for language in languages_in(files)}
    for name, translated in translations.items():
        check_templates(translated)
        language = translated.texts.language
        state = f"reviewed by {language.reviewed}" if language.reviewed else "not reviewed by a clinician"
        state = f"drafted by machine, {state}" if language.drafted == "machine" else state
        if name != ENGLISH:
            out.print(Text(f"  {pathway}, {language.name}: complete; {state}."), soft_wrap=True)
    return translations


def _compare_languages(by_pathway: Sequence[Mapping[str, Content]], out: Console) -> tuple[Comparison, ...]:
    """Print how many texts each translation has, and return a comparison of each two languages."""
    texts: dict[str, dict[tuple[str, str], str]] = {}
    for pathway, languages in zip(PATHWAYS, by_pathway, strict=True):
        for language, content in languages.items():
            texts.setdefault(language, {}).update(texts_of(content, pathway))
    compared = tuple(comparisons(texts))
    for comparison in compared:
        if comparison.other == ENGLISH:
            name = by_pathway[0][comparison.language].texts.language.name
            out.print(
                Text(
                    f"  {name}: {comparison.total} texts of two words or more, {comparison.count} equal to the English."
                )
            )
    return compared


def _check_cards(service: Service, languages: Mapping[str, Content], folder: Path) -> None:
    """Check the length of every card of every example patient, in every language.

    Raises:
        ContentError: with each card that is too long.
    """
    now = datetime.combine(reference_day(folder), time(12), UTC)
    problems = []
    for path in sorted(folder.glob("*.json")):
        given = understand(path.read_bytes())
        assessment = service.judge(given.request.context.patientId, given.prefetched.entries, now)
        for language, words in languages.items():
            for card in compose(Call(words, assessment, given.request.context, now, _ANY_URL, None, "differential")):
                if wrong := too_long(card):
                    place = f"the card {card.rule} of the example {path.stem}"
                    hint = "shorten the words of its rule, cause or pathway; `knee-cds preview` shows the card"
                    problems.append(Problem(f"text/{language}.toml", place, wrong, hint))
    if problems:
        raise ContentError(tuple(problems))


def _check_examples(content: Content, folder: Path) -> None:
    """Check the examples that causes name, and the causes and rules that stories name.

    Raises:
        ContentError: with every unknown name.
    """
    known_stories = stories(folder)
    patients = {path.stem for path in folder.glob("*.json")}
    problems = [
        Problem(
            f"causes/{key}.toml",
            f"examples.{place}",
            f"no example patient is called `{name}`",
            _near(name, known_stories),
        )
        for key, cause in content.causes.items()
        for place, names in (("shown", cause.examples.shown), ("not_shown", cause.examples.not_shown))
        for name in names
        if name not in known_stories
    ]
    for name, story in known_stories.items():
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
        line = f"  {caller.name}: {caller.profile.title}"
        line += ", SILENT: nothing is shown" if caller.client.silent else ""
        line += f", SWITCHED OFF: {switched_off}" if switched_off else ""
        if caller.client.token is not None:
            line += f"; known by the tokens of {caller.client.token.issuer}"
        elif settings.auth == "required":
            line += "; CANNOT CALL: it has no token"
        out.print(Text(line), soft_wrap=True)


def _sign(folder: Path, out: Console) -> None:
    text = written(parsed(read_texts(folder)))
    (folder / SIGNED).write_text(text, encoding="utf-8")
    out.print(Text(f"The values marked as seen are kept in {folder / SIGNED}."), soft_wrap=True)


def _warn(folder: Path, compared: Iterable[Comparison]) -> None:
    """Warn about words that look copied from another language, and about changed values that are marked as seen.

    Somebody must translate the words and look the values up in their source again.
    """
    out = Console(stderr=True)
    copied = (comparison.words for comparison in compared if comparison.looks_copied)
    for warning in (*copied, *warnings(parsed(read_texts(folder)))):
        out.print(Text(f"Warning: {warning}"), style="yellow", soft_wrap=True)


def _compare(old: Path, new: Path, out: Console) -> None:
    before, after = (parsed(read_texts(folder, ".toml", ".tsv")) for folder in (old, new))
    changed = list(differences(before, after))
    seen = sum(difference.is_seen for difference in changed)
    out.print(Text(f"{len(changed)} difference(s) from {old}, {seen} in what was read in its source."), soft_wrap=True)
    for difference in changed:
        out.print(Text(f"- {'SEEN ' if difference.is_seen else ''}{difference}"), soft_wrap=True)
