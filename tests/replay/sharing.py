"""Judge a chart at all its openings, and each opening as if its chart had come alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from cds_service.adapters.pseudonyms import KeyedHash
from cds_service.clinical.content.catalogue import Content
from cds_service.protocol.bundles import one_chart, opening
from cds_service.rendering.card import Card
from cds_service.replay.as_known import known_at
from cds_service.replay.chart import StagedEntry
from cds_service.replay.input import find
from cds_service.replay.judge import Judge
from cds_service.replay.openings import openings_of
from cds_service.replay.options import Options
from cds_service.replay.rows import IDENTIFIER, Row
from cds_service.replay.scan import Scan
from cds_service.service.evaluate import Answer, Service
from tests.conftest import shipped_service
from tests.population import END

Resource = dict[str, Any]
USER = "Practitioner/replay"


@dataclass(frozen=True)
class Noting(Service):
    """The service, with a note of each answer."""

    noted: list[Answer] = field(default_factory=list)

    def answer(self, *arguments: Any, **more: Any) -> Answer:
        self.noted.append(super().answer(*arguments, **more))
        return self.noted[-1]


def scanned(content: Content, source: Path) -> dict[str, list[Row]]:
    """The rows of an export by patient, in the order in which they are stored."""
    scan = Scan([content], END.tzinfo or UTC)
    rows: dict[str, list[Row]] = {}
    for piece in find(str(source)).pieces:
        for row, _ in scan.rows(piece):
            if row.kind == IDENTIFIER:
                continue
            rows.setdefault(row.patient, []).append(row)
    return rows


def written(folder: Path, *resources: Resource) -> Path:
    folder.mkdir()
    (folder / "all.ndjson").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in resources))
    return folder


def alone(service: Service, who: str, chart: list[Any], encounter: str | None, at: datetime) -> Answer:
    """The answer to a chart that came alone, as for ``knee-cds evaluate``."""
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in chart]}
    return service.answer(
        opening(USER, who, encounter), one_chart(orjson.loads(orjson.dumps(bundle)), USER).prefetched, at
    )


def said(card: Card) -> tuple[object, ...]:
    """What a verdict is made of: everything that a card says, without what can be done with it."""
    buttons = [suggestion.label for suggestion in card.suggestions]
    return card.rule, card.indicator, card.leg, card.basis, card.summary, card.detail, card.standing, buttons


def assert_same(found: Answer, wanted: Answer) -> None:
    assert found.assessment.record.ledger == wanted.assessment.record.ledger
    assert found.assessment == wanted.assessment
    assert found.response_extension == wanted.response_extension
    assert [said(card) for card in found.cards] == [said(card) for card in wanted.cards]
    assert not any(card.links or card.override_reasons for card in found.cards)


def noting() -> Noting:
    """The service with the shipped content, which notes its answers."""
    service = shipped_service()
    return Noting(**{name: getattr(service, name) for name in Service.__dataclass_fields__})


def assert_each_opening_as_alone(
    noting: Noting, rows: Iterable[Row], resources: list[Resource], options: Options
) -> list[Answer]:
    """Judge ``rows`` at every opening, each of which must be judged as the same ``resources`` alone as of then."""
    (who,) = (one["id"] for one in resources if one["resourceType"] == "Patient")
    noting.noted.clear()
    Judge(noting, options, KeyedHash("k" * 32), END, 60).chart(who, list(rows))
    answers = list(noting.noted)
    whole = [StagedEntry(Row(who, one["resourceType"], one["id"], orjson.dumps(one)), END) for one in resources]
    for one, found in zip(openings_of(whole, options, END), answers, strict=True):
        chart = [entry.resource for entry in known_at(whole, one.at)]
        assert_same(found, alone(noting, who, chart, one.encounter, one.at))
    return answers
