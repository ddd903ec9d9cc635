"""The text of ``OPEN.md``: the points that a clinician has to decide and sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from cds_service.cli.trying import Changed
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.decisions import Alternative, Area, Decision
from cds_service.clinical.content.names import EXPERT
from cds_service.clinical.content.unstudied import Chosen, chosen_limits, chosen_priors, chosen_spans

AREA_WORDS: dict[Area, str] = {
    "dvt": "Suspected DVT",
    "emergency": "Emergencies",
    "urgent": "Other urgent rules",
    "differential": "The differential",
    "limits": "How often a card shows",
}
_MAX_NAMES = 4
_LONG_VALUE = 40


@dataclass(frozen=True, slots=True)
class Tried:
    """The results of all alternatives.

    Attributes:
        examples: number of example patients.
        decided: (decision, number of the alternative) -> examples whose cards change.
        left_out: each figure chosen without a study, and the examples whose cards change without it.
    """

    examples: int
    decided: Mapping[tuple[str, int], list[Changed]]
    left_out: Sequence[tuple[Chosen, list[Changed]]]


def page(content: Content, tried: Tried, standing: Mapping[tuple[str, str], Any]) -> str:
    """The whole page. ``standing``: the values that decisions name, by file and place."""
    parts = [
        _head(content, tried),
        _decisions(content, tried, standing),
        _figures(content, tried),
        _considered(content),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(content: Content, tried: Tried) -> Iterator[str]:
    matter = sum(any(example.heads_differ for example in changed) for _, changed in tried.left_out)
    yield "# Open for a clinician"
    yield ""
    yield (
        f"Written by `knee-cds review` from content {content.version} ({content.pathway.title}) and {tried.examples} "
        "invented patients; do not edit. **No clinician has signed any of it.**"
    )
    yield ""
    yield f"1. Decide the {len(content.decisions)} points of part 1; the most dangerous come first."
    yield f"2. Check the {matter} figures of part 2 that change a headline, and read through the rest."
    yield "3. If you choose otherwise, change the value at the place named, then run `knee-cds check`,"
    yield "   `knee-cds review` and `make test`. If a choice needs another rule, ask the developers."
    yield "   An alternative that changes no card of the examples may still change cards of other patients."
    yield "4. Sign: your name and role under `[review]`, `by`, of each cause that you have read."


def _decisions(content: Content, tried: Tried, standing: Mapping[tuple[str, str], Any]) -> Iterator[str]:
    yield ""
    yield "## Part 1: decisions"
    number = 0
    for area in get_args(Area):
        points = [(key, decision) for key, decision in content.decisions.items() if decision.area == area]
        if points:
            yield ""
            yield f"### {AREA_WORDS[area]}"
        for key, decision in points:
            number += 1
            yield ""
            yield f"#### {number}. {decision.title}"
            yield ""
            yield from _decision(content, key, decision, tried, standing)


def _decision(
    content: Content, key: str, decision: Decision, tried: Tried, standing: Mapping[tuple[str, str], Any]
) -> Iterator[str]:
    yield f"- **Now:** {decision.stands}"
    values = [f"`{at.place}` = {_value(standing[at.file, at.place])} in `{at.file}`" for at in decision.at]
    if values:
        yield f"- **Set by:** {'; '.join(values)}"
    source = "no publication" if decision.source == EXPERT else content.citations[decision.source].text
    yield f"- **Why:** {decision.reason} ({source}; {decision.status})"
    for place, alternative in enumerate(decision.alternatives):
        yield f"- **Instead:** {_sentence(alternative.words)} {_effect(alternative, tried, key, place)}"
    yield "- **Decision and name:**"


def _effect(alternative: Alternative, tried: Tried, key: str, place: int) -> str:
    if not alternative.can_be_tried:
        return "*Needs another rule; not tried.*"
    return f"*{effect_words(tried.decided[key, place], tried.examples)}*"


def effect_words(changed: Sequence[Changed], total: int) -> str:
    """Return in words which cards change: examples with other levels or headlines by name, the rest as a number."""
    if not changed:
        return f"Changes no card of the {total} examples."
    levels = [example for example in changed if example.levels_differ]
    heads = [example for example in changed if example.heads_differ and not example.levels_differ]
    rest = len(changed) - len(levels) - len(heads)
    parts = [f"Changes the cards of {len(changed)} of {total} examples."]
    if levels:
        named = [
            f"{example.name} ({_levels(example.before.levels)} becomes {_levels(example.after.levels)})"
            for example in levels
        ]
        parts.append(f"Other level in {len(levels)}: {_few(named)}.")
    if heads:
        parts.append(f"Other headline in {len(heads)}: {_few([example.name for example in heads])}.")
    if rest:
        parts.append(f"Other text below the headline in {rest}.")
    return " ".join(parts)


def _figures(content: Content, tried: Tried) -> Iterator[str]:
    yield ""
    yield "## Part 2: figures without a study"
    yield ""
    yield "The alternative to each is to leave it out (a ratio of 1). Ratios of 1 have no effect and are not listed."
    yield ""
    yield "### Figures that change a headline of an example"
    yield ""
    decisive = [(figure, changed) for figure, changed in tried.left_out if any(each.heads_differ for each in changed)]
    decisive.sort(key=lambda pair: (-sum(change.levels_differ for change in pair[1]), -len(pair[1])))
    for figure, changed in decisive:
        title = content.causes[figure.cause].title
        yield f"- **{title}**: {_named(content, figure)}. {_without(changed)}"
    yield ""
    yield "### Figures that change at most the text below a headline"
    yield ""
    for key, title in sorted(
        ((key, cause.title) for key, cause in content.causes.items()), key=lambda item: item[1].lower()
    ):
        others = [
            figure
            for figure, changed in tried.left_out
            if figure.cause == key and not any(each.heads_differ for each in changed)
        ]
        if others:
            yield f"- **{title}**: {'; '.join(_named(content, figure) for figure in others)}."
    yield ""
    yield "### How likely a cause is before any finding"
    yield ""
    yield f"{'; '.join(f'{title} {value:g}' for title, value in chosen_priors(content))}."
    yield ""
    yield "### How long a finding stays current"
    yield ""
    for days, names in chosen_spans(content).items():
        yield f"- **{days} days**: {'; '.join(names)}."
    yield ""
    yield "### Limits, spans and rules"
    yield ""
    for limit in chosen_limits(content):
        yield f"- {limit}"


def _considered(content: Content) -> Iterator[str]:
    yield ""
    yield "## Part 3: causes considered and not included"
    yield ""
    yield "No card names them. A figure for how often, and a sign with a ratio, would let one in."
    yield ""
    for cause in content.about.considered:
        source = "no publication" if cause.source == EXPERT else content.citations[cause.source].text
        yield f"- **{cause.title}**: {cause.reason} Instead: {cause.instead} ({source}; {cause.status})"


def _without(changed: Sequence[Changed]) -> str:
    levels = [example.name for example in changed if example.levels_differ]
    heads = [example.name for example in changed if example.heads_differ and not example.levels_differ]
    parts = [f"other level: {_few(levels)}"] if levels else []
    return "; ".join([*parts, *([f"other headline: {_few(heads)}"] if heads else [])]).capitalize() + "."


def _named(content: Content, chosen: Chosen) -> str:
    return f"{content.findings[chosen.weight.finding].name}, {chosen.words()}"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _levels(levels: Sequence[str]) -> str:
    return " + ".join(levels) or "no card"


def _value(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
        if len(f"{value}") <= _LONG_VALUE
        else "the words there"
    )


def _sentence(words: str) -> str:
    return words if words.endswith((".", "?")) else f"{words}."
