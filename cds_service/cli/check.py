"""``knee-cds check``: is the content in order, what differs from what was signed or from another folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.text import Text

from cds_service.clinical.content import Content
from cds_service.clinical.loading import parsed
from cds_service.clinical.signed import SIGNED, differences, warnings, written
from cds_service.ground.errors import ContentError, Problem
from cds_service.ground.files import read_texts
from cds_service.ground.settings import Settings
from cds_service.hooks.clients.loading import load_clients
from cds_service.hooks.examples import STORIES, stories
from cds_service.hooks.service import load_content

EXAMPLES = "fhir_examples"
"""Beside the folder of the content, where the project ships it. A site's copy of the content may come without."""
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
    if has_examples:
        _check_examples(contents[0], examples)
    else:
        out.print(Text(f"The example patients are not checked: there is no folder {examples}."), soft_wrap=True)
    out.print(Text("Clients", style="bold"))
    _clients(settings, contents[0], out)
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
