"""``knee-cds assess``: the questions of the assessment page in a terminal, and its note."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.prompt import Prompt
from rich.text import Text

from cds_service.base.errors import UnusableInput
from cds_service.base.settings import Settings
from cds_service.cli.inputs import documents, understand
from cds_service.clinical.answers import Question
from cds_service.clinical.content.names import CALF_DIFFERENCE
from cds_service.clinical.content.texts import Message
from cds_service.clinical.record import Side
from cds_service.protocol.bundles import OneChart
from cds_service.service.assessment.form import ASK, AssessForm
from cds_service.service.assessment.result import Assessed, assessed
from cds_service.service.evaluate import Service

_REPLIES = {"y": "yes", "n": "no"}
_CALVES = {"here": "this", "other": "other"}


def run(file: Path, settings: Settings, now: datetime) -> str:
    """Ask the open questions about the chart in ``file`` on the terminal, and return the note.

    The questions stop at the end of the input.

    Raises:
        UnusableInput: the file is not one chart, or there is nothing to ask about it.
    """
    service = Service.from_settings(settings)
    with file.open("rb") as stream:
        charts = list(documents(stream))
    if len(charts) != 1:
        raise UnusableInput("the file must contain exactly one chart")
    given = understand(charts[0])
    found = _judged(service, given, AssessForm(), now)
    if found is None:
        raise UnusableInput("nothing in this chart leads to a question: no current complaint of a leg")
    return _asked(service, given, found, now).note


def _judged(service: Service, given: OneChart, form: AssessForm, now: datetime) -> Assessed | None:
    answer = service.answer(given.request, given.prefetched, now)
    return assessed(service, answer.caller, answer.assessment.record, Side.UNKNOWN, "", form, now, given.context)


def _asked(service: Service, given: OneChart, found: Assessed, now: datetime) -> Assessed:
    """Ask each question once, including the questions that an answer adds."""
    console, sent, done = Console(stderr=True, highlight=False), dict[str, str](), set[str]()
    try:
        if found.leg.side not in (Side.LEFT, Side.RIGHT):
            sent["side"] = Prompt.ask("Which leg", choices=["left", "right", ""], default="", console=console)
        while left := [question for question in found.questions if question.finding not in done]:
            for question in left:
                done.add(question.finding)
                sent |= _reply(console, found, question)
            found = _judged(service, given, AssessForm.read(sent), now) or found
        if found.asked.about_treatment:
            texts = found.content.texts.assess
            console.print(Text(texts.against_such_as.fill()), style="dim", soft_wrap=True)
            reply = _yes_or_no(console, texts.against.fill())
            sent |= {"against": _REPLIES[reply]} if reply else {}
    except EOFError:
        console.print()
    return _judged(service, given, AssessForm.read(sent), now) or found


def _reply(console: Console, found: Assessed, question: Question) -> dict[str, str]:
    """Ask one question and return the form fields for its answer."""
    recorded = found.recorded(question)
    if question.shown:
        console.print(Text(f"{found.name(question)}: {recorded}"), style="dim", soft_wrap=True)
        return {}
    sent = {}
    heading: Message = getattr(found.content.texts.assess.groups, question.group)
    said = f" [{recorded}]" if recorded else ""
    if question.finding == CALF_DIFFERENCE:
        sent = _girths(console, found)
    reply = _yes_or_no(console, f"{heading.fill()}: {found.name(question)}{said}")
    return {**sent, f"{ASK}{question.finding}": _REPLIES[reply]} if reply else sent


def _yes_or_no(console: Console, question: str) -> str:
    """Ask and return ``y``, ``n`` or an empty text."""
    label = Text(f"{question} (y, n, or Enter: not examined)")
    return Prompt.ask(
        label, choices=[*_REPLIES, ""], default="", console=console, show_choices=False, show_default=False
    )


def _girths(console: Console, found: Assessed) -> dict[str, str]:
    """Ask for both girths until they are plausible. Both may be left empty."""
    while True:
        where = found.content.findings[CALF_DIFFERENCE].name
        console.print(Text(f"{where}. Calf girths in cm, or Enter"), soft_wrap=True)
        sent = {
            name: Prompt.ask(f"  {leg} leg", default="", console=console, show_default=False)
            for name, leg in _CALVES.items()
        }
        mistakes = AssessForm.read(sent).mistakes(found.content)
        if not mistakes:
            return sent
        for words in mistakes.values():
            console.print(Text(words), style="prompt.invalid", soft_wrap=True)


def show(note: str) -> None:
    """Print the note to standard output. The questions go to standard error."""
    sys.stdout.write(f"{note}\n")
