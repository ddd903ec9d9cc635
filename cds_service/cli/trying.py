"""What another choice would change: the example patients judged by it, beside what they get today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

from cds_service.cli.inputs import understand
from cds_service.clinical.assess import assess
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.record import Record
from cds_service.protocol.bundles import OneChart
from cds_service.rendering.card import Card
from cds_service.service.evaluate import Service
from cds_service.service.examples import reference_day


@dataclass(frozen=True, slots=True)
class Shown:
    """The cards of one example: level and headline of each, and all that they say."""

    heads: tuple[tuple[str, str], ...]
    whole: tuple[tuple[str, ...], ...]

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(level for level, _ in self.heads)


@dataclass(frozen=True, slots=True)
class Changed:
    """An example whose cards differ."""

    name: str
    before: Shown
    after: Shown

    @property
    def levels_differ(self) -> bool:
        """Whether a card comes, goes, or is more or less urgent."""
        return self.before.levels != self.after.levels

    @property
    def heads_differ(self) -> bool:
        """Whether a headline is another one."""
        return self.before.heads != self.after.heads


@dataclass(frozen=True, slots=True)
class _Example:
    name: str
    given: OneChart
    record: Record
    findings: frozenset[str]
    shown: Shown


class Examples:
    """All examples as they are judged today."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.day: date = reference_day(folder)
        self._now = datetime.combine(self.day, time(14), UTC)
        self._all = tuple(self._judged(path) for path in sorted(folder.glob("*.json")))

    def __len__(self) -> int:
        return len(self._all)

    def by_content(self, content: Content) -> list[Changed]:
        """What changes when everything is read and judged by ``content``."""
        service = replace(self.service, content=content)
        return _differing(
            (one, _shown(service.answer(one.given.request, one.given.prefetched, self._now).cards)) for one in self._all
        )

    def by_weights(self, content: Content, findings: frozenset[str]) -> list[Changed]:
        """What changes when ``content`` only weighs ``findings`` otherwise: the charts are not read anew."""
        service = replace(self.service, content=content)
        return _differing(
            (one, _shown(self._again(service, one))) for one in self._all if not findings.isdisjoint(one.findings)
        )

    def _judged(self, path: Path) -> _Example:
        given = understand(path.read_bytes())
        answer = self.service.answer(given.request, given.prefetched, self._now)
        assessment = answer.assessment
        found = {fact.key for fact in assessment.record.facts}
        found |= {part.finding for one in assessment.differential for part in one.contributions}
        found |= {age.finding for age in self.service.content.reasoning.ages}
        return _Example(path.stem, given, assessment.record, frozenset(found), _shown(answer.cards))

    def _again(self, service: Service, one: _Example) -> tuple[Card, ...]:
        assessment = assess(service.content, one.record, self.day)
        return service.cards(assessment, one.given.request.context, self._now, one.given.prefetched.incomplete)


def _differing(judged: Iterator[tuple[_Example, Shown]]) -> list[Changed]:
    return [Changed(one.name, one.shown, after) for one, after in judged if one.shown != after]


def _shown(cards: tuple[Card, ...]) -> Shown:
    heads = tuple((card.indicator, card.summary) for card in cards)
    offered = [tuple(one.label for one in card.suggestions) for card in cards]
    return Shown(
        heads,
        tuple(
            (card.indicator, card.summary, card.detail or "", *labels)
            for card, labels in zip(cards, offered, strict=True)
        ),
    )


def without(content: Content, cause: str, finding: str, sides: Mapping[str, float]) -> Content:
    """``content`` with other ratios of one finding for one cause. ``sides``: ``lr_present``, ``lr_absent``."""
    changed = content.causes[cause]
    supports = tuple(one.model_copy(update=dict(sides)) if one.finding == finding else one for one in changed.supports)
    causes = {**content.causes, cause: changed.model_copy(update={"supports": supports})}
    return replace(content, causes=causes)
