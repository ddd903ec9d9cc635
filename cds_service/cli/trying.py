"""Try other choices on the example patients and compare their cards with those of the present content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

from cds_service.cli.inputs import understand
from cds_service.clinical.assess import assess
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.bundles import OneChart
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from cds_service.service.examples import reference_day


@dataclass(frozen=True, slots=True)
class ExampleCards:
    """The cards of one example. ``heads``: level and headline of each card. ``whole``: all texts of each card."""

    heads: tuple[tuple[str, str], ...]
    whole: tuple[tuple[str, ...], ...]

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(level for level, _ in self.heads)


@dataclass(frozen=True, slots=True)
class Changed:
    """An example whose cards change."""

    name: str
    before: ExampleCards
    after: ExampleCards

    @property
    def levels_differ(self) -> bool:
        """Whether a card is added or removed, or its urgency changes."""
        return self.before.levels != self.after.levels

    @property
    def heads_differ(self) -> bool:
        """Whether a headline changes."""
        return self.before.heads != self.after.heads


@dataclass(frozen=True, slots=True)
class _Example:
    name: str
    given: OneChart
    assessment: Assessment
    findings: frozenset[str]
    cards: ExampleCards


class Examples:
    """All examples with their present cards."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.day: date = reference_day(folder)
        self._now = datetime.combine(self.day, time(14), UTC)
        self._all = tuple(self._judged(path) for path in sorted(folder.glob("*.json")))

    def __len__(self) -> int:
        return len(self._all)

    def by_content(self, content: Content) -> list[Changed]:
        """Return the examples whose cards change if ``content`` is used to read and judge them."""
        service = replace(self.service, content=content)
        return _differing(
            (example, _cards_of(service.answer(example.given.request, example.given.prefetched, self._now).cards))
            for example in self._all
        )

    def by_weights(self, content: Content, findings: frozenset[str]) -> list[Changed]:
        """Return the examples whose cards change if ``content`` has other weights of ``findings`` only.

        The charts are not read again, and an equal assessment is not shown again: no text of a card holds a weight.
        """
        service = replace(self.service, content=content)
        concerned = (example for example in self._all if not findings.isdisjoint(example.findings))
        assessed = ((example, assess(content, example.assessment.record, self.day)) for example in concerned)
        return _differing(
            (example, _cards_of(self._again(service, example, assessment)))
            for example, assessment in assessed
            if assessment != example.assessment
        )

    def _judged(self, path: Path) -> _Example:
        given = understand(path.read_bytes())
        answer = self.service.answer(given.request, given.prefetched, self._now)
        assessment = answer.assessment
        findings = {fact.key for fact in assessment.record.facts}
        findings |= {part.finding for cause in assessment.differential for part in cause.contributions}
        findings |= {age.finding for age in self.service.content.reasoning.ages}
        return _Example(path.stem, given, assessment, frozenset(findings), _cards_of(answer.cards))

    def _again(self, service: Service, example: _Example, assessment: Assessment) -> tuple[Card, ...]:
        return service.cards(assessment, example.given.request.context, self._now)


def _differing(judged: Iterator[tuple[_Example, ExampleCards]]) -> list[Changed]:
    return [Changed(example.name, example.cards, after) for example, after in judged if example.cards != after]


def _cards_of(cards: tuple[Card, ...]) -> ExampleCards:
    heads = tuple((card.indicator, card.summary) for card in cards)
    offered = [tuple(suggestion.label for suggestion in card.suggestions) for card in cards]
    return ExampleCards(
        heads,
        tuple(
            (card.indicator, card.summary, card.detail or "", *labels)
            for card, labels in zip(cards, offered, strict=True)
        ),
    )


def without(content: Content, cause: str, finding: str, sides: Mapping[str, float]) -> Content:
    """Return ``content`` with other ratios of one finding for one cause. ``sides``: ``lr_present``, ``lr_absent``."""
    changed = content.causes[cause]
    supports = tuple(
        weight.model_copy(update=dict(sides)) if weight.finding == finding else weight for weight in changed.supports
    )
    causes = {**content.causes, cause: changed.model_copy(update={"supports": supports})}
    return replace(content, causes=causes)
